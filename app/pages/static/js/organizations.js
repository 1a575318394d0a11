/** The tree of organizations. */
import { ApiError, call, callAll } from "./api.js";
import { place } from "./color.js";
import { announce, byId, fill, h, icon, mirror, note, settled } from "./dom.js";
import { plural } from "./format.js";
import { onChange } from "./history.js";
import { describe, shortcut } from "./keys.js";
import { onChangeOf } from "./live.js";
import { draggable } from "./organization-drag.js";
import { createOrganization, editOrganization, moveDialog, removeOrganization, update } from "./organization-forms.js";
import { buildLine, refreshLine } from "./organization-row.js";
import { into, linesOf, outOf, treeOf } from "./organization-tree.js";
import { attempt } from "./parts.js";
import { permissions } from "./permissions.js";
import { historyAddress } from "./record-places.js";
import { emptyState, start } from "./shell.js";

const MOST = 5_000;
const FEW = 60; // organizations that are all shown at first

let tenant = null; // the one that a super admin chose; null for the own one
let tree = treeOf([]);
let can = new Set();
let open = null; // ids of what is expanded; null until the first list is there
let active = null; // id of the line that the keyboard is on
let saving = false;
let turn = 0;
let isDrawn = false;

const list = byId("tree");
const words = () => byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
const isReadOnly = () => !can.has("directory.organizations.manage");
const { grab, isMoving } = draggable(list, byId("top"), { moved: (node, parentId) => attempt(() => move(node, parentId)) });
const actions = { toggle, menu, add, grab, isReadOnly };

async function load() {
  const mine = (turn += 1);
  try {
    const rows = await callAll("/directory/organizations", { query: { view: "manage", pageSize: 100, tenantId: tenant }, most: MOST });
    if (mine !== turn) return;
    if (isMoving()) return refresh();
    tree = treeOf(rows);
    open ??= new Set(rows.filter(({ depth }) => rows.length <= FEW || depth === 0).map(({ id }) => id));
    note(byId("problem"), "");
    show();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (mine === turn) note(byId("problem"), error.message);
  } finally {
    list.setAttribute("aria-busy", "false");
  }
}

function show() {
  const lines = linesOf(tree, (id) => open?.has(id), words());
  const hadFocus = list.contains(document.activeElement);
  if (!isDrawn) list.replaceChildren();
  isDrawn = true;
  mirror(list, lines, { key: ({ node }) => node.row.id, build: (line) => buildLine(line, actions), refresh: (element, line) => refreshLine(element, line, actions) });
  if (!lineOf(active)) active = lines[0]?.node.row.id ?? null;
  for (const element of list.children) reach(element, element.node.row.id === active);
  if (hadFocus && !list.contains(document.activeElement)) lineOf(active)?.focus();
  byId("total").textContent = words().length ? plural(lines.filter(({ isFound }) => isFound).length, "match", "matches") : plural(tree.nodes.size, "organization", "organizations");
  byId("empty").hidden = lines.length > 0;
  if (!lines.length) fill(byId("empty"), words().length ? emptyState("No organization matches", "Search by another name.") : emptyState("No organizations yet", "An organization is a company, a branch or a team.", isReadOnly() ? null : { label: "New organization", run: () => add(null) }));
}

const lineOf = (id) => (id ? [...list.children].find(({ dataset }) => dataset.key === id) : null);

/** Let the Tab key reach a line and its buttons, or not. */
function reach(element, isActive) {
  element.tabIndex = isActive ? 0 : -1;
  for (const button of element.querySelectorAll(".branch-tools button")) button.tabIndex = isActive ? 0 : -1;
}

function focus(id) {
  const line = lineOf(id);
  if (!line) return;
  if (active !== id && lineOf(active)) reach(lineOf(active), false);
  active = id;
  reach(line, true);
  line.focus();
}

function toggle({ row }) {
  if (!open.delete(row.id)) open.add(row.id);
  show();
  focus(row.id);
}

function add(node) {
  createOrganization(tree, node, { tenantId: tenant, made: (id, parentId) => arrived(id, parentId) });
}

/** Look again, with a place opened, so that what came there is seen. */
async function arrived(id, parentId) {
  if (parentId) open.add(parentId);
  await load();
  focus(id);
}

/** Move an organization; one at a time, so that each move knows what the one before has made of it. */
async function move(node, parentId) {
  if (saving || (node.row.parentId ?? null) === parentId) return;
  saving = true;
  try {
    if (!(await update(node.row, { parentId }))) return void load();
    announce(`${node.row.name} is now ${parentId ? `below ${tree.nodes.get(parentId)?.row.name}` : "at the top level"}`);
    await arrived(node.row.id, parentId);
  } finally {
    saving = false;
  }
}

function step(node, parentId, refusal) {
  if (isReadOnly()) return;
  if (parentId === undefined) return announce(refusal);
  attempt(() => move(node, parentId));
}

const setActive = (node) => attempt(() => update(node.row, { isActive: !node.row.isActive }));
const edit = (node) => editOrganization(tree, node, { done: (parentId) => parentId && open.add(parentId) });
const moveTo = (node) => moveDialog(tree, node, { move });

async function remove(node) {
  const next = lineOf(node.row.id)?.nextElementSibling ?? lineOf(node.row.id)?.previousElementSibling;
  if (await removeOrganization(node)) focus(next?.dataset.key);
}

function menu(node, button) {
  const item = (name, text, run) => h("button.menu-item", { type: "button", on: { click: () => {
    element.hidePopover();
    run();
  } } }, icon(name), text);
  const out = outOf(node);
  const inside = into(tree, node);
  const element = h("div.menu.menu-row", { popover: "auto", "aria-label": `Actions for ${node.row.name}` },
    item("pencil", "Edit…", () => edit(node)),
    item("plus", "Add below…", () => add(node)),
    item("arrow", "Move…", () => moveTo(node)),
    out !== undefined && item("left", "One level out", () => step(node, out)),
    inside !== undefined && item("right", `Below “${tree.nodes.get(inside).row.name}”`, () => step(node, inside)),
    item("power", node.row.isActive ? "Deactivate" : "Activate", () => setActive(node)),
    h("a.menu-item", { href: historyAddress("directory.organization", node.row.id) }, icon("clock"), "History"),
    item("trash", "Delete", () => remove(node)));
  element.addEventListener("toggle", ({ newState }) => newState === "closed" && element.remove());
  document.body.append(element);
  element.showPopover();
  place(element, button);
  element.querySelector("button").focus();
}

function pressed(event) {
  const line = event.target.closest("[role=treeitem]");
  if (!line || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const { node } = line;
  if (event.target !== line && !event.altKey) return;
  const run = event.altKey ? { ArrowLeft: () => step(node, outOf(node), "It is at the top level already"), ArrowRight: () => step(node, into(tree, node), "There is no organization above it on this level") }[event.key] : commands(line, node)[event.key];
  if (!run) return;
  event.preventDefault();
  run();
}

function commands(line, node) {
  const isOpen = line.getAttribute("aria-expanded") === "true";
  const go = (element) => element && focus(element.dataset.key);
  return {
    ArrowDown: () => go(line.nextElementSibling),
    ArrowUp: () => go(line.previousElementSibling),
    Home: () => go(list.firstElementChild),
    End: () => go(list.lastElementChild),
    ArrowRight: () => (node.children.length && !isOpen ? toggle(node) : isOpen && go(line.nextElementSibling)),
    ArrowLeft: () => (isOpen && !words().length ? toggle(node) : node.parent && focus(node.parent.row.id)),
    Enter: () => !isReadOnly() && edit(node),
    F2: () => !isReadOnly() && edit(node),
    m: () => !isReadOnly() && moveTo(node),
    Delete: () => !isReadOnly() && remove(node),
  };
}

function expandAll(isWanted) {
  open = new Set(isWanted ? tree.nodes.keys() : []);
  show();
}

/** Super admins may look at other tenants. */
async function tenants() {
  const { tenants: known, tenantId, isSuperAdmin } = await call("GET", "/directory/organization-switcher");
  if (!isSuperAdmin) return;
  tenant = tenantId;
  const select = byId("tenant");
  select.replaceChildren(...known.map(({ id, name }) => h("option", { value: id, selected: id === tenantId }, name)));
  byId("tenant-choice").hidden = known.length < 2;
  select.addEventListener("change", () => {
    tenant = select.value;
    open = null;
    load();
  });
}

async function begin() {
  start();
  fill(list, [0, 1, 1, 2].map((level) => h("li.branch.is-skeleton", { "aria-hidden": "true", vars: { "--level": String(level) } }, h("i"))));
  list.addEventListener("keydown", pressed);
  list.addEventListener("focusin", ({ target }) => target.role === "treeitem" && target.dataset.key !== active && focus(target.dataset.key));
  list.addEventListener("dblclick", ({ target }) => !isReadOnly() && target.closest(".branch-text") && edit(target.closest("[role=treeitem]").node));
  byId("create").addEventListener("click", () => add(null));
  byId("expand").addEventListener("click", () => expandAll(true));
  byId("collapse").addEventListener("click", () => expandAll(false));
  byId("search").addEventListener("input", settled(100, show));
  shortcut("n", "New organization", () => !isReadOnly() && add(tree.nodes.get(active) ?? null));
  describe("alt+left", "Move the focused organization one level out");
  describe("alt+right", "Move it below the one above");
  describe("m", "Move it…");
  describe("enter", "Edit it");
  onChange(refresh);
  onChangeOf(["directory.organization"], refresh);
  await attempt(async () => {
    [can] = await Promise.all([permissions(), tenants()]);
  });
  byId("create").hidden = isReadOnly();
  byId("keys").hidden = isReadOnly();
  await load();
}

const refresh = settled(150, load);
begin();
