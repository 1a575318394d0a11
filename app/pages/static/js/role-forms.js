/** Creating, editing and deleting roles. */
import { call } from "./api.js";
import { change } from "./change.js";
import { organizationChoices, tenantChoices } from "./choices.js";
import { customFields, hasFields } from "./custom-fields.js";
import { form } from "./dialogs.js";
import { attempt } from "./parts.js";

const ENTITY = "auth:role";

function naming(role) {
  const isHeld = role.usersCount > 0;
  const hint = isHeld ? "A role that somebody has keeps its name." : "Unique in the tenant. “admin” and “superadmin” are reserved.";
  return { name: "name", label: "Name", required: true, minLength: 2, maxLength: 100, value: role.name ?? "", readOnly: isHeld, hint };
}

/** Whether roles have more than a name, so that there is something to edit in one that cannot be renamed. */
export const hasMore = () => hasFields(ENTITY);

/**
 * Ask for a new role, create it, and go to its grants. A super admin who may choose among several tenants is asked for
 * one; `tenantId` is the one offered.
 */
export async function createRole(tenantId = null) {
  await attempt(async () => {
    const [tenants, custom] = await Promise.all([tenantChoices(), customFields(ENTITY)]);
    form("New role", {
      fields: [naming({}), ...(tenants.length ? [{ name: "tenantId", label: "Tenant", type: "select", options: tenants, value: tenantId ?? (await organizationChoices()).tenantId }] : []), ...custom.rows],
      action: "Create role",
      submit: async (values) => {
        const { id } = await call("POST", "/auth/roles", { body: { ...custom.own(values), ...custom.sent(values) } });
        location.assign(`/backend/roles/${id}`);
      },
    });
  });
}

/** Ask for another name of a role, if nobody has it, and for the values of its custom fields. */
export async function renameRole(role) {
  await attempt(async () => {
    const custom = await customFields(ENTITY, role);
    form(custom.rows.length ? "Edit role" : "Rename role", {
      fields: [naming(role), ...custom.rows],
      action: "Save",
      opened: custom.opened,
      submit: async ({ name, ...rest }) => {
        const body = { ...(name !== role.name && { name }), ...custom.sent(rest) };
        if (Object.keys(body).length) await change("PUT", "/auth/roles", { updatedAt: role.updatedAt, body: { id: role.id, ...body }, what: `“${role.name}”` });
      },
    });
  });
}

/** Delete a role that nobody has at once; the message that follows offers the way back. True when it is gone. */
export async function removeRole(role) {
  let answer = null;
  await attempt(async () => {
    answer = await change("DELETE", "/auth/roles", { updatedAt: role.updatedAt, body: { id: role.id }, what: `“${role.name}”` });
  });
  return answer !== null;
}
