/** The filters above a list: one field for each, by the kind of what it filters. */
import { h, settled } from "./dom.js";
import { attempt } from "./parts.js";

const TYPES = { integer: "number", float: "number", date: "date", phone: "tel" };

/**
 * Build the filters of a list in an element; `values` are those of the address. `changed(values)` is called when one
 * is changed. Answers `clear()`.
 */
export function buildFilters(element, filters, values, changed) {
  const held = Object.fromEntries(filters.map(({ key }) => [key, values[key] ?? ""]));
  const fields = filters.map((filter) => build(filter));
  element.replaceChildren(...fields.map(({ node }) => node));
  return {
    values: () => ({ ...held }),
    clear: () => {
      for (const { filter, target } of fields) if (!filter.isNeeded) held[filter.key] = target.value = "";
    },
  };

  function build(filter) {
    const set = (target) => {
      held[filter.key] = target.value.trim();
      changed({ ...held });
    };
    return filter.kind === "select" || filter.kind === "boolean" ? choice(filter, set) : typed(filter, set);
  }

  function typed(filter, set) {
    const target = h("input.input", { "aria-label": filter.label, type: TYPES[filter.kind] ?? "text", step: "any", value: held[filter.key], placeholder: filter.label, title: `${filter.label} is…`, on: { input: settled(300, () => set(target)) } });
    return { filter, target, node: h("span.filter", {}, filter.kind === "date" && h("span.filter-label", { "aria-hidden": "true" }, filter.label), target) };
  }

  function choice(filter, set) {
    const target = h("select", { "aria-label": filter.label, on: { change: () => set(target) } }, h("option", { value: "" }, filter.isNeeded ? `${filter.label}…` : `${filter.label}: any`));
    const offer = (choices) => {
      target.append(...choices.map(({ value, label }) => h("option", { value }, filter.kind === "boolean" ? `${filter.label}: ${label.toLowerCase()}` : label)));
      if (held[filter.key] && ![...target.options].some(({ value }) => value === held[filter.key])) target.append(h("option", { value: held[filter.key] }, held[filter.key]));
      target.value = held[filter.key];
    };
    if (filter.kind === "boolean") offer([{ value: "true", label: "Yes" }, { value: "false", label: "No" }]);
    else attempt(async () => offer(await filter.choices()));
    return { filter, target, node: h("span.select.filter", {}, target) };
  }
}
