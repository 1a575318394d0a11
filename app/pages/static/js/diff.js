/** A readable difference: what an entry of the action log changed, as rows of "field, from, to". */
import { h, icon } from "./dom.js";
import { moment, short, words } from "./format.js";
import { nameOf } from "./names.js";

const QUIET = new Set([
  "id", "tenantId", "organizationId", "scope", "createdAt", "updatedAt", "deletedAt", "dictionaryId", "dictionaryKey",
  "normalizedValue", "isActive", "managerVisibility", "entrySortMode",
]);
const NEVER = new Set(["updatedAt", "updated_at"]);
const COLOR = /^#[0-9a-f]{6}$/i;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/;

/** Whether a field of a record is of interest to few: ids, stamps, what follows from others. */
export const isQuiet = (field) => QUIET.has(field);

/**
 * The difference of an entry: `{mode, rows}` with mode "create", "delete" or "change" and rows
 * `{label, from?, to?, quiet}`; a side that does not exist is undefined. Quiet rows are of interest to few.
 */
export function difference({ snapshotBefore, snapshotAfter, changes }) {
  if (!snapshotBefore && snapshotAfter) return { mode: "create", rows: listing(snapshotAfter, "to") };
  if (snapshotBefore && !snapshotAfter) return { mode: "delete", rows: listing(snapshotBefore, "from") };
  if (snapshotAfter && "newDefaultId" in snapshotAfter) return { mode: "change", rows: [defaultRow(snapshotBefore, snapshotAfter)] };
  const rows = Object.entries(changes ?? {})
    .filter(([path]) => !NEVER.has(path))
    .flatMap(([path, change]) => changeRows(path, change));
  return { mode: "change", rows };
}

function defaultRow(before, after) {
  const chosen = ({ newDefaultId, previousDefaultIds }) => newDefaultId ?? previousDefaultIds?.[0] ?? null;
  return { label: "Default", from: chosen(before), to: chosen(after), quiet: false };
}

function listing(record, side) {
  return Object.entries(record).flatMap(([field, value]) => {
    if (value !== null && typeof value === "object" && !Array.isArray(value)) {
      return listing(value, side).map((row) => ({ ...row, label: `${words(field)} · ${row.label}`, quiet: row.quiet || QUIET.has(field) }));
    }
    const telling = typeof value === "string" ? value !== "" : value === true || Array.isArray(value);
    return [{ label: words(field), [side]: value, quiet: QUIET.has(field) || !telling }];
  });
}

function changeRows(path, change) {
  const from = change?.from ?? change?.old;
  const to = change?.to ?? change?.new;
  if (isRecordList(from) && isRecordList(to)) return recordRows(path, from, to);
  const [one, none] = isRecordList(to) ? [to, from] : [from, to];
  if (isRecordList(one) && Array.isArray(none) && one.some((record) => recordName(record) === null)) {
    const rows = recordRows(path, from, to).filter(({ telling }) => telling);
    if (rows.length) return rows;
  }
  return [{ label: words(path), from: from ?? null, to: to ?? null, quiet: QUIET.has(path) }];
}

const isRecordList = (value) => Array.isArray(value) && value.length > 0 && value.every((item) => item !== null && typeof item === "object" && "id" in item);

/** Lists of records are compared record by record: one row for each field that differs. */
function recordRows(path, before, after) {
  const old = new Map(before.map((item) => [item.id, item]));
  const now = new Map(after.map((item) => [item.id, item]));
  const rows = [];
  for (const id of new Set([...now.keys(), ...old.keys()])) {
    const [was, is] = [old.get(id) ?? {}, now.get(id) ?? {}];
    const title = nameOf(id) ?? is.label ?? is.name ?? was.label ?? (before.length <= 1 && after.length <= 1 ? words(path) : short(id));
    for (const field of new Set([...Object.keys(was), ...Object.keys(is)])) {
      if (field === "id" || NEVER.has(field) || JSON.stringify(was[field]) === JSON.stringify(is[field])) continue;
      const label = path === "positions" ? title : `${title} · ${words(field)}`;
      rows.push({ label, from: was[field] ?? null, to: is[field] ?? null, quiet: QUIET.has(field), rank: is.position ?? 0, plain: true, telling: isTelling(was[field] ?? is[field], field) });
    }
  }
  return rows.sort((a, b) => a.rank - b.rank);
}

/** The rows as a definition list; `inline` puts them side by side, where they are short and of one side. */
export function drawDifference({ mode, rows }, inline = false) {
  return h(inline ? "dl.diff.diff-inline" : "dl.diff", { data: { mode } }, rows.map((row) =>
    h("div.diff-row", {}, h("dt", {}, row.label), h("dd", {}, mode === "change" ? drawChange(row) : drawSide(row, mode)))));
}

function drawSide(row, mode) {
  return h(mode === "create" ? "ins.side" : "del.side", {}, drawValue(mode === "create" ? row.to : row.from));
}

function drawChange({ from, to }) {
  if (isPlainList(from) && isPlainList(to)) {
    const parts = listParts(from, to);
    if (parts) return parts;
  }
  const [fromParts, toParts] = typeof from === "string" && typeof to === "string" ? apart(from, to) : [null, null];
  return [
    h("del.side", { "aria-label": "from" }, fromParts ?? drawValue(from)),
    h("span.diff-arrow", {}, icon("arrow"), h("span.visually-hidden", {}, " became ")),
    h("ins.side", { "aria-label": "to" }, toParts ?? drawValue(to)),
  ];
}

const isPlainList = (value) => Array.isArray(value) && value.length > 0 && value.every((item) => item === null || typeof item !== "object");

/** Of two lists that share much: what left, what came, and how many stayed; null where only their order differs. */
function listParts(from, to) {
  const gone = from.filter((item) => !to.includes(item));
  const come = to.filter((item) => !from.includes(item));
  const stayed = to.length - come.length;
  if (stayed < 3 || gone.length + come.length === 0) return null;
  return [
    gone.map((item) => h("del.side", { "aria-label": "removed" }, drawValue(item))),
    come.map((item) => h("ins.side", { "aria-label": "added" }, drawValue(item))),
    h("span.value-none", {}, `and ${stayed} as before`),
  ];
}

/** For two long texts that mostly agree: both with only the differing middle marked. */
function apart(from, to) {
  const most = Math.min(from.length, to.length);
  let start = 0;
  while (start < most && from[start] === to[start]) start += 1;
  let end = 0;
  while (end < most - start && from.at(-1 - end) === to.at(-1 - end)) end += 1;
  if (most < 16 || start + end < most / 2 || COLOR.test(from) || UUID.test(from) || TIME.test(from)) return [null, null];
  const marked = (text) => [text.slice(0, start), h("mark", {}, text.slice(start, text.length - end)), text.slice(text.length - end)];
  return [marked(from), marked(to)];
}

const NAMES = ["label", "name", "title", "key", "value", "email", "role"];
const SHOWN = 8; // records of a list that are named

/** Whether a value says something of a record of which nothing else is known. */
const isTelling = (value, field) => !QUIET.has(field) && !/Id$/.test(field) && (Array.isArray(value) ? value.length > 0 : Boolean(value));

const recordName = (record) => NAMES.map((key) => record[key]).find((text) => typeof text === "string" && text !== "") ?? nameOf(record.id);

/** Records as their names, the whole of each on its tooltip; of many, the first and how many more there are. */
function drawRecords(records) {
  const named = records.slice(0, SHOWN).map((record) => {
    return h("span.value-record", { title: JSON.stringify(record, null, 1) }, recordName(record) ?? short(record.id));
  });
  const more = records.length - named.length;
  return [...named.map((one, index) => [index ? ", " : "", one]), more > 0 ? ` and ${more} more` : ""];
}

/** One value, as people read it. */
export function drawValue(value) {
  if (value === null || value === undefined || value === "") return h("span.value-none", {}, "empty");
  if (value === true || value === false) return value ? "Yes" : "No";
  if (Array.isArray(value)) {
    if (value.length === 0) return h("span.value-none", {}, "none");
    if (isRecordList(value)) return drawRecords(value);
    return value.map((item, index) => [index ? ", " : "", drawValue(item)]);
  }
  if (typeof value === "object") return h("code", {}, JSON.stringify(value));
  if (typeof value !== "string") return String(value);
  if (COLOR.test(value)) return h("span.value-color", {}, h("i", { vars: { "--color": value } }), h("code", {}, value));
  if (UUID.test(value)) return nameOf(value) ? h("span", { title: value }, nameOf(value)) : h("code", { title: value }, short(value));
  if (TIME.test(value) && !Number.isNaN(Date.parse(value))) return h("time", { dateTime: value, title: value }, moment(value));
  return value;
}
