/**
 * What the designer of an entity works on: its fields in their order and its fieldsets, as they are to be. Nothing of
 * it reaches the server before it is saved as a whole.
 */

const USUAL = { listVisible: true, formEditable: true, filterable: false, encrypted: false, multi: false };

/** Whether two values say the same, whatever the order of their keys, and whether or not they name what is usual. */
const same = (a, b) => JSON.stringify(a, plainly) === JSON.stringify(b, plainly);

function plainly(_, value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.keys(value).filter((key) => value[key] !== undefined && value[key] !== USUAL[key]).sort().map((key) => [key, value[key]]));
}

/** The draft of an entity as `GET /entities/definitions.manage` tells it: nothing is changed yet. */
export function draftOf({ items, fieldsets, settings, version }) {
  const priority = ({ configJson }) => Number(configJson?.priority ?? 0);
  const fields = items.toSorted((a, b) => priority(a) - priority(b) || a.key.localeCompare(b.key)).map(fieldOf);
  return { fields, fieldsets, isSingle: settings.singleFieldsetPerRecord !== false, version, base: { fields, fieldsets, isSingle: settings.singleFieldsetPerRecord !== false } };
}

function fieldOf({ key, kind, configJson, organizationId }) {
  const { priority = 0, ...config } = configJson ?? {};
  return { key, kind, config, priority: Number(priority), isInherited: organizationId === null };
}

const baseOf = (draft, key) => draft.base.fields.find((field) => field.key === key);

/** What became of a field: "new", "removed", "changed" or "". */
export function stateOf(draft, field) {
  const before = baseOf(draft, field.key);
  if (field.isRemoved) return "removed";
  if (!before) return "new";
  return before.kind === field.kind && same(before.config, field.config) ? "" : "changed";
}

/** How many fields are new, changed, removed; and whether their order, or the fieldsets, are others. */
export function changesOf(draft) {
  const states = draft.fields.map((field) => stateOf(draft, field));
  const number = (state) => states.filter((one) => one === state).length;
  const order = (fields) => fields.map(({ key }) => key);
  const left = order(draft.fields).filter((key) => baseOf(draft, key));
  return {
    new: number("new"),
    changed: number("changed"),
    removed: number("removed"),
    isReordered: !same(left, order(draft.base.fields).filter((key) => left.includes(key))) || draft.fields.some((field, index) => !baseOf(draft, field.key) && index < left.length),
    hasFieldsets: !same(draft.fieldsets, draft.base.fieldsets) || draft.isSingle !== draft.base.isSingle,
  };
}

/** Whether there is anything to save. */
export function isDirty(draft) {
  const changes = changesOf(draft);
  return Boolean(changes.new || changes.changed || changes.removed || changes.isReordered || changes.hasFieldsets);
}

/** The changes in a few words, and how many shared fields will be this organization's own by them. */
export function summary(draft) {
  const changes = changesOf(draft);
  const counted = ["new", "changed", "removed"].filter((name) => changes[name]).map((name) => `${changes[name]} ${name}`);
  const own = savedOf(draft).filter(({ isInherited }) => isInherited).length;
  const text = [...counted, changes.isReordered && "another order", changes.hasFieldsets && "fieldsets"].filter(Boolean).join(", ");
  return own ? `${text} (${own} of the shared fields, here only)` : text;
}

/** The fields that are saved, as they are to be: those that somebody changed or moved. All others stay whose they are. */
export function savedOf(draft) {
  const { isReordered } = changesOf(draft);
  const priorities = isReordered ? spread(draft.fields.map(({ priority }) => priority)) : following(draft.fields.map(({ priority }) => priority));
  return draft.fields
    .map((field, index) => ({ ...field, priority: priorities[index] }))
    .filter((field) => stateOf(draft, field) !== "" || field.priority !== baseOf(draft, field.key).priority);
}

/** What is sent to save a draft. */
export function payloadOf(entityId, draft) {
  const { hasFieldsets } = changesOf(draft);
  return {
    entityId,
    definitions: savedOf(draft).map(({ key, kind, config, priority, isRemoved }) => ({ key, kind, configJson: config, isActive: !isRemoved, priority })),
    ...(hasFieldsets ? { fieldsets: draft.fieldsets, singleFieldsetPerRecord: draft.isSingle } : {}),
  };
}

/** Priorities with those that are missing after all others. */
function following(priorities) {
  let last = Math.max(-1, ...priorities.filter((one) => one !== undefined));
  return priorities.map((one) => one ?? (last += 1));
}

/** Rising priorities in the place of some: as many as can be stay, the others get numbers between their neighbours'. */
function spread(priorities) {
  const kept = rising(priorities);
  return priorities.map((one, index) => {
    if (kept.has(index)) return one;
    let [first, end] = [index, index + 1];
    while (first > 0 && !kept.has(first - 1)) first -= 1;
    while (end < priorities.length && !kept.has(end)) end += 1;
    const [low, high] = [priorities[first - 1], priorities[end]];
    if (low === undefined && high === undefined) return index;
    if (low === undefined) return high - (end - index);
    return high === undefined ? low + (index - first + 1) : low + ((high - low) * (index - first + 1)) / (end - first + 1);
  });
}

/** The places of the longest part of a list whose numbers rise. */
function rising(numbers) {
  const parts = [];
  numbers.forEach((number, index) => {
    if (number === undefined) return;
    const before = parts.filter((part) => numbers[part.at(-1)] < number).reduce((best, part) => (part.length > best.length ? part : best), []);
    parts.push([...before, index]);
  });
  return new Set(parts.reduce((best, part) => (part.length > best.length ? part : best), []));
}

/**
 * A draft on top of what the server has now: untouched fields and orders follow the server, touched ones stay. When
 * somebody else touched the same, the old version is kept, so that saving asks first.
 */
export function rebased(draft, server) {
  const fresh = draftOf(server);
  if (!isDirty(draft)) return { ...fresh, fields: fresh.fields.map((field) => followed(field, draft.fields.find(({ key }) => key === field.key) ?? {})) };
  const isClash = (field) => stateOf(draft, field) !== "" && !same(baseOf(draft, field.key), baseOf(fresh, field.key));
  const clashes = draft.fields.some(isClash) || (changesOf(draft).hasFieldsets && !same(draft.base.fieldsets, fresh.base.fieldsets));
  const kept = draft.fields.map((field) => (stateOf(draft, field) === "" ? followed(baseOf(fresh, field.key), field) : field)).filter(Boolean);
  const added = fresh.fields.filter(({ key }) => !draft.fields.some((field) => field.key === key));
  const sets = changesOf(draft).hasFieldsets ? { fieldsets: draft.fieldsets, isSingle: draft.isSingle } : { fieldsets: fresh.fieldsets, isSingle: fresh.isSingle };
  const place = ({ key }) => fresh.fields.findIndex((field) => field.key === key) >>> 0; // new ones last
  const fields = [...kept, ...added];
  if (!changesOf(draft).isReordered) fields.sort((a, b) => place(a) - place(b));
  return { ...fresh, ...sets, fields, version: clashes ? draft.version : fresh.version };
}

/** A field as the server has it, still open to changes for this organization alone if it was. */
const followed = (fresh, { isHere }) => fresh && { ...fresh, isHere: isHere && fresh.isInherited };

/** A draft in which a shared field may be changed for this organization alone, or is as it is shared again. */
export function forHere(draft, key, isHere) {
  const shared = baseOf(draft, key);
  return { ...draft, fields: draft.fields.map((field) => (field.key === key ? { ...(isHere ? field : shared), isHere } : field)) };
}

/** A draft with a field put in, or in the place of the one with its key. */
export function withField(draft, field) {
  const index = draft.fields.findIndex(({ key }) => key === field.key);
  return { ...draft, fields: index < 0 ? [...draft.fields, field] : draft.fields.with(index, field) };
}

/** A draft without a field: a new one goes at once, another one when the draft is saved. */
export function withoutField(draft, key, isRemoved = true) {
  const fields = baseOf(draft, key) ? draft.fields.map((field) => (field.key === key ? { ...field, isRemoved } : field)) : draft.fields.filter((field) => field.key !== key);
  return { ...draft, fields };
}

/** A draft whose fields stand in the order of these keys. */
export function inOrder(draft, keys) {
  return { ...draft, fields: keys.map((key) => draft.fields.find((field) => field.key === key)) };
}

/** A draft without a fieldset; its fields stay, in none. */
export function withoutFieldset(draft, code) {
  const fields = draft.fields.map((field) => {
    const { fieldset, fieldsets, group, ...config } = field.config;
    const left = fieldsets?.filter((one) => one !== code);
    if (fieldset !== code && left?.length === fieldsets?.length) return field;
    return { ...field, config: { ...config, ...(left?.length ? { fieldsets: left } : {}) } };
  });
  return { ...draft, fields, fieldsets: draft.fieldsets.filter((one) => one.code !== code) };
}
