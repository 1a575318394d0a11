/** What a step that takes back many actions would do, what stands in its way, and what came of it. */
import { difference, drawDifference } from "./diff.js";
import { h, icon } from "./dom.js";
import { ago, count, moment, plural, short, words } from "./format.js";
import { nameIn, nameOf } from "./names.js";
import { historyAddress, kindName } from "./record-places.js";

const OPENED = 12; // changes and actions that are shown before the rest is asked for
const CHANGES = { create: ["comes back", "create"], edit: ["is changed back", "edit"], delete: ["is deleted", "delete"] };
const GLYPHS = { create: "plus", edit: "pencil", delete: "trash" };

/** "12 actions", as buttons and messages say it. */
export const actionCount = (number) => plural(number, "action", "actions");

const titleOf = ({ actionLabel, commandId }) => actionLabel ?? words(commandId);

/** A record as a link to its history. */
function record(kind, id, name = nameOf(id), at = null) {
  const text = name ?? (id ? short(id) : "");
  const href = historyAddress(kind, id, at);
  return h("span.plan-record", {}, kind && h("span.plan-kind", {}, kindName(kind)), href ? h("a", { href }, text) : text);
}

function who({ actorUserId, createdAt }, people) {
  const name = actorUserId ? (people.get(actorUserId) ?? short(actorUserId)) : "System";
  return h("span.plan-meta", {}, name, " · ", h("time", { dateTime: createdAt, title: moment(createdAt), data: { ago: "" } }, ago(createdAt)));
}

/** The list of actions, newest first. */
export function drawActions({ actions, total }, people) {
  const line = (action) => h("li.plan-line", {}, h("span.plan-text", {}, h("strong", {}, titleOf(action)), record(action.resourceKind, action.resourceId)), who(action, people));
  return list(`Actions, newest first`, total, actions.map(line));
}

/** What would become of each record. */
export function drawChanges({ changes, rows }) {
  return list("What changes", rows, changes.map(change));
}

function change(entry) {
  const found = difference(entry);
  const telling = found.rows.filter(({ quiet }) => !quiet);
  const [verb, type] = CHANGES[entry.change];
  const snapshot = entry.snapshotBefore ?? entry.snapshotAfter;
  const name = nameIn(snapshot) ?? nameOf(snapshot?.roleId) ?? nameOf(snapshot?.userId);
  return h("li.plan-line.plan-change", { data: { type } },
    h("span.plan-text", {}, h("span.plan-glyph", { "aria-hidden": "true" }, icon(GLYPHS[type])), record(entry.resourceKind ?? "", entry.resourceId, name), h("span.plan-verb", {}, verb)),
    telling.length > 0 && drawDifference({ ...found, rows: telling }, found.mode !== "change"));
}

/** A heading with a number and a list; only the beginning of a long one is there at first. */
function list(title, total, lines) {
  const rest = lines.slice(OPENED);
  const more = h("button.link", { type: "button", on: { click: () => more.replaceWith(...rest) } }, `Show ${count(rest.length)} more`);
  const unsaid = total - lines.length;
  return h("section.plan-part", {}, h("h2", {}, title, " ", h("span.plan-number", {}, count(total))),
    h("ul.plan-list", {}, lines.slice(0, OPENED), rest.length > 0 && h("li.plan-line", {}, more)),
    unsaid > 0 && h("p.quiet", {}, `and ${count(unsaid)} more, which are not listed`));
}

/** The sentence that says what would happen. */
export function summary({ total, rows, leftOut }) {
  return [
    h("strong", {}, `${actionCount(total)} on ${plural(rows, "row", "rows")} would be taken back, all of them or none.`),
    leftOut > 0 && h("span", {}, ` ${actionCount(leftOut)} ${leftOut === 1 ? "is" : "are"} left out: by ${leftOut === 1 ? "its" : "their"} nature ${leftOut === 1 ? "it" : "they"} cannot be undone.`),
  ];
}

/** What stands in the way: records, and the later actions that made them what they are. */
export function drawObstacles({ blocked, blockedTotal }, people) {
  const line = ({ resourceKind, resourceId, why, changedBy, changedFields }) => h("li.plan-line.plan-obstacle", {},
    h("span.plan-text", {}, h("span.plan-glyph", { "aria-hidden": "true" }, icon("lock")), record(resourceKind, resourceId), h("span.plan-verb", {}, `${why}${changedFields.length ? `: ${changedFields.join(", ")}` : ""}.`)),
    changedBy && h("span.plan-later", {}, "Later: ", later(changedBy, resourceKind, resourceId), who(changedBy, people)));
  return list("What stands in the way", blockedTotal, blocked.map(line));
}

function later(action, kind, id) {
  const href = historyAddress(kind, id, action.logId);
  return href ? h("a", { href }, titleOf(action)) : h("strong", {}, titleOf(action));
}
