/** The designer's list of entities: those of the product, and those that users made. */
import { createByAddress } from "./address-form.js";
import { ApiError, call } from "./api.js";
import { byId, fill, h, icon, mirror, note, settled } from "./dom.js";
import { createEntity, editEntity, removeEntity } from "./entity-forms.js";
import { plural } from "./format.js";
import { onChange } from "./history.js";
import { shortcut } from "./keys.js";
import { onChangeOf } from "./live.js";
import { since, tool } from "./parts.js";
import { permissions } from "./permissions.js";
import { emptyState, start } from "./shell.js";

let can = new Set();
let entities = [];

async function load() {
  try {
    can = await permissions();
    if (!can.has("entities.definitions.view")) return refused();
    ({ items: entities } = await call("GET", "/entities/entities"));
    note(byId("problem"), "");
    byId("create").hidden = !mayManage();
    show();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    note(byId("problem"), error.message);
  } finally {
    byId("table").setAttribute("aria-busy", "false");
  }
}

const mayManage = () => can.has("entities.definitions.manage");

function refused() {
  note(byId("problem"), "You may not do this: it needs entities.definitions.view.");
  byId("rows").replaceChildren();
  byId("table").hidden = true;
}

/** Those of users first, then those with fields, then the others, each by name. */
function inOrder(found) {
  const rank = ({ source, count }) => (source === "custom" ? 0 : count ? 1 : 2);
  return found.toSorted((a, b) => rank(a) - rank(b) || a.label.localeCompare(b.label));
}

function show() {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const source = byId("source").value;
  const found = inOrder(entities.filter((entity) => (!source || entity.source === source) && words.every((word) => `${entity.entityId} ${entity.label} ${entity.description ?? ""}`.toLowerCase().includes(word))));
  byId("rows").querySelectorAll(".is-skeleton").forEach((row) => row.remove());
  mirror(byId("rows"), found, { key: ({ entityId }) => entityId, build: (entity) => row(h("tr.row"), entity), refresh: row });
  byId("total").textContent = words.length || source ? `${found.length} of ${plural(entities.length, "entity", "entities")}` : plural(entities.length, "entity", "entities");
  byId("table").hidden = !found.length;
  byId("empty").hidden = found.length > 0;
  if (!found.length) fill(byId("empty"), words.length ? emptyState("No entity matches", "Search by another name or id.") : emptyState("No entities of your own yet", "An entity is a list that you design: its fields, and then its records.", mayManage() ? { label: "New entity", run: createEntity } : null));
}

function row(element, entity) {
  const mark = JSON.stringify(entity);
  if (element.dataset.mark === mark) return element;
  element.dataset.mark = mark;
  const { entityId, label, source, count } = entity;
  const isOwn = source === "custom";
  const design = `/backend/entities/${encodeURIComponent(entityId)}`;
  return fill(element,
    h("td", {}, h("div.who", {}, h("span.avatar", { "aria-hidden": "true" }, icon(isOwn ? "box" : "gear")),
      h("span.who-text", {}, mayManage() ? h("a.who-name", { href: design }, label) : h("strong.who-name", {}, label), label !== entityId && h("span.who-note", {}, h("code", {}, entityId))))),
    h("td", {}, h("span.tags", {}, h("span.badge", { data: { tone: isOwn ? "inherited" : "plain" } }, isOwn ? "Own" : "Built in"), entity.showInSidebar && h("span.badge", {}, "In the menu"), entity.accessRestricted && h("span.badge", { data: { tone: "undone" } }, icon("lock"), "Restricted"))),
    h("td.c-number", {}, count ? plural(count, "field", "fields") : h("span.quiet", {}, "No fields")),
    h("td.c-when", { data: { label: "Changed" } }, entity.updatedAt ? since(entity.updatedAt, "") : ""),
    h("td.c-tools", {},
      isOwn && can.has("entities.records.view") && tool("data", `Records of ${label}`, () => location.assign(`/backend/data/${encodeURIComponent(entityId)}`)),
      mayManage() && tool("sliders", `Fields of ${label}`, () => location.assign(design)),
      isOwn && mayManage() && tool("pencil", `Edit ${label}`, () => editEntity(entity, null)),
      isOwn && mayManage() && tool("trash", `Delete ${label}`, () => removeEntity(entity), { danger: true })));
}

start();
byId("source").value = new URLSearchParams(location.search).get("source") ?? "";
byId("search").addEventListener("input", settled(120, show));
byId("source").addEventListener("change", () => {
  const { value } = byId("source");
  history.replaceState(null, "", value ? `?source=${value}` : location.pathname);
  show();
});
byId("create").addEventListener("click", createEntity);
shortcut("n", "New entity", () => mayManage() && createEntity());
fill(byId("rows"), [1, 2, 3].map(() => h("tr.row.is-skeleton", { "aria-hidden": "true" }, h("td", { colSpan: 5 }, h("i"), h("i")))));
const refresh = settled(150, load);
onChange(refresh);
onChangeOf(["entities."], refresh);
load().then(() => mayManage() && createByAddress(createEntity));
