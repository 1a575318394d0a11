/** Creating, editing and deleting tenants, for super admins. None of it can be undone: the history keeps it. */
import { call } from "./api.js";
import { change } from "./change.js";
import { customFields } from "./custom-fields.js";
import { choose, form } from "./dialogs.js";
import { attempt } from "./parts.js";

const ENTITY = "directory:tenant";
const PATH = "/directory/tenants";

const naming = (tenant) => ({ name: "name", label: "Name", required: true, maxLength: 200, value: tenant.name ?? "" });

/** Ask for a new tenant and create it; `done` is called then. */
export async function createTenant(done) {
  await attempt(async () => {
    const custom = await customFields(ENTITY);
    form("New tenant", {
      fields: [{ ...naming({}), hint: "It begins without organizations, roles and users." }, ...custom.rows],
      action: "Create tenant",
      submit: async (values) => {
        await call("POST", PATH, { body: { ...custom.own(values), ...custom.sent(values) } });
        done();
      },
    });
  });
}

/** Ask for another name of a tenant, whether it is active, and the values of its custom fields. */
export async function editTenant(tenant, done) {
  await attempt(async () => {
    const custom = await customFields(ENTITY, tenant);
    form("Edit tenant", {
      fields: [naming(tenant), { name: "isActive", label: "Active", type: "checkbox", value: tenant.isActive, hint: "Users of an inactive tenant are signed out, and cannot sign in." }, ...custom.rows],
      action: "Save",
      opened: custom.opened,
      submit: async (values) => {
        const changed = Object.entries(custom.own(values)).filter(([name, value]) => value !== tenant[name]);
        const body = { ...Object.fromEntries(changed), ...custom.sent(values) };
        if (Object.keys(body).length) await change("PUT", PATH, { updatedAt: tenant.updatedAt, body: { id: tenant.id, ...body }, what: `“${tenant.name}”` });
        done();
      },
    });
  });
}

/** Delete a tenant, once more asked. */
export async function removeTenant(tenant, done) {
  const text = "Its users are signed out and cannot sign in again. What is in it is kept, but nobody sees it. Undo does not take this back.";
  const chosen = await choose(`Delete “${tenant.name}”?`, text, [{ label: "Delete", main: true }, { label: "Cancel" }]);
  if (chosen !== 0) return;
  await attempt(async () => {
    await change("DELETE", PATH, { updatedAt: tenant.updatedAt, body: { id: tenant.id }, what: `“${tenant.name}”` });
    done();
  });
}
