/** Creating, renaming and deleting roles. */
import { call } from "./api.js";
import { change } from "./change.js";
import { form } from "./dialogs.js";
import { attempt } from "./parts.js";

const fields = (role) => [{ name: "name", label: "Name", required: true, minLength: 2, maxLength: 100, value: role.name ?? "", hint: "Unique in the tenant. “admin” and “superadmin” are reserved." }];

/** Ask for a new role, create it, and go to its grants. */
export function createRole() {
  form("New role", {
    fields: fields({}),
    action: "Create role",
    submit: async (body) => {
      const { id } = await call("POST", "/auth/roles", { body });
      location.assign(`/backend/roles/${id}`);
    },
  });
}

/** Ask for another name of a role that nobody has. */
export function renameRole(role) {
  form("Rename role", {
    fields: fields(role),
    action: "Save",
    submit: async ({ name }) => {
      if (name !== role.name) await change("PUT", "/auth/roles", { updatedAt: role.updatedAt, body: { id: role.id, name }, what: `“${role.name}”` });
    },
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
