/** Moving an organization by its handle onto the one that it shall belong to. */
import { isWithin } from "./organization-tree.js";

const EDGE = 70; // pixels from the edge of the window in which it scrolls
const BAR = 58; // height of the bar above the page
const STEP = 12;

/**
 * Let lines of a tree be dragged. `top` is the place that stands for the top level, shown while something is dragged;
 * `moved(node, parentId)` is called with the new parent, null for none. Answers `grab(event, line)` and `isMoving()`.
 */
export function draggable(tree, top, { moved }) {
  let drag = null;

  function grab(event, line) {
    if (event.button !== 0 || drag) return;
    const handle = event.currentTarget;
    event.preventDefault();
    handle.setPointerCapture(event.pointerId);
    drag = { line, handle, target: null };
    line.classList.add("is-dragged");
    tree.classList.add("is-dragging");
    top.hidden = line.node.parent === null;
    handle.addEventListener("pointermove", follow);
    handle.addEventListener("pointerup", drop, { once: true });
    handle.addEventListener("pointercancel", stop, { once: true });
    addEventListener("keydown", escape, true);
  }

  function follow({ clientX, clientY }) {
    if (clientY > innerHeight - EDGE) scrollBy(0, STEP);
    else if (clientY < EDGE + BAR && drag.target !== top) scrollBy(0, -STEP);
    aim(document.elementFromPoint(clientX, clientY)?.closest("[role=treeitem], [data-top]") ?? null);
  }

  function aim(place) {
    const node = drag.line.node;
    const fits = place === top ? node.parent !== null : place?.node && !isWithin(place.node, node) && place.node !== node.parent;
    drag.target?.classList.remove("is-target");
    drag.target = fits ? place : null;
    drag.target?.classList.add("is-target");
  }

  function drop() {
    const { line, target } = drag;
    stop();
    if (target) moved(line.node, target === top ? null : target.node.row.id);
  }

  function escape(event) {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    stop();
  }

  function stop() {
    if (!drag) return;
    const { line, handle, target } = drag;
    handle.removeEventListener("pointermove", follow);
    handle.removeEventListener("pointerup", drop);
    handle.removeEventListener("pointercancel", stop);
    removeEventListener("keydown", escape, true);
    target?.classList.remove("is-target");
    line.classList.remove("is-dragged");
    tree.classList.remove("is-dragging");
    top.hidden = true;
    drag = null;
  }

  return { grab, isMoving: () => drag !== null };
}
