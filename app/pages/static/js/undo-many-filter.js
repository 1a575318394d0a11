/** Which actions are to be taken back: the filter as part of an address, as a form and as the API takes it. */
const NAMES = ["who", "apiKey", "correlation", "kind", "id", "command", "from", "until"];
const API_NAMES = { apiKey: "apiKeyId", correlation: "correlationId", kind: "resourceKind", id: "resourceId", command: "commandId", from: "after", until: "before" };
const PAGE = "/backend/undo-many";

/**
 * The page's address for the filters of the Activity page, whose times `query` holds as the API takes them. What
 * cannot be said here is named, so that nobody takes back more than they meant to.
 */
export function undoManyAddress({ who, kind, id, type, field, undoable }, { after, before }) {
  const left = [type.length && `action (${type.join(", ")})`, field && `field (${field})`, undoable && "undoable only"].filter(Boolean);
  const values = { who, kind, id, from: after, until: before, left: left.join("; ") };
  const search = new URLSearchParams(Object.entries(values).filter(([, value]) => value));
  const text = search.toString();
  return text ? `${PAGE}?${text}` : PAGE;
}

/** The filter of the address bar, and what of the Activity page's filters is `left`. */
export function readAddress() {
  const search = new URLSearchParams(location.search);
  const filter = Object.fromEntries(NAMES.map((name) => [name, search.get(name) ?? ""]));
  return { filter, left: search.get("left") ?? "" };
}

/** Write a filter to the address bar. */
export function showInAddress(filter) {
  const search = new URLSearchParams(Object.entries(filter).filter(([, value]) => value));
  const text = search.toString();
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
}

/** A time of a filter as a field of the form shows it, in the reader's zone; "" for what is no time. */
export function local(iso, { isEnd = false } = {}) {
  const time = Date.parse(iso);
  if (Number.isNaN(time)) return "";
  const second = (isEnd ? Math.ceil(time / 1000) : Math.floor(time / 1000)) * 1000;
  return new Date(second - new Date(second).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** Show a filter in the form. */
export function showInForm(form, filter) {
  for (const name of NAMES) form.elements[name].value = name === "from" ? local(filter.from) : name === "until" ? local(filter.until, { isEnd: true }) : filter[name];
}

/** The filter of the form; times as ISO texts. */
export function readForm(form) {
  const values = Object.fromEntries(NAMES.map((name) => [name, form.elements[name].value.trim()]));
  for (const name of ["from", "until"]) values[name] = values[name] && new Date(values[name]).toISOString();
  return values;
}

/** The filter as the API takes it; null when nothing is given, since that would be everything. `me` is one's own id. */
export function toApi(filter, me) {
  const given = Object.entries(API_NAMES).filter(([name]) => filter[name]).map(([name, key]) => [key, filter[name]]);
  if (filter.who) given.push(["actorUserId", filter.who === "me" ? me : filter.who]);
  return given.length ? Object.fromEntries(given) : null;
}
