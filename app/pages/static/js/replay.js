/** Replay: start one, see how far it is, read what it found. */
import { ApiError, call } from "./api.js";
import { announce, byId, fill, h, mirror, note } from "./dom.js";
import { count, moment, plural } from "./format.js";
import { attempt, since, tool } from "./parts.js";
import { drawFindings } from "./replay-findings.js";
import { emptyState, start } from "./shell.js";

const BUSY = 1_000; // milliseconds between two looks while one is under way
const IDLE = 20_000;
const MODES = { state: "Changes applied, tables compared", commands: "Commands executed again" };
const STATES = {
  waiting: ["Waiting", "plain"],
  running: ["Running", "busy"],
  equal: ["Equal", "good"],
  not_equal: ["Not equal", "bad"],
  could_not: ["Could not be done", "warn"],
};

let timer = 0;
let looking = null;

const busy = ({ state }) => state === "waiting" || state === "running";

function cells(run) {
  return [
    h("td", {}, h("div.who-text", {}, h("strong.who-name", {}, MODES[run.mode]), run.until && h("code.who-note", {}, `up to ${run.until}`))),
    h("td", {}, state(run)),
    h("td.c-when", { data: { label: "Started" } }, since(run.createdAt)),
    h("td.c-tools", {}, !busy(run) && tool("search", `Show what the replay of ${moment(run.createdAt)} found`, () => show(run))),
  ];
}

function state(run) {
  const [text, tone] = STATES[run.state] ?? [run.state, "plain"];
  const bar = run.state === "running" && h("progress", { max: Math.max(run.total ?? 0, 1), value: run.done, "aria-label": run.phase ?? text });
  const told = run.state === "running" ? `${run.phase ?? "Beginning"}${run.total ? `: ${count(run.done)} of ${count(run.total)}` : ""}` : run.findings ? plural(run.findings, "finding", "findings") : "";
  return h("div.index-state", {}, h("span.badge", { data: { tone } }, text), bar, told && h("small", {}, told), run.error && h("span.job-error", {}, run.error));
}

function row(element, run) {
  const mark = JSON.stringify(run);
  if (element.dataset.mark === mark) return element;
  element.dataset.mark = mark;
  return fill(element, cells(run));
}

async function show(run) {
  let found = null;
  await attempt(async () => (found = await call("GET", `/replays/${run.id}`)));
  if (!found) return;
  drawFindings(found);
  byId("report").hidden = false;
  byId("report-title").focus();
}

/** Load the list and draw it; look again soon while a replay is under way. */
async function look() {
  clearTimeout(timer);
  looking ??= load().finally(() => (looking = null));
  const underWay = await looking;
  clearTimeout(timer);
  timer = setTimeout(look, underWay ? BUSY : IDLE);
}

async function load() {
  try {
    const { items } = await call("GET", "/replays");
    note(byId("problem"), "");
    mirror(byId("rows"), items, { key: ({ id }) => id, build: (run) => row(h("tr.row"), run), refresh: row });
    byId("table").hidden = !items.length;
    byId("empty").hidden = items.length > 0;
    if (!items.length) fill(byId("empty"), emptyState("No replay so far", "Start one to see whether history leads to what stands in the tables."));
    byId("form").hidden = false;
    byId("begin").disabled = items.some(busy);
    return items.some(busy);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    note(byId("problem"), error.status === 403 ? "Only super admins replay history." : error.message);
    return false;
  } finally {
    byId("table").setAttribute("aria-busy", "false");
  }
}

async function begin(event) {
  event.preventDefault();
  const body = { mode: byId("mode").value, ...(byId("until").value.trim() && { until: byId("until").value.trim() }) };
  byId("begin").disabled = true;
  if (await attempt(() => call("POST", "/replays", { body }))) announce("The replay has been started");
  look();
}

start();
byId("form").addEventListener("submit", begin);
look();
