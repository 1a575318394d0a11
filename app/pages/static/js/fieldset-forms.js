/** The fieldsets of an entity: named parts of its forms, each with groups. */
import { form } from "./dialogs.js";
import { fill, h, icon } from "./dom.js";
import { plural } from "./format.js";
import { tool } from "./parts.js";
import { repeater } from "./repeater.js";
import { derived, slug } from "./slug.js";

const CODE_RULE = "Small letters, digits, - and _.";

/** Ask for a fieldset, null for a new one; `taken` are the codes there are, `submit(fieldset)` is told what was entered. */
export function fieldsetForm(fieldset, { taken, submit }) {
  const isTaken = fieldset ? [] : taken;
  const dialog = form(fieldset ? `Fieldset “${fieldset.label}”` : "New fieldset", {
    fields: [
      { name: "label", label: "Name", required: true, maxLength: 255, value: fieldset?.label ?? "" },
      { name: "code", label: "Code", required: true, value: fieldset?.code ?? "", readOnly: Boolean(fieldset), pattern: `(?!(?:${isTaken.join("|") || "-"})$)[a-z0-9_\\-]+`, invalid: `${CODE_RULE} No other fieldset has it.`, hint: CODE_RULE },
      { name: "description", label: "Description", type: "textarea", maxLength: 2000, value: fieldset?.description ?? "" },
      { name: "groups", label: "Groups", hint: "Fields of a group stand together below its title.", control: repeater({ columns: [{ name: "title", label: "Title of the group" }, { name: "hint", label: "Hint" }], rows: (fieldset?.groups ?? []).map(({ code, title, hint }) => ({ title: title ?? code, hint })), add: "Add a group", isWhole: ({ title }) => title !== "" }) },
    ],
    action: fieldset ? "Apply" : "Add fieldset",
    submit: ({ groups, description, ...rest }) => submit({ ...fieldset, ...rest, ...(description ? { description } : { description: undefined }), groups: groups.map((group) => groupOf(group, fieldset)) }),
  });
  if (!fieldset) derived(dialog, "label", "code", slug);
}

function groupOf({ title, hint }, fieldset) {
  const known = fieldset?.groups?.find((group) => (group.title ?? group.code) === title);
  return { code: known?.code ?? (slug(title) || "group"), title, ...(hint ? { hint } : {}) };
}

/** Draw the fieldsets of a draft in an element; `actions` are `edit(fieldset)` and `remove(fieldset)`. */
export function drawFieldsets(element, draft, { edit, remove, isReadOnly }) {
  const fieldsOf = (code) => draft.fields.filter(({ config, isRemoved }) => !isRemoved && (config.fieldsets ?? [config.fieldset]).includes(code)).length;
  fill(element, draft.fieldsets.map((fieldset) => h("li.fieldset-line", {},
    icon("columns"),
    h("span.who-text", {}, h("strong", {}, fieldset.label), h("span.who-note", {}, h("code", {}, fieldset.code), ` · ${plural(fieldsOf(fieldset.code), "field", "fields")}`, groupsText(fieldset))),
    !isReadOnly() && h("span.fieldset-tools", {}, tool("pencil", `Edit ${fieldset.label}`, () => edit(fieldset)), tool("trash", `Remove ${fieldset.label}`, () => remove(fieldset), { danger: true })))));
}

const groupsText = ({ groups = [] }) => (groups.length ? ` · ${groups.map(({ title, code }) => title ?? code).join(", ")}` : "");
