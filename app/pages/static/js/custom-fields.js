/** Custom fields in the forms of the product's own records. */
import { definitionsOf } from "./definitions.js";
import { nameOf } from "./field-controls.js";
import { arranged, FIELDSET } from "./record-form.js";

const HEADING = { name: "_custom", heading: "More" };

/** Whether the records of an entity have custom fields that a form shows. */
export const hasFields = async (entityId) => (await editable(entityId)).fields.length > 0;

async function editable(entityId) {
  const { fields, ...rest } = await definitionsOf(entityId);
  return { ...rest, fields: fields.filter(({ formEditable }) => formEditable !== false) };
}

/**
 * The custom fields of an entity for a form: `rows` to put after its own; `opened(built)` to call when it stands;
 * `own(values)`, the values that are no custom ones; and `sent(values)`, what a request is to say of the custom
 * fields: for a `record` what was changed, for a new one what was filled in.
 */
export async function customFields(entityId, record = null) {
  const entity = await editable(entityId);
  const held = Object.fromEntries(entity.fields.map((field) => [field.key, record ? record[nameOf(field)] : (field.defaultValue ?? undefined)]));
  const rows = entity.fields.length ? await arranged(entity, entity.fields, held) : [];
  const isCustom = (name) => name === FIELDSET || entity.fields.some((field) => nameOf(field) === name);
  let before = {};
  const isSent = ([name, value]) => (record ? JSON.stringify(value) !== JSON.stringify(before[name]) : value !== null && !(Array.isArray(value) && !value.length));
  return {
    rows: rows.length && !rows[0].heading ? [HEADING, ...rows] : rows,
    opened: (built) => (before = built.values()),
    own: (values) => Object.fromEntries(Object.entries(values).filter(([name]) => !isCustom(name))),
    sent: (values) => Object.fromEntries(Object.entries(values).filter(([name]) => isCustom(name) && name !== FIELDSET).filter(isSent)),
  };
}
