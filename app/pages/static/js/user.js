/** One user: grants of its own, in place of those of its roles. */
import { ApiError, call } from "./api.js";
import { change } from "./change.js";
import { choose } from "./dialogs.js";
import { byId, fill, h, note, settled } from "./dom.js";
import { grantsData } from "./grants-data.js";
import { grantsEditor } from "./grants-editor.js";
import { onChange } from "./history.js";
import { shortcut } from "./keys.js";
import { onChangeOf } from "./live.js";
import { attempt } from "./parts.js";
import { permissions } from "./permissions.js";
import { historyAddress } from "./record-places.js";
import { start } from "./shell.js";
import { toast } from "./toast.js";
import { editUser, removeUser } from "./user-forms.js";

const id = location.pathname.split("/").at(-1);
let can = new Set();
let user = null;
let acl = null;
let editor = null;
let data = null;
let isEditable = null; // whether the editor was built to be changed; null before there is one
let isStarting = false; // own grants are being written, but none are stored yet

async function load() {
  try {
    can = await permissions();
    const { items, isSuperAdmin } = await call("GET", "/auth/users", { query: { id } });
    user = items[0] ?? null;
    if (!user) return gone();
    head();
    if (!can.has("auth.acl.manage")) return note(byId("problem"), "You may see this user, but not the grants: that needs auth.acl.manage.");
    if (editor?.isDirty()) return;
    [acl, data] = await Promise.all([call("GET", "/auth/users/acl", { query: { userId: id } }), data ?? grantsData(isSuperAdmin ? user.tenantId : null)]);
    isStarting = false;
    await show();
    note(byId("problem"), "");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    note(byId("problem"), error.message);
    byId("editor").hidden = true;
  }
}

function gone() {
  byId("name").textContent = "User";
  note(byId("problem"), "This user does not exist, or was deleted.");
  byId("edit").hidden = byId("delete").hidden = byId("editor").hidden = byId("source").hidden = true;
}

function head() {
  document.title = `${user.name ?? user.email} · Backstep`;
  byId("name").textContent = user.name ?? user.email;
  byId("lead").textContent = [user.name && user.email, user.organizationName].filter(Boolean).join(" · ");
  fill(byId("badges"), user.roles.map((name) => h("span.badge", {}, name)), user.hasPassword === false && h("span.badge", { data: { tone: "undone" } }, "Invited"));
  byId("edit").hidden = !can.has("auth.users.edit");
  byId("delete").hidden = !can.has("auth.users.delete");
  byId("history").href = historyAddress("auth.user", id);
}

/** Where the grants come from: the roles, or the user's own list. */
function source() {
  const own = acl.hasCustomAcl || isStarting;
  const option = (value, label, text) => h("label.source-option", {},
    h("input", { type: "radio", name: "source", value, checked: (value === "own") === own, on: { change: () => (value === "own" ? startOwn() : endOwn()) } }),
    h("span", {}, h("strong", {}, label), h("small.field-hint", {}, text)));
  fill(byId("source"),
    option("roles", "Grants of the roles", user.roles.length ? `Whatever ${user.roles.join(" and ")} may do.` : "The user has no role, and so may do nothing."),
    option("own", "Grants of their own", "The list below counts alone; what the roles grant is ignored."));
  byId("source").hidden = byId("editor").hidden = false;
}

/** Show the grants that count: the own list, to be changed, or what the roles grant, to be looked at. */
async function show() {
  const own = acl.hasCustomAcl || isStarting;
  source();
  if (own !== isEditable) editor = grantsEditor(byId("editor"), { ...data, isSuperAdmin: data.isSuperAdmin && own, fixed: !own, save });
  isEditable = own;
  editor.show(own ? acl : await ofRoles());
}

/** What the roles grant together. */
async function ofRoles() {
  const parts = await Promise.all(user.roleIds.map((roleId) => call("GET", "/auth/roles/acl", { query: { roleId } })));
  const isEverywhere = parts.some(({ organizations }) => organizations === null) || !parts.length;
  return {
    features: [...new Set(parts.flatMap(({ features }) => features))],
    organizations: isEverywhere ? null : [...new Set(parts.flatMap(({ organizations }) => organizations))],
    isSuperAdmin: parts.some((part) => part.isSuperAdmin),
  };
}

/** Begin a list of its own with what the roles grant together now; it counts once it is saved. */
function startOwn() {
  return attempt(async () => {
    const first = await ofRoles();
    isStarting = true;
    await show();
    editor.begin({ ...first, isSuperAdmin: false });
  });
}

async function endOwn() {
  if (acl.hasCustomAcl) {
    const chosen = await choose("Back to the roles’ grants?", `The own list of “${user.email}” is removed. Its roles say again what the user may do.`, [{ label: "Use the roles’ grants", main: true }, { label: "Keep the own list" }]);
    if (chosen !== 0 || !(await attempt(() => put({ features: [], organizations: null, isSuperAdmin: false })))) return source();
  }
  editor.show(acl);
  return load();
}

function put(value) {
  return change("PUT", "/auth/users/acl", { updatedAt: acl.updatedAt, body: { userId: id, ...value }, what: `The grants of “${user.email}”` });
}

async function save(value) {
  if (!value.features.length && !value.isSuperAdmin) {
    toast("An own list needs at least one grant.", { kind: "bad", detail: "To grant nothing, take the roles away; to go back, choose the grants of the roles." });
    return false;
  }
  const answer = await put(value);
  if (answer?.sanitized) toast("Some grants were left out: only a super admin can give them.", { kind: "bad" });
  if (answer === null) return false;
  acl = await call("GET", "/auth/users/acl", { query: { userId: id } });
  isStarting = false;
  return true;
}

start();
byId("edit").addEventListener("click", () => user && editUser(user));
byId("delete").addEventListener("click", () => user && removeUser(user));
shortcut("e", "Edit this user", () => !byId("edit").hidden && editUser(user));
const refresh = settled(150, load);
onChange(refresh);
onChangeOf(["auth.user", "auth.role"], refresh);
load();
