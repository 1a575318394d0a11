/** One row of the entries table: what it shows, and how its cells are edited. */
import { pickColor } from "./color.js";
import { h, icon } from "./dom.js";
import { ago, moment } from "./format.js";
import { linkTool } from "./parts.js";
import { historyAddress } from "./record-places.js";

const LIMITS = { label: 150, value: 150, icon: 64 };
const TITLES = { label: "Label", value: "Value", icon: "Icon" };

/** The icon of an entry: an emoji as it is, a named icon by its name. */
export function drawIcon(text) {
  if (!text) return h("span.value-none", {}, "–");
  return text.includes(":") ? h("code.icon-name", {}, text.split(":").at(-1)) : h("span.icon-emoji", {}, text);
}

/**
 * Build a row. `actions` are `save(entry, changes)`, `remove(entry)`, `makeDefault(entry)` and `grab(event, row)`;
 * all promise whether it worked. `isReadOnly()` says whether the table may be changed now.
 */
export function buildRow(entry, actions) {
  const row = h("tr.entry-row", { id: `entry-${entry.id}`, tabIndex: -1 });
  row.entry = entry;
  row.append(
    h("td.c-grip", {}, h("button.grip", { type: "button", on: { pointerdown: (event) => actions.grab(event, row) } }, icon("grip"))),
    h("td.c-color", {}, h("button.swatch", { type: "button", on: { click: ({ currentTarget }) => chooseColor(currentTarget, row, actions) } })),
    ...["label", "value", "icon"].map((field) => h(`td.c-${field}`, {}, cell(row, field, actions))),
    h("td.c-updated", {}, h("time", { data: { ago: "" } })),
    h("td.c-default", {}, h("button.star", { type: "button", on: { click: () => actions.makeDefault(row.entry) } }, icon("star"))),
    h("td.c-tools", {}, linkTool("clock", "History", historyAddress("dictionaries.entry", entry.id)), h("button.button.button-icon.button-quiet", { type: "button", title: "Delete", on: { click: () => actions.remove(row.entry) } }, icon("trash"))));
  refreshRow(row, entry, actions);
  return row;
}

/** Show an entry in its row; a cell that is being edited is left alone. */
export function refreshRow(row, entry, actions) {
  row.entry = entry;
  const readOnly = actions.isReadOnly();
  const [grip, swatch, star, trash] = [".grip", ".swatch", ".star", ".c-tools button"].map((selector) => row.querySelector(selector));
  grip.hidden = trash.hidden = readOnly;
  swatch.disabled = star.disabled = readOnly;
  grip.setAttribute("aria-label", `Move ${entry.label}`);
  swatch.setAttribute("aria-label", `Color of ${entry.label}: ${entry.color ?? "none"}`);
  swatch.classList.toggle("is-set", Boolean(entry.color));
  swatch.style.setProperty("--color", entry.color ?? "transparent");
  star.setAttribute("aria-label", entry.isDefault ? `${entry.label} is the default` : `Make ${entry.label} the default`);
  star.setAttribute("aria-pressed", String(entry.isDefault));
  star.title = entry.isDefault ? "The default" : "Make this the default";
  row.querySelector(".c-tools a").setAttribute("aria-label", `History of ${entry.label}`);
  trash.setAttribute("aria-label", `Delete ${entry.label}`);
  for (const field of ["label", "value", "icon"]) {
    const button = row.querySelector(`.cell[data-field=${field}]`);
    if (button) drawCell(button, entry, field, readOnly);
  }
  const time = row.querySelector("time");
  const changed = entry.updatedAt ?? entry.createdAt;
  time.dateTime = changed;
  time.textContent = ago(changed);
  time.title = moment(changed);
}

function cell(row, field, actions) {
  return h("button.cell", { type: "button", data: { field }, on: { click: ({ currentTarget }) => edit(currentTarget, row, field, actions) } });
}

function drawCell(button, entry, field, readOnly) {
  button.disabled = readOnly;
  button.replaceChildren(field === "icon" ? drawIcon(entry.icon) : entry[field]);
  button.setAttribute("aria-label", `${TITLES[field]}: ${entry[field] ?? "none"}. Edit`);
}

async function chooseColor(button, row, actions) {
  const color = await pickColor(button, row.entry.color);
  if (color !== undefined && color !== row.entry.color) await actions.save(row.entry, { color });
}

/** Turn a cell into a field: Enter saves, Escape leaves it as it was, leaving the field saves. */
function edit(button, row, field, actions) {
  const before = row.entry[field] ?? "";
  const input = h("input.input.cell-input", { value: before, maxLength: LIMITS[field], autocomplete: "off", "aria-label": `${TITLES[field]} of ${row.entry.label}`, placeholder: field === "icon" ? "Emoji or name" : "" });
  let over = false;
  const leave = () => {
    over = true;
    input.replaceWith(button);
    drawCell(button, row.entry, field, actions.isReadOnly());
  };
  const again = (refocus) => {
    over = input.readOnly = false;
    input.setAttribute("aria-invalid", "true");
    if (refocus) input.focus();
  };
  const finish = async (refocus) => {
    if (over) return;
    const text = input.value.trim();
    if (text === before || (text === "" && field !== "icon")) leave();
    else {
      over = true;
      input.readOnly = true;
      if (!(await actions.save(row.entry, changesFor(row.entry, field, text)))) return again(refocus);
      leave();
    }
    if (refocus) button.focus();
  };
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter") finish(true);
    else if (event.key === "Escape") {
      event.stopPropagation();
      leave();
      button.focus();
    } else return;
    event.preventDefault();
  });
  input.addEventListener("blur", () => finish(false));
  button.replaceWith(input);
  input.focus();
  input.select();
}

/** A changed value takes its label along only where both were the same; else the label is kept by naming it. */
function changesFor(entry, field, text) {
  if (field === "icon") return { icon: text === "" ? null : text };
  if (field === "value" && entry.label !== entry.value) return { value: text, label: entry.label };
  return { [field]: text };
}
