/** Names of the records that the history mentions by id only, as far as this page has seen or can look them up. */
import { call } from "./api.js";

const NAME_FIELDS = ["label", "displayName", "name", "title", "subject", "value", "email", "key", "cf_name", "cf_title", "cf_label"];
const MOST = 200; // ids of one look-up
const names = new Map();
const asked = new Set();
let dictionaries = null;

/** What a record calls itself: its first naming field that has a text, else null. */
export function nameIn(record) {
  for (const field of NAME_FIELDS) if (typeof record?.[field] === "string" && record[field]) return record[field];
  return null;
}

/** The known name of an id, or null. */
export const nameOf = (id) => names.get(id) ?? null;

/** The known name of the dictionary with that id, or null. */
export const dictionaryName = (id) => dictionaries?.get(id) ?? null;

/** How much is known; what was drawn with less may be drawn better now. */
export const knowledge = () => names.size + (dictionaries?.size ?? 0);

/** Learn from the entries of the action log, newest first. */
export function learn(entries) {
  for (const entry of entries) {
    const record = entry.snapshotAfter ?? entry.snapshotBefore;
    const name = nameIn(record);
    if (name && record.id && !names.has(record.id)) names.set(record.id, name);
  }
}

/** Look up what reorderings and defaults mention; true when something new was learned, so that it can be shown. */
export async function lookUp(entries) {
  const before = knowledge();
  const wanted = new Map();
  for (const { snapshotAfter, snapshotBefore } of entries) {
    for (const record of [snapshotAfter, snapshotBefore]) {
      if (!record?.dictionaryId) continue;
      const ids = wanted.get(record.dictionaryId) ?? new Set();
      for (const id of idsIn(record)) if (!names.has(id) && !asked.has(id)) ids.add(id);
      wanted.set(record.dictionaryId, ids);
    }
  }
  if (!wanted.size) return false;
  await lookUpDictionaries([...wanted.keys()]);
  for (const [dictionary, ids] of wanted) if (ids.size && dictionaries.has(dictionary)) await lookUpEntries(dictionary, [...ids].slice(0, MOST));
  return knowledge() !== before;
}

function idsIn({ positions, newDefaultId, previousDefaultIds }) {
  return [...(positions ?? []).map(({ id }) => id), newDefaultId, ...(previousDefaultIds ?? [])].filter(Boolean);
}

async function lookUpDictionaries(ids) {
  if (dictionaries && ids.every((id) => dictionaries.has(id) || asked.has(id))) return;
  for (const id of ids) asked.add(id);
  const { items } = await call("GET", "/dictionaries", { query: { includeInactive: true } });
  dictionaries = new Map(items.map(({ id, name }) => [id, name]));
}

async function lookUpEntries(dictionary, ids) {
  for (const id of ids) asked.add(id);
  const { items } = await call("GET", `/dictionaries/${dictionary}/entries`, { query: { ids: ids.join(",") } });
  for (const { id, label } of items) if (!names.has(id)) names.set(id, label);
}
