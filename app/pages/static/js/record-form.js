/** Forms for the records of user-defined entities, made of their definitions. */
import { call } from "./api.js";
import { change } from "./change.js";
import { form } from "./dialogs.js";
import { formField, nameOf } from "./field-controls.js";
import { attempt } from "./parts.js";

const PATH = "/entities/records";
/** The name, in a form, of the choice of a fieldset. */
export const FIELDSET = "_fieldset";

/** Ask for a new record of an entity, `{entityId, label, fields, fieldsets, isSingle}`. */
export async function createRecord(entity) {
  const first = Object.fromEntries(entity.fields.filter(({ defaultValue }) => defaultValue !== undefined && defaultValue !== null).map(({ key, defaultValue }) => [key, defaultValue]));
  await open(`New: ${entity.label}`, entity, first, {
    action: "Create",
    send: (values) => {
      const given = Object.entries(values).filter(([, value]) => value !== null && !(Array.isArray(value) && !value.length));
      return call("POST", PATH, { body: { entityId: entity.entityId, values: Object.fromEntries(given) } });
    },
  });
}

/**
 * Ask for changes of a record and save it as a whole, since rules look at what is sent. Nothing is sent when nothing
 * changed. `title` is what the record is called.
 */
export async function editRecord(entity, record, title) {
  await open(`Edit: ${title}`, entity, record, {
    action: "Save",
    send: (values) => {
      const kept = Object.fromEntries(entity.fields.map(({ key }) => [key, record[key] ?? null]));
      const wanted = { ...kept, ...values };
      if (JSON.stringify(wanted) === JSON.stringify(kept)) return null;
      const told = Object.fromEntries(Object.entries(wanted).filter(([key, value]) => value !== null || kept[key] !== null));
      return change("PUT", PATH, { updatedAt: record.updatedAt ?? record.updated_at, body: { entityId: entity.entityId, recordId: record.id, values: told }, what: `“${title}”` });
    },
  });
}

/** Delete a record at once; the message that follows offers the way back. */
export async function removeRecord(entity, record, title) {
  await attempt(() => change("DELETE", PATH, { updatedAt: record.updatedAt ?? record.updated_at, body: { entityId: entity.entityId, recordId: record.id }, what: `“${title}”` }));
}

async function open(title, entity, record, { action, send }) {
  await attempt(async () => {
    const shown = entity.fields.filter(({ formEditable }) => formEditable !== false);
    const fields = await arranged(entity, shown, record);
    let before = null;
    const dialog = form(title, {
      fields,
      action,
      opened: (built) => (before = built.values()),
      submit: (values) => send(Object.fromEntries(shown.filter((field) => nameOf(field) in values).map((field) => [field.key, valueOf(field, values, before, record)]))),
    });
    dialog.addEventListener("close", entity.closed);
    if (shown.length > 6) dialog.classList.add("dialog-wide");
  });
}

/** What a field holds now; what was not touched stays exactly as it was, whatever a form could show of it. */
function valueOf(field, values, before, record) {
  const name = nameOf(field);
  const isSame = JSON.stringify(values[name]) === JSON.stringify(before[name]);
  return isSame && record[field.key] !== undefined ? record[field.key] : values[name];
}

/** The fields in their groups, below the choice of a fieldset where a record belongs to one. */
export async function arranged({ fieldsets, isSingle }, fields, record) {
  const made = await Promise.all(fields.map((field) => formField(field, record[field.key])));
  const used = fieldsets.filter(({ code }) => fields.some((field) => codesOf(field).includes(code)));
  const isChosen = isSingle && used.length > 1;
  const rows = isChosen ? [{ name: FIELDSET, label: "Kind of record", type: "select", options: used.map(({ code, label }) => [code, label]), value: fieldsetOf(used, fields, record) }] : [];
  let last = "";
  for (const [index, field] of inGroups(fields, fieldsets).entries()) {
    const codes = codesOf(field);
    const when = isChosen && codes.length ? { when: (values) => codes.includes(values[FIELDSET]) } : {};
    const heading = headingOf(field, used, isChosen);
    if (heading.text !== last && heading.text) rows.push({ name: `_heading${index}`, heading: heading.text, hint: heading.hint, ...when });
    last = heading.text;
    rows.push({ ...made[fields.indexOf(field)], ...when });
  }
  return rows;
}

const codesOf = ({ fieldset, fieldsets }) => fieldsets ?? (fieldset ? [fieldset] : []);

/** Fields of no fieldset first, then fieldset by fieldset, and in each the fields of one group together. */
function inGroups(fields, fieldsets) {
  const codes = fieldsets.map(({ code }) => code);
  const groups = new Map();
  for (const field of fields) {
    const key = `${codesOf(field)[0] ?? ""} ${field.group?.code ?? ""}`;
    groups.set(key, [...(groups.get(key) ?? []), field]);
  }
  const place = ([field]) => codes.indexOf(codesOf(field)[0]);
  return [...groups.values()].sort((a, b) => place(a) - place(b)).flat();
}

function headingOf(field, used, isChosen) {
  const set = used.find(({ code }) => codesOf(field)[0] === code);
  const group = field.group && (set?.groups?.find(({ code }) => code === field.group.code) ?? field.group);
  const parts = [isChosen ? null : set?.label, group && (group.title ?? group.code)].filter(Boolean);
  return { text: parts.join(" · "), hint: group?.hint ?? (isChosen || group ? null : set?.description) };
}

/** The fieldset that the record's values speak for, else the first. */
function fieldsetOf(used, fields, record) {
  const isHeld = ({ key }) => record[key] !== undefined && record[key] !== null;
  return (used.find(({ code }) => fields.some((field) => codesOf(field).includes(code) && isHeld(field))) ?? used[0]).code;
}
