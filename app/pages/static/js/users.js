/** The list of users. */
import { createByAddress } from "./address-form.js";
import { roleChoices } from "./choices.js";
import { byId, h } from "./dom.js";
import { initials } from "./format.js";
import { shortcut } from "./keys.js";
import { listing } from "./listing.js";
import { linkTool, since, tags, tool } from "./parts.js";
import { permissions } from "./permissions.js";
import { historyAddress } from "./record-places.js";
import { session } from "./session.js";
import { emptyState, start } from "./shell.js";
import { createUser, editUser, removeUser } from "./user-forms.js";

let can = new Set();
let me = null;
let isSuperAdmin = false;

function cells(user) {
  const title = user.name ?? user.email;
  const mine = user.email === me?.email && (!me?.id || me.id === user.id);
  return [
    h("td", {}, h("div.who", {}, h("span.avatar", { "aria-hidden": "true" }, initials(title)),
      h("span.who-text", {}, name(user, title), user.name && h("span.who-note", {}, user.email)),
      mine && h("span.badge", { data: { tone: "inherited" } }, "You"))),
    h("td", {}, tags(user.roles, "No role")),
    h("td", {}, user.organizationName ?? h("span.quiet", {}, "None"), isSuperAdmin && user.tenantName && h("span.who-note", {}, ` · ${user.tenantName}`)),
    h("td.c-when", { data: { label: "Changed" } }, since(user.updatedAt, "")),
    h("td.c-tools", {},
      can.has("audit_logs.view_self") && linkTool("clock", `History of ${title}`, historyAddress("auth.user", user.id)),
      can.has("auth.acl.manage") && tool("shield", `Grants of ${title}`, () => location.assign(`/backend/users/${user.id}`)),
      can.has("auth.users.edit") && tool("pencil", `Edit ${title}`, () => editUser(user)),
      can.has("auth.users.delete") && !mine && tool("trash", `Delete ${title}`, () => removeUser(user), { danger: true })),
  ];
}

function name(user, title) {
  if (!can.has("auth.users.edit")) return h("strong.who-name", {}, title);
  return h("button.who-name", { type: "button", on: { click: () => editUser(user) } }, title);
}

function empty(isFiltered) {
  if (isFiltered) return emptyState("No user matches", "Search by another name, address, role or organization.");
  const action = can.has("auth.users.create") ? { label: "New user", run: createUser } : null;
  return emptyState("No users yet", "People sign in with an account of their own.", action);
}

/** Fill the filter of roles; it stays away where the user may not see roles. */
async function roleFilter() {
  const roles = await roleChoices();
  const select = byId("role");
  byId("role-filter").hidden = roles === null;
  if (!roles) return;
  const chosen = select.value;
  select.replaceChildren(h("option", { value: "" }, "Any role"), ...roles.map(([id, text]) => h("option", { value: id }, text)));
  select.value = chosen;
}

async function open() {
  start();
  const list = listing({
    fetch: { path: "/auth/users", pageSize: 50, query: ({ search, role }) => ({ search, roleId: role }) },
    filters: ["role"],
    cells,
    empty,
    noun: ["user", "users"],
    kinds: ["auth.user", "auth.role"],
    loaded: (answer) => (isSuperAdmin = answer.isSuperAdmin === true),
  });
  shortcut("n", "New user", () => can.has("auth.users.create") && createUser());
  byId("create").addEventListener("click", createUser);
  [can, me] = await Promise.all([permissions(), session()]);
  byId("create").hidden = !can.has("auth.users.create");
  await Promise.all([list.reload(), roleFilter()]);
  if (can.has("auth.users.create")) createByAddress(createUser);
}

open();
