/** The history of one record: its actions, how it was at any moment, what differs between two, and the way back. */
import { buildEntry, drawEntry } from "./activity-entry.js";
import { ApiError, call } from "./api.js";
import { byId, fill, h, icon, mirror, note, settled } from "./dom.js";
import { ago, day, plural, short } from "./format.js";
import { onChange } from "./history.js";
import { describe, shortcut } from "./keys.js";
import { onEvent } from "./live.js";
import { momentPanel } from "./moment-panel.js";
import { momentsOf } from "./moments.js";
import { learn, lookUp, nameIn } from "./names.js";
import { attempt } from "./parts.js";
import { permissions } from "./permissions.js";
import { kindName, parentIn, placeOf } from "./record-places.js";
import { restore } from "./restore.js";
import { emptyState, start } from "./shell.js";

const [kind, id] = location.pathname.split("/").slice(-2).map(decodeURIComponent);
const path = `/audit_logs/audit-logs/history/${encodeURIComponent(kind)}/${encodeURIComponent(id)}`;
const asked = new URLSearchParams(location.search);
const moments = momentsOf(path);

let can = new Set();
let panel = null;
let current = null; // the record as it is now: {exists, state}; null where that may not be seen
let isDrawn = false;
let turn = 0;

async function load() {
  const mine = (turn += 1);
  const before = moments.total();
  try {
    await moments.refresh();
    if (mine !== turn) return;
    note(byId("problem"), "");
    current = await now();
    if (mine !== turn) return;
    head();
    timeline();
    banner();
    byId("panel").hidden = !panel || moments.total() === 0;
    if (panel && moments.total()) panel.refreshed(before);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (mine === turn) refused(error);
  } finally {
    if (mine === turn) byId("timeline").setAttribute("aria-busy", "false");
  }
}

/** The record as it is, which is how it was after its newest action. */
async function now() {
  if (!panel || !moments.total()) return null;
  const newest = await moments.at(moments.total());
  return call("GET", `${path}/state`, { query: { at: newest.id } });
}

function refused(error) {
  const texts = { 404: "This record does not exist, or it is not yours to see.", 403: error.message };
  note(byId("problem"), texts[error.status] ?? error.message);
  if (isDrawn && error.status !== 404) return;
  byId("name").textContent = kindName(kind);
  byId("timeline").replaceChildren();
  byId("panel").hidden = byId("older").hidden = true;
}

/** What the record is called, and the page where it is. */
function head() {
  const items = moments.newest();
  const own = items.filter(({ touched }) => touched).map(({ snapshotAfter, snapshotBefore }) => snapshotAfter ?? snapshotBefore);
  const snapshot = current?.state ?? own.find((one) => one?.id === id) ?? own[0] ?? null;
  const parent = parentIn(snapshot) ?? items.find(({ resourceId }) => resourceId === id)?.parentResourceId;
  const title = nameIn(snapshot) ?? short(id);
  const page = current?.exists === false ? null : placeOf(kind, id, { parent });
  document.title = `History of ${title} · Backstep`;
  byId("name").textContent = title;
  byId("kind").textContent = `${kindName(kind)} · ${plural(moments.total(), "action", "actions")}`;
  byId("open").hidden = !page;
  byId("open").href = page ?? "";
  byId("activity").href = `/backend/activity?kind=${encodeURIComponent(kind)}&id=${encodeURIComponent(id)}`;
}

function timeline() {
  const items = moments.newest();
  const box = byId("timeline");
  if (!isDrawn) box.replaceChildren();
  isDrawn = true;
  learn(items);
  draw();
  lookUp(items).then((learned) => learned && draw()).catch(() => {});
  byId("older").hidden = !moments.hasOlder();
  byId("empty").hidden = items.length > 0;
  if (!items.length) fill(byId("empty"), emptyState("Nothing of yours", "You see your own changes only. To see those of others you need audit_logs.view_tenant."));
}

/** Draw the entries; those that are drawn already and have not changed stay. */
function draw() {
  const total = moments.total();
  const items = moments.newest().map((entry, index) => ({ entry, place: total - index }));
  let last = null;
  const lines = items.flatMap((line) => {
    const heading = day(line.entry.createdAt);
    const isFirst = heading !== last;
    last = heading;
    return isFirst ? [{ heading }, line] : [line];
  });
  mirror(byId("timeline"), lines, {
    key: ({ entry, heading }) => entry?.id ?? heading,
    build: ({ entry, heading, place }) => (entry ? chosen(buildEntry(entry, within(place)), place) : h("h2.feed-day", {}, heading)),
    refresh: (element, { entry, place }) => entry && (drawEntry(element, entry, within(place)), chosen(element, place)),
  });
}

function chosen(element, place) {
  const isComparing = panel?.isComparing();
  element.classList.toggle("is-looked-at", panel?.place() === place || (isComparing && panel.other() === place));
  return element;
}

/** The buttons of an entry that choose its moment. */
function within(place) {
  const isComparing = Boolean(panel?.isComparing());
  const choose = (text, label, isChosen, side, content) =>
    h("button.button.button-quiet.moment-choice", { type: "button", "aria-pressed": String(isChosen), "aria-label": label, title: text, on: { click: () => look(place, side) } }, content);
  return {
    id,
    mark: () => (panel ? [place, isComparing, panel.place() === place, isComparing && panel.other() === place].join() : ""),
    tools: (_, label) => {
      if (!panel) return null;
      const isB = panel.place() === place;
      if (!isComparing) return choose("The record after this", `The record after: ${label}`, isB, "b", icon("clock"));
      return [choose("Moment A", `Compare from after: ${label}`, panel.other() === place, "a", "A"), choose("Moment B", `Compare to after: ${label}`, isB, "b", "B")];
    },
  };
}

function look(place, side) {
  panel.look(place, side);
  const entry = document.querySelector(`#timeline [data-key="${CSS.escape(moments.known(place)?.id ?? "")}"]`);
  entry?.querySelector(`.moment-choice${side === "b" && panel.isComparing() ? ":nth-of-type(2)" : ""}`)?.focus({ preventScroll: true });
}

/** What is told of a record that is not there any more. */
function banner() {
  const box = byId("gone");
  box.hidden = current?.exists !== false;
  if (box.hidden) return;
  const total = moments.total();
  const index = moments.newest().findIndex(({ touched, snapshotBefore, snapshotAfter }) => touched && snapshotBefore && !snapshotAfter);
  const entry = moments.newest()[index];
  const text = entry ? `Deleted by ${entry.actorUserName ?? "the system"} ${ago(entry.createdAt)}.` : "It was deleted.";
  const place = total - index - 1;
  const canReturn = entry && place > 0 && can.has("audit_logs.undo_self");
  fill(box, icon("trash"), h("span", {}, text),
    canReturn && h("button.button.button-small", { type: "button", on: { click: () => attempt(async () => restore(path, await moments.at(place))) } }, icon("undo"), "Restore it"));
}

/** Keep what is looked at in the address, so that it can be shared. */
function keepAddress() {
  const search = new URLSearchParams();
  const known = (place) => moments.known(place)?.id;
  const isNow = panel.place() === moments.total() && !panel.isComparing();
  if (panel.isComparing() && known(panel.other())) search.set("from", known(panel.other()));
  if (!isNow && known(panel.place())) search.set("at", known(panel.place()));
  const text = search.toString();
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
}

/** Look at the moments that the address names. */
async function revisit() {
  const [at, from] = await Promise.all(["at", "from"].map((name) => (asked.get(name) ? moments.placeOf(asked.get(name)) : null)));
  if (at) panel.look(at);
  if (from) panel.setComparing(true, from);
}

async function older() {
  await attempt(async () => {
    await moments.older();
    timeline();
  });
  if (byId("older").hidden) byId("main").focus({ preventScroll: true });
}

function keys() {
  shortcut("arrowleft", "Look at the moment before", () => panel?.step(-1));
  shortcut("arrowright", "Look at the moment after", () => panel?.step(1));
  describe("home", "On a slider: the first moment");
  describe("end", "On a slider: now");
  shortcut("c", "Compare two moments, or look at one", () => panel?.setComparing(!panel.isComparing()));
  shortcut("a", "Choose moment A", () => panel?.isComparing() && byId("slider-a").focus());
  shortcut("b", "Choose the moment, or moment B", () => panel && byId("slider-b").focus());
  shortcut("r", "Restore to the moment that is shown", () => panel?.restoreNow());
}

function skeleton() {
  fill(byId("timeline"), [1, 2, 3].map(() => h("div.entry.is-skeleton", { "aria-hidden": "true" }, h("span.entry-glyph"), h("div.entry-main", {}, h("i"), h("i")))));
}

async function open() {
  start();
  skeleton();
  keys();
  byId("older").addEventListener("click", older);
  can = await permissions();
  if (can.has("audit_logs.view_tenant")) {
    panel = momentPanel({
      moments, path, mayRestore: can.has("audit_logs.undo_self"),
      restore: (action) => restore(path, action),
      chosen: () => {
        if (isDrawn) draw();
        keepAddress();
      },
    });
  }
  await load();
  if (!panel || !moments.total()) return;
  if (current?.exists === false) panel.look(moments.total() - 1);
  await attempt(revisit);
}

const refresh = settled(150, load);
const module = kind.split(".")[0];
onChange(refresh);
onEvent(({ id: event, payload }) => {
  const touched = payload?.resourceKind ?? "";
  if (event === "resumed" || (event === "audit_logs.action.recorded" && (!touched || touched.startsWith(module) || touched.startsWith("backstep.") || touched.startsWith("directory.tenant")))) refresh();
});
open();
