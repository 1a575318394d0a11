/** Creating, editing and deleting user-defined entities. */
import { call } from "./api.js";
import { change } from "./change.js";
import { choose, form } from "./dialogs.js";
import { attempt } from "./parts.js";
import { derived, slug } from "./slug.js";

const PATH = "/entities/entities";
const ID_RULE = "Two parts of small letters, digits and _, with a colon between them.";
const EDITORS = [["", "Plain choice of each field"], ["markdown", "Markdown"], ["simpleMarkdown", "Simple Markdown"], ["htmlRichText", "HTML"], ["plain", "Plain text"]];

function fields(entity, keys) {
  return [
    { name: "label", label: "Name", required: true, maxLength: 200, value: entity.label ?? "", placeholder: "Projects" },
    { name: "entityId", label: "Id", required: true, maxLength: 200, value: entity.entityId ?? "", readOnly: Boolean(entity.entityId), pattern: "[a-z0-9_]+:[a-z0-9_]+", invalid: ID_RULE, hint: entity.entityId ? "The id stays as it is: records and programs know the entity by it." : ID_RULE },
    { name: "description", label: "Description", type: "textarea", maxLength: 2000, value: entity.description ?? "" },
    labelField(entity, keys),
    { name: "defaultEditor", label: "Editor of long texts", type: "select", options: EDITORS, value: entity.defaultEditor ?? "" },
    { name: "showInSidebar", label: "Show in the menu", type: "checkbox", value: entity.showInSidebar ?? true },
    { name: "accessRestricted", label: "Restricted", type: "checkbox", value: entity.accessRestricted ?? false, hint: "Only for people whose roles name this entity, besides the right to see records." },
  ];
}

function labelField({ labelField: value }, keys) {
  const hint = "What a record is called, in lists and where others point to it.";
  if (!keys) return { name: "labelField", label: "Naming field", value: value ?? "name", maxLength: 100, pattern: "[A-Za-z_][A-Za-z0-9_]*", invalid: "Letters, digits and _.", hint };
  const options = [["", "–"], ...[...new Set([...keys, ...(value ? [value] : [])])].map((key) => [key, key])];
  return { name: "labelField", label: "Naming field", type: "select", options, value: value ?? "", hint };
}

/** What is sent: empty texts that may stay as they were are left out. */
function bodyOf({ labelField: naming, defaultEditor, description, ...rest }) {
  const body = { ...rest, description: description || null };
  if (naming) body.labelField = naming;
  if (defaultEditor) body.defaultEditor = defaultEditor;
  return body;
}

/** Ask for a new entity, create it, and go on to its fields. */
export function createEntity() {
  const dialog = form("New entity", {
    fields: fields({}, null),
    action: "Create entity",
    submit: async (values) => {
      await call("POST", PATH, { body: bodyOf(values) });
      location.assign(`/backend/entities/${encodeURIComponent(values.entityId)}`);
    },
  });
  derived(dialog, "label", "entityId", (label) => (slug(label) ? `user:${slug(label)}` : ""));
}

/** Ask for changes of an entity; `keys` are those of its fields. */
export function editEntity(entity, keys) {
  form("Edit entity", {
    fields: fields(entity, keys),
    action: "Save",
    submit: (values) => change("POST", PATH, { updatedAt: entity.updatedAt, body: bodyOf(values), what: `“${entity.label}”` }),
  });
}

/** Delete an entity; its fields and records stay, and come back with it. True when it is gone. */
export async function removeEntity(entity) {
  const chosen = await choose(`Delete “${entity.label}”?`, "It leaves all menus and lists. Its fields and records are kept, and come back when you take this back.", [{ label: "Delete", main: true }, { label: "Cancel" }]);
  if (chosen !== 0) return false;
  return attempt(() => call("DELETE", PATH, { body: { entityId: entity.entityId } }));
}
