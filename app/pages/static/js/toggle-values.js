/** The values of feature toggles: how they are shown, asked for, and read. */
import { h } from "./dom.js";

/** What the types of toggles are called. */
export const TYPES = [["boolean", "On or off"], ["string", "Text"], ["number", "Number"], ["json", "JSON"]];

/** The name of a type. */
export const typeName = (type) => new Map(TYPES).get(type) ?? type;

/** A value in a row. */
export function shown(type, value) {
  if (value === null || value === undefined) return h("span.quiet", {}, "Nothing");
  if (type === "boolean" && typeof value === "boolean") return h("span.badge", { data: { tone: value ? "good" : "plain" } }, value ? "On" : "Off");
  return h("span.value-text", {}, type === "string" && typeof value === "string" ? value : JSON.stringify(value));
}

/**
 * The fields of a form that ask for a value of the chosen type; `typeOf(values)` says which that is. `label` is what
 * the value is called, `when` whether it is asked for at all.
 */
export function valueFields(label, value, typeOf, when = () => true) {
  const only = (type) => (values) => when(values) && typeOf(values) === type;
  const isNothing = value === null || value === undefined;
  const text = typeof value === "string" ? value : "";
  const written = isNothing ? "" : JSON.stringify(value, null, 2);
  return [
    { name: "boolean", label, type: "select", options: [["true", "On"], ["false", "Off"], ["", "Nothing"]], value: typeof value === "boolean" ? String(value) : isNothing ? "" : "false", when: only("boolean") },
    { name: "string", label, type: "textarea", value: text, when: only("string") },
    { name: "number", label, when: only("number"), control: (id, described) => input(id, described, typeof value === "number" ? String(value) : "", "input.input", faultOfNumber) },
    { name: "json", label, hint: "Any JSON; empty means null.", when: only("json"), control: (id, described) => input(id, described, written, "textarea.input.json-input", faultOfJson) },
  ];
}

/** The value that a form of `valueFields` holds. */
export function valueOf(type, values) {
  const text = values[type];
  if (type === "string") return text;
  if (text === "") return null;
  return type === "boolean" ? text === "true" : type === "number" ? Number(text) : JSON.parse(text);
}

function input(id, described, value, tag, faultOf) {
  const isArea = tag.startsWith("textarea");
  const target = h(tag, { id, name: id, "aria-describedby": described, value, autocomplete: "off", spellcheck: false, ...(isArea ? { rows: 6 } : { inputMode: "decimal" }) });
  return { element: target, target, read: () => target.value.trim(), fault: () => faultOf(target.value.trim()) };
}

const faultOfNumber = (text) => (text === "" || Number.isFinite(Number(text)) ? "" : "This is not a number.");

function faultOfJson(text) {
  try {
    if (text) JSON.parse(text);
    return "";
  } catch {
    return "This is not JSON.";
  }
}
