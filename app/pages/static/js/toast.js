/** Short messages at the edge of the page, each with at most one thing to do. */
import { byId, h, icon } from "./dom.js";

const MOST = 3;

/**
 * Show a message. `action` is `{label, run}`; `kind` is "good", "bad" or "plain"; `key` replaces an earlier message
 * of the same key. It leaves by itself, later while the pointer or the focus is on it.
 */
export function toast(text, { detail = "", kind = "plain", action = null, key = null } = {}) {
  const stack = byId("toasts");
  if (key) stack.querySelector(`[data-toast="${CSS.escape(key)}"]`)?.remove();
  const leave = () => {
    element.classList.add("is-leaving");
    setTimeout(() => element.remove(), 200);
  };
  const act = async () => {
    leave();
    await action.run();
  };
  const element = h("div.toast", { data: { kind, toast: key ?? "" }, role: kind === "bad" ? "alert" : "status" },
    icon(kind === "bad" ? "alert" : "check"),
    h("p.toast-text", {}, text, detail && h("small", {}, detail)),
    action && h("button.toast-action", { type: "button", on: { click: act } }, action.label),
    h("button.toast-close", { type: "button", "aria-label": "Dismiss", on: { click: leave } }, icon("close")));
  stack.append(element);
  while (stack.children.length > MOST) stack.firstElementChild.remove();
  leaveInTime(element, leave, kind === "bad" ? 12_000 : 8_000);
}

function leaveInTime(element, leave, milliseconds) {
  let timer = setTimeout(leave, milliseconds);
  const wait = () => clearTimeout(timer);
  const go = () => {
    clearTimeout(timer);
    timer = setTimeout(leave, 3_000);
  };
  for (const type of ["pointerenter", "focusin"]) element.addEventListener(type, wait);
  for (const type of ["pointerleave", "focusout"]) element.addEventListener(type, go);
}
