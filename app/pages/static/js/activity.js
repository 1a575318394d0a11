/** The Activity page: the action log, live, with a way back on every entry. */
import { ApiError, address, call } from "./api.js";
import { buildEntry, drawEntry } from "./activity-entry.js";
import { isFiltered, learnChoices, readAddress, showInAddress, showInForm, toQuery, watchFilters } from "./activity-filters.js";
import { announce, byId, fill, h, mirror, note, settled } from "./dom.js";
import { count, day, plural } from "./format.js";
import { onChange } from "./history.js";
import { onEvent } from "./live.js";
import { learn, lookUp } from "./names.js";
import { permissions } from "./permissions.js";
import { drawPaging, emptyState, start } from "./shell.js";
import { undoManyAddress } from "./undo-many-filter.js";

const ACTIONS = "/audit_logs/audit-logs/actions";
const PAGE_SIZE = 25;

let filters = readAddress();
let turn = 0;
let drawn = false;
let latest = null;

/** Fetch and show the page of the log that the filters name; `fresh` entries are made to stand out. */
async function load({ fresh = false } = {}) {
  const mine = (turn += 1);
  const feed = byId("feed");
  try {
    const query = await toQuery(filters);
    byId("export").href = address(`${ACTIONS}/export`, query);
    byId("undo-many").href = undoManyAddress(filters, query);
    const answer = await call("GET", ACTIONS, { query: { ...query, page: filters.page, pageSize: PAGE_SIZE } });
    if (mine !== turn) return;
    note(byId("problem"), "");
    latest = answer;
    show(answer, fresh);
    lookUp(answer.items).then((learned) => learned && show(latest, false)).catch(() => {});
  } catch (error) {
    if (!(error instanceof ApiError) || mine !== turn) throw error;
    note(byId("problem"), error.message);
    if (!drawn) feed.replaceChildren();
  } finally {
    if (mine === turn) feed.setAttribute("aria-busy", "false");
  }
}

function show(answer, fresh) {
  const { items, total } = answer;
  learn(items);
  learnChoices(items);
  const feed = byId("feed");
  if (!drawn) feed.replaceChildren();
  const made = mirror(feed, withDays(items), {
    key: ({ entry, heading }) => entry?.id ?? heading,
    build: ({ entry, heading }) => (entry ? buildEntry(entry) : h("h2.feed-day", {}, heading)),
    refresh: (element, { entry }) => entry && drawEntry(element, entry),
  });
  if (fresh && drawn) mark(made.filter((element) => element.matches(".entry")));
  drawn = true;
  if (filters.page === 1) byId("fresh").hidden = true;
  byId("total").textContent = isFiltered(filters) ? plural(total, "matching change", "matching changes") : plural(total, "change", "changes");
  showEmpty(items.length === 0);
  drawPaging(byId("paging"), answer, go);
}

function withDays(items) {
  const byTime = !filters.sort || filters.sort.startsWith("createdAt");
  let last = null;
  return items.flatMap((entry) => {
    const heading = day(entry.createdAt);
    const first = byTime && heading !== last;
    last = heading;
    return first ? [{ heading }, { entry }] : [{ entry }];
  });
}

function mark(elements) {
  for (const element of elements) {
    element.classList.add("is-new");
    setTimeout(() => element.classList.remove("is-new"), 2_500);
  }
  if (elements.length) announce(`${count(elements.length)} new: ${elements[0].querySelector(".entry-title").textContent}`);
}

function showEmpty(isEmpty) {
  const box = byId("empty");
  box.hidden = !isEmpty;
  if (!isEmpty) return;
  fill(box, isFiltered(filters)
    ? emptyState("No change matches", "Try fewer filters, or a longer time.", { label: "Clear filters", run: () => byId("clear").click() })
    : emptyState("Nothing has changed yet", "Edit a dictionary, and the change appears here, with the way back."));
}

function go(page) {
  filters = { ...filters, page };
  showInAddress(filters, true);
  load().then(() => {
    scrollTo({ top: 0 });
    byId("main").focus({ preventScroll: true });
  });
}

function skeleton() {
  fill(byId("feed"), [1, 2, 3, 4].map(() => h("div.entry.is-skeleton", { "aria-hidden": "true" }, h("span.entry-glyph"), h("div.entry-main", {}, h("i"), h("i")))));
}

start();
permissions().then((can) => (byId("undo-many").hidden = !can.has("audit_logs.undo_self")));
skeleton();
showInForm(filters);
watchFilters((changed) => {
  filters = changed;
  showInAddress(filters, false);
  load();
});
addEventListener("popstate", () => {
  filters = readAddress();
  showInForm(filters);
  load();
});
byId("fresh").addEventListener("click", () => go(1));

const refresh = settled(120, () => load({ fresh: true }));
onChange(refresh);
onEvent(({ id }) => {
  if (id !== "audit_logs.action.recorded" && id !== "resumed") return;
  if (filters.page > 1 && id !== "resumed") byId("fresh").hidden = false;
  else refresh();
});
load();
