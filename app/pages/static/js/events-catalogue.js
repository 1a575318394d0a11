/** The catalogue of declared events, with how many of each were seen since the page was opened. */
import { byId, fill, h, icon, mirror, settled } from "./dom.js";
import { count, plural } from "./format.js";
import { emptyState } from "./shell.js";

/**
 * Start the catalogue; `look(id)` shows the events of that id. Answers `draw(declared)`, which shows the events of
 * `GET /events`, first those that reach the browser, and `saw(id)`, which counts one.
 */
export function openCatalogue(look) {
  const seen = new Map();
  const redraw = settled(100, () => draw());
  let declared = [];
  byId("find").addEventListener("input", redraw);
  byId("reaching").addEventListener("change", () => draw());
  return { draw, saw };

  function saw(id) {
    seen.set(id, (seen.get(id) ?? 0) + 1);
    const cell = byId("declared").querySelector(`[data-key="${CSS.escape(id)}"] .c-seen`);
    if (cell) drawSeen(cell, id);
  }

  function draw(items = declared) {
    declared = items.toSorted((one, two) => Number(two.clientBroadcast ?? false) - Number(one.clientBroadcast ?? false));
    const text = byId("find").value.trim().toLowerCase();
    const isReaching = byId("reaching").checked;
    const found = declared.filter((one) => (!isReaching || one.clientBroadcast)
      && [one.id, one.label, one.module, one.entity, one.category, one.description].join(" ").toLowerCase().includes(text));
    mirror(byId("declared"), found, { key: ({ id }) => id, build: row, refresh: () => {} });
    byId("declared-total").textContent = found.length < declared.length ? `${count(found.length)} of ${plural(declared.length, "event", "events")}` : plural(found.length, "event", "events");
    byId("declared-table").hidden = found.length === 0;
    byId("declared-empty").hidden = found.length > 0;
    if (!found.length) fill(byId("declared-empty"), empty());
  }

  function row(one) {
    const cell = h("td.c-seen", { data: { label: "Seen here" } });
    drawSeen(cell, one.id);
    return h("tr.row", {},
      h("td", {}, h("div.who-text", {}, h("strong.who-name", {}, one.label), h("code.declared-id", {}, one.id), one.description && h("span.who-note", {}, one.description))),
      h("td", { data: { label: "Module" } }, h("span.badge", {}, one.module)),
      h("td", { data: { label: "Category" } }, one.category ?? h("span.quiet", {}, "None")),
      h("td", { data: { label: "Browser" } }, reach(one)),
      cell);
  }

  function drawSeen(cell, id) {
    const number = seen.get(id) ?? 0;
    const button = cell.querySelector("button");
    if (button) {
      button.textContent = count(number);
      button.setAttribute("aria-label", `${plural(number, "event", "events")} ${id}: show them`);
    } else if (number) {
      fill(cell, h("button.button.button-small.seen", { type: "button", "aria-label": `${plural(number, "event", "events")} ${id}: show them`, on: { click: () => look(id) } }, count(number)));
    } else {
      fill(cell, h("span.quiet", {}, "0"));
    }
  }

  function empty() {
    if (!declared.length) return emptyState("No catalogue", "The server has not told which events there are.");
    return emptyState("No event matches", "Search by another word, or show those too that stay on the server.");
  }
}

/** Whether an event comes to the live list, or stays between the parts of the server. */
function reach({ clientBroadcast }) {
  return clientBroadcast ? h("span.badge", { data: { tone: "good" } }, icon("signal"), "Reaches it") : h("span.quiet", {}, "Server only");
}
