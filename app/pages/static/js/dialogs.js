/** Dialogs: native `<dialog>` elements, built when they are needed and gone when they close. */
import { ApiError } from "./api.js";
import { h, icon } from "./dom.js";
import { buildFields } from "./fields.js";

let number = 0;

function show(title, ...content) {
  const id = `dialog-${(number += 1)}`;
  const dialog = h("dialog.dialog", { "aria-labelledby": id },
    h("header.dialog-head", {}, h("h2", { id }, title),
      h("button.button.button-icon.button-quiet", { type: "button", "aria-label": "Close", on: { click: () => dialog.close() } }, icon("close"))),
    ...content);
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog && dialog.dataset.keep === undefined) dialog.close();
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
 * A form. `fields` are those of `buildFields`, `above` nodes before them. `submit(values)` does the work; what it
 * refuses is shown beside the fields. `opened(built)` is told of the fields. Answers the dialog.
 */
export function form(title, { fields, action, submit, above = null, opened = () => {} }) {
  const problem = h("p.notice.notice-bad", { role: "alert", hidden: true });
  const built = buildFields(fields);
  const button = h("button.button.button-main", { type: "submit" }, action);
  const body = h("form.dialog-form", { noValidate: true, on: { submit: send } },
    h("div.dialog-body", {}, problem, above, built.rows),
    h("footer.dialog-foot", {}, h("button.button", { type: "button", on: { click: () => dialog.close() } }, "Cancel"), button));
  const dialog = show(title, body);
  built.focus();
  opened(built);
  return dialog;

  async function send(event) {
    event.preventDefault();
    problem.hidden = true;
    if (button.disabled || !built.check()) return;
    button.disabled = true;
    try {
      await submit(built.values());
      dialog.close();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      problem.textContent = error.message;
      problem.hidden = false;
      if (!built.refused(error)) problem.scrollIntoView({ block: "nearest" });
    } finally {
      button.disabled = false;
    }
  }
}
