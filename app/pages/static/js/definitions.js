/** Field definitions as tables and forms use them, and the choices that their values come from. */
import { ApiError, call } from "./api.js";

const RELATIONS = "/api/entities/relations/options";
const MOST_IDS = 100; // ids of one look-up of labels

const loaded = new Map();

/** What kinds are called. */
export const KINDS = {
  text: "Text", multiline: "Long text", integer: "Whole number", float: "Number", boolean: "Yes or no", select: "Choice", currency: "Currency",
  relation: "Relation", attachment: "Attachment", dictionary: "Dictionary", phone: "Phone", date: "Date", datetime: "Date and time",
};

/** Whether values of a kind are one of a list of choices. */
export const isChoice = ({ kind }) => kind === "select" || kind === "dictionary" || kind === "currency";

/** Whether a field must not be left empty. */
export const isRequired = ({ validation }) => (validation ?? []).some(({ rule }) => rule === "required");

/**
 * The fields of an entity, in their order, each as `GET /entities/definitions` tells it; its `fieldsets`; and
 * whether a record belongs to one of them only.
 */
export async function definitionsOf(entityId) {
  const { items, fieldsetsByEntity = {}, entitySettings = {} } = await call("GET", "/entities/definitions", { query: { entityId } });
  return { fields: items, fieldsets: fieldsetsByEntity[entityId] ?? [], isSingle: entitySettings[entityId]?.singleFieldsetPerRecord !== false };
}

/** The choices of a field, as `{value, label, color?}`; none for a field that has none, or whose list is refused. */
export async function choicesOf(field) {
  if (field.kind === "currency") return currencies();
  if (!field.optionsUrl) return field.options ?? [];
  if (!loaded.has(field.optionsUrl)) loaded.set(field.optionsUrl, remote(field.optionsUrl));
  return loaded.get(field.optionsUrl);
}

/** Forget the choices of a field, so that they are asked for again. */
export const forgetChoices = (field) => loaded.delete(field.optionsUrl);

async function remote(url) {
  const path = ownPath(url);
  if (!path) return [];
  try {
    const answer = await call("GET", path);
    const items = Array.isArray(answer) ? answer : (answer?.items ?? []);
    return items.filter(({ value }) => value !== undefined && value !== null).map(({ value, label, color }) => ({ value: String(value), label: label ?? String(value), color }));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return [];
  }
}

/** The API path of an address of this server; null for any other. */
function ownPath(url) {
  const { origin, pathname, search } = new URL(url, location.href);
  return origin === location.origin && pathname.startsWith("/api/") ? pathname.slice("/api".length) + search : null;
}

let money = null;

function currencies() {
  const names = new Intl.DisplayNames("en", { type: "currency" });
  money ??= Intl.supportedValuesOf("currency").map((value) => ({ value, label: `${value} · ${names.of(value)}` }));
  return money;
}

/** Records that a relation may point to: those that match `q`, or those of `ids`, as `{value, label}`. */
export async function related(field, { q = null, ids = null }) {
  const target = new URL(field.optionsUrl ?? RELATIONS, location.href).searchParams.get("entityId");
  const { items } = await call("GET", "/entities/relations/options", { query: { entityId: target, q, ids: ids?.join(",") } });
  return items;
}

/**
 * What the values of some rows are called: a map by field key of maps by value, for the fields whose values are not
 * their own names. `valueOf(row, field)` reads a value.
 */
export async function labelsOf(fields, rows, valueOf) {
  const found = new Map();
  await Promise.all(fields.map(async (field) => {
    if (field.kind === "relation") found.set(field.key, await relatedLabels(field, rows.flatMap((row) => valueOf(row, field) ?? [])));
    else if (isChoice(field)) found.set(field.key, new Map((await choicesOf(field)).map((choice) => [String(choice.value), choice])));
  }));
  return found;
}

async function relatedLabels(field, values) {
  const ids = [...new Set(values.map(String))].slice(0, MOST_IDS);
  if (!ids.length) return new Map();
  try {
    return new Map((await related(field, { ids })).map((choice) => [choice.value, choice]));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return new Map();
  }
}
