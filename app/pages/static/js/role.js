/** One role: what it grants, and where. */
import { ApiError, call } from "./api.js";
import { change } from "./change.js";
import { byId, fill, h, note, settled } from "./dom.js";
import { plural } from "./format.js";
import { grantsData } from "./grants-data.js";
import { grantsEditor } from "./grants-editor.js";
import { onChange } from "./history.js";
import { shortcut } from "./keys.js";
import { onChangeOf } from "./live.js";
import { permissions } from "./permissions.js";
import { historyAddress } from "./record-places.js";
import { hasMore, removeRole, renameRole } from "./role-forms.js";
import { start } from "./shell.js";

const id = location.pathname.split("/").at(-1);
let can = new Set();
let role = null;
let acl = null;
let editor = null;

async function load() {
  try {
    can = await permissions();
    const { items, isSuperAdmin } = await call("GET", "/auth/roles", { query: { id } });
    role = items[0] ?? null;
    if (!role) return gone();
    await head();
    if (!can.has("auth.acl.manage")) return note(byId("problem"), "You may see this role, but not what it grants: that needs auth.acl.manage.");
    if (editor?.isDirty()) return;
    acl = await call("GET", "/auth/roles/acl", { query: { roleId: id } });
    editor ??= grantsEditor(byId("editor"), { ...(await grantsData(isSuperAdmin ? role.tenantId : null)), fixed: false, save });
    editor.show(acl);
    badges();
    note(byId("problem"), "");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    note(byId("problem"), error.message);
    byId("editor").setAttribute("aria-busy", "false");
  }
}

function gone() {
  byId("name").textContent = "Role";
  note(byId("problem"), "This role does not exist, or it was deleted.");
  byId("edit").hidden = byId("delete").hidden = byId("editor").hidden = true;
}

async function head() {
  document.title = `${role.name} · Backstep`;
  byId("name").textContent = role.name;
  byId("editor").hidden = false;
  byId("lead").textContent = role.usersCount ? `${plural(role.usersCount, "user has", "users have")} this role. It can be renamed or deleted once nobody has it.` : "Nobody has this role yet.";
  const isFree = role.usersCount === 0 && can.has("auth.roles.manage");
  const isMore = can.has("auth.roles.manage") && (await hasMore());
  byId("edit").querySelector("span").textContent = isMore ? "Edit" : "Rename";
  byId("edit").hidden = !isFree && !isMore;
  byId("delete").hidden = !isFree;
  byId("history").href = historyAddress("auth.role", id);
}

function badges() {
  fill(byId("badges"), acl.isSuperAdmin && h("span.badge", { data: { tone: "super" } }, "Super admin"),
    acl.organizations && h("span.badge", { data: { tone: "inherited" } }, plural(acl.organizations.length, "organization", "organizations")));
}

async function save({ features, organizations, isSuperAdmin }) {
  const body = { roleId: id, features, organizations };
  if (isSuperAdmin !== acl.isSuperAdmin) body.isSuperAdmin = isSuperAdmin;
  const answer = await change("PUT", "/auth/roles/acl", { updatedAt: acl.updatedAt, body, what: `The grants of “${role.name}”` });
  if (answer === null) return false;
  acl = await call("GET", "/auth/roles/acl", { query: { roleId: id } });
  badges();
  return true;
}

start();
byId("edit").addEventListener("click", () => role && renameRole(role));
byId("delete").addEventListener("click", () => role && removeRole(role));
shortcut("e", "Rename this role", () => !byId("edit").hidden && renameRole(role));
const refresh = settled(150, load);
onChange(refresh);
onChangeOf(["auth.role"], refresh);
load();
