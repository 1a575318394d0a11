/** All lists of data: those of user-defined entities, and those of the product. */
import { ApiError, call } from "./api.js";
import { SOURCES } from "./data-sources.js";
import { byId, fill, h, icon, mirror, note, settled } from "./dom.js";
import { createEntity } from "./entity-forms.js";
import { plural } from "./format.js";
import { onChange } from "./history.js";
import { shortcut } from "./keys.js";
import { onChangeOf } from "./live.js";
import { permissions } from "./permissions.js";
import { emptyState, start } from "./shell.js";

let can = new Set();
let entities = [];

async function load() {
  try {
    can = await permissions();
    if (can.has("entities.records.view")) {
      const { items } = await call("GET", "/entities/entities");
      entities = items.filter(({ source }) => source === "custom");
    }
    note(byId("problem"), "");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    note(byId("problem"), error.message);
  }
  show();
}

function show() {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = (lists) => lists.filter(({ id, label, note: text }) => words.every((word) => `${id} ${label} ${text}`.toLowerCase().includes(word)));
  const mine = found(entities.map((entity) => ({ ...entity, id: entity.entityId, note: entity.description ?? "", icon: "box" })).sort((a, b) => a.label.localeCompare(b.label)));
  const theirs = found(SOURCES.filter(({ feature }) => can.has(feature)));
  draw("mine", mine);
  draw("theirs", theirs);
  byId("mine-part").hidden = !can.has("entities.records.view") || (words.length > 0 && !mine.length);
  byId("theirs-part").hidden = theirs.length === 0;
  byId("create").hidden = byId("designer").hidden = !can.has("entities.definitions.manage");
  byId("total").textContent = plural(mine.length + theirs.length, "list", "lists");
  byId("none").hidden = mine.length > 0 || byId("mine-part").hidden;
  if (!mine.length) fill(byId("none"), emptyState("No entities of your own yet", can.has("entities.definitions.manage") ? "An entity is a list that you design: its fields, and then its records." : "Somebody who may design entities can add one.", can.has("entities.definitions.manage") ? { label: "New entity", run: () => createEntity() } : null));
  byId("empty").hidden = mine.length + theirs.length > 0 || !byId("mine-part").hidden;
  if (!byId("empty").hidden) fill(byId("empty"), emptyState(words.length ? "No list matches" : "Nothing to see here", words.length ? "Search by another word." : "Ask an administrator for rights to look at data."));
}

function draw(id, lists) {
  byId(id).setAttribute("aria-busy", "false");
  byId(id).querySelectorAll(".is-skeleton").forEach((card) => card.remove());
  mirror(byId(id), lists, { key: (list) => list.id, build: (list) => card(h("li.card"), list), refresh: card });
}

function card(element, list) {
  const fields = list.count === undefined ? null : list.count === 0 ? "No fields yet" : plural(list.count, "field", "fields");
  return fill(element,
    h("a.card-link", { href: `/backend/data/${encodeURIComponent(list.id)}` }, h("span.card-title", {}, icon(list.icon), list.label), h("code.card-key", {}, list.id)),
    h("p.card-text", {}, list.note),
    (fields || list.accessRestricted || list.showInSidebar) && h("p.card-foot", {}, fields && h("span", {}, fields), list.showInSidebar && h("span.badge", {}, "In the menu"), list.accessRestricted && h("span.badge", { data: { tone: "undone" } }, icon("lock"), "Restricted")));
}

start();
byId("search").addEventListener("input", settled(120, show));
byId("create").addEventListener("click", () => createEntity());
shortcut("n", "New entity", () => can.has("entities.definitions.manage") && createEntity());
const refresh = settled(150, load);
onChange(refresh);
onChangeOf(["entities."], refresh);
load();
