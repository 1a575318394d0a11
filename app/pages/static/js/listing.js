/** A list in a table: searched, filtered and paged by the server, its state kept in the address. */
import { ApiError, call } from "./api.js";
import { byId, fill, h, mirror, note, settled } from "./dom.js";
import { plural } from "./format.js";
import { onChange } from "./history.js";
import { onChangeOf } from "./live.js";
import { drawPaging } from "./shell.js";

/**
 * Start a list on a page with the elements #table, #rows, #empty, #total, #problem, #paging and #search.
 * `fetch` is `{path, pageSize, query?(filters)}`; `filters` names further form elements by their ids, which are also
 * their names in the address; `cells(item)` are the contents of a row; `empty(isFiltered)` is what a list without
 * items says; `noun` its two forms; `kinds` what makes it old when it changes. `loaded(answer)` is told of what came,
 * and may answer (or promise) a list of items to show in its place.
 * Answers `reload()`, and `rows()`, the items that are shown.
 */
export function listing({ fetch, filters = [], cells, empty, noun, kinds, loaded = () => {} }) {
  const fields = ["search", ...filters].map(byId);
  const address = new URLSearchParams(location.search);
  const wanted = Object.fromEntries(fields.map((field) => [field.id, address.get(field.id) ?? ""]));
  let page = Math.max(1, Number.parseInt(address.get("page"), 10) || 1);
  let items = [];
  let turn = 0;

  const values = () => Object.fromEntries(fields.map((field) => [field.id, field.value.trim()]));
  const isFiltered = () => Object.values(values()).some(Boolean);

  async function reload() {
    const mine = (turn += 1);
    const query = { ...(fetch.query ?? ((all) => all))(values()), page, pageSize: fetch.pageSize };
    try {
      const answer = await call("GET", fetch.path, { query });
      if (mine !== turn) return;
      if (!answer.items.length && page > 1) return go(Math.max(1, Math.min(page - 1, answer.totalPages)));
      const shown = await loaded(answer);
      if (mine !== turn) return;
      items = Array.isArray(shown) ? shown : answer.items;
      note(byId("problem"), "");
      draw(answer);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (mine !== turn) return;
      note(byId("problem"), error.message);
      if (!items.length) byId("rows").replaceChildren();
    } finally {
      if (mine === turn) byId("table").setAttribute("aria-busy", "false");
    }
  }

  function draw({ total, totalPages }) {
    for (const row of byId("rows").querySelectorAll(".is-skeleton")) row.remove();
    mirror(byId("rows"), items, { key: ({ id }) => id, build: (item) => row(h("tr.row"), item), refresh: row });
    byId("total").textContent = isFiltered() ? plural(total, "match", "matches") : plural(total, ...noun);
    byId("empty").hidden = items.length > 0;
    byId("table").hidden = items.length === 0;
    if (!items.length) fill(byId("empty"), empty(isFiltered()));
    drawPaging(byId("paging"), { page, pageSize: fetch.pageSize, total, totalPages }, go);
  }

  function row(element, item) {
    const mark = JSON.stringify(item);
    if (element.dataset.mark === mark) return element;
    element.dataset.mark = mark;
    return fill(element, cells(item));
  }

  function go(target) {
    page = target;
    keep();
    return reload().then(() => scrollTo({ top: 0 }));
  }

  function keep() {
    const search = new URLSearchParams(Object.entries(values()).filter(([, value]) => value));
    if (page > 1) search.set("page", String(page));
    const text = search.toString();
    history.replaceState(null, "", text ? `?${text}` : location.pathname);
  }

  const changed = () => go(1);
  const typed = settled(200, changed);
  for (const field of fields) {
    const isSelect = field.tagName === "SELECT";
    if (isSelect && wanted[field.id]) field.append(h("option", { value: wanted[field.id] }, "…"));
    field.value = wanted[field.id];
    field.addEventListener(isSelect ? "change" : "input", isSelect ? changed : typed);
  }
  const refresh = settled(150, reload);
  onChange(refresh);
  onChangeOf(kinds, refresh);
  skeleton();
  return { reload, rows: () => items };
}

function skeleton() {
  const width = byId("table").querySelectorAll("th").length;
  fill(byId("rows"), [1, 2, 3].map(() => h("tr.row.is-skeleton", { "aria-hidden": "true" }, h("td", { colSpan: width }, h("i"), h("i")))));
}

