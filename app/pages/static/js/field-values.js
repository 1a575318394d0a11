/** Values of fields, written for people. */
import { isChoice } from "./definitions.js";
import { h } from "./dom.js";
import { moment, short } from "./format.js";
import { tags } from "./parts.js";

const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 20 });
const MOMENT = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });
const DAY = new Intl.DateTimeFormat("en", { dateStyle: "medium" });

const isEmpty = (value) => value === null || value === undefined || value === "" || (Array.isArray(value) && value.length === 0);

/**
 * A value as a node. `field` is `{key, kind}`; `labels` are those of `labelsOf`. A list becomes tags, and so does
 * what is one of a list of choices.
 */
export function drawValue(field, value, labels = new Map()) {
  if (isEmpty(value)) return h("span.quiet", {}, "–");
  const known = labels.get(field.key);
  if (Array.isArray(value)) return tags(value.map((one) => choice(field, one, known)));
  if (field.kind === "boolean") return h("span.badge", { data: { tone: value === true ? "good" : "plain" } }, value === true ? "Yes" : "No");
  if (isChoice(field) || field.kind === "relation") return h("span.badge", {}, choice(field, value, known));
  if (field.kind === "attachment") return h("code", { title: String(value) }, short(String(value)));
  return plainText(field, value);
}

function choice({ kind }, value, known) {
  const found = known?.get(String(value));
  const text = kind === "currency" ? String(value) : (found?.label ?? short(String(value)));
  return [found?.color && h("i.dot", { vars: { "--color": found.color } }), text];
}

function plainText({ kind }, value) {
  if ((kind === "integer" || kind === "float") && Number.isFinite(Number(value))) return NUMBER.format(Number(value));
  if (kind === "date" && isDate(value)) return DAY.format(dayOf(value));
  if (kind === "datetime" && isDate(value)) return h("time", { dateTime: value, title: moment(value) }, MOMENT.format(new Date(value)));
  if (kind === "phone") return h("a", { href: `tel:${value}` }, String(value));
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return kind === "multiline" ? h("span.clipped", { title: text }, text.replace(/<[^>]*>/g, " ")) : text;
}

const isDate = (value) => typeof value === "string" && !Number.isNaN(Date.parse(value));

/** The local midnight of a date, so that "2026-03-01" is the same day everywhere. */
function dayOf(value) {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)/.exec(value) ?? [];
  return year ? new Date(Number(year), Number(month) - 1, Number(day)) : new Date(value);
}
