/** The fields of forms: what is built for each, how it is read, checked, and told that it is wrong. */
import { h } from "./dom.js";

let forms = 0;

/**
 * Build fields. Each is `{name, label, type?, hint?, value?, required?, minLength?, maxLength?, pattern?, invalid?,
 * placeholder?, autocomplete?, options?, when?}`. `type` is that of an input, "textarea", "select", "checkbox" or
 * "choices" (several of the `options`, read as a list). An option is `[value, label, hint?]`. `when(values)` says
 * whether the field is there at all, given what the others hold; what is not there is neither checked nor read.
 * A field may bring its own `control(id, described)`, which answers `{element, target, read, fault?}`: what is shown,
 * what gets the focus, its value, and what is wrong with it ("" when nothing is). `heading` is a line above the
 * fields that follow: its text, with an optional `hint`.
 *
 * The result has the `rows` to show, `values()`, `check()` (whether all is well; else the first fault gets the
 * focus), `fault(name, message)`, `refused(error)` to show what an `ApiError` says of fields, and `focus()`.
 */
export function buildFields(fields) {
  const prefix = `f${(forms += 1)}`;
  const parts = fields.map((field) => part(field, `${prefix}-${field.name}`));
  const values = () => Object.fromEntries(parts.filter(({ row, read }) => read && !row.hidden).map(({ field, read }) => [field.name, read()]));
  const find = (name) => parts.find(({ field }) => field.name === name);

  function settle() {
    for (const { field, row } of parts) if (field.when) row.hidden = !field.when(values());
  }

  function fault(name, message) {
    const found = find(name);
    if (!found?.target) return false;
    found.error.textContent = message;
    found.target.setAttribute("aria-invalid", String(Boolean(message)));
    return true;
  }

  function check() {
    let first = null;
    for (const { field, row, target, wrong } of parts) {
      if (!target) continue;
      const message = row.hidden ? "" : wrong ? wrong() : faultOf(field, target);
      fault(field.name, message);
      if (message) first ??= target;
    }
    first?.focus();
    return !first;
  }

  function refused(error) {
    let first = null;
    for (const [path, message] of Object.entries(error.fields)) {
      const name = path.split(".")[0];
      if (fault(name, message)) first ??= find(name).target;
    }
    first?.focus();
    return first !== null;
  }

  settle();
  for (const { row } of parts) for (const type of ["input", "change"]) row.addEventListener(type, settle);
  return { rows: parts.map(({ row }) => row), values, check, fault, refused, focus: () => parts.find(({ row, target }) => target && !row.hidden)?.target.focus() };
}

function faultOf({ invalid }, element) {
  if (!element.validity || element.validity.valid) return "";
  return invalid && !element.validity.valueMissing ? invalid : element.validationMessage;
}

const SHARED = ["required", "minLength", "maxLength", "pattern", "placeholder", "readOnly", "disabled", "min", "max"];

function part(field, id) {
  if (field.heading) return { field, row: h("div.field-heading", {}, h("h3", {}, field.heading), field.hint && h("p.field-hint", {}, field.hint)) };
  const error = h("span.field-error", { id: `${id}-fault` });
  if (field.type === "choices") return choices(field, id, error);
  if (field.control) return own(field, id, error);
  const target = control(field, id);
  return { field, target, error, row: row(field, target, error), read: reader(field, target) };
}

function own(field, id, error) {
  const hint = field.hint && h("span.field-hint", { id: `${id}-hint` }, field.hint);
  const { element, target, read, fault = null } = field.control(id, hint ? `${id}-hint ${id}-fault` : `${id}-fault`);
  const label = target.matches("input, textarea, select") ? h("label.field-label", { htmlFor: target.id }, field.label) : h("span.field-label", { id: `${id}-label` }, field.label);
  return { field, target, error, read, wrong: fault, row: h("div.field", {}, label, element, hint, error) };
}

function control({ type = "text", name, value, options, autocomplete = "off", hint, ...rest }, id) {
  const described = hint ? `${id}-hint ${id}-fault` : `${id}-fault`;
  const shared = { name, id, "aria-describedby": described, ...pick(rest, SHARED) };
  if (type === "textarea") return h("textarea.input", { ...shared, rows: 3, value: value ?? "" });
  if (type === "checkbox") return h("input", { ...shared, type, checked: Boolean(value) });
  if (type !== "select") return h("input.input", { ...shared, type, value: value ?? "", autocomplete });
  return h("select", shared, options.map(([key, label, disabled]) => h("option", { value: key ?? "", selected: key === value, disabled: disabled === true }, label)));
}

const pick = (object, keys) => Object.fromEntries(keys.filter((key) => key in object).map((key) => [key, object[key]]));

function row({ label, hint, type }, element, error) {
  const note = hint && h("span.field-hint", { id: `${element.id}-hint` }, hint);
  if (type === "checkbox") return h("div.field", {}, h("label.check", {}, element, h("span", {}, label)), note, error);
  const shown = type === "select" ? h("span.select", {}, element) : element;
  return h("div.field", {}, h("label.field-label", { htmlFor: element.id }, label), shown, note, error);
}

function reader({ type }, element) {
  if (type === "checkbox") return () => element.checked;
  return type === "password" ? () => element.value : () => element.value.trim();
}

function choices(field, id, error) {
  const chosen = new Set(field.value ?? []);
  const boxes = field.options.map(([value, label, hint]) => {
    const box = h("input", { type: "checkbox", value, checked: chosen.has(value) });
    return h("label.check", {}, box, h("span", {}, label, hint && h("small.field-hint", {}, hint)));
  });
  const target = h("div.choices", { tabIndex: -1, id, role: "group", "aria-label": field.label, "aria-describedby": `${id}-fault` }, boxes);
  const shown = h("div.field", {}, h("span.field-label", {}, field.label), field.hint && h("span.field-hint", {}, field.hint),
    boxes.length ? target : h("span.field-hint", {}, field.none ?? "There are none."), error);
  const read = () => [...target.querySelectorAll("input:checked")].map(({ value }) => value);
  return { field, target, error, row: shown, read };
}
