/** The Events page: what the server tells browsers, as it comes, and the catalogue of all that it can tell. */
import { ApiError, call } from "./api.js";
import { openCatalogue } from "./events-catalogue.js";
import { buildMark, buildRow, textOf } from "./events-row.js";
import { announce, byId, fill, h, icon, mirror, note, settled } from "./dom.js";
import { count, plural } from "./format.js";
import { describe, shortcut } from "./keys.js";
import { onEvent, onState } from "./live.js";
import { permissions } from "./permissions.js";
import { session } from "./session.js";
import { emptyState, start } from "./shell.js";

const MOST = 300; // events that are kept
const BEAT = 100; // milliseconds between two drawings, however many events come
const QUIET = 4_000; // milliseconds between two announcements
const STATES = { connecting: "Connecting", live: "Connected", lost: "Reconnecting" };
const CLOCK = new Intl.DateTimeFormat("en", { timeStyle: "medium", hourCycle: "h23" });

const known = { declared: new Map(), organizations: new Map(), user: null }; // what names events
let catalogue = null;
let shown = []; // events, and marks of lost connections, newest first
let waiting = null; // the same, since the list was paused; null while it is not
let held = 0; // events that came since then
let fresh = 0; // events that nobody was told of yet
let resumed = "";
let drawing = 0;
let telling = 0;
let early = []; // what came before anything could be named; null once it can be

const sayAgain = settled(1_000, announce); // once it is known whether all of it can be caught up on
const filters = () => ({ search: byId("search").value.trim().toLowerCase(), module: byId("module").value });
const moduleOf = ({ id }) => known.declared.get(id)?.module ?? id.split(".")[0];

function take(event) {
  if (early) return void early.push(event);
  if (event.id === "resumed") return mark(event.missed);
  keep({ event, key: event.place, module: moduleOf(event) });
  catalogue.saw(event.id);
  offerModule(moduleOf(event));
  if (waiting) held += 1;
  else fresh += 1;
}

/** Note where the connection was away: what was caught up on comes above it. Marks with nothing between become one. */
function mark(isMissing) {
  const at = CLOCK.format(new Date());
  const list = waiting ?? shown;
  const last = list[0]?.mark ? list.shift() : null;
  const missed = isMissing || Boolean(last?.missed);
  const text = missed ? "Too much came meanwhile: some events are missing here." : "Nothing was missed.";
  resumed = `Connected again since ${at}`;
  connection("live");
  sayAgain(missed ? "Connected again. Some events are missing." : "Connected again. Nothing was missed.");
  if (shown.length || waiting?.length) keep({ mark: `Connected again at ${at}. ${text}`, missed, key: `mark ${performance.now()}` });
  load();
}

function keep(item) {
  if (waiting) waiting = [item, ...waiting].slice(0, MOST);
  else shown = [item, ...shown].slice(0, MOST);
  drawing ||= setTimeout(draw, BEAT);
}

/** Draw the list and all that counts it. */
function draw() {
  clearTimeout(drawing);
  drawing = 0;
  const { search, module } = filters();
  const isFiltered = Boolean(search || module);
  const matches = ({ event, ...item }) => (!module || item.module === module) && (!search || textOf(event, known).includes(search));
  const all = shown.filter(({ event }) => event);
  const found = isFiltered ? all.filter(matches) : all;
  const items = found.length ? shown.filter((item) => item.mark || !isFiltered || matches(item)) : [];
  const made = mirror(byId("events"), items, {
    key: ({ key }) => key,
    build: (item) => (item.mark ? buildMark(item) : buildRow(item, known)),
    refresh: () => {},
  });
  if (fresh) glow(made.filter((row) => row.matches(".happening")).slice(0, fresh));
  byId("heads").hidden = byId("clear").disabled = all.length === 0;
  byId("total").textContent = [isFiltered ? `${count(found.length)} of ${plural(all.length, "event", "events")}` : plural(all.length, "event", "events"), shown.length === MOST && "the newest are kept"].filter(Boolean).join(", ");
  byId("empty").hidden = found.length > 0;
  if (!found.length) fill(byId("empty"), empty(all.length > 0));
  pauseButton();
  tell();
}

function glow(rows) {
  for (const row of rows) {
    row.classList.add("is-new");
    setTimeout(() => row.classList.remove("is-new"), 2_500);
  }
}

/** Say how many came, not more often than one can listen to. */
function tell() {
  if (!fresh || telling) return;
  const newest = shown.find(({ event }) => event)?.event;
  if (newest) announce(`${plural(fresh, "new event", "new events")}, the last: ${known.declared.get(newest.id)?.label ?? newest.id}`);
  fresh = 0;
  telling = setTimeout(() => {
    telling = 0;
    tell();
  }, QUIET);
}

function empty(isFiltered) {
  if (isFiltered) return emptyState("No event matches", "Search for less, or choose another module. Events that come are searched too.", { label: "Clear filters", run: clearFilters });
  if (waiting) return emptyState("Paused", "What comes meanwhile is kept, and shown when you go on.", { label: "Go on", run: pause });
  return emptyState("Waiting for events", "Whatever is changed in the product, by anybody, appears here at once. This page shows what came since it was opened.");
}

function pauseButton() {
  const button = byId("pause");
  button.setAttribute("aria-pressed", String(Boolean(waiting)));
  if (held) button.dataset.waiting = held;
  else delete button.dataset.waiting;
  fill(button, icon(waiting ? "play" : "pause"), waiting ? (held ? `Go on · ${count(held)} new` : "Go on") : "Pause");
  document.title = `${held ? `(${count(held)}) ` : ""}Events · Backstep`;
}

/** Hold the list still, or go on with what came meanwhile. */
function pause() {
  if (waiting) {
    shown = [...waiting, ...shown].slice(0, MOST);
    fresh = held;
    held = 0;
    waiting = null;
  } else {
    waiting = [];
    announce("Paused");
  }
  draw();
}

function clear() {
  shown = [];
  draw();
  announce("Cleared");
  byId("search").focus();
}

function clearFilters() {
  byId("search").value = byId("module").value = "";
  filtered();
  byId("search").focus();
}

function filtered() {
  const search = new URLSearchParams(Object.entries({ search: byId("search").value.trim(), module: byId("module").value }).filter(([, value]) => value));
  const text = search.toString();
  history.replaceState(null, "", (text ? `?${text}` : location.pathname) + location.hash);
  draw();
  announce(byId("total").textContent);
}

/** Let people choose a module, once it is known that it tells browsers of anything. */
function offerModule(module) {
  const select = byId("module");
  if ([...select.options].some(({ value }) => value === module)) return;
  select.append(h("option", { value: module }, module));
}

function connection(state) {
  const sign = byId("connection");
  sign.dataset.state = state;
  sign.querySelector("span").textContent = (state === "live" && resumed) || STATES[state];
}

/** Show what the address names: filters and view. */
function revisit() {
  const asked = new URLSearchParams(location.search);
  if (asked.get("module")) offerModule(asked.get("module"));
  byId("search").value = asked.get("search") ?? "";
  byId("module").value = asked.get("module") ?? "";
  show();
  draw();
}

/** Show one of the views; the address names it. */
function show() {
  const wanted = location.hash === "#catalogue" ? "catalogue" : "stream";
  for (const link of document.querySelectorAll("[data-view]")) {
    const isWanted = link.dataset.view === wanted;
    if (isWanted) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
    byId(`view-${link.dataset.view}`).hidden = !isWanted;
  }
  byId("search").toggleAttribute("data-search", wanted === "stream");
  byId("find").toggleAttribute("data-search", wanted === "catalogue");
}

/** Read what names the events; without it they are shown by their ids. */
async function load() {
  const results = await Promise.allSettled([declared(), organizations(), session().then((user) => (known.user = user))]);
  const failed = results.find(({ status }) => status === "rejected");
  if (failed && !(failed.reason instanceof ApiError)) throw failed.reason;
  note(byId("problem"), failed?.reason.message);
}

async function declared() {
  try {
    const { data } = await call("GET", "/events", { query: { excludeTriggerExcluded: false } });
    known.declared = new Map(data.map((one) => [one.id, one]));
    for (const { module, clientBroadcast } of data) if (clientBroadcast) offerModule(module);
  } finally {
    catalogue.draw([...known.declared.values()]);
    byId("declared-table").setAttribute("aria-busy", "false");
  }
}

async function organizations() {
  const { items } = await call("GET", "/directory/organization-switcher");
  const named = (nodes) => nodes.flatMap(({ id, name, children }) => [[id, name], ...named(children)]);
  known.organizations = new Map(named(items));
}

function watch() {
  byId("pause").addEventListener("click", pause);
  byId("clear").addEventListener("click", clear);
  byId("search").addEventListener("input", settled(150, filtered));
  byId("module").addEventListener("change", filtered);
  addEventListener("popstate", revisit);
  shortcut("p", "Pause, or go on", pause);
  describe("enter", "On an event: open or close its payload");
}

async function open() {
  start();
  catalogue = openCatalogue((id) => {
    history.pushState(null, "", `?${new URLSearchParams({ search: id })}#stream`);
    revisit();
    byId("search").focus();
  });
  watch();
  revisit();
  onState(connection);
  onEvent(take);
  await load();
  const first = early;
  early = null;
  first.forEach(take);
  byId("own-only").hidden = (await permissions()).has("audit_logs.view_tenant");
}

open();
