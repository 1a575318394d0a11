/** Background jobs: what waits, runs and was given up, and trying again. */
import { call } from "./api.js";
import { choose } from "./dialogs.js";
import { byId, fill, h, mirror } from "./dom.js";
import { count, plural } from "./format.js";
import { attempt, since, tool } from "./parts.js";
import { emptyState } from "./shell.js";

const MOST = 50;
const TONES = { failed: "bad", running: "busy", waiting: "plain" };
const WORDS = { failed: "Failed", running: "Running", waiting: "Waiting" };

/** Start the list; `can` are the features of the user, `changed` is called after a change. Answers `reload()`, `busy()`. */
export function openJobs(can, changed) {
  const state = byId("jobs-state");
  let counts = { waiting: 0, running: 0, failed: 0 };

  const cells = (job) => [
    h("td", {}, h("div.who-text", {}, h("code.who-name", {}, job.name), job.error && h("span.job-error", {}, job.error))),
    h("td", {}, h("span.badge", { data: { tone: TONES[job.state] ?? "plain" } }, WORDS[job.state] ?? job.state)),
    h("td.c-number", { data: { label: "Attempts" } }, count(job.attempts)),
    h("td.c-when", { data: { label: "Since" } }, since(job.updatedAt)),
    h("td.c-tools", {},
      job.state === "failed" && can.has("query_index.reindex") && tool("redo", `Retry ${job.name} ${job.id}`, () => retry(job)),
      job.state !== "running" && can.has("query_index.purge") && tool("trash", `Delete ${job.name} ${job.id}`, () => remove(job), { danger: true })),
  ];

  function row(element, job) {
    const mark = JSON.stringify(job);
    if (element.dataset.mark === mark) return element;
    element.dataset.mark = mark;
    return fill(element, cells(job));
  }

  async function reload() {
    const answer = await call("GET", "/jobs", { query: { state: state.value, pageSize: MOST } });
    counts = answer.counts;
    mirror(byId("jobs"), answer.items, { key: ({ id }) => id, build: (job) => row(h("tr.row"), job), refresh: row });
    byId("jobs-counts").textContent = `${plural(counts.failed, "failed", "failed")}, ${count(counts.waiting)} waiting, ${count(counts.running)} running`;
    byId("jobs-retry").hidden = !(counts.failed && can.has("query_index.reindex"));
    byId("jobs-table").hidden = !answer.items.length;
    byId("jobs-empty").hidden = answer.items.length > 0;
    if (!answer.items.length) fill(byId("jobs-empty"), state.value ? emptyState("No such job", "No job of the tenant is in this state.") : emptyState("Nothing to do", "No job waits, runs, or was given up."));
  }

  async function retry(job) {
    if (await attempt(() => call("POST", `/jobs/${job.id}/retry`))) changed();
  }

  async function remove(job) {
    const chosen = await choose(`Delete “${job.name}”?`, "Its work will not be done. This cannot be taken back by Undo.", [{ label: "Delete", main: true }, { label: "Cancel" }]);
    if (chosen === 0 && (await attempt(() => call("DELETE", `/jobs/${job.id}`)))) changed();
  }

  state.addEventListener("change", () => changed());
  byId("jobs-retry").addEventListener("click", async () => {
    if (await attempt(() => call("POST", "/jobs/retry"))) changed();
  });
  return { reload, busy: () => counts.running > 0 };
}
