/** One list of the data: records of a user-defined entity, or a list of the product. */
import { ApiError } from "./api.js";
import { place } from "./color.js";
import { columnMenu, shownColumns } from "./columns.js";
import { buildFilters } from "./data-filters.js";
import { listOf, pageSize } from "./data-lists.js";
import { labelsOf } from "./definitions.js";
import { announce, byId, fill, h, icon, mirror, note, settled } from "./dom.js";
import { plural, words } from "./format.js";
import { onChange } from "./history.js";
import { describe, shortcut } from "./keys.js";
import { onChangeOf } from "./live.js";
import { permissions } from "./permissions.js";
import { drawRow, valueIn } from "./record-row.js";
import { drawPaging, emptyState, start } from "./shell.js";

const FORMATS = [["csv", "CSV"], ["json", "JSON"], ["xml", "XML"], ["markdown", "Markdown"]];
const id = decodeURIComponent(location.pathname.match(/\/backend\/(?:data|entities\/user)\/([^/]+)/)[1]);

const state = readAddress();
let can = new Set();
let list = null;
let filters = null;
let rows = [];
let labels = new Map();
let turn = 0;

function readAddress() {
  const search = new URLSearchParams(location.search);
  const filtered = [...search].filter(([name]) => name.startsWith("f.")).map(([name, value]) => [name.slice(2), value]);
  return { page: Math.max(1, Number.parseInt(search.get("page"), 10) || 1), search: search.get("search") ?? "", sort: search.get("sort") ?? "", filters: Object.fromEntries(filtered) };
}

function keepAddress() {
  const search = new URLSearchParams();
  for (const name of ["search", "sort"]) if (state[name]) search.set(name, state[name]);
  for (const [key, value] of Object.entries(state.filters)) if (value) search.set(`f.${key}`, value);
  if (state.page > 1) search.set("page", String(state.page));
  const text = search.toString();
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
}

const isFiltered = () => Boolean(state.search) || list.filters.some(({ key, isNeeded }) => !isNeeded && state.filters[key]);

async function load() {
  const mine = (turn += 1);
  try {
    const answer = await list.load(state);
    if (mine !== turn) return;
    if (!answer.items.length && state.page > 1) return go({ page: Math.max(1, Math.min(state.page - 1, answer.totalPages)) });
    const found = await labelsOf(shownColumns(list), answer.items, valueIn);
    if (mine !== turn) return;
    rows = answer.items;
    labels = found;
    note(byId("problem"), "");
    show(answer);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (mine !== turn) return;
    note(byId("problem"), error.message);
    byId("table").hidden = rows.length === 0;
  } finally {
    if (mine === turn) byId("table").setAttribute("aria-busy", "false");
  }
}

function show({ total, totalPages }) {
  const columns = shownColumns(list);
  drawHead(columns);
  byId("rows").querySelectorAll(".is-skeleton").forEach((row) => row.remove());
  const draw = (element, row) => drawRow(element, row, { list, columns, labels });
  mirror(byId("rows"), rows, { key: (row) => row.id, build: (row) => draw(h("tr.row"), row), refresh: draw });
  byId("total").textContent = isFiltered() ? plural(total, "match", "matches") : plural(total, ...nouns());
  byId("table").hidden = rows.length === 0;
  byId("empty").hidden = rows.length > 0;
  if (!rows.length) fill(byId("empty"), empty());
  drawPaging(byId("paging"), { page: state.page, pageSize, total, totalPages: totalPages ?? 1 }, (page) => go({ page }));
}

const nouns = () => (list.kinds[0] === "entities." ? ["record", "records"] : ["row", "rows"]);

function empty() {
  if (list.missing && list.filters.some(({ key, isNeeded }) => isNeeded && !state.filters[key])) return emptyState(list.missing, "Its rows are shown then.");
  if (isFiltered()) return emptyState("Nothing matches", "Search by another word, or take filters away.", { label: "Clear filters", run: clear });
  if (!list.columns.some(({ key }) => key !== "updated_at")) return noFields();
  return emptyState("Nothing here yet", list.create ? "Add the first one." : "Nobody has added anything.", list.create ? { label: "New record", run: list.create } : null);
}

function noFields() {
  const mayDesign = can.has("entities.definitions.manage");
  return emptyState("No fields yet", mayDesign ? "Design the fields that its records have, then add records." : "Somebody who may design entities has to add fields first.",
    mayDesign ? { label: "Design fields", run: () => location.assign(`/backend/entities/${encodeURIComponent(id)}`) } : null);
}

function drawHead(columns) {
  const mark = JSON.stringify([columns.map(({ key, label }) => [key, label]), state.sort]);
  if (byId("head").dataset.mark === mark) return;
  byId("head").dataset.mark = mark;
  fill(byId("head"), columns.map(({ key, label, kind, sort }) => {
    const isSorted = sort && state.sort.replace(/^-/, "") === key;
    const direction = isSorted ? (state.sort.startsWith("-") ? "descending" : "ascending") : null;
    const text = sort ? h("button.sorter", { type: "button", data: { direction: direction ?? "" }, on: { click: () => sortBy(key) } }, label, icon("down")) : label;
    return h("th", { scope: "col", "aria-sort": direction, className: kind === "integer" || kind === "float" ? "c-figure" : "" }, text);
  }), h("th", { scope: "col" }, h("span.visually-hidden", {}, "Actions")));
  const sorts = list.columns.filter(({ sort }) => sort);
  byId("sort-choice").hidden = sorts.length === 0;
  fill(byId("sort"), h("option", { value: "" }, "Sort…"), sorts.flatMap(({ key, label }) => [h("option", { value: key }, `${label} ↑`), h("option", { value: `-${key}` }, `${label} ↓`)]));
  byId("sort").value = state.sort;
}

/** By a column: upwards, then downwards, then as at first. */
function sortBy(key) {
  const next = state.sort === key ? `-${key}` : state.sort === `-${key}` ? "" : key;
  announce(next ? `Sorted by ${words(key)}, ${next.startsWith("-") ? "descending" : "ascending"}` : "In the usual order");
  go({ sort: next, page: 1 }).then(() => [...byId("head").querySelectorAll("button")].find((button) => button.textContent === list.columns.find((column) => column.key === key).label)?.focus());
}

function go(changes) {
  const isPage = "page" in changes && changes.page !== state.page;
  Object.assign(state, changes);
  keepAddress();
  return load().then(() => isPage && scrollTo({ top: 0 }));
}

function clear() {
  byId("search").value = "";
  filters.clear();
  go({ search: "", filters: filters.values(), page: 1 });
}

function head() {
  document.title = `${list.label} · Backstep`;
  byId("name").textContent = list.label;
  byId("lead").textContent = list.note ?? "";
  fill(byId("badges"), h("span.badge", { data: { tone: "code" } }, list.id));
  byId("design").hidden = !can.has("entities.definitions.manage");
  byId("design").href = `/backend/entities/${encodeURIComponent(id)}`;
  byId("create").hidden = !list.create;
  byId("export").hidden = !list.exportAddress;
  byId("search-box").hidden = !list.hasSearch;
}

function exportMenu() {
  const menu = byId("export-menu");
  menu.addEventListener("beforetoggle", ({ newState }) => {
    if (newState === "open") fill(menu, FORMATS.map(([format, name]) => h("a.menu-item", { href: list.exportAddress(format, state) || null, download: "" }, icon("download"), name)));
  });
  menu.addEventListener("toggle", ({ newState }) => newState === "open" && place(menu, byId("export")));
  menu.addEventListener("click", () => menu.hidePopover());
}

function keys() {
  shortcut("n", "New record", () => list?.create && list.create());
  describe("up", "The row above");
  describe("down", "The row below");
  byId("rows").addEventListener("keydown", (event) => {
    const step = { ArrowUp: "previousElementSibling", ArrowDown: "nextElementSibling" }[event.key];
    if (!step || event.altKey) return;
    event.preventDefault();
    event.target.closest("tr")[step]?.querySelector("a, button")?.focus();
  });
}

/** Learn what the list is, again when its definitions may have changed. */
async function learn() {
  can = await permissions();
  list = await listOf(id, can, () => refresh());
  head();
  columnMenu(list, load);
  filters = buildFilters(byId("filters"), list.filters, state.filters, (values) => go({ filters: values, page: 1 }));
  state.filters = filters.values();
}

async function open() {
  start();
  keys();
  exportMenu();
  byId("search").value = state.search;
  byId("search").addEventListener("input", settled(200, () => go({ search: byId("search").value.trim(), page: 1 })));
  byId("sort").addEventListener("change", ({ currentTarget }) => go({ sort: currentTarget.value, page: 1 }));
  byId("create").addEventListener("click", () => list.create());
  fill(byId("rows"), [1, 2, 3].map(() => h("tr.row.is-skeleton", { "aria-hidden": "true" }, h("td", {}, h("i"), h("i")))));
  try {
    await learn();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    byId("name").textContent = "Data";
    byId("table").hidden = true;
    return note(byId("problem"), error.message);
  }
  onChange(refresh);
  onChangeOf(list.kinds, refresh);
  onChangeOf(["entities.field_definition", "entities.entity"], relearn);
  await load();
}

const refresh = settled(150, load);
const relearn = settled(200, () => learn().then(load));
open();
