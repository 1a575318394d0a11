/** Which columns of a list somebody wants to see; kept in the browser, list by list. */
import { place } from "./color.js";
import { byId, fill, h } from "./dom.js";

const stored = (id) => `backstep.columns.${id}`;

/** The columns to show: those chosen before, else those that the definitions want in lists. */
export function shownColumns({ id, columns }) {
  const chosen = read(id);
  return columns.filter(({ key, isExtra }) => (chosen ? chosen.includes(key) : !isExtra));
}

function read(id) {
  try {
    const keys = JSON.parse(localStorage.getItem(stored(id)) ?? "null");
    return Array.isArray(keys) && keys.length ? keys : null;
  } catch {
    return null;
  }
}

/** Let the menu #columns-menu, opened by its button, choose the columns of a list; `changed()` is told. */
export function columnMenu(list, changed) {
  const menu = byId("columns-menu");
  const button = document.querySelector("[popovertarget=columns-menu]");
  menu.addEventListener("toggle", ({ newState }) => newState === "open" && place(menu, button));
  draw();

  function draw() {
    const shown = new Set(shownColumns(list).map(({ key }) => key));
    fill(menu, h("fieldset.column-choices", {}, h("legend.visually-hidden", {}, "Columns"), list.columns.map(({ key, label }) =>
      h("label.menu-item", {}, h("input", { type: "checkbox", value: key, checked: shown.has(key), disabled: shown.size === 1 && shown.has(key), on: { change: choose } }), label))),
    h("button.button.button-small", { type: "button", hidden: read(list.id) === null, on: { click: forget } }, "As designed"));
  }

  function choose({ currentTarget }) {
    const keys = [...menu.querySelectorAll("input:checked")].map(({ value }) => value);
    localStorage.setItem(stored(list.id), JSON.stringify(keys));
    again(currentTarget.value);
  }

  function forget() {
    localStorage.removeItem(stored(list.id));
    again(list.columns[0].key);
  }

  function again(key) {
    draw();
    menu.querySelector(`input[value="${CSS.escape(key)}"]`)?.focus();
    changed();
  }
}
