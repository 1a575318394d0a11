/** Creating, editing, inviting and deleting users. */
import { call } from "./api.js";
import { change } from "./change.js";
import { organizationChoices, roleChoices } from "./choices.js";
import { customFields } from "./custom-fields.js";
import { form } from "./dialogs.js";
import { h, icon } from "./dom.js";
import { attempt } from "./parts.js";
import { policy } from "./password.js";
import { permissions } from "./permissions.js";
import { toast } from "./toast.js";

const POLICY = policy();
const ENTITY = "auth:user";

function shared(user, organizations, roles) {
  const fields = [
    { name: "name", label: "Name", maxLength: 120, value: user.name ?? "" },
    { name: "email", label: "Email", type: "email", required: true, maxLength: 320, value: user.email ?? "" },
    { name: "organizationId", label: "Organization", type: "select", required: true, options: organizations, value: user.organizationId },
  ];
  if (roles) fields.push({ name: "roles", label: "Roles", type: "choices", options: roles, value: user.roleIds, none: "There are no roles yet.", hint: "What a user may do comes from the roles, unless the user has grants of their own." });
  return fields;
}

/** Ask for a new user: with a password, or with an invitation by mail. */
export async function createUser() {
  await attempt(async () => {
    const { options, tenantId, isSuperAdmin } = await organizationChoices();
    const roles = await roleChoices(isSuperAdmin ? tenantId : null);
    const first = options.find(([, , disabled]) => !disabled)?.[0];
    const custom = await customFields(ENTITY);
    form("New user", {
      fields: [
        ...shared({ organizationId: first, roleIds: [] }, options, roles),
        { name: "access", label: "First sign-in", type: "select", options: [["invite", "Send an invitation by mail"], ["password", "Set a password now"]], value: "invite" },
        { name: "password", label: "Password", type: "password", required: true, autocomplete: "new-password", hint: POLICY, when: ({ access }) => access === "password" },
        ...custom.rows,
      ],
      action: "Create user",
      submit: (values) => create(custom.own(values), custom.sent(values)),
    });
  });
}

async function create({ access, password, name, ...rest }, custom) {
  const body = { ...rest, name: name || null, ...custom };
  if (access === "password") body.password = password;
  else body.sendInviteEmail = true;
  const answer = await call("POST", "/auth/users", { body });
  if (answer._warning) toast("The user was created, but the invitation could not be sent.", { kind: "bad", detail: "Open the user and send it again." });
}

/** Ask for changes of a user and save those that were made. */
export async function editUser({ id }) {
  await attempt(async () => {
    const { items: [user], isSuperAdmin } = await call("GET", "/auth/users", { query: { id } });
    if (!user) return toast("This user does not exist any more.", { kind: "bad" });
    const tenant = isSuperAdmin ? user.tenantId : null;
    const [{ options }, roles, custom] = await Promise.all([organizationChoices(tenant), roleChoices(tenant), customFields(ENTITY, user)]);
    if (!options.some(([value]) => value === user.organizationId)) options.unshift([user.organizationId ?? "", user.organizationName ?? "None"]);
    const dialog = form("Edit user", {
      above: user.hasPassword === false && (await permissions()).has("auth.users.create") ? invitation(user) : null,
      fields: [
        ...shared(user, options, roles),
        { name: "password", label: "New password", type: "password", autocomplete: "new-password", placeholder: "Unchanged", hint: `A new one signs the user out everywhere. ${POLICY}` },
        ...custom.rows,
      ],
      action: "Save",
      opened: custom.opened,
      submit: (values) => save(user, custom.own(values), custom.sent(values)),
    });
    dialog.dataset.user = user.id;
  });
}

function save(user, { password, roles, ...values }, custom) {
  const body = { ...Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== (user[name] ?? ""))), ...custom };
  if (roles && [...roles].sort().join() !== [...user.roleIds].sort().join()) body.roles = roles;
  if (password) body.password = password;
  if (!Object.keys(body).length) return null;
  if ("name" in body) body.name = body.name || null;
  return change("PUT", "/auth/users", { updatedAt: user.updatedAt, body: { id: user.id, ...body }, what: `“${user.email}”` });
}

function invitation(user) {
  const button = h("button.button.button-small", { type: "button", on: { click: send } }, icon("mail"), "Send the invitation again");
  return h("p.notice.notice-warn", {}, "This user has not chosen a password yet. ", button);

  async function send() {
    button.disabled = true;
    const worked = await attempt(async () => {
      const answer = await call("POST", "/auth/users/resend-invite", { body: { id: user.id } });
      toast(answer.warning ? "The invitation could not be sent." : `Invitation sent to ${user.email}`, { kind: answer.warning ? "bad" : "good" });
    });
    button.disabled = worked;
  }
}

/** Delete a user at once; the message that follows offers the way back. True when it is gone. */
export async function removeUser(user) {
  let answer = null;
  await attempt(async () => {
    answer = await change("DELETE", "/auth/users", { updatedAt: user.updatedAt, body: { id: user.id }, what: `“${user.email}”` });
  });
  return answer !== null;
}
