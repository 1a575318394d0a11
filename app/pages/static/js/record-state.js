/** A record as it was at a moment: its fields, those marked that are otherwise now. */
import { drawValue, isQuiet } from "./diff.js";
import { h } from "./dom.js";
import { plural, words } from "./format.js";

const isRecord = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isRecordList = (value) => Array.isArray(value) && value.length > 0 && value.every(isRecord);

/** The fields of a record: `{path, label, value, quiet}`, those of inner records under dotted paths. */
function fieldsOf(record, prefix = "", label = "", quiet = false) {
  return Object.entries(record).flatMap(([field, value]) => {
    const path = prefix ? `${prefix}.${field}` : field;
    const title = label ? `${label} · ${words(field)}` : words(field);
    const isOfFew = quiet || isQuiet(field);
    return isRecord(value) ? fieldsOf(value, path, title, isOfFew) : [{ path, label: title, value, quiet: isOfFew }];
  });
}

/** Build it. `changes` are what differs from it to the record of now, which may not be there any more. */
export function drawState(state, changes, isThere) {
  const different = new Map(Object.entries(changes ?? {}).filter(([path]) => path !== "updatedAt"));
  const fields = fieldsOf(state);
  const known = new Set(fields.map(({ path }) => path));
  const since = [...different].filter(([path]) => !known.has(path)).map(([path]) => ({ path, label: words(path), value: null, quiet: isQuiet(path) }));
  const all = [...fields, ...since];
  const isShown = ({ path, quiet }) => !quiet || different.has(path);
  const others = all.filter((field) => !isShown(field));
  const summary = isThere ? (different.size ? `${plural(different.size, "field differs", "fields differ")} from now.` : "It is the same now.") : "It is not there any more.";
  return [
    h("p.state-summary", {}, summary),
    h("dl.state", {}, all.filter(isShown).map((field) => row(field, different.get(field.path)))),
    others.length > 0 && h("details.state-more", {}, h("summary", {}, `${plural(others.length, "further field", "further fields")}`), h("dl.state", {}, others.map((field) => row(field)))),
  ];
}

function row({ path, label, value }, change) {
  return h("div.state-row", { className: change ? "state-row is-different" : "state-row", data: { field: path } },
    h("dt", {}, label),
    h("dd", {}, h("span.state-value", {}, drawField(value)),
      change && h("span.state-now", {}, h("span.badge", { data: { tone: "undone" } }, "now"), h("span", {}, drawField(change.to ?? null)))));
}

function drawField(value) {
  if (!isRecordList(value)) return drawValue(value);
  return h("ul.state-parts", {}, value.map((part) => h("li", {}, drawPart(part))));
}

/** A part of the record: its name alone where it has nothing else to say. */
function drawPart(part) {
  const telling = fieldsOf(part).filter(({ path, value, quiet }) => !quiet && value !== null && value !== "" && !(Array.isArray(value) && !value.length) && !/(^|\.)\w*Id$/.test(path));
  if (telling.length <= 1) return telling.length ? drawValue(telling[0].value) : drawValue([part]);
  return h("dl.state.state-inner", {}, telling.map((field) => row(field)));
}
