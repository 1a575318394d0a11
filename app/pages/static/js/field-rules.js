/** Rules that the values of a field keep, as a form shows them and as definitions hold them. */

const NAMES = {
  required: "is required", regex: "matches", integer: "is a whole number", float: "is a number", date: "is a date",
  gt: "is greater than", gte: "is at least", lt: "is less than", lte: "is at most", eq: "equals", ne: "differs from",
};
const MESSAGES = {
  required: "is required", regex: "has another form", integer: "must be a whole number", float: "must be a number", date: "must be a date",
  gt: "must be greater than", gte: "must be at least", lt: "must be less than", lte: "must be at most", eq: "must be", ne: "must not be",
};
const WITH_PARAM = new Set(["regex", "gt", "gte", "lt", "lte", "eq", "ne"]);
const NUMERIC = new Set(["gt", "gte", "lt", "lte"]);
const NUMBERS = new Set(["integer", "float"]);

const needsParam = ({ rule }) => WITH_PARAM.has(rule);

/** The columns of a rule's line. */
export const ruleColumns = [
  { name: "rule", label: "Rule", options: Object.entries(NAMES) },
  { name: "param", label: "Than, to, or pattern", placeholder: "Value or pattern", when: needsParam },
  { name: "message", label: "Message", placeholder: "Message" },
];

/** Whether a line says something. */
export const isWholeRule = ({ rule }) => rule !== "";

/** What is wrong with lines; "" when nothing is. */
export function wrongRule(lines) {
  if (lines.length > 32) return "At most 32 rules.";
  if (lines.some((line) => needsParam(line) && line.param === "")) return "Say what the rule compares with.";
  if (lines.some(({ rule, param }) => NUMERIC.has(rule) && !Number.isFinite(Number(param)))) return "This rule compares with a number.";
  return "";
}

/** Lines as rules: without a message, one is made of the field's label. */
export function rulesOf(lines, kind, label) {
  return lines.map((line) => {
    const made = { rule: line.rule, message: line.message || message(line, label) };
    if (needsParam(line)) made.param = NUMERIC.has(line.rule) ? Number(line.param) : line.rule === "regex" ? line.param : fromText(line.param, kind);
    return made;
  });
}

const message = ({ rule, param }, label) => [label, MESSAGES[rule], needsParam({ rule }) && rule !== "regex" && param].filter(Boolean).join(" ");

/** A value of a kind as the text of a field. */
export const toText = (value) => (value === undefined || value === null ? "" : String(value));

/** The text of a field as a value of a kind. */
export function fromText(text, kind) {
  if (NUMBERS.has(kind) && text.trim() !== "" && Number.isFinite(Number(text))) return Number(text);
  if (kind === "boolean" && (text === "true" || text === "false")) return text === "true";
  return text;
}
