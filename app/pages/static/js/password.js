/** Fields for passwords: shown on demand. */
import { h } from "./dom.js";

/** Put a button into a password field by which what was typed is shown. */
export function revealable(input) {
  const button = h("button.input-button", { type: "button", "aria-pressed": "false", on: { click: toggle } }, "Show");
  const group = h("span.input-group");
  input.replaceWith(group);
  group.append(input, button);

  function toggle() {
    const visible = input.type === "password";
    input.type = visible ? "text" : "password";
    button.textContent = visible ? "Hide" : "Show";
    button.setAttribute("aria-pressed", String(visible));
    input.focus();
  }
}

/** What a new password must have, as the page's template says. */
export const policy = () => document.querySelector("meta[name=password-policy]")?.content ?? "";
