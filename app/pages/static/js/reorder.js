/** Moving rows, by pointer or by keyboard, and the positions that a new order needs. */
import { announce } from "./dom.js";

/**
 * Let the rows of a table body be moved. `moved(ids)` is called once a move is over, with the ids in their new
 * order; for the keyboard, once it has been quiet for a moment, so that several steps make one change. While
 * `isMoving()` the rows should be left where they are.
 */
export function movable(body, { isReadOnly, moved }) {
  let timer = 0;
  let moving = false;
  const tell = () => {
    moving = false;
    moved([...body.children].map((row) => row.entry.id));
  };

  body.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || !event.altKey || isReadOnly()) return;
    const row = event.target.closest("tr");
    const other = step < 0 ? row.previousElementSibling : row.nextElementSibling;
    event.preventDefault();
    if (!other) return;
    if (step < 0) row.after(other);
    else row.before(other);
    row.scrollIntoView({ block: "nearest" });
    announce(`${row.entry.label}: position ${[...body.children].indexOf(row) + 1} of ${body.children.length}`);
    clearTimeout(timer);
    moving = true;
    timer = setTimeout(tell, 500);
  });

  /** Start to drag a row by its handle. The others move around it: a row that leaves the page loses its pointer. */
  function grab(event, row) {
    if (event.button !== 0 || isReadOnly()) return;
    const handle = event.currentTarget;
    const before = [...body.children];
    handle.setPointerCapture(event.pointerId);
    row.classList.add("is-dragged");
    moving = true;
    const follow = ({ clientY }) => {
      const target = [...body.children].find((other) => {
        const { top, bottom } = other.getBoundingClientRect();
        return clientY >= top && clientY < bottom;
      });
      if (!target || target === row) return;
      const { top, height } = target.getBoundingClientRect();
      const rows = [...body.children];
      const [from, to] = [rows.indexOf(row), rows.indexOf(target)];
      if (from < to && clientY > top + height * 0.3) row.before(...rows.slice(from + 1, to + 1));
      else if (to < from && clientY < top + height * 0.7) row.after(...rows.slice(to, from));
    };
    const stop = ({ type }) => {
      handle.removeEventListener("pointermove", follow);
      row.classList.remove("is-dragged");
      moving = false;
      if (type === "pointercancel") return body.replaceChildren(...before);
      if ([...body.children].some((other, index) => other !== before[index])) tell();
    };
    handle.addEventListener("pointermove", follow);
    handle.addEventListener("pointerup", stop, { once: true });
    handle.addEventListener("pointercancel", stop, { once: true });
  }

  return { grab, isMoving: () => moving };
}

/**
 * The positions that put `ids` in their order, as `{id, position}` of those that change. When the entries of the
 * page have positions of their own, these are dealt out anew; else the whole dictionary (`all`, in its present
 * order, the page's entries included) is numbered from 0.
 */
export function positionsFor(ids, entries, all) {
  const byId = new Map((all ?? entries).map((entry) => [entry.id, entry]));
  const order = all ? merged(ids, all) : ids;
  const positions = all ? order.map((_, index) => index) : entries.map(({ position }) => position);
  return order.map((id, index) => ({ id, position: positions[index] })).filter(({ id, position }) => byId.get(id)?.position !== position);
}

/** Whether every entry has a position of its own, in ascending order. */
export function areDistinct(entries) {
  return entries.every(({ position }, index) => index === 0 || entries[index - 1].position < position);
}

/** The whole order, in which the places that `ids` hold are filled with `ids` as they now stand. */
function merged(ids, all) {
  const moved = new Set(ids);
  const waiting = ids.values();
  return all.map(({ id }) => (moved.has(id) ? waiting.next().value : id));
}
