/** The form of one field of an entity: its kind, what that kind has, where it is shown, and the rules of its values. */
import { ApiError, call } from "./api.js";
import { KINDS } from "./definitions.js";
import { form } from "./dialogs.js";
import { fromText, isWholeRule, ruleColumns, rulesOf, toText, wrongRule } from "./field-rules.js";
import { repeater } from "./repeater.js";
import { derived, slug } from "./slug.js";

const RELATIONS = "/api/entities/relations/options?entityId=";
const KEY_RULE = "Small letters, digits and _.";
const EDITORS = [["markdown", "Markdown"], ["simpleMarkdown", "Simple Markdown"], ["htmlRichText", "HTML"], ["plain", "Plain text"]];
const SINGLE = new Set(["boolean", "multiline"]);
const WITHOUT_DEFAULT = new Set(["relation", "attachment", "boolean"]);
const NONE = "";

const only = (...kinds) => ({ kind }) => kinds.includes(kind);

async function asked(path, read) {
  try {
    return read(await call("GET", path));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return [];
  }
}

/**
 * Ask for a field: `{key, kind, config}`, null for a new one. `taken` are the keys there are, `fieldsets` those of
 * the entity. `submit(field)` is told what was entered.
 */
export async function fieldForm(field, { taken, fieldsets, submit }) {
  const [entities, dictionaries] = await Promise.all([
    asked("/entities/entities", ({ items }) => items.map(({ entityId, label }) => [entityId, label])),
    asked("/dictionaries", ({ items }) => items.map(({ id, name }) => [id, name])),
  ]);
  const config = field?.config ?? {};
  const dialog = form(field ? `Field “${config.label ?? field.key}”` : "New field", {
    fields: [...naming(field, config, taken), ...ofKind(config, entities, dictionaries), ...places(config, fieldsets), ...uses(config), ...rules(config)],
    action: field ? "Apply" : "Add field",
    submit: (values) => submit(read(field, config, values, fieldsets)),
  });
  dialog.classList.add("dialog-wide");
  if (!field) derived(dialog, "label", "key", slug);
  else dialog.querySelector("[name=label]").select();
}

function naming(field, config, taken) {
  const isTaken = field ? [] : taken;
  return [
    { name: "label", label: "Label", required: true, maxLength: 200, value: config.label ?? field?.key ?? "" },
    { name: "key", label: "Key", required: true, maxLength: 100, value: field?.key ?? "", readOnly: Boolean(field), pattern: `(?!(?:${isTaken.join("|") || "-"})$)[a-z0-9_]+`, invalid: `${KEY_RULE} No other field of the entity has it.`, hint: field ? "The key stays as it is: values are stored under it." : KEY_RULE },
    { name: "kind", label: "Kind", type: "select", options: Object.entries(KINDS), value: field?.kind ?? "text" },
    { name: "description", label: "Help text", maxLength: 2000, value: config.description ?? "" },
  ];
}

function ofKind(config, entities, dictionaries) {
  const withNone = (options, text) => [[NONE, text], ...options];
  return [
    { name: "options", label: "Choices", type: "textarea", when: only("select"), value: (config.options ?? []).map(optionLine).join("\n"), hint: "One a line: the value, or the value = what it is called." },
    { name: "optionsUrl", label: "Or choices from the API", when: only("select"), value: config.optionsUrl ?? "", placeholder: "/api/…", hint: "An address whose answer lists items with value and label." },
    { name: "dictionaryId", label: "Dictionary", type: "select", required: true, when: only("dictionary"), options: withNone(dictionaries, "Choose…"), value: config.dictionaryId ?? NONE },
    { name: "dictionaryInlineCreate", label: "New entries may be added from forms", type: "checkbox", when: only("dictionary"), value: config.dictionaryInlineCreate !== false },
    { name: "relatedEntityId", label: "Points to", type: "select", required: true, when: only("relation"), options: withNone(entities, "Choose…"), value: config.relatedEntityId ?? targetOf(config.optionsUrl) },
    { name: "editor", label: "Editor", type: "select", when: only("multiline"), options: EDITORS, value: config.editor ?? "markdown" },
    { name: "defaultCountryIso2", label: "Usual country", when: only("phone"), maxLength: 2, pattern: "[A-Z]{2}", invalid: "Two capital letters, such as PL.", value: config.defaultCountryIso2 ?? "", placeholder: "PL" },
    { name: "maxAttachmentSizeMb", label: "Largest size, in MB", type: "number", min: 1, when: only("attachment"), value: config.maxAttachmentSizeMb ?? "" },
    { name: "acceptExtensions", label: "File types", when: only("attachment"), value: (config.acceptExtensions ?? []).join(", "), placeholder: "pdf, png" },
    { name: "multi", label: "Several values", type: "checkbox", when: ({ kind }) => !SINGLE.has(kind), value: config.multi === true },
    { name: "defaultValue", label: "Value of a new record", when: ({ kind, multi }) => !WITHOUT_DEFAULT.has(kind) && multi !== true, value: toText(config.defaultValue) },
    { name: "defaultYes", label: "Value of a new record", type: "select", when: only("boolean"), options: [[NONE, "None"], ["true", "Yes"], ["false", "No"]], value: toText(config.defaultValue) },
  ];
}

const optionLine = (option) => (typeof option === "object" && option ? (option.label && option.label !== option.value ? `${option.value} = ${option.label}` : String(option.value)) : String(option));
const targetOf = (url) => (url?.startsWith(RELATIONS) ? decodeURIComponent(url.slice(RELATIONS.length)) : NONE);

/** Where the field stands: in a fieldset and one of its groups; without fieldsets, in a group by its title. */
function places(config, fieldsets) {
  const heading = { name: "_place", heading: "Place" };
  const group = typeof config.group === "string" ? { code: config.group } : config.group;
  if (!fieldsets.length) return [heading, { name: "groupTitle", label: "Group", maxLength: 200, value: group?.title ?? group?.code ?? "", hint: "Fields with the same group stand together in forms." }];
  const options = fieldsets.flatMap(({ code, label, groups = [] }) => [[`${code}/`, label], ...groups.map((one) => [`${code}/${one.code}`, `${label} › ${one.title ?? one.code}`])]);
  const value = `${config.fieldsets?.[0] ?? config.fieldset ?? ""}/${group?.code ?? ""}`;
  const known = options.some(([key]) => key === value) || value === "/" ? options : [...options, [value, value]];
  return [heading, { name: "place", label: "Fieldset and group", type: "select", options: [["/", "None"], ...known], value }];
}

function uses(config) {
  return [
    { name: "_uses", heading: "Use" },
    { name: "listVisible", label: "Shown in lists", type: "checkbox", value: config.listVisible !== false },
    { name: "formEditable", label: "Shown in forms", type: "checkbox", value: config.formEditable !== false },
    { name: "filterable", label: "Offered as a filter", type: "checkbox", value: config.filterable === true },
    { name: "encrypted", label: "Stored encrypted", type: "checkbox", value: config.encrypted === true, hint: "Holds for values that are saved from now on." },
  ];
}

function rules(config) {
  return [
    { name: "_rules", heading: "Rules", hint: "A value that breaks a rule is refused with its message." },
    { name: "validation", label: "Rules of its values", control: repeater({ columns: ruleColumns, rows: (config.validation ?? []).map((rule) => ({ ...rule, param: toText(rule.param) })), add: "Add a rule", isWhole: isWholeRule, wrong: wrongRule }) },
  ];
}

/** What was entered, as a definition; options of other kinds are dropped, unknown ones are kept. */
function read(field, config, { label, key, kind, ...values }, fieldsets) {
  const kept = { ...config };
  for (const name of ["options", "optionsUrl", "dictionaryId", "dictionaryInlineCreate", "relatedEntityId", "editor", "defaultCountryIso2", "maxAttachmentSizeMb", "acceptExtensions", "multi", "defaultValue", "group", "fieldset", "fieldsets", "validation", "description"]) delete kept[name];
  const made = { ...kept, label, ...placed(values, fieldsets, config) };
  for (const name of ["listVisible", "formEditable", "filterable", "encrypted"]) made[name] = values[name];
  if (values.description) made.description = values.description;
  if (values.multi) made.multi = true;
  Object.assign(made, kindParts(kind, values));
  const rulesRead = rulesOf(values.validation, kind, label);
  if (rulesRead.length) made.validation = rulesRead;
  return { ...field, key, kind, config: made };
}

function kindParts(kind, values) {
  const parts = {};
  const lines = (values.options ?? "").split("\n").map((line) => line.trim()).filter(Boolean);
  if (lines.length) parts.options = lines.map((line) => line.split(/\s*=\s*/)).map(([value, ...label]) => ({ value, label: label.join(" = ") || value }));
  for (const name of ["optionsUrl", "dictionaryId", "relatedEntityId", "editor", "defaultCountryIso2"]) if (values[name]) parts[name] = values[name];
  if (kind === "relation") parts.optionsUrl = `${RELATIONS}${encodeURIComponent(values.relatedEntityId)}`;
  if ("dictionaryInlineCreate" in values) parts.dictionaryInlineCreate = values.dictionaryInlineCreate;
  if (values.maxAttachmentSizeMb) parts.maxAttachmentSizeMb = Number(values.maxAttachmentSizeMb);
  if (values.acceptExtensions) parts.acceptExtensions = values.acceptExtensions.split(/[\s,]+/).filter(Boolean);
  const given = values.defaultYes ?? values.defaultValue ?? "";
  if (given !== "") parts.defaultValue = fromText(given, kind);
  return parts;
}

function placed({ place, groupTitle }, fieldsets, config) {
  if (place === undefined) return groupTitle ? { group: { ...(config.group?.title === groupTitle ? config.group : {}), code: slug(groupTitle) || "group", title: groupTitle } } : {};
  const [set, code] = place.split("/");
  const group = fieldsets.find((one) => one.code === set)?.groups?.find((one) => one.code === code);
  return { ...(set ? { fieldset: set } : {}), ...(code ? { group: group ?? { code } } : {}) };
}
