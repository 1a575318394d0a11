/** The index: how complete it is, building it anew, taking documents out; what is under way is shown as it goes. */
import { ApiError, call } from "./api.js";
import { choose } from "./dialogs.js";
import { announce, byId, fill, h, mirror, note } from "./dom.js";
import { count, plural, words } from "./format.js";
import { openJobs } from "./index-jobs.js";
import { drawErrors, drawNotes } from "./index-notes.js";
import { attempt, since, tool } from "./parts.js";
import { permissions } from "./permissions.js";
import { start } from "./shell.js";

const BUSY = 1_000; // milliseconds between two looks while something is under way
const IDLE = 15_000;
const STATES = {
  reindexing: ["Building", "busy"],
  purging: ["Taking out", "busy"],
  stalled: ["Stalled", "warn"],
  failed: ["Failed", "bad"],
};

let can = new Set();
let jobs = null;
let timer = 0;
let looking = null;
let soon = 0; // until when something just asked for may not have begun

const name = (item) => (item.label === item.entityId ? words(item.entityId.split(":").at(-1)) : item.label);

function cells(item) {
  const missing = item.baseCount !== item.indexCount;
  return [
    h("td", {}, h("div.who-text", {}, h("strong.who-name", {}, name(item)), h("code.who-note", {}, item.entityId))),
    h("td.c-number", { data: { label: "Records" } }, number(item.baseCount)),
    h("td.c-number", { data: { label: "In the index" } }, number(item.indexCount)),
    h("td", {}, state(item, missing)),
    h("td.c-when", { data: { label: "Counted" } }, since(item.refreshedAt, "Not yet")),
    h("td.c-tools", {},
      can.has("query_index.reindex") && tool("redo", `Build the index of ${name(item)} anew`, () => rebuild(item)),
      can.has("query_index.purge") && tool("trash", `Take ${name(item)} out of the index`, () => purge(item), { danger: true })),
  ];
}

function number(value) {
  return value === null ? h("span.quiet", {}, "–") : count(value);
}

function state(item, missing) {
  const { job } = item;
  const [text, tone] = STATES[job.status] ?? (item.baseCount === null ? ["Not counted", "plain"] : missing ? ["Incomplete", "warn"] : ["Complete", "good"]);
  const busy = tone === "busy";
  const bar = busy && h("progress", { max: Math.max(job.totalCount ?? 0, 1), value: job.processedCount ?? 0, "aria-label": `${text}: ${name(item)}` });
  return h("div.index-state", {}, h("span.badge", { data: { tone } }, text), bar, busy && h("small", {}, `${count(job.processedCount ?? 0)} of ${count(job.totalCount ?? 0)}`));
}

async function rebuild(item) {
  const text = `${item.baseCount === null ? "All records" : plural(item.baseCount, "record", "records")} will be read and indexed in the background. Lists stay complete meanwhile.`;
  const chosen = await choose(`Build the index of “${name(item)}” anew?`, text, [{ label: "Build anew", main: true }, { label: "Cancel" }]);
  if (chosen === 0 && (await attempt(() => call("POST", "/query_index/reindex", { body: { entityType: item.entityId } })))) begun(`${name(item)} is being built anew`);
}

async function purge(item) {
  const text = "Its records stay, and lists show them all, only more slowly until the index is built anew. This cannot be taken back by Undo.";
  const chosen = await choose(`Take “${name(item)}” out of the index?`, text, [{ label: "Take out", main: true }, { label: "Cancel" }]);
  if (chosen === 0 && (await attempt(() => call("POST", "/query_index/purge", { body: { entityType: item.entityId } })))) begun(`${name(item)} is being taken out`);
}

function begun(text) {
  announce(text);
  soon = Date.now() + 4_000;
  look();
}

/** Load the status and draw it; look again soon while something is under way. */
async function look(refresh = false) {
  clearTimeout(timer);
  looking ??= load(refresh).finally(() => (looking = null));
  const busy = await looking;
  clearTimeout(timer);
  timer = setTimeout(look, busy || Date.now() < soon ? BUSY : IDLE);
}

async function load(refresh) {
  try {
    const status = await call("GET", "/query_index/status", { query: refresh ? { refresh: 1 } : {} });
    note(byId("problem"), "");
    draw(status);
    await jobs.reload();
    return status.indexed.some(({ job }) => ["reindexing", "purging"].includes(job.status)) || jobs.busy();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    note(byId("problem"), error.message);
    return false;
  } finally {
    byId("table").setAttribute("aria-busy", "false");
  }
}

function draw({ items, indexed, errors, logs }) {
  const known = new Set(indexed.map(({ entityId }) => entityId));
  const all = [...indexed, ...items.filter(({ entityId }) => !known.has(entityId))];
  mirror(byId("rows"), all, { key: ({ entityId }) => entityId, build: (item) => row(h("tr.row"), item), refresh: row });
  drawErrors(byId("errors"), byId("errors-empty"), errors);
  drawNotes(byId("notes"), byId("notes-empty"), logs);
}

/** Only what changed is drawn anew, so that focus stays where it is. */
function row(element, item) {
  const mark = JSON.stringify(item);
  if (element.dataset.mark === mark) return element;
  element.dataset.mark = mark;
  const label = element.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  fill(element, cells(item));
  if (label) element.querySelector(`[aria-label="${CSS.escape(label)}"]`)?.focus();
  return element;
}

async function open() {
  start();
  can = await permissions();
  jobs = openJobs(can, look);
  byId("recount").addEventListener("click", () => look(true));
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
  await look();
}

open();
