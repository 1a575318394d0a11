/** One row of the designer: a field, where it is shown, and what became of it. */
import { KINDS } from "./definitions.js";
import { fill, h, icon } from "./dom.js";
import { tool } from "./parts.js";

const STATES = { new: ["New", "good"], changed: ["Changed", "undone"], removed: ["Removed", "bad"] };
const USES = [["listVisible", "List", true], ["formEditable", "Form", true], ["filterable", "Filter", false]];

/**
 * Build the row of a field. `actions` are `edit`, `use(field, name, on)`, `remove(field, isRemoved)`, `grab`,
 * `here(field, isHere)` (change a shared field for this organization alone, or no more), `isReadOnly()`.
 */
export function buildRow(field, actions) {
  return refreshRow(h("tr.row.field-row", { tabIndex: -1 }), field, actions);
}

/** Show a field in its row; `field.state` is what became of it. */
export function refreshRow(row, field, actions) {
  const label = field.config.label ?? field.key;
  row.entry = { id: field.key, label };
  const mark = JSON.stringify([field, actions.isReadOnly()]);
  if (row.dataset.mark === mark) return row;
  row.dataset.mark = mark;
  row.classList.toggle("is-removed", field.state === "removed");
  row.classList.toggle("is-shared", isShared(field));
  const isGone = actions.isReadOnly() || field.state === "removed";
  const isFixed = isGone || isShared(field);
  return fill(row,
    h("td.c-grip", {}, h("button.grip", { type: "button", hidden: isGone, "aria-label": `Move ${label}`, on: { pointerdown: (event) => actions.grab(event, row) } }, icon("grip"))),
    h("td.c-field", {}, h("span.who-text", {}, isFixed ? h("strong.who-name", {}, label) : h("button.who-name", { type: "button", on: { click: () => actions.edit(field) } }, label), h("span.who-note", {}, h("code", {}, field.key), place(field)))),
    h("td.c-kind", {}, h("span.tags", {}, h("span.badge", { data: { tone: "plain" } }, KINDS[field.kind] ?? field.kind, field.config.multi ? " · several" : ""), marks(field))),
    USES.map(([name, title, usual]) => h("td.c-use", { data: { label: title } }, h("input", { type: "checkbox", checked: field.config[name] ?? usual, disabled: isFixed, "aria-label": `${label}: ${title.toLowerCase()}`, on: { change: ({ currentTarget }) => actions.use(field, name, currentTarget.checked) } }))),
    h("td.c-tools", {}, !actions.isReadOnly() && tools(field, label, actions)));
}

/** Whether a field is the whole tenant's, and not to be changed without saying that it is for this organization. */
const isShared = ({ isInherited, isHere }) => isInherited && !isHere;

function tools(field, label, { edit, remove, here }) {
  if (field.state === "removed") return h("button.button.button-small", { type: "button", on: { click: () => remove(field, false) } }, icon("undo"), "Keep it");
  if (isShared(field)) return [h("button.button.button-small", { type: "button", "aria-label": `Change ${label} here only`, title: "For this organization; the others keep the shared field", on: { click: () => here(field, true) } }, "Change here only"), tool("trash", `Remove ${label} here`, () => remove(field, true), { danger: true })];
  if (field.isHere) return [tool("pencil", `Edit ${label}`, () => edit(field)), tool("undo", `Keep ${label} shared`, () => here(field, false))];
  return [tool("pencil", `Edit ${label}`, () => edit(field)), tool("trash", `Remove ${label}`, () => remove(field, true), { danger: true })];
}

function place({ config }) {
  const group = typeof config.group === "string" ? config.group : (config.group?.title ?? config.group?.code);
  const parts = [config.fieldsets?.join(", ") ?? config.fieldset, group].filter(Boolean);
  return parts.length ? ` · ${parts.join(" › ")}` : "";
}

function marks({ state, config, isInherited, isHere }) {
  const [text, tone] = STATES[state] ?? [];
  return [
    text && h("span.badge", { data: { tone } }, text),
    (config.validation ?? []).some(({ rule }) => rule === "required") && h("span.badge", { title: "Must not be empty" }, "Required"),
    config.encrypted === true && h("span.badge", { title: "Stored encrypted" }, icon("lock"), "Encrypted"),
    isInherited && (isHere ? h("span.badge", { data: { tone: "undone" }, title: "Once it is saved, the field is this organization’s own" }, "Here only") : h("span.badge", { data: { tone: "inherited" }, title: "Of the whole tenant, for all organizations" }, icon("tree"), "Shared")),
  ];
}
