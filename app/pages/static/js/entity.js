/** The designer of one entity: its fields and fieldsets are changed in a draft, which is saved as one step. */
import { ApiError, call } from "./api.js";
import { change } from "./change.js";
import { draftOf, forHere, inOrder, isDirty, payloadOf, rebased, stateOf, summary, withField, withoutField, withoutFieldset } from "./designer-draft.js";
import { byId, fill, h, icon, mirror, note, settled } from "./dom.js";
import { encryptionMap } from "./encryption-map.js";
import { editEntity, removeEntity } from "./entity-forms.js";
import { fieldForm } from "./field-form.js";
import { buildRow, refreshRow } from "./field-row.js";
import { drawFieldsets, fieldsetForm } from "./fieldset-forms.js";
import { plural } from "./format.js";
import { onChange } from "./history.js";
import { describe, shortcut } from "./keys.js";
import { onChangeOf } from "./live.js";
import { attempt } from "./parts.js";
import { permissions } from "./permissions.js";
import { movable } from "./reorder.js";
import { emptyState, start } from "./shell.js";

const id = decodeURIComponent(location.pathname.split("/").at(-1));
let entity = null;
let draft = null;
let deletedKeys = [];
let can = new Set();
let saving = false;
let turn = 0;

const isReadOnly = () => !can.has("entities.definitions.manage") || saving;
const { grab, isMoving } = movable(byId("rows"), { isReadOnly, moved: (keys) => put(inOrder(draft, keys)) });
const actions = { edit: editField, use, remove, here, grab, isReadOnly };

async function load() {
  const mine = (turn += 1);
  try {
    can = await permissions();
    const [{ items }, server] = await Promise.all([call("GET", "/entities/entities"), call("GET", "/entities/definitions.manage", { query: { entityId: id } })]);
    if (mine !== turn || saving) return;
    if (isMoving()) return refresh();
    const isFirst = draft === null;
    entity = items.find(({ entityId }) => entityId === id) ?? null;
    deletedKeys = server.deletedKeys;
    draft = draft ? rebased(draft, server) : draftOf(server);
    note(byId("problem"), entity ? "" : "No entity has this id any more. Its fields are kept.");
    show();
    if (isFirst) await encryptionMap(id, () => draft.fields.map(({ key }) => key));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (mine !== turn) return;
    note(byId("problem"), error.message);
    if (!draft) byId("table").hidden = true;
  } finally {
    byId("table").setAttribute("aria-busy", "false");
  }
}

function put(next) {
  draft = next;
  show();
}

function show() {
  head();
  const rows = draft.fields.map((field) => ({ ...field, state: stateOf(draft, field) }));
  byId("rows").querySelectorAll(".is-skeleton").forEach((row) => row.remove());
  mirror(byId("rows"), rows, { key: ({ key }) => key, build: (field) => buildRow(field, actions), refresh: (row, field) => refreshRow(row, field, actions) });
  byId("rows").classList.toggle("can-move", !isReadOnly());
  byId("total").textContent = plural(rows.filter(({ isRemoved }) => !isRemoved).length, "field", "fields");
  byId("table").hidden = rows.length === 0;
  byId("empty").hidden = rows.length > 0;
  if (!rows.length) fill(byId("empty"), emptyState("No fields yet", "A field is something that every record can hold, such as a name, a date or a price.", isReadOnly() ? null : { label: "Add the first field", run: addField }));
  byId("fieldsets-part").hidden = false;
  drawFieldsets(byId("fieldsets"), draft, { edit: editFieldset, remove: ({ code }) => put(withoutFieldset(draft, code)), isReadOnly });
  byId("single").checked = draft.isSingle;
  byId("single").disabled = isReadOnly();
  byId("single-choice").hidden = draft.fieldsets.length < 2;
  tombstones();
  saveBar();
}

function head() {
  const isOwn = entity?.source === "custom";
  const label = entity?.label ?? id;
  document.title = `${label} · Fields · Backstep`;
  byId("name").textContent = label;
  byId("lead").textContent = entity?.description ?? "";
  fill(byId("badges"), h("span.badge", { data: { tone: "code" } }, id), h("span.badge", { data: { tone: isOwn ? "inherited" : "plain" } }, isOwn ? "Own" : "Built in"), entity?.accessRestricted && h("span.badge", { data: { tone: "undone" } }, icon("lock"), "Restricted"));
  byId("records").hidden = !isOwn || !can.has("entities.records.view");
  byId("records").href = `/backend/data/${encodeURIComponent(id)}`;
  byId("edit").hidden = byId("delete").hidden = !isOwn || isReadOnly();
  byId("add").hidden = byId("add-fieldset").hidden = isReadOnly();
}

function tombstones() {
  const keys = deletedKeys.filter((key) => !draft.fields.some((field) => field.key === key));
  byId("deleted-part").hidden = keys.length === 0;
  fill(byId("deleted"), keys.toSorted().map((key) => h("li.tombstone", {}, h("code", {}, key),
    h("button.button.button-small", { type: "button", disabled: isReadOnly(), "aria-label": `Restore ${key}`, on: { click: () => restore(key) } }, icon("undo"), "Restore"))));
}

function saveBar() {
  const isChanged = isDirty(draft);
  byId("save-bar").hidden = !isChanged;
  byId("save-text").textContent = isChanged ? `Not saved yet: ${summary(draft)}` : "";
  byId("save").disabled = byId("discard").disabled = saving;
}

const addField = () => draft && attempt(() => fieldForm(null, { taken: draft.fields.map(({ key }) => key), fieldsets: draft.fieldsets, submit: (field) => put(withField(draft, field)) }));

function editField({ key }) {
  const field = draft.fields.find((one) => one.key === key);
  return attempt(() => fieldForm(field, { taken: [], fieldsets: draft.fieldsets, submit: (changed) => put(withField(draft, changed)) }));
}

function use({ key }, name, isOn) {
  const field = draft.fields.find((one) => one.key === key);
  put(withField(draft, { ...field, config: { ...field.config, [name]: isOn } }));
}

function remove({ key }, isRemoved) {
  put(withoutField(draft, key, isRemoved));
}

function here({ key }, isHere) {
  put(forHere(draft, key, isHere));
}

const editFieldset = (fieldset) => fieldsetForm(fieldset, {
  taken: draft.fieldsets.map(({ code }) => code),
  submit: (changed) => {
    const at = draft.fieldsets.findIndex(({ code }) => code === changed.code);
    put({ ...draft, fieldsets: at < 0 ? [...draft.fieldsets, changed] : draft.fieldsets.with(at, changed) });
  },
});

function restore(key) {
  return attempt(() => call("POST", "/entities/definitions.restore", { body: { entityId: id, key } }));
}

async function save() {
  if (saving || !isDirty(draft)) return;
  saving = true;
  saveBar();
  const name = entity?.label ?? id;
  const worked = await attempt(async () => {
    await change("POST", "/entities/definitions.batch", { updatedAt: draft.version, body: payloadOf(id, draft), what: `The design of “${name}”` });
    draft = null;
  });
  saving = false;
  if (worked) await load();
  else saveBar();
}

function discard() {
  draft = { ...draft, ...draft.base };
  show();
}

start();
byId("add").addEventListener("click", addField);
byId("add-fieldset").addEventListener("click", () => editFieldset(null));
byId("single").addEventListener("change", ({ currentTarget }) => put({ ...draft, isSingle: currentTarget.checked }));
byId("save").addEventListener("click", save);
byId("discard").addEventListener("click", discard);
byId("edit").addEventListener("click", () => editEntity(entity, draft.fields.map(({ key }) => key)));
byId("delete").addEventListener("click", async () => (await removeEntity(entity)) && location.assign("/backend/entities"));
shortcut("n", "New field", () => !isReadOnly() && addField());
shortcut("s", "Save the design", save);
describe("alt+up", "Move the focused field up");
describe("alt+down", "Move the focused field down");
addEventListener("beforeunload", (event) => draft && isDirty(draft) && event.preventDefault());
fill(byId("rows"), [1, 2, 3].map(() => h("tr.row.is-skeleton", { "aria-hidden": "true" }, h("td", { colSpan: 7 }, h("i"), h("i")))));
const refresh = settled(150, load);
onChange(refresh);
onChangeOf(["entities."], refresh);
load();
