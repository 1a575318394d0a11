/**
 * What the page of a list works with, whether a list of the product or the records of a user-defined entity:
 * `{id, label, note, kinds, fields, columns, filters, hasSearch, missing?, load(state), exportAddress(format, state),
 * create?, edit?(row), remove?(row), home?(row), titleOf(row)}`. `state` is `{page, search, sort, filters}`;
 * `sort` names a column, with a `-` before it for descending.
 */
import { ApiError, address, call } from "./api.js";
import { sourceOf } from "./data-sources.js";
import { choicesOf, definitionsOf, isChoice, related } from "./definitions.js";
import { short } from "./format.js";
import { createRecord, editRecord, removeRecord } from "./record-form.js";

const PAGE_SIZE = 50;
const PATH = "/entities/records";
const WORDS = new Set(["text", "multiline", "select", "dictionary", "currency", "phone"]);
const FILTERED = new Set(["text", "phone", "integer", "float", "boolean", "select", "dictionary", "currency", "relation", "date"]);
const CHANGED = { key: "updated_at", label: "Changed", kind: "datetime", sort: "updated_at", value: (row) => row.updatedAt ?? row.updated_at };

/** The list with that id, as far as the features `can` allow; `refresh` is called when a form of it closes. */
export async function listOf(id, can, refresh) {
  const source = sourceOf(id);
  return source ? systemList(source, can, refresh) : recordList(id, can, refresh);
}

const isReversed = (sort) => sort.startsWith("-");
const columnOf = (sort) => sort.replace(/^-/, "");

async function recordList(entityId, can, refresh) {
  const [definitions, { items }] = await Promise.all([definitionsOf(entityId), call("GET", "/entities/entities")]);
  const found = items.find((item) => item.entityId === entityId);
  const entity = { entityId, label: found?.label ?? entityId, ...definitions, closed: refresh };
  const columns = [...definitions.fields.map((field) => ({ ...field, sort: field.multi ? null : `cf:${field.key}`, isExtra: field.listVisible === false })), CHANGED];
  const titleOf = (row) => titleIn(row, found?.labelField, definitions.fields);
  const isBuiltIn = found?.source === "code";
  const mayChange = can.has("entities.records.manage") && !isBuiltIn;
  const query = (state) => recordQuery(entityId, definitions.fields, state);
  return {
    id: entityId,
    label: entity.label,
    note: found?.description ?? "",
    kinds: ["entities."],
    historyKind: !isBuiltIn && can.has("audit_logs.view_self") && "entities.record",
    fields: definitions.fields,
    columns,
    filters: definitions.fields.filter(({ kind, filterable }) => filterable && FILTERED.has(kind)).map(filterOf),
    hasSearch: definitions.fields.some(({ kind }) => WORDS.has(kind)),
    titleOf,
    load: (state) => call("GET", PATH, { query: { ...query(state), page: state.page, pageSize: PAGE_SIZE } }),
    exportAddress: isBuiltIn ? null : (format, state) => address(PATH, { ...query(state), format }),
    create: mayChange && definitions.fields.length > 0 && (() => createRecord(entity)),
    edit: mayChange && ((row) => editRecord(entity, row, titleOf(row))),
    remove: mayChange && ((row) => removeRecord(entity, row, titleOf(row)).then(refresh)),
  };
}

function recordQuery(entityId, fields, { search, sort, filters }) {
  const column = columnOf(sort || "-created_at");
  const isField = fields.some(({ key }) => key === column);
  const wanted = Object.entries(filters).filter(([, value]) => value !== "").map(([key, value]) => [`cf_${key}`, value]);
  return {
    entityId,
    sortField: isField ? `cf:${column}` : column,
    sortDir: isReversed(sort || "-created_at") ? "desc" : "asc",
    search,
    searchFields: search ? fields.filter(({ kind }) => WORDS.has(kind)).map(({ key }) => key).join(",") : null,
    ...Object.fromEntries(wanted),
  };
}

function filterOf(field) {
  const { key, label, kind } = field;
  if (isChoice(field)) return { key, label, kind: "select", choices: () => choicesOf(field) };
  if (kind === "relation") return { key, label, kind: "select", choices: () => related(field, {}) };
  return { key, label, kind };
}

/** What a record is called: its label field, else its first text, else its id. */
function titleIn(row, labelField, fields) {
  const isNamed = (key) => typeof row[key] === "string" && row[key] !== "";
  const key = isNamed(labelField) ? labelField : fields.find(({ key: one, kind }) => kind === "text" && isNamed(one))?.key;
  return key ? row[key] : short(row.id);
}

async function systemList(source, can, refresh) {
  const fields = await customFields(source.id);
  const actions = source.actions(can, refresh) || {};
  const sorts = source.sorts ?? {};
  const columns = [...source.columns, ...fields.map((field) => ({ ...field, isCustom: true, isExtra: field.listVisible === false, value: (row) => row[`cf_${field.key}`] ?? row.customValues?.[field.key] ?? null }))];
  const whole = source.whole;
  return {
    ...source,
    historyKind: can.has("audit_logs.view_self") && source.historyKind,
    fields,
    columns: columns.map((column) => ({ ...column, sort: whole ? column.key : column.isCustom ? null : (sorts[column.key] ?? null) })),
    filters: source.filters ?? [],
    hasSearch: whole || source.hasSearch === true,
    titleOf: (row) => row.name ?? row.label ?? row.email ?? short(row.id),
    load: (state) => loadSystem(source, columns, state),
    exportAddress: source.exports ? (format, state) => source.path(state.filters) && address(source.path(state.filters), { ...systemQuery(source, state), format }) : null,
    ...actions,
  };
}

async function customFields(entityId) {
  try {
    return (await definitionsOf(entityId)).fields;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return [];
  }
}

function systemQuery(source, { search, sort, filters }) {
  const sorted = sort ? { sortField: source.sorts?.[columnOf(sort)], sortDir: isReversed(sort) ? "desc" : "asc" } : {};
  return { ...(source.query?.(filters) ?? {}), search, ...sorted };
}

async function loadSystem(source, columns, state) {
  const path = source.path(state.filters);
  if (!path) return { items: [], total: 0, totalPages: 1 };
  if (source.whole) return wholeList(await call("GET", path, { query: source.query?.(state.filters) }), columns, state);
  return call("GET", path, { query: { ...systemQuery(source, state), page: state.page, pageSize: PAGE_SIZE } });
}

/** A page of a list that the API answers as a whole. */
function wholeList({ items }, columns, { page, search, sort, filters }) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const read = (row, { key, value }) => (value ? value(row) : row[key]);
  const found = items.filter((row) => {
    const text = columns.map((column) => String(read(row, column) ?? "")).join(" ").toLowerCase();
    return words.every((word) => text.includes(word)) && Object.entries(filters).every(([key, wanted]) => wanted === "" || String(row[key]) === wanted);
  });
  const column = columns.find(({ key }) => key === columnOf(sort)) ?? columns[0];
  const sign = isReversed(sort) ? -1 : 1;
  const text = (row) => String(read(row, column) ?? "");
  found.sort((a, b) => sign * text(a).localeCompare(text(b), "en", { numeric: true }));
  return { items: found.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE), total: found.length, totalPages: Math.max(1, Math.ceil(found.length / PAGE_SIZE)) };
}

/** Rows of a page. */
export const pageSize = PAGE_SIZE;
