/** The seals of the log: their state, a verification, the head to keep elsewhere, and how long the log is kept. */
import { ApiError, call } from "./api.js";
import { byId, fill, h, note } from "./dom.js";
import { count, moment, plural, words } from "./format.js";
import { onChangeOf } from "./live.js";
import { attempt, since } from "./parts.js";
import { loadRetention, openRetention } from "./log-retention.js";
import { start } from "./shell.js";
import { toast } from "./toast.js";

const PATH = "/audit_logs/audit-logs/integrity";
const WAIT = 1_500; // milliseconds between looks at a verification that is under way
const STATES = { empty: "Nothing recorded", sealing: "Sealing", sealed: "Sealed" };
const KINDS = {
  changed: "Changed", missing: "Missing", inserted: "Put in", reordered: "Moved", seal_missing: "Seal missing", seal_forged: "Seal forged",
  key_wrong: "Another key", cut_off: "End cut off", other_history: "Another history", tombstone_forged: "Removal forged", base_missing: "Base missing", base_forged: "Base forged",
};

let waiting = 0;

function facts({ state, lastSeal, sealedRows, removedRows, unsealedRows, lastVerification }) {
  const rows = [
    ["State", STATES[state]],
    ["Last seal", lastSeal ? h("span", {}, `${count(lastSeal.number)}, `, since(lastSeal.sealedAt)) : "None"],
    ["Rows sealed", count(sealedRows)],
    ["Waiting for a seal", count(unsealedRows)],
    removedRows > 0 && ["Removed by retention", count(removedRows)],
    ["Last verified", since(lastVerification?.finishedAt)],
  ].filter(Boolean);
  fill(byId("facts"), rows.map(([name, value]) => h("div.fact", {}, h("dt", {}, name), h("dd", {}, value))));
  byId("facts").setAttribute("aria-busy", "false");
}

function verdict(found) {
  const box = byId("verdict");
  const [tone, text] = told(found);
  box.className = `notice${tone ? ` notice-${tone}` : ""}`;
  fill(box, text);
  const breaks = found?.breaks ?? [];
  byId("breaks-sheet").hidden = breaks.length === 0;
  fill(byId("breaks"), breaks.map(row));
  byId("verify").disabled = byId("check").disabled = found?.state === "running";
}

function told(found) {
  if (!found) return ["", "The log was not verified yet."];
  if (found.state === "running") return ["", "The log is being verified. This page tells when it is done."];
  if (found.state === "failed") return ["bad", "The verification could not be finished. Try again."];
  const when = moment(found.finishedAt);
  if (found.state === "intact") return ["good", `Intact: ${plural(found.rows, "row", "rows")} under ${plural(found.seals, "seal", "seals")} are what was sealed. Verified ${when}.`];
  const [first] = found.breaks;
  const place = first.seq === null ? "" : ` at place ${count(first.seq)} of history`;
  const seal = first.seal === null ? "" : `, seal ${count(first.seal)}`;
  return ["bad", `Broken: ${(KINDS[first.kind] ?? words(first.kind)).toLowerCase()}${place}${seal}. ${first.why}. Verified ${when}.`];
}

function row({ kind, seal, seq, logId, why }) {
  return h("tr.row", {},
    h("td", {}, h("span.badge", { data: { tone: "bad" } }, KINDS[kind] ?? words(kind)), h("span.break-why", {}, why)),
    h("td.c-number", { data: { label: "Seal" } }, seal === null ? "" : count(seal)),
    h("td.c-number", { data: { label: "Place" } }, seq === null ? "" : count(seq)),
    h("td", { data: { label: "Action" } }, logId ? h("span.break-id", {}, logId) : ""));
}

async function look() {
  const found = await call("GET", PATH);
  facts(found);
  verdict(found.lastVerification);
  clearTimeout(waiting);
  if (found.lastVerification?.state === "running") waiting = setTimeout(load, WAIT);
}

async function verify(body = {}) {
  byId("verify").disabled = byId("check").disabled = true;
  fill(byId("verdict"), "The log is being verified.");
  await attempt(() => call("POST", `${PATH}/verify`, { body }));
  await load();
}

async function exportHead() {
  await attempt(async () => {
    const head = await call("GET", `${PATH}/head`);
    const url = URL.createObjectURL(new Blob([JSON.stringify(head, null, 2)], { type: "application/json" }));
    h("a", { href: url, download: `backstep-head-${head.heads[0].seal}.json` }).click();
    URL.revokeObjectURL(url);
  });
}

async function checkHead({ currentTarget: input }) {
  const [file] = input.files;
  input.value = "";
  if (!file) return;
  let head;
  try {
    head = JSON.parse(await file.text());
  } catch {
    toast("This file is no exported head", { kind: "bad" });
    return;
  }
  await verify({ head });
}

/** Read everything; a part that fails says so at the top. */
async function load() {
  const results = await Promise.allSettled([look(), loadRetention()]);
  const failed = results.find(({ status }) => status === "rejected");
  if (failed && !(failed.reason instanceof ApiError)) throw failed.reason;
  note(byId("problem"), failed?.reason.message);
}

async function open() {
  start();
  byId("reload").addEventListener("click", load);
  byId("verify").addEventListener("click", () => verify());
  byId("export").addEventListener("click", exportHead);
  byId("check").addEventListener("click", () => byId("head-file").click());
  byId("head-file").addEventListener("change", checkHead);
  openRetention(load);
  onChangeOf(["audit_logs.retention"], load);
  await load();
}

open();
