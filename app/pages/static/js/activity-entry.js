/** One entry of the Activity page. */
import { difference, drawDifference } from "./diff.js";
import { fill, h, icon } from "./dom.js";
import { ago, clock, initials, moment, plural, short, words } from "./format.js";
import { redo, undo } from "./history.js";
import { dictionaryName, knowledge, nameIn, nameOf } from "./names.js";
import { historyAddress } from "./record-places.js";

const SHOWN = 4; // rows of a difference before it is opened
const GLYPHS = { create: "plus", edit: "pencil", delete: "trash", assign: "link", system: "gear", undo: "undo", redo: "redo", order: "sort", star: "star" };
const STATES = { undone: "Undone", redone: "Redone", undoing: "Undoing", failed: "Failed" };
const opened = new Set();

/** "create", "edit", "delete", "assign" or "system", from what the entry shows. */
function typeOf({ commandId, snapshotBefore, snapshotAfter }) {
  const verb = commandId.split(".").at(-1);
  if (/^(create|add)$/.test(verb)) return "create";
  if (/^(delete|remove)$/.test(verb)) return "delete";
  if (/^(un)?assign$/.test(verb)) return "assign";
  if (!snapshotBefore && snapshotAfter) return "create";
  if (snapshotBefore && !snapshotAfter) return "delete";
  return snapshotBefore || snapshotAfter ? "edit" : "system";
}

const historyOf = (entry) => entry.context?.historyAction ?? null;
const titleOf = (entry) => entry.actionLabel ?? words(entry.commandId);

/** What the entry looked like when it was drawn; an entry of the same signature needs no drawing. */
function signature(entry, within) {
  return [within?.mark(entry) ?? "", entry.executionState, entry.undoToken, entry.actorUserName, opened.has(entry.id), subjectName(entry), contextName(entry), record(entry).id ? 0 : knowledge()].join("|");
}

/**
 * Build an entry. The history of one record says what is else there by `within`: `id`, the record's own, which its
 * entries do not name, `tools(entry)`, further buttons, and `mark(entry)`, a text that changes when those do.
 */
export function buildEntry(entry, within = null) {
  const element = h("article.entry", { tabIndex: -1 });
  drawEntry(element, entry, within);
  return element;
}

/** Draw an entry again when it changed; keeps it open or closed. */
export function drawEntry(element, entry, within = null) {
  const mark = signature(entry, within);
  if (element.dataset.mark === mark) return;
  const history = historyOf(entry);
  const type = typeOf(entry);
  const shown = difference(entry);
  element.dataset.mark = mark;
  element.dataset.type = history ?? type;
  element.dataset.state = entry.executionState;
  element.id = `entry-${entry.id}`;
  const isOpen = opened.has(entry.id);
  fill(element,
    h("span.entry-glyph", { "aria-hidden": "true" }, icon(glyph(entry, history, type))),
    h("div.entry-main", {},
      h("h3.entry-title", {}, badge(history), h("span", {}, titleOf(entry)), subject(entry, within), state(entry)),
      meta(entry),
      body(entry, shown, isOpen),
      isOpen && details(entry)),
    tools(element, entry, isOpen, within));
}

function glyph(entry, history, type) {
  if (history) return GLYPHS[history] ?? GLYPHS.system;
  if (entry.commandId.endsWith(".reorder")) return GLYPHS.order;
  if (entry.commandId.endsWith(".set_default")) return GLYPHS.star;
  return GLYPHS[type];
}

function badge(history) {
  if (history !== "undo" && history !== "redo") return null;
  return h("span.badge", { data: { tone: history } }, history === "undo" ? "Undo" : "Redo");
}

function state({ executionState }) {
  return STATES[executionState] ? h("span.badge", { data: { tone: executionState } }, STATES[executionState]) : null;
}

const record = (entry) => entry.snapshotAfter ?? entry.snapshotBefore ?? {};

function subjectName(entry) {
  return nameIn(record(entry)) ?? nameOf(entry.resourceId) ?? dictionaryName(entry.resourceId) ?? "";
}

function contextName(entry) {
  const { id, dictionaryId } = record(entry);
  return id && dictionaryId && dictionaryId !== id ? (dictionaryName(dictionaryId) ?? "") : "";
}

function subject(entry, within) {
  if (within && (entry.touched || entry.resourceId === within.id)) return null;
  const name = subjectName(entry);
  const inside = contextName(entry);
  const dictionary = record(entry).dictionaryId ?? (entry.resourceKind === "dictionaries.dictionary" ? entry.resourceId : null);
  const text = name || (entry.resourceId ? short(entry.resourceId) : "");
  if (!text) return null;
  const href = dictionary ? `/backend/dictionaries/${dictionary}${dictionary === entry.resourceId ? "" : `#entry-${entry.resourceId}`}` : dataPage(entry);
  const past = historyAddress(entry.resourceKind, entry.resourceId);
  const link = (href ?? past) ? h("a.entry-subject", { href: href ?? past }, text) : h("span.entry-subject", {}, text);
  return [link, inside && h("span.entry-inside", {}, `in ${inside}`), past && h("a.entry-history", { href: past, title: `History of ${text}`, "aria-label": `History of ${text}` }, icon("clock"))];
}

/** Where the records of a user-defined entity, or its design, are; null for anything else. */
function dataPage({ resourceKind, parentResourceKind, parentResourceId }) {
  if (parentResourceKind !== "entities.entity" || !parentResourceId) return null;
  return `/backend/${resourceKind === "entities.record" ? "data" : "entities"}/${encodeURIComponent(parentResourceId)}`;
}

function meta(entry) {
  const name = entry.actorUserName ?? (entry.actorUserId ? short(entry.actorUserId) : "System");
  return h("p.entry-meta", {},
    h("span.avatar.avatar-small", { "aria-hidden": "true" }, initials(name)),
    h("span.entry-actor", {}, name),
    h("time", { dateTime: entry.createdAt, title: moment(entry.createdAt), data: { ago: "" } }, ago(entry.createdAt)),
    h("span.entry-clock", {}, clock(entry.createdAt)),
    entry.context?.reason && h("span.entry-reason", {}, `“${entry.context.reason}”`));
}

function body(entry, shown, isOpen) {
  const telling = shown.rows.filter(({ quiet }) => !quiet);
  const rows = isOpen ? shown.rows : telling.slice(0, SHOWN);
  const more = shown.rows.length - rows.length;
  if (!shown.rows.length) return null;
  return [
    rows.length > 0 && drawDifference({ ...shown, rows }, !isOpen && shown.mode !== "change"),
    !isOpen && telling.length > SHOWN && h("p.entry-more", {}, `and ${plural(more, "more field", "more fields")}`),
  ];
}

function details(entry) {
  const facts = [
    ["Command", entry.commandId],
    ["Record", recordLink(entry)],
    ["Part of", [entry.parentResourceKind, entry.parentResourceId].filter(Boolean).join(" ")],
    ["Organization", entry.organizationName],
    ["Log id", entry.id],
    ["Reverses", entry.context?.sourceLogId],
    ["Source", entry.context?.source],
    ["Correlation", entry.context?.correlationId],
    ["When", moment(entry.createdAt)],
  ];
  return h("dl.facts", {}, facts.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function recordLink({ resourceKind, resourceId }) {
  const href = historyAddress(resourceKind, resourceId);
  const text = [resourceKind, resourceId].filter(Boolean).join(" ");
  return href ? h("a", { href }, text) : text;
}

function tools(element, entry, isOpen, within) {
  const label = [titleOf(entry), subjectName(entry)].filter(Boolean).join(" ");
  const act = async ({ currentTarget }, run) => {
    currentTarget.disabled = true;
    const done = await run();
    if (done) element.focus({ preventScroll: true });
    else currentTarget.disabled = false;
  };
  const toggle = () => {
    if (!opened.delete(entry.id)) opened.add(entry.id);
    drawEntry(element, entry, within);
    element.querySelector(".entry-toggle").focus();
  };
  return h("div.entry-tools", {},
    within?.tools(entry, label),
    entry.undoToken && h("button.button.entry-undo", { type: "button", "aria-label": `Undo: ${label}`, on: { click: (event) => act(event, () => undo(entry.undoToken, label)) } }, icon("undo"), "Undo"),
    entry.executionState === "undone" && h("button.button.entry-redo", { type: "button", "aria-label": `Redo: ${label}`, on: { click: (event) => act(event, () => redo(entry.id, label)) } }, icon("redo"), "Redo"),
    h("button.button.button-icon.button-quiet.entry-toggle", { type: "button", "aria-expanded": String(isOpen), "aria-label": `Details: ${label}`, on: { click: toggle } }, icon("down")));
}
