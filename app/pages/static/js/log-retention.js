/** How long the log is kept: policies by kind of record, what would go, and its removal. */
import { call } from "./api.js";
import { choose, form } from "./dialogs.js";
import { byId, fill, h } from "./dom.js";
import { count, day, moment, plural } from "./format.js";
import { attempt, tool } from "./parts.js";
import { emptyState } from "./shell.js";
import { toast } from "./toast.js";

const PATH = "/audit_logs/audit-logs/retention";
const EVERYTHING_ELSE = "*";
const MOST_DAYS = 36_500;

let known = { kinds: [], policies: [], leastDays: 30 };
let reload = () => {};

const named = (kind) => (kind === EVERYTHING_ELSE ? "Everything else" : kind || "Nothing in particular");
const size = (bytes) => (bytes < 1e6 ? `${count(Math.ceil(bytes / 1e3))} kB` : `${count(Math.round(bytes / 1e5) / 10)} MB`);

/** Whether a kind falls under a policy. */
function covers(policy, kind) {
  if (policy.kind === kind) return true;
  return policy.kind === EVERYTHING_ELSE && !known.policies.some((other) => other.kind === kind);
}

function row(policy) {
  const going = known.going.filter(({ kind }) => covers(policy, kind));
  const rows = going.reduce((sum, one) => sum + one.rows, 0);
  const times = going.flatMap(({ oldest, newest }) => [oldest, newest]).sort();
  return h("tr.row", {},
    h("td", {}, h("strong.variable", {}, named(policy.kind))),
    h("td.c-when", { data: { label: "Kept for" } }, plural(policy.days, "day", "days")),
    h("td.c-number", { data: { label: "Would go" } }, count(rows)),
    h("td.c-when", { data: { label: "From when to when" } }, rows ? `${day(times[0])} – ${day(times.at(-1))}` : ""),
    h("td.c-tools", {}, known.mayChange && [
      tool("pencil", `Change how long ${named(policy.kind)} is kept`, () => edit(policy)),
      tool("trash", `Keep ${named(policy.kind)} for ever`, () => clear(policy), { danger: true }),
    ]));
}

/** Read the policies and what they would remove. */
export async function loadRetention() {
  known = await call("GET", PATH);
  byId("add").hidden = !known.mayChange;
  byId("policies-table").hidden = known.policies.length === 0;
  byId("policies-empty").hidden = known.policies.length > 0;
  fill(byId("policies-empty"), emptyState("Everything is kept for ever", "A policy says after how many days actions on a kind of record leave the log."));
  fill(byId("policies"), known.policies.map(row));
  const begins = known.historyBeginsAt ? `What happened before ${moment(known.historyBeginsAt)} was removed in part; its result is kept, and history is told from there. ` : "";
  byId("retention-note").textContent = `${begins}${known.mayChange ? "" : "Only super admins may change this."}`;
  byId("run-box").hidden = !(known.mayChange && known.rows > 0);
  byId("run-text").textContent = `${plural(known.rows, "action", "actions")}, ${size(known.bytes)}, can go now. Otherwise that happens at night, when the policies stand for a day.`;
}

function edit(policy = null) {
  const kinds = known.kinds.filter((kind) => !known.policies.some((other) => other.kind === kind));
  const which = { name: "kind", label: "Actions on", type: "select", options: kinds.map((kind) => [kind, named(kind)]), value: kinds[0] };
  const days = { name: "days", label: "Days", type: "number", required: true, min: known.leastDays, max: MOST_DAYS, value: policy?.days ?? 365, hint: `At least ${known.leastDays}: so long, actions can be undone.` };
  form(policy ? `Keep ${named(policy.kind)}` : "New policy", {
    fields: policy ? [days] : [which, days],
    action: "Save policy",
    submit: async (values) => {
      await call("POST", `${PATH}/set`, { body: { kind: policy?.kind ?? values.kind, days: Number(values.days) } });
      await reload();
    },
  });
}

async function clear({ kind }) {
  await attempt(() => call("POST", `${PATH}/clear`, { body: { kind } }));
  await reload();
}

async function run() {
  const text = `${plural(known.rows, "action", "actions")} will leave the log for good: they can no longer be looked at or undone. The seals go on to prove what stays.`;
  const chosen = await choose("Remove old actions?", text, [{ label: "Remove", main: true }, { label: "Cancel" }]);
  if (chosen !== 0) return;
  await attempt(async () => {
    await call("POST", `${PATH}/run`, { body: {} });
    toast("Old actions are being removed", { kind: "good" });
  });
  await reload();
}

/** Make the buttons work; `changed` reads the page anew. */
export function openRetention(changed) {
  reload = changed;
  byId("add").addEventListener("click", () => edit());
  byId("run").addEventListener("click", run);
}
