/** A form that stands on the page itself, not in a dialog. */
import { ApiError } from "./api.js";
import { fill, h } from "./dom.js";
import { buildFields } from "./fields.js";
import { revealable } from "./password.js";

/**
 * Build a form in a `<form>` element. `fields` are those of `buildFields`; `submit(values)` does the work, and what it
 * refuses is shown beside the fields. `wide` makes its button as wide as the form. Answers the built fields.
 */
export function pageForm(element, { fields, action, submit, wide = false }) {
  const problem = h("p.notice.notice-bad", { role: "alert", hidden: true });
  const button = h(`button.button.button-main${wide ? ".button-wide" : ""}`, { type: "submit" }, action);
  const built = buildFields(fields);
  element.noValidate = true;
  fill(element, problem, built.rows, h("div.form-foot", {}, button));
  for (const input of element.querySelectorAll("input[type=password]")) revealable(input);
  element.addEventListener("submit", send);
  return built;

  async function send(event) {
    event.preventDefault();
    problem.hidden = true;
    if (button.disabled || !built.check()) return;
    button.disabled = true;
    try {
      await submit(built.values());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      problem.textContent = error.status === 429 ? "Too many attempts. Wait a little, then try again." : error.message;
      problem.hidden = built.refused(error);
    } finally {
      button.disabled = false;
    }
  }
}
