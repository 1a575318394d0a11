/** Fields that hold several values. */
import { fill, h, icon } from "./dom.js";

/** Values side by side, each with a button to remove it: `label(value)` is its text, `remove(index)` takes it out. */
export function chips({ label, remove }) {
  const element = h("ul.value-chips", { hidden: true });
  const draw = (values) => {
    element.hidden = values.length === 0;
    fill(element, values.map((value, index) => h("li.value-chip", {}, label(value),
      h("button", { type: "button", "aria-label": `Remove ${label(value)}`, on: { click: () => remove(index) } }, icon("close")))));
  };
  return { element, draw };
}

/**
 * A control for `buildFields` that holds a list of what `single` makes: a control with `clear()`. Enter or the button
 * adds what was typed; what was typed and not added counts too.
 */
export function many({ values, single, label = String }) {
  return (id, described) => {
    let held = [...values];
    const one = single(id, described);
    const shown = chips({ label, remove: (index) => put(held.toSpliced(index, 1)) });
    put(held);
    one.target.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      add();
    });
    const button = h("button.button", { type: "button", "aria-label": "Add this value", on: { click: add } }, icon("plus"), "Add");
    return { element: h("div.many", {}, shown.element, h("div.many-add", {}, one.element, button)), target: one.target, read: all, fault: one.fault };

    function put(next) {
      held = next;
      shown.draw(held);
    }

    function all() {
      const typed = one.read();
      return typed === null || held.includes(typed) ? held : [...held, typed];
    }

    function add() {
      if (one.target.validity.valid) {
        put(all());
        one.clear();
      }
      one.target.focus();
    }
  };
}
