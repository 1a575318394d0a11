/** The list of roles. */
import { createByAddress } from "./address-form.js";
import { tenantChoices } from "./choices.js";
import { byId, h } from "./dom.js";
import { plural } from "./format.js";
import { shortcut } from "./keys.js";
import { listing } from "./listing.js";
import { linkTool, since, tool } from "./parts.js";
import { permissions } from "./permissions.js";
import { historyAddress } from "./record-places.js";
import { createRole, removeRole, renameRole } from "./role-forms.js";
import { emptyState, start } from "./shell.js";

let can = new Set();
let isSuperAdmin = false;

function cells(role) {
  const isFree = role.usersCount === 0;
  return [
    h("td", {}, h("div.who-text", {}, h("a.who-name", { href: `/backend/roles/${role.id}` }, role.name), isSuperAdmin && role.tenantName && h("span.who-note", {}, role.tenantName))),
    h("td.c-number", {}, users(role)),
    h("td.c-when", { data: { label: "Changed" } }, since(role.updatedAt, "")),
    h("td.c-tools", {},
      can.has("audit_logs.view_self") && linkTool("clock", `History of ${role.name}`, historyAddress("auth.role", role.id)),
      can.has("auth.acl.manage") && tool("shield", `Grants of ${role.name}`, () => location.assign(`/backend/roles/${role.id}`)),
      can.has("auth.roles.manage") && isFree && tool("pencil", `Rename ${role.name}`, () => renameRole(role)),
      can.has("auth.roles.manage") && isFree && tool("trash", `Delete ${role.name}`, () => removeRole(role), { danger: true })),
  ];
}

/** A new role, in the tenant that the list shows. */
const create = () => createRole(byId("tenant").value || null);

/** Let a super admin choose whose roles are shown. */
async function tenantFilter() {
  const tenants = await tenantChoices();
  const select = byId("tenant");
  const chosen = select.value;
  byId("tenant-choice").hidden = tenants.length === 0;
  select.replaceChildren(h("option", { value: "" }, "All tenants"), ...tenants.map(([id, name]) => h("option", { value: id }, name)));
  select.value = chosen;
}

function users({ id, usersCount }) {
  const text = plural(usersCount, "user", "users");
  return usersCount && can.has("auth.users.list") ? h("a", { href: `/backend/users?role=${id}` }, text) : h("span.quiet", {}, text);
}

function empty(isFiltered) {
  if (isFiltered) return emptyState("No role matches", "Search by another name.");
  const action = can.has("auth.roles.manage") ? { label: "New role", run: create } : null;
  return emptyState("No roles yet", "A role is a named set of grants, such as “Support”.", action);
}

async function open() {
  start();
  const list = listing({
    fetch: { path: "/auth/roles", pageSize: 50, query: ({ search, tenant }) => ({ search, tenantId: tenant }) },
    filters: ["tenant"],
    cells,
    empty,
    noun: ["role", "roles"],
    kinds: ["auth.role", "auth.user"],
    loaded: (answer) => (isSuperAdmin = answer.isSuperAdmin === true),
  });
  byId("create").addEventListener("click", create);
  shortcut("n", "New role", () => can.has("auth.roles.manage") && create());
  can = await permissions();
  byId("create").hidden = !can.has("auth.roles.manage");
  await Promise.all([list.reload(), tenantFilter()]);
  if (can.has("auth.roles.manage")) createByAddress(create);
}

open();
