/** One event of the live list: a line that opens to its whole payload, and to what it is about. */
import { h, icon } from "./dom.js";
import { moment, words } from "./format.js";
import { copyButton } from "./parts.js";
import { historyAddress, kindName, placeOf } from "./record-places.js";

const ACTION = "audit_logs.action.recorded";
const PLACES = new Set(["tenantId", "organizationId"]); // keys of payloads that are shown elsewhere, or go without saying
const SHOWN = 4; // keys of a payload in its line
const LONGEST = 60; // characters of a value in its line
const CLOCK = new Intl.DateTimeFormat("en", { timeStyle: "medium", hourCycle: "h23" });
const ID = /^([0-9a-f]{8})-(?:[0-9a-f]{4}-){3}[0-9a-f]{8}([0-9a-f]{4})$/i;
const texts = new WeakMap();

/** All that an event can be found by, in small letters; `known` are the names of events, organizations and the user. */
export function textOf(event, known) {
  if (!texts.has(event)) {
    const text = [event.id, labelOf(event, known), placeName(event, known), gist(event, known), JSON.stringify(event.payload)].join(" ");
    texts.set(event, text.toLowerCase());
  }
  return texts.get(event);
}

const labelOf = ({ id }, { declared }) => declared.get(id)?.label ?? words(id);
const placeName = ({ organizationId }, { organizations }) => organizations.get(organizationId) ?? brief(organizationId ?? "");

/** The line of an event; what is below it is built when it is opened first. */
export function buildRow({ event, module }, known) {
  const at = new Date(event.timestamp).toISOString();
  const details = h("details", { on: { toggle: () => details.open && details.childElementCount === 1 && details.append(more(event, at, known)) } },
    h("summary.happening-line", {},
      h("time", { dateTime: at, title: moment(at) }, CLOCK.format(event.timestamp)),
      h("span.happening-name", {}, h("strong", {}, labelOf(event, known)), h("code", { title: event.id }, event.id)),
      h("span.badge.happening-module", {}, module),
      h("span.happening-place", { title: event.organizationId || null }, placeName(event, known) || "All"),
      h("span.happening-gist", {}, gist(event, known)),
      icon("down")));
  return h("li.happening", {}, details);
}

/** The line that says that the connection was away. */
export function buildMark({ mark, missed }) {
  return h("li.happening-mark", missed ? { data: { missed: "" } } : {}, icon(missed ? "alert" : "check"), mark);
}

/** The kind of the record that an event of the catalogue is about, such as "dictionaries.entry"; null for any other. */
function kindOf({ id }, { declared }) {
  const { module, entity, category } = declared.get(id) ?? {};
  return category === "crud" && entity ? `${module}.${entity}` : null;
}

/** What a payload says, in a few words. */
function gist(event, known) {
  const { id, payload } = event;
  if (id === ACTION) return actionGist(payload, known.user);
  const kind = kindOf(event, known);
  const told = Object.entries(payload ?? {}).filter(([key, value]) => !PLACES.has(key) && value !== null && value !== "");
  return told.slice(0, SHOWN).map(([key, value]) => `${key === "id" && kind ? kindName(kind) : words(key)} ${brief(value)}`).join(" · ");
}

function actionGist({ actionLabel, commandId, historyAction, resourceKind, resourceId, actorUserId }, user) {
  const who = !actorUserId ? "by the system" : actorUserId === user?.id ? "by you" : `by ${brief(actorUserId)}`;
  const verb = historyAction ? `${words(historyAction)}: ` : "";
  return [`${verb}${actionLabel ?? commandId}`, resourceId && `${kindName(resourceKind)} ${brief(resourceId)}`, who].filter(Boolean).join(" · ");
}

/** A value in a line; of an id its beginning and its end, since ids of one moment begin alike. */
function brief(value) {
  const text = typeof value === "string" ? value.replace(ID, "$1…$2") : JSON.stringify(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

function more(event, at, known) {
  const json = JSON.stringify(event.payload, null, 2);
  const links = about(event, known);
  const facts = [["Event", event.id], ["Place in the stream", event.place], ["Time", `${moment(at)} (${at})`], ["Organization", [placeName(event, known), event.organizationId].filter(Boolean).join(" · ")]];
  return h("div.happening-more", {},
    links.length > 0 && h("p.happening-links", {}, links.map(([name, label, href]) => h("a.button.button-small", { href }, icon(name), label))),
    h("dl.facts", {}, facts.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, String(value))))),
    h("div.snippet", {}, h("pre", { tabIndex: 0, "aria-label": "Payload" }, h("code", {}, json)), copyButton(() => json)));
}

/** Where the things that an event is about can be looked at, as `[icon, label, address]`. */
function about(event, known) {
  const { id, payload } = event;
  const isAction = id === ACTION;
  const kind = isAction ? payload.resourceKind : kindOf(event, known);
  const record = isAction ? payload.resourceId : payload?.id;
  if (!kind || !record) return isAction ? [["pulse", "Activity", "/backend/activity"]] : [];
  const isGone = isAction ? payload.actionType === "delete" : id.endsWith(".deleted");
  const history = historyAddress(kind, record, isAction ? payload.id : null);
  const page = isGone ? null : placeOf(kind, record);
  const log = `/backend/activity?${new URLSearchParams({ id: record, kind })}`;
  return [
    history && ["clock", isAction ? "The record after this action" : "History of the record", history],
    ["pulse", "In the action log", log],
    page && ["arrow", kindName(kind), page],
  ].filter(Boolean);
}
