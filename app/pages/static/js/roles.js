/** The list of roles. */
import { byId, h } from "./dom.js";
import { plural } from "./format.js";
import { shortcut } from "./keys.js";
import { listing } from "./listing.js";
import { since, tool } from "./parts.js";
import { permissions } from "./permissions.js";
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
      can.has("auth.acl.manage") && tool("shield", `Grants of ${role.name}`, () => location.assign(`/backend/roles/${role.id}`)),
      can.has("auth.roles.manage") && isFree && tool("pencil", `Rename ${role.name}`, () => renameRole(role)),
      can.has("auth.roles.manage") && isFree && tool("trash", `Delete ${role.name}`, () => removeRole(role), { danger: true })),
  ];
}

function users({ id, usersCount }) {
  const text = plural(usersCount, "user", "users");
  return usersCount && can.has("auth.users.list") ? h("a", { href: `/backend/users?role=${id}` }, text) : h("span.quiet", {}, text);
}

function empty(isFiltered) {
  if (isFiltered) return emptyState("No role matches", "Search by another name.");
  const action = can.has("auth.roles.manage") ? { label: "New role", run: createRole } : null;
  return emptyState("No roles yet", "A role is a named set of grants, such as “Support”.", action);
}

async function open() {
  start();
  const list = listing({
    fetch: { path: "/auth/roles", pageSize: 50 },
    cells,
    empty,
    noun: ["role", "roles"],
    kinds: ["auth.role", "auth.user"],
    loaded: (answer) => (isSuperAdmin = answer.isSuperAdmin === true),
  });
  byId("create").addEventListener("click", createRole);
  shortcut("n", "New role", () => can.has("auth.roles.manage") && createRole());
  can = await permissions();
  byId("create").hidden = !can.has("auth.roles.manage");
  await list.reload();
}

open();
