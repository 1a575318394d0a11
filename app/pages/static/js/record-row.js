/** One row of a list of data. */
import { fill, h } from "./dom.js";
import { drawValue } from "./field-values.js";
import { linkTool, since, tool } from "./parts.js";
import { historyAddress } from "./record-places.js";

const FIGURES = new Set(["integer", "float"]);
const SHORT = new Set(["date", "datetime", "phone", "boolean"]);

/** The value of a row in a column. */
export const valueIn = (row, { key, value }) => (value ? value(row) : row[key]);

/** Draw a row, unless it shows the same already. `list` says what may be done with it. */
export function drawRow(element, row, { list, columns, labels }) {
  const mark = JSON.stringify([row, columns.map(({ key, label }) => [key, label]), [...labels].map(([key, known]) => [key, known.size])]);
  if (element.dataset.mark === mark) return element;
  element.dataset.mark = mark;
  return fill(element, columns.map((column, index) => cell(row, column, index, list, labels)), tools(row, list));
}

function cell(row, column, index, list, labels) {
  const value = valueIn(row, column);
  const shown = draw(column, value, labels);
  if (index === 0) return h("td", { data: { label: "" } }, name(row, list, shown));
  return h("td", { className: FIGURES.has(column.kind) ? "c-figure" : SHORT.has(column.kind) ? "c-short" : "", data: { label: column.label } }, shown);
}

function draw(column, value, labels) {
  if (column.kind === "color") return value ? h("span.value-color", {}, h("i.dot", { vars: { "--color": value } }), h("code", {}, value)) : h("span.quiet", {}, "–");
  if (column.kind === "datetime" && !column.entityId) return since(value, "–");
  return drawValue(column, value, labels);
}

function name(row, list, shown) {
  if (list.home) return h("a.who-name", { href: list.home(row) }, shown);
  return list.edit && !list.isFixed?.(row) ? h("button.who-name", { type: "button", on: { click: () => list.edit(row) } }, shown) : h("strong.who-name", {}, shown);
}

function tools(row, list) {
  const title = list.titleOf(row);
  const isFree = !list.isFixed?.(row);
  const past = list.historyKind && historyAddress(list.historyKind, row.id);
  return h("td.c-tools", {},
    past && linkTool("clock", `History of ${title}`, past),
    list.edit && isFree && tool("pencil", `Edit ${title}`, () => list.edit(row)),
    list.remove && isFree && tool("trash", `Delete ${title}`, () => list.remove(row), { danger: true }));
}
