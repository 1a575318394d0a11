/** One dictionary: its entries in their order, edited in place. */
import { ApiError, call, callAll } from "./api.js";
import { change } from "./change.js";
import { pickColor, place } from "./color.js";
import { editDictionary, isProtected, removeDictionary } from "./dictionary-forms.js";
import { byId, fill, h, icon, mirror, note, settled } from "./dom.js";
import { buildRow, refreshRow } from "./entry-row.js";
import { plural } from "./format.js";
import { onChange } from "./history.js";
import { describe, shortcut } from "./keys.js";
import { onEvent } from "./live.js";
import { historyAddress } from "./record-places.js";
import { areDistinct, movable, positionsFor } from "./reorder.js";
import { drawPaging, emptyState, start } from "./shell.js";
import { may, session } from "./session.js";
import { toast } from "./toast.js";

const PAGE_SIZE = 100;
const MOST = 5_000; // entries that are numbered as a whole
const FORMATS = ["csv", "json", "xml", "markdown"];

const id = location.pathname.split("/").at(-1);
const path = `/dictionaries/${id}`;
let dictionary = null;
let paging = { page: Number(new URLSearchParams(location.search).get("page")) || 1, pageSize: PAGE_SIZE, total: 0, totalPages: 1 };
let entries = [];
let saving = 0;
let turn = 0;
let newColor = null;
let mayManage = true;
let isLarge = false;

const words = () => byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
const isReadOnly = () => !dictionary || dictionary.isInherited || !mayManage;
const canMove = () => !isReadOnly() && !words().length;

const { grab, isMoving } = movable(byId("rows"), { isReadOnly: () => !canMove(), moved: reorder });
const actions = { save, remove, makeDefault, isReadOnly, grab };

async function load() {
  const mine = (turn += 1);
  try {
    const [found, answer, user] = await Promise.all([call("GET", path), fetchEntries(), session()]);
    if (mine !== turn || saving) return;
    if (isMoving()) return refresh();
    dictionary = found;
    mayManage = may(user, "dictionaries.manage");
    entries = answer.items;
    paging = { ...paging, ...answer };
    note(byId("problem"), "");
    show();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (mine === turn) missing(error);
  } finally {
    byId("entries").setAttribute("aria-busy", "false");
  }
}

/** A page of the entries; the server searches only in dictionaries of more than one page. */
async function fetchEntries() {
  const search = isLarge ? byId("search").value.trim() : "";
  const answer = await call("GET", `${path}/entries`, { query: { page: paging.page, pageSize: PAGE_SIZE, search } });
  if (!search) isLarge = answer.totalPages > 1;
  return answer;
}

function missing(error) {
  note(byId("problem"), error.status === 404 ? "This dictionary does not exist, or it was deleted." : error.message);
  if (error.status !== 404) return;
  dictionary = null;
  byId("rows").replaceChildren();
  byId("add").hidden = byId("edit").hidden = byId("delete").hidden = byId("entries").hidden = true;
}

function show() {
  const sought = isLarge ? [] : words();
  const found = entries.filter(({ label, value }) => sought.every((word) => `${label} ${value}`.toLowerCase().includes(word)));
  head();
  mirror(byId("rows"), found, { key: (entry) => entry.id, build: (entry) => buildRow(entry, actions), refresh: (row, entry) => refreshRow(row, entry, actions) });
  byId("rows").classList.toggle("can-move", canMove());
  const isFiltered = words().length > 0;
  byId("total").textContent = sought.length ? `${found.length} of ${plural(entries.length, "entry", "entries")}` : plural(paging.total, isFiltered ? "match" : "entry", isFiltered ? "matches" : "entries");
  byId("empty").hidden = found.length > 0;
  if (!found.length) fill(byId("empty"), isFiltered ? emptyState("No entry matches", "Search by another word.") : emptyState("No entries yet", isReadOnly() ? "Entries are added where the dictionary belongs." : "Add the first one below."));
  byId("entries").hidden = !found.length;
  drawPaging(byId("paging"), paging, (page) => {
    paging.page = page;
    history.replaceState(null, "", page > 1 ? `?page=${page}` : location.pathname);
    load().then(() => scrollTo({ top: 0 }));
  });
}

function head() {
  document.title = `${dictionary.name} · Backstep`;
  byId("name").textContent = dictionary.name;
  byId("description").textContent = dictionary.description ?? "";
  const badges = [[true, dictionary.key, "code"], [dictionary.isSystem, "System", "plain"], [isProtected(dictionary), "Protected", "plain"], [dictionary.isInherited, "Inherited", "inherited"], [!dictionary.isActive, "Inactive", "undone"]];
  fill(byId("badges"), badges.filter(([applies]) => applies).map(([, text, tone]) => h("span.badge", { data: { tone } }, text)));
  note(byId("readonly"), dictionary.isInherited ? "This dictionary belongs to a parent organization. You can use it here; it is changed there." : "");
  byId("add").hidden = byId("edit").hidden = isReadOnly();
  byId("delete").hidden = isReadOnly() || isProtected(dictionary);
  byId("history").href = historyAddress("dictionaries.dictionary", id);
}

/** Do one change; while it is under way, what others change is not shown yet. */
async function attempt(action) {
  saving += 1;
  try {
    await action();
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const [first] = Object.values(error.fields);
    toast(error.message, { kind: "bad", detail: first ?? "" });
    return false;
  } finally {
    saving -= 1;
    refresh();
  }
}

function save(entry, changes) {
  return attempt(async () => {
    const answer = await change("PATCH", `${path}/entries/${entry.id}`, { updatedAt: entry.updatedAt, body: changes, what: `“${entry.label}”` });
    if (answer) put(answer);
  });
}

function put(changed) {
  entries = entries.map((entry) => (entry.id === changed.id ? { ...entry, ...changed } : entry));
  const row = document.getElementById(`entry-${changed.id}`);
  if (row) refreshRow(row, entries.find((entry) => entry.id === changed.id), actions);
}

function remove(entry) {
  return attempt(async () => {
    const row = document.getElementById(`entry-${entry.id}`);
    const next = row?.nextElementSibling ?? row?.previousElementSibling;
    const answer = await change("DELETE", `${path}/entries/${entry.id}`, { updatedAt: entry.updatedAt, what: `“${entry.label}”` });
    if (answer === null) return;
    row?.remove();
    (next?.querySelector(".cell") ?? byId("add").elements.value).focus();
  });
}

function makeDefault(entry) {
  if (entry.isDefault) return save(entry, { isDefault: false });
  return attempt(() => call("POST", `${path}/entries/set-default`, { body: { entryId: entry.id } }));
}

function reorder(ids) {
  return attempt(async () => {
    const whole = paging.totalPages > 1 ? (areDistinct(entries) ? null : await everything()) : entries;
    const moved = positionsFor(ids, entries, whole);
    if (moved.length) await call("POST", `${path}/entries/reorder`, { body: { entries: moved } });
  });
}

async function everything() {
  if (paging.total > MOST) throw new ApiError(400, { error: `Entries without positions of their own can be reordered up to ${MOST}.` });
  return callAll(`${path}/entries`, { query: { pageSize: PAGE_SIZE }, most: MOST });
}

/** The place after the last entry. */
async function lastPosition() {
  if (paging.totalPages <= 1) return entries.length ? Math.max(...entries.map(({ position }) => position)) + 1 : 0;
  const { items } = await call("GET", `${path}/entries`, { query: { page: paging.totalPages, pageSize: PAGE_SIZE } });
  return (items.at(-1)?.position ?? 0) + 1;
}

async function add(event) {
  event.preventDefault();
  const { value, label } = event.currentTarget.elements;
  const text = value.value.trim();
  byId("add-error").textContent = text ? "" : "Enter a value.";
  if (!text) return value.focus();
  const body = { value: text, position: await lastPosition() };
  if (label.value.trim()) body.label = label.value.trim();
  if (newColor) body.color = newColor;
  saving += 1;
  try {
    await call("POST", `${path}/entries`, { body });
    event.target.reset();
    setNewColor(null);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    byId("add-error").textContent = error.message;
  } finally {
    saving -= 1;
    value.focus();
    refresh();
  }
}

function setNewColor(color) {
  newColor = color;
  byId("add-color").classList.toggle("is-set", Boolean(color));
  byId("add-color").style.setProperty("--color", color ?? "transparent");
}

function exportMenu() {
  const menu = byId("export-menu");
  fill(menu, FORMATS.map((format) => h("a.menu-item", { href: `/api${path}/entries?format=${format}`, download: "" }, icon("download"), format === "markdown" ? "Markdown" : format.toUpperCase())));
  const button = document.querySelector("[popovertarget=export-menu]");
  menu.addEventListener("toggle", ({ newState }) => newState === "open" && place(menu, button));
  menu.addEventListener("click", () => menu.hidePopover());
}

/** Bring the entry named in the address into view, once it is there. */
function reveal() {
  const row = location.hash.startsWith("#entry-") && document.getElementById(location.hash.slice(1));
  if (!row) return;
  row.scrollIntoView({ block: "center" });
  row.classList.add("is-sought");
  setTimeout(() => row.classList.remove("is-sought"), 2_500);
}

start();
exportMenu();
shortcut("n", "New entry", () => byId("add").elements.value.focus());
shortcut("e", "Edit this dictionary", () => !isReadOnly() && editDictionary(dictionary));
describe("alt+up", "Move the focused entry up");
describe("alt+down", "Move the focused entry down");
describe("enter", "Edit the focused cell; save it");
byId("add").addEventListener("submit", add);
byId("add-color").addEventListener("click", async ({ currentTarget }) => {
  const color = await pickColor(currentTarget, newColor);
  if (color !== undefined) setNewColor(color);
});
byId("edit").addEventListener("click", () => dictionary && editDictionary(dictionary));
byId("delete").addEventListener("click", () => dictionary && removeDictionary(dictionary));
const search = settled(150, () => {
  if (!isLarge) return dictionary && show();
  paging.page = 1;
  load();
});
byId("search").addEventListener("input", search);
const refresh = settled(120, load);
onChange(refresh);
onEvent(({ id: event }) => (event.startsWith("dictionaries.") || event === "resumed") && refresh());
load().then(reveal);
