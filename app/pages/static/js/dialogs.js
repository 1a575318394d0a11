/** Dialogs: native `<dialog>` elements, built when they are needed and gone when they close. */
import { ApiError } from "./api.js";
import { h, icon } from "./dom.js";

let number = 0;

function show(title, ...content) {
  const id = `dialog-${(number += 1)}`;
  const dialog = h("dialog.dialog", { "aria-labelledby": id },
    h("header.dialog-head", {}, h("h2", { id }, title),
      h("button.button.button-icon.button-quiet", { type: "button", "aria-label": "Close", on: { click: () => dialog.close() } }, icon("close"))),
    ...content);
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Show text or nodes with one button to leave. */
export function inform(title, ...content) {
  return show(title, h("div.dialog-body", {}, ...content));
}

/** Ask to choose: `choices` are `{label, main}`; answers the index of the chosen one, or -1. */
export function choose(title, text, choices) {
  return new Promise((resolve) => {
    let chosen = -1;
    const buttons = choices.map(({ label, main }, index) =>
      h(main ? "button.button.button-main" : "button.button", { type: "button", on: { click: () => take(index) } }, label));
    const take = (index) => {
      chosen = index;
      dialog.close();
    };
    const dialog = show(title, h("div.dialog-body", {}, h("p", {}, text)), h("footer.dialog-foot", {}, buttons));
    dialog.addEventListener("close", () => resolve(chosen));
  });
}

/**
 * A form. `fields` are `{name, label, type?, hint?, value?, required?, maxLength?, pattern?, options?}` (type "text",
 * "textarea", "select", "checkbox"). `submit(values)` does the work; what it refuses is shown beside the fields.
 */
export function form(title, { fields, action, submit }) {
  const problem = h("p.notice.notice-bad", { role: "alert", hidden: true });
  const controls = Object.fromEntries(fields.map((field) => [field.name, control(field)]));
  const button = h("button.button.button-main", { type: "submit" }, action);
  const body = h("form.dialog-form", { noValidate: true, on: { submit: send } },
    h("div.dialog-body", {}, problem, fields.map((field) => row(field, controls[field.name]))),
    h("footer.dialog-foot", {}, h("button.button", { type: "button", on: { click: () => dialog.close() } }, "Cancel"), button));
  const dialog = show(title, body);
  controls[fields[0].name].focus();

  async function send(event) {
    event.preventDefault();
    if (!check(fields, controls, body)) return;
    button.disabled = true;
    try {
      await submit(Object.fromEntries(fields.map((field) => [field.name, read(field, controls[field.name])])));
      dialog.close();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      problem.textContent = error.message;
      problem.hidden = false;
      for (const [name, message] of Object.entries(error.fields)) fault(body, name, message);
    } finally {
      button.disabled = false;
    }
  }
}

function control({ type = "text", name, value, options, ...rest }) {
  const shared = { name, id: `field-${name}`, "aria-describedby": `fault-${name}`, ...pick(rest, ["required", "maxLength", "pattern", "placeholder", "readOnly", "disabled"]) };
  if (type === "textarea") return h("textarea.input", { ...shared, rows: 3, value: value ?? "" });
  if (type === "checkbox") return h("input", { ...shared, type, checked: Boolean(value) });
  if (type !== "select") return h("input.input", { ...shared, type, value: value ?? "", autocomplete: "off" });
  return h("select", shared, options.map(([key, label]) => h("option", { value: key, selected: key === value }, label)));
}

const pick = (object, keys) => Object.fromEntries(keys.filter((key) => key in object).map((key) => [key, object[key]]));

function row({ name, label, hint, type }, element) {
  if (type === "checkbox") return h("label.check", {}, element, h("span", {}, label));
  const shown = type === "select" ? h("span.select", {}, element) : element;
  return h("label.field", {}, h("span.field-label", {}, label), shown,
    hint && h("span.field-hint", {}, hint), h("span.field-error", { id: `fault-${name}` }));
}

const read = ({ type }, element) => (type === "checkbox" ? element.checked : element.value.trim());

function check(fields, controls, body) {
  let first = null;
  for (const { name, invalid } of fields) {
    const element = controls[name];
    const message = element.validity.valid ? "" : element.validity.patternMismatch && invalid ? invalid : element.validationMessage;
    fault(body, name, message);
    if (message) first ??= element;
  }
  first?.focus();
  return !first;
}

function fault(body, name, message) {
  const place = body.querySelector(`#fault-${CSS.escape(name)}`);
  if (place) place.textContent = message;
  body.querySelector(`#field-${CSS.escape(name)}`)?.setAttribute("aria-invalid", String(Boolean(message)));
}
