/** A control for `buildFields` that holds any number of small rows, each with the same few fields. */
import { fill, h, icon } from "./dom.js";

/**
 * `columns` are `{name, label, type?, options?, placeholder?, list?, when?(row)}`; `rows` the objects held at first;
 * `add` the text of the button; `isWhole(row)` whether a row counts; `wrong(rows)` what is wrong with them.
 */
export function repeater({ columns, rows, add, isWhole, wrong = () => "" }) {
  return (id, described) => {
    const lines = h("div.repeat-rows", {});
    const target = h("button.button.button-small", { type: "button", id, "aria-describedby": described, on: { click: () => append({}).querySelector("input, select").focus() } }, icon("plus"), add);
    for (const row of rows) append(row);
    const read = () => [...lines.children].map((line) => line.read()).filter(isWhole);
    return { element: h("div.repeat", {}, lines, target), target, read, fault: () => wrong(read()) };

    function append(row) {
      const fields = columns.map((column) => ({ column, target: field(column, row[column.name]) }));
      const line = h("div.repeat-row", {});
      line.read = () => Object.fromEntries(fields.map(({ column, target: input }) => [column.name, input.value.trim()]));
      const settle = () => {
        for (const { column, target: input } of fields) input.closest(".repeat-cell").hidden = column.when ? !column.when(line.read()) : false;
      };
      fill(line, fields.map(({ column, target: input }) => h("span.repeat-cell", { data: { name: column.name } }, column.options ? h("span.select", {}, input) : input)),
        h("button.button.button-icon.button-quiet", { type: "button", "aria-label": "Remove this line", on: { click: () => remove(line) } }, icon("close")));
      line.addEventListener("change", settle);
      lines.append(line);
      settle();
      return line;
    }

    function remove(line) {
      line.remove();
      target.focus();
    }
  };
}

function field({ label, type = "text", options, placeholder, list }, value) {
  if (options) return h("select", { "aria-label": label }, options.map(([key, text]) => h("option", { value: key, selected: key === value }, text)));
  return h("input.input", { type, "aria-label": label, placeholder: placeholder ?? label, value: value ?? "", autocomplete: "off", list });
}
