/** Taking back many actions in one step: choose them, look at what would happen, do it, and take that back again. */
import { ApiError, call, callAll } from "./api.js";
import { announce, byId, fill, h, icon, note } from "./dom.js";
import { plural } from "./format.js";
import { redo, undo } from "./history.js";
import { describe } from "./keys.js";
import { onEvent } from "./live.js";
import { learn } from "./names.js";
import { permissions } from "./permissions.js";
import { historyAddress, kindName, namedKinds } from "./record-places.js";
import { session } from "./session.js";
import { emptyState, start } from "./shell.js";
import { readAddress, readForm, showInAddress, showInForm, toApi } from "./undo-many-filter.js";
import { openProgress } from "./undo-many-progress.js";
import { actionCount, drawActions, drawChanges, drawObstacles, summary } from "./undo-many-plan.js";

const ACTIONS = "/audit_logs/audit-logs/actions";
const PATH = `${ACTIONS}/undo-many`;
const DRY_RUN = { "x-backstep-dry-run": "true" };
const SAMPLE = 200;
const LISTED = 200; // actions that a plan names
const NAMED = 12; // records in the way whose names are looked up

const form = byId("filter");
const people = new Map();
let me = null;
let plan = null; // {body, found}: what was asked, and what a dry run said
let isRunning = false;
let busy = () => {};
let turn = 0;

/** Ask what would happen, and show it. */
async function preview() {
  if (isRunning) return;
  const filter = readForm(form);
  const wanted = toApi(filter, me.id);
  note(byId("problem"), wanted ? "" : "Say which actions: fill in at least one field.");
  if (!wanted) return form.elements.correlation.focus();
  const mine = (turn += 1);
  showInAddress(filter);
  clear();
  busy("Looking at what would happen…");
  try {
    const found = await call("POST", PATH, { body: { filter: wanted }, headers: DRY_RUN });
    if (mine !== turn) return;
    plan = { filter: wanted, found };
    await show();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (mine === turn) refused(error);
  } finally {
    if (mine === turn) busy("");
  }
}

async function show() {
  const { found } = plan;
  learn(found.changes);
  if (!found.ok) return obstacles(found);
  fill(byId("plan"), h("p.notice.plan-summary", {}, summary(found)), drawChanges(found), drawActions(found, people));
  fill(byId("run"), icon("undo"), `Undo ${actionCount(found.total)}`);
  byId("confirm").hidden = false;
  announce(`${actionCount(found.total)} would be taken back`);
  byId("run").focus();
}

async function obstacles(found) {
  byId("confirm").hidden = true;
  await nameRecords(found.blocked.slice(0, NAMED));
  const number = plural(found.blockedTotal, "record was", "records were");
  fill(byId("plan"), h("p.notice.notice-warn", { role: "alert" }, h("strong", {}, `Not possible: ${number} changed since.`), " Take those later changes back first, or choose the actions otherwise so that they are among them."), drawObstacles(found, people));
}

/** Learn what the records are called whose ids alone are known. */
function nameRecords(blocked) {
  const asked = blocked.filter(({ resourceKind, resourceId }) => historyAddress(resourceKind, resourceId));
  return Promise.allSettled(asked.map(async ({ resourceKind, resourceId }) => {
    const { items } = await call("GET", `/audit_logs/audit-logs/history/${encodeURIComponent(resourceKind)}/${resourceId}`, { query: { pageSize: 1 } });
    learn(items);
  }));
}

/** What the server refused: as a list where it says what stands in the way, as an empty state, else as a sentence. */
function refused(error) {
  plan = null;
  if (error.code === "undo_many_blocked") return obstacles(error.body);
  byId("confirm").hidden = true;
  if (error.code === "nothing_to_undo") return fill(byId("plan"), h("div.empty", {}, emptyState(error.message, "What is undone already, and what cannot be undone by its nature, does not count.")));
  const [field] = Object.entries(error.fields);
  if (error.code === "in_use") return note(byId("problem"), `${error.message}: records that were made since belong to those that would go. Choose the actions so that these are among them.`);
  note(byId("problem"), field ? `${error.message}: ${field[0].split(".").at(-1)}: ${field[1]}` : error.message);
  fill(byId("plan"));
}

/** Do what was previewed, and nothing else: the actions by their ids where all are known, else after a second look. */
async function run() {
  if (!plan?.found.ok || isRunning) return;
  const { filter, found } = plan;
  isRunning = true;
  byId("run").disabled = byId("preview").disabled = true;
  busy(`Taking back ${actionCount(found.total)}…`);
  try {
    const isWhole = found.total <= LISTED && found.actions.length === found.total;
    if (!isWhole && !(await isSame(filter, found))) return;
    const body = isWhole ? { logIds: found.actions.map(({ logId }) => logId) } : { filter };
    done(await call("POST", PATH, { body }));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.code === "not_available") note(byId("problem"), "Some of these actions were undone meanwhile. Nothing was taken back; preview again.");
    else refused(error);
  } finally {
    isRunning = byId("run").disabled = byId("preview").disabled = false;
    busy("");
  }
}

async function isSame(filter, { total }) {
  const again = await call("POST", PATH, { body: { filter }, headers: DRY_RUN });
  if (again.ok && again.total === total) return true;
  plan = { filter, found: again };
  await show();
  note(byId("problem"), "What the filter finds has changed since the preview. Nothing was taken back; look at it again.");
  return false;
}

function done({ total, rows, leftOut, logId, undoToken }) {
  plan = null;
  byId("confirm").hidden = byId("stale").hidden = true;
  const label = `Undo many (${actionCount(total)})`;
  const sentence = h("p", {}, h("strong", {}, `${actionCount(total)} on ${plural(rows, "row", "rows")} ${total === 1 ? "was" : "were"} taken back.`), leftOut > 0 && ` ${actionCount(leftOut)} could not be, and ${leftOut === 1 ? "was" : "were"} left out.`);
  const actions = h("div.page-actions");
  const link = h("a.button", { href: "/backend/activity" }, icon("pulse"), "See it in Activity");
  const offer = (text, name, action, next) => {
    const button = h("button.button", { type: "button", on: { click: async () => {
      button.disabled = true;
      if (await action()) next();
      else button.disabled = false;
    } } }, icon(name), text);
    fill(actions, button, link);
    button.focus();
  };
  fill(byId("plan"), h("section.notice.plan-result", { role: "status" }, sentence, actions));
  if (undoToken) {
    offer("Undo this", "undo", () => undo(undoToken, label), () => {
      sentence.textContent = "That was undone: the actions stand again.";
      offer("Redo", "redo", () => redo(logId, label), () => (sentence.textContent = "The actions are taken back again.") && fill(actions, link));
    });
  } else fill(actions, link);
}

/** Forget the preview, since it is of another filter. */
function clear() {
  plan = null;
  fill(byId("plan"));
  byId("confirm").hidden = byId("stale").hidden = true;
}

/** Offer the people, keys, kinds and commands that there are. */
async function choices(can) {
  const filled = (select, options) => {
    const chosen = select.value;
    select.append(...options.map(([value, text]) => h("option", { value }, text)));
    select.value = chosen;
  };
  const mayAll = can.has("audit_logs.undo_tenant");
  byId("only-mine").hidden = mayAll;
  byId("key-field").hidden = !mayAll || !can.has("api_keys.view");
  const parts = [
    mayAll && can.has("auth.users.list") && callAll("/auth/users", { query: { pageSize: 100 }, most: 1_000 }).then((users) => {
      for (const { id, name, email } of users) people.set(id, name || email);
      filled(form.elements.who, users.filter(({ id }) => id !== me.id).map(({ id, name, email }) => [id, name ? `${name} (${email})` : email]));
    }),
    !byId("key-field").hidden && callAll("/api_keys/keys", { query: { pageSize: 100 }, most: 1_000 }).then((keys) => {
      for (const { id, name } of keys) people.set(id, name);
      filled(form.elements.apiKey, keys.map(({ id, name }) => [id, name]));
    }),
    call("GET", ACTIONS, { query: { pageSize: SAMPLE } }).then(({ items }) => {
      learn(items);
      const kinds = new Map(namedKinds());
      for (const { resourceKind } of items) if (resourceKind) kinds.set(resourceKind, kindName(resourceKind));
      fill(byId("kinds"), [...kinds].sort().map(([value, label]) => h("option", { value, label })));
      fill(byId("commands"), [...new Map(items.map(({ commandId, actionLabel }) => [commandId, actionLabel ?? commandId]))].sort().map(([value, label]) => h("option", { value, label })));
      fill(byId("correlations"), [...new Set(items.map(({ context }) => context?.correlationId).filter(Boolean))].map((value) => h("option", { value })));
    }),
  ];
  await Promise.allSettled(parts);
}

/** A choice of the address that no list has offered yet. */
function hold(select, value) {
  if (value && ![...select.options].some((option) => option.value === value)) select.append(h("option", { value }, people.get(value) ?? value.slice(0, 8)));
}

async function open() {
  start();
  describe("enter", "In a field: preview");
  const [can, user] = await Promise.all([permissions(), session()]);
  me = user;
  if (user.id) people.set(user.id, user.name ?? user.email);
  if (!can.has("audit_logs.undo_self")) {
    form.hidden = true;
    return note(byId("problem"), "You may not do this: it needs audit_logs.undo_self.");
  }
  busy = openProgress(PATH, me.id, (id) => people.get(id) ?? "Somebody");
  const { filter, left } = readAddress();
  note(byId("left"), left && `Not taken over from Activity, since it cannot be said here: ${left}. So more actions may be found than were listed there.`);
  await choices(can);
  hold(form.elements.who, filter.who);
  hold(form.elements.apiKey, filter.apiKey);
  showInForm(form, filter);
  form.setAttribute("aria-busy", "false");
  if (toApi(filter, me.id)) await preview();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  preview();
});
form.addEventListener("input", () => plan && clear());
form.addEventListener("reset", () => {
  note(byId("left"), "");
  note(byId("problem"), "");
  clear();
  showInAddress({});
});
byId("run").addEventListener("click", run);
byId("again").addEventListener("click", preview);
onEvent(({ id }) => {
  if (plan && !isRunning && (id === "audit_logs.action.recorded" || id === "resumed")) byId("stale").hidden = false;
});
open();
