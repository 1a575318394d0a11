/** A small palette that opens beside the button that asks for a color. */
import { h, icon } from "./dom.js";

const COLORS = ["#dc2626", "#ea580c", "#d97706", "#65a30d", "#16a34a", "#0d9488", "#0284c7", "#2563eb", "#7c3aed", "#c026d3", "#db2777", "#64748b"];

/** Ask for a color: `#rrggbb`, null for none, undefined when nothing was chosen. */
export function pickColor(button, current) {
  return new Promise((resolve) => {
    let chosen;
    const take = (color) => {
      chosen = color;
      palette.hidePopover();
    };
    const own = h("input", { type: "color", value: current ?? "#0d9488", "aria-label": "Another color", on: { change: () => take(own.value) } });
    const palette = h("div.menu.palette", { popover: "auto", role: "dialog", "aria-label": "Color" },
      h("div.palette-colors", {}, COLORS.map((color) => h("button.palette-color", { type: "button", "aria-label": color, "aria-pressed": String(color === current), vars: { "--color": color }, on: { click: () => take(color) } }))),
      h("div.palette-foot", {}, h("label.palette-own", {}, own, "Another…"),
        h("button.button.button-small", { type: "button", on: { click: () => take(null) } }, icon("close"), "None")));
    palette.addEventListener("toggle", ({ newState }) => {
      if (newState !== "closed") return;
      palette.remove();
      button.focus();
      resolve(chosen);
    });
    document.body.append(palette);
    palette.showPopover();
    place(palette, button);
    (palette.querySelector("[aria-pressed=true]") ?? palette.querySelector(".palette-color")).focus();
  });
}

/** Put a popover below its button, inside the window. */
export function place(popover, button) {
  const at = button.getBoundingClientRect();
  const { width, height } = popover.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.left, innerWidth - width - 8));
  const below = at.bottom + 6;
  const top = below + height > innerHeight - 8 ? Math.max(8, at.top - height - 6) : below;
  popover.style.setProperty("left", `${left}px`);
  popover.style.setProperty("top", `${top}px`);
}
