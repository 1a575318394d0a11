/** Creating, changing and deleting feature toggles, and a tenant's own values. */
import { call } from "./api.js";
import { change } from "./change.js";
import { choose, form } from "./dialogs.js";
import { attempt } from "./parts.js";
import { TYPES, typeName, valueFields, valueOf } from "./toggle-values.js";

const PATH = "/feature_toggles/global";

function fields(toggle) {
  return [
    { name: "identifier", label: "Identifier", required: true, maxLength: 200, pattern: "[a-z][a-z0-9_.\\-]*", invalid: "A lower-case letter, then lower-case letters, digits, “_”, “.” and “-”.", value: toggle.identifier ?? "", hint: "What programs ask for. It can never be given to another toggle." },
    { name: "name", label: "Name", required: true, maxLength: 200, value: toggle.name ?? "" },
    { name: "description", label: "Description", type: "textarea", value: toggle.description ?? "" },
    { name: "category", label: "Category", maxLength: 200, value: toggle.category ?? "" },
    { name: "type", label: "Type", type: "select", options: TYPES, value: toggle.type ?? "boolean" },
    ...valueFields("Default", toggle.id ? toggle.defaultValue : false, ({ type }) => type),
  ];
}

function body({ identifier, name, description, category, type, ...values }) {
  return { identifier, name, description: description || null, category: category || null, type, defaultValue: valueOf(type, values) };
}

/** Ask for a new toggle and create it. */
export function createToggle() {
  form("New feature toggle", {
    fields: fields({}),
    action: "Create toggle",
    submit: async (values) => {
      await call("POST", PATH, { body: body(values) });
    },
  });
}

/** Change a toggle. */
export function editToggle(toggle) {
  form(`Edit “${toggle.name}”`, {
    fields: fields(toggle),
    action: "Save",
    submit: (values) => change("PUT", PATH, { updatedAt: toggle.updatedAt, body: { id: toggle.id, ...body(values) }, what: `“${toggle.name}”` }),
  });
}

/** Delete a toggle, once it is clear what that means for others; Undo brings it back. */
export async function removeToggle(toggle) {
  const chosen = await choose(`Delete “${toggle.name}”?`, "It is gone for every tenant, and programs that ask for it are told that it does not exist. You can take this back.", [{ label: "Delete", main: true }, { label: "Cancel" }]);
  if (chosen === 0) await attempt(() => change("DELETE", PATH, { updatedAt: toggle.updatedAt, body: { id: toggle.id }, what: `“${toggle.name}”` }));
}

/** Ask what the tenant makes of a toggle. */
export async function setOwnValue(toggle) {
  await attempt(async () => {
    const own = await call("GET", `${PATH}/${toggle.id}/override`);
    form(`“${toggle.name}” for ${own.tenantName}`, {
      fields: [
        { name: "kind", label: "Value", type: "select", options: [["inherit", "The default"], ["own", "A value of its own"]], value: own.id ? "own" : "inherit", hint: `Type: ${typeName(toggle.type)}` },
        ...valueFields("Own value", own.value, () => toggle.type, ({ kind }) => kind === "own").filter(({ name }) => name === toggle.type),
      ],
      action: "Save",
      submit: async ({ kind, ...values }) => {
        const isOverride = kind === "own";
        if (!isOverride && !own.id) return;
        const sent = { toggleId: toggle.id, isOverride, ...(isOverride ? { overrideValue: valueOf(toggle.type, values) } : {}) };
        await change("PUT", "/feature_toggles/overrides", { updatedAt: own.updatedAt, body: sent, what: `The value of “${toggle.name}”` });
      },
    });
  });
}
