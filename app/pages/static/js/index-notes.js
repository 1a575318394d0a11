/** What the work on the index tells: records that were set aside, and what was done. */
import { fill, h } from "./dom.js";
import { count } from "./format.js";
import { since } from "./parts.js";

const SHOWN = 30;
const DETAILS = { processed: "records done", total: "records to do", failed: "set aside", removed: "without a record taken out", reason: "" };

/** Draw the newest errors into a list; `none` is shown when there are none. */
export function drawErrors(list, none, errors) {
  none.hidden = errors.length > 0;
  fill(list, errors.slice(0, SHOWN).map((error) => h("li.index-note", {},
    h("span", {}, h("strong", {}, error.entityType ?? error.source), error.recordId && h("span.who-note", {}, " ", h("code", {}, error.recordId))),
    since(error.occurredAt),
    h("p.job-error", {}, error.message))));
}

/** Draw the newest notes into a list; `none` is shown when there are none. */
export function drawNotes(list, none, notes) {
  none.hidden = notes.length > 0;
  fill(list, notes.slice(0, SHOWN).map((one) => h("li.index-note", {},
    h("span", {}, h("strong", {}, one.entityType ?? one.source), h("span.badge", { data: { tone: one.level === "warn" ? "warn" : "plain" } }, one.message)),
    since(one.occurredAt),
    details(one.details) && h("p", {}, details(one.details)))));
}

function details(found) {
  return Object.entries(found ?? {})
    .filter(([key, value]) => key in DETAILS && (typeof value !== "number" || value > 0))
    .map(([key, value]) => (typeof value === "number" ? `${count(value)} ${DETAILS[key]}` : String(value)))
    .join(", ");
}
