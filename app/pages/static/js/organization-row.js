/** One line of the tree of organizations. */
import { fill, h, icon } from "./dom.js";
import { plural } from "./format.js";

/** Build a line; `actions` are `toggle(node)`, `menu(node, button)`, `add(node)`, `open(node)` and `grab(event, element)`. */
export function buildLine(line, actions) {
  const element = h("li.branch", { role: "treeitem", tabIndex: -1 });
  refreshLine(element, line, actions);
  return element;
}

/** Show an organization in its line. */
export function refreshLine(element, { node, level, position, size, isOpen, isFound }, actions) {
  const { row, children } = node;
  const mark = JSON.stringify([row, level, isOpen, isFound, children.length, actions.isReadOnly()]);
  element.node = node;
  element.setAttribute("aria-level", String(level));
  element.setAttribute("aria-posinset", String(position));
  element.setAttribute("aria-setsize", String(size));
  if (children.length) element.setAttribute("aria-expanded", String(isOpen));
  else element.removeAttribute("aria-expanded");
  if (element.dataset.mark === mark) return;
  element.dataset.mark = mark;
  element.style.setProperty("--level", String(level - 1));
  element.classList.toggle("is-inactive", !row.isActive);
  element.classList.toggle("is-found", isFound);
  element.setAttribute("aria-label", `${row.name}${row.isActive ? "" : ", inactive"}`);
  fill(element, actions.isReadOnly() ? null : grip(element, actions), twist(node, isOpen, actions), body(node), actions.isReadOnly() ? null : tools(node, actions));
}

const quiet = (tag, label, run, name) => h(tag, { type: "button", tabIndex: -1, "aria-label": label, title: label, on: { click: run } }, icon(name));

function grip(element, actions) {
  return h("button.grip", { type: "button", tabIndex: -1, "aria-hidden": "true", title: "Drag to move", on: { pointerdown: (event) => actions.grab(event, element) } }, icon("grip"));
}

function twist(node, isOpen, actions) {
  if (!node.children.length) return h("span.twist");
  return quiet("button.twist", `${isOpen ? "Collapse" : "Expand"} ${node.row.name}`, () => actions.toggle(node), isOpen ? "down" : "right");
}

function body({ row, children }) {
  return h("span.branch-text", {}, h("span.branch-name", {}, row.name),
    row.slug && h("code.branch-slug", {}, row.slug),
    !row.isActive && h("span.badge", { data: { tone: "undone" } }, "Inactive"),
    children.length > 0 && h("span.branch-count", {}, plural(children.length, "child", "children")));
}

function tools(node, actions) {
  const more = quiet("button.button.button-icon.button-quiet", `Actions for ${node.row.name}`, () => actions.menu(node, more), "dots");
  more.dataset.menu = "";
  return h("span.branch-tools", {},
    quiet("button.button.button-icon.button-quiet.wide-only", `Add an organization below ${node.row.name}`, () => actions.add(node), "plus"), more);
}
