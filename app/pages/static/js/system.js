/** The state of the installation: facts, upgrade actions, cache, settings of the environment. */
import { ApiError, call } from "./api.js";
import { choose } from "./dialogs.js";
import { byId, fill, h, icon, note } from "./dom.js";
import { count, moment, words } from "./format.js";
import { onChangeOf } from "./live.js";
import { attempt, tool } from "./parts.js";
import { permissions } from "./permissions.js";
import { session } from "./session.js";
import { emptyState, start } from "./shell.js";
import { toast } from "./toast.js";

const TONES = { enabled: "good", set: "good", disabled: "plain", unset: "plain", unknown: "undone" };
const CACHE = "/configs/cache";

let can = new Set();

function facts({ version, runtimeMode, log, generatedAt }) {
  const rows = [
    ["Version", version],
    ["Mode", words(runtimeMode)],
    ["Actions in the log", count(log.actions)],
    ["Oldest action", log.oldest ? moment(log.oldest) : "None"],
    ["Looked at", moment(generatedAt)],
  ];
  fill(byId("facts"), rows.map(([name, value]) => h("div.fact", {}, h("dt", {}, name), h("dd", {}, value))));
  byId("facts").setAttribute("aria-busy", "false");
}

function variable(item) {
  return h("tr.row", {},
    h("td", {}, item.docUrl ? h("a.variable", { href: item.docUrl, rel: "noreferrer", target: "_blank" }, item.key) : h("span.variable", {}, item.key)),
    h("td.c-state", {}, h("span.badge", { data: { tone: TONES[item.state] } }, words(item.state))),
    h("td.c-value", { data: { label: item.value === null ? "Default" : "Value" } }, item.value ?? h("span.quiet", {}, item.defaultValue || "None")));
}

function category({ key, items }) {
  const id = `category-${key}`;
  return h("section", { "aria-labelledby": id }, h("h3", { id }, words(key)),
    h("div.sheet", {}, h("table.table", {},
      h("thead", {}, h("tr", {}, ["Variable", "State", "Value, or default"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, items.map(variable)))));
}

async function status() {
  const [answer, user] = await Promise.all([call("GET", "/configs/system-status"), session()]);
  facts(answer);
  const seesValues = answer.categories.some(({ items }) => items.some(({ value }) => value !== null));
  byId("status-note").textContent = seesValues || user.roles.includes("superadmin") ? "" : "What they are set to is shown to super admins only.";
  fill(byId("categories"), answer.categories.map(category));
}

async function cache() {
  byId("cache").hidden = !can.has("configs.cache.view");
  if (!can.has("configs.cache.view")) return;
  draw(await call("GET", CACHE));
}

function draw({ total, segments }) {
  const rows = Object.entries(segments);
  byId("cache-table").hidden = rows.length === 0;
  byId("cache-empty").hidden = rows.length > 0;
  byId("purge-all").hidden = !can.has("configs.cache.manage");
  byId("cache-title").textContent = total ? `Cache · ${count(total)}` : "Cache";
  if (!rows.length) fill(byId("cache-empty"), emptyState("Nothing is cached", "Answers of lists are kept when ENABLE_CRUD_API_CACHE is on."));
  fill(byId("segments"), rows.map(([segment, number]) => h("tr.row", {},
    h("td", {}, h("strong.variable", {}, segment)),
    h("td.c-number", { data: { label: "Answers" } }, count(number)),
    h("td.c-tools", {}, can.has("configs.cache.manage") && tool("trash", `Purge ${segment}`, () => purge({ action: "purgeSegment", segment }), { danger: true })))));
}

async function purge(body) {
  await attempt(async () => {
    const { stats, deleted } = await call("POST", CACHE, { body });
    draw(stats);
    toast(body.segment ? `Purged ${body.segment}` : "Purged everything", { kind: "good", detail: deleted === undefined ? "" : `${count(deleted)} answers are looked up again.` });
  });
}

async function purgeAll() {
  const chosen = await choose("Purge everything?", "All that the cache holds of this tenant is thrown out and looked up again when it is needed. For a moment, pages are slower.", [{ label: "Purge", main: true }, { label: "Cancel" }]);
  if (chosen === 0) await purge({ action: "purgeAll" });
}

async function upgrades() {
  if (!can.has("configs.manage")) return;
  const { actions: [action] } = await call("GET", "/configs/upgrade-actions");
  byId("upgrade").hidden = !action;
  if (action) fill(byId("upgrade-action"), h("p", {}, action.message), button(action));
}

function button(action) {
  const run = async ({ currentTarget }) => {
    currentTarget.disabled = true;
    fill(currentTarget, action.loadingLabel);
    await attempt(async () => {
      const { message } = await call("POST", "/configs/upgrade-actions", { body: { actionId: action.id } });
      toast(message, { kind: "good" });
    });
    await load();
  };
  return h("button.button.button-main", { type: "button", on: { click: run } }, icon("play"), action.ctaLabel);
}

/** Read everything; a part that fails says so at the top. */
async function load() {
  const results = await Promise.allSettled([status(), cache(), upgrades()]);
  const failed = results.find(({ status: ended, reason }) => ended === "rejected" && reason instanceof ApiError);
  note(byId("problem"), failed?.reason.message);
}

async function open() {
  start();
  can = await permissions();
  byId("reload").addEventListener("click", load);
  byId("purge-all").addEventListener("click", purgeAll);
  onChangeOf(["configs."], load);
  await load();
}

open();
