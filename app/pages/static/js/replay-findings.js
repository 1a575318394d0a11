/** What a replay found: rows that differ, commands that do something else, log rows that contradict others. */
import { byId, fill, h } from "./dom.js";
import { count, moment, plural, short } from "./format.js";

const SHOWN = 200;
const KINDS = { missing: "is missing", unexpected: "should not be there", different: "is different" };

const text = (value) => (value === null ? "–" : value);

function values(columns) {
  const names = Object.keys(columns);
  if (!names.length) return null;
  return h("dl.replay-values", {}, names.map((name) => h("div", {}, h("dt", {}, name), h("dd", {}, text(columns[name][0])), h("dd", {}, h("strong", {}, text(columns[name][1]))))));
}

function difference(one) {
  const by = one.command && ` ${one.command.command}, ${moment(one.command.at)}`;
  return h("li.index-note", {}, h("span", {}, h("strong", {}, one.table), ` ${short(one.id)} ${KINDS[one.kind]}`), h("p", {}, one.explanation, by), values(one.columns));
}

function diverged(one) {
  const { command } = one;
  const action = command.action === "do" ? "" : ` (${command.action})`;
  return h("li.index-note", {}, h("span", {}, h("strong", {}, command.command), action), h("time", { dateTime: command.at }, moment(command.at)), h("p", {}, one.why), one.rows.map((row) => values(row.columns)));
}

function broken(one) {
  return h("li.index-note", {}, h("span", {}, h("strong", {}, one.table), ` ${short(one.id)}`), h("p", {}, `The log row ${short(one.logId)} ${one.why}`));
}

/** Draw the report of a replay. */
export function drawFindings({ mode, report, error }) {
  const lead = byId("report-lead");
  if (!report) {
    lead.textContent = error ?? "There is no report.";
    return fill(byId("findings"));
  }
  const applied = Object.entries(report.applied).map(([why, number]) => `${count(number)} not executed: ${why}`);
  const done = mode === "commands" ? `${plural(report.executed, "command", "commands")} executed again` : `${plural(report.rowsCompared, "row", "rows")} in ${count(report.tables)} tables compared`;
  lead.textContent = [`${plural(report.logRows, "action", "actions")} replayed, ${done}`, ...applied].join(" · ");
  const found = [...report.broken.map(broken), ...report.differences.map(difference), ...report.diverged.map(diverged)];
  const more = found.length > SHOWN && h("li.index-note", {}, h("span", {}, `${count(found.length - SHOWN)} more in the report (GET /replays/…)`));
  return fill(byId("findings"), found.slice(0, SHOWN), more);
}
