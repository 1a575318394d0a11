/** What a form shows for a field of each kind, and how its value is read. */
import { call } from "./api.js";
import { choicesOf, forgetChoices, isRequired, related } from "./definitions.js";
import { h } from "./dom.js";
import { lookup } from "./lookup.js";
import { many } from "./many.js";
import { attempt } from "./parts.js";
import { permissions } from "./permissions.js";

const FEW = 8; // choices that are all shown, not searched for
const EDITORS = { htmlRichText: "HTML", markdown: "Markdown", simpleMarkdown: "Markdown" };
const INPUTS = {
  integer: { type: "number", step: "1", inputMode: "numeric" },
  float: { type: "number", step: "any", inputMode: "decimal" },
  date: { type: "date" },
  datetime: { type: "datetime-local" },
  phone: { type: "tel" },
  attachment: { type: "text", placeholder: "Id of an attachment" },
};

/** The name of a field in a form, and in what the server says of its value. */
export const nameOf = ({ key }) => `cf_${key}`;

/** A field for `buildFields`, made of a definition and the value it holds at first. */
export async function formField(field, value) {
  const label = `${field.label}${isRequired(field) ? " *" : ""}`;
  return { name: nameOf(field), label, hint: hintOf(field), ...(await shape(field, value)) };
}

function hintOf({ kind, editor, description }) {
  return [description, kind === "multiline" && EDITORS[editor]].filter(Boolean).join(" · ") || null;
}

async function shape(field, value) {
  if (field.kind === "boolean") return yesOrNo(value, field.label);
  if (field.kind === "relation") return { control: await relation(field, value) };
  if (field.kind === "select" || field.kind === "dictionary" || field.kind === "currency") return { control: await choice(field, value) };
  const single = field.kind === "multiline" ? area : (id, described) => input(field.kind, id, described);
  if (field.multi) return { control: many({ values: listOf(value), single }) };
  return { control: holding(single, value) };
}

const listOf = (value) => (Array.isArray(value) ? value : value === null || value === undefined || value === "" ? [] : [value]);

/** A control that holds a value at first. */
const holding = (single, value) => (id, described) => {
  const made = single(id, described);
  made.set(value);
  return made;
};

function input(kind, id, described) {
  const target = h("input.input", { type: "text", ...INPUTS[kind], id, "aria-describedby": described, autocomplete: "off" });
  const read = () => fromText(kind, target.value.trim());
  return { element: target, target, read, set: (value) => show(target, kind, value), clear: () => (target.value = "") };
}

function area(id, described) {
  const target = h("textarea.input", { id, rows: 5, "aria-describedby": described });
  return { element: target, target, read: () => target.value.trim() || null, set: (value) => (target.value = value ?? ""), clear: () => (target.value = "") };
}

function fromText(kind, text) {
  if (text === "") return null;
  if (kind === "integer" || kind === "float") return Number(text);
  const at = kind === "datetime" ? new Date(text) : null;
  return at && !Number.isNaN(at.getTime()) ? at.toISOString() : text;
}

/** Show a value; one that the browser's own field cannot show is shown as the text it is. */
function show(target, kind, value) {
  const text = value === null || value === undefined ? "" : String(value);
  target.value = kind === "datetime" ? localTime(text) : kind === "date" ? text.slice(0, 10) : text;
  if (text && !target.value) {
    target.type = "text";
    target.value = text;
  }
}

function localTime(text) {
  const at = new Date(text);
  if (!text || Number.isNaN(at.getTime())) return "";
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** A tick; what was neither yes nor no stays so until it is touched. */
function yesOrNo(value, label) {
  return {
    control: (id, described) => {
      let isTouched = value === undefined || typeof value === "boolean";
      const target = h("input", { type: "checkbox", id, checked: value === true, "aria-describedby": described, "aria-label": label, on: { change: () => (isTouched = true) } });
      return { element: h("label.check", {}, target, h("span", {}, "Yes")), target, read: () => (isTouched ? target.checked : null) };
    },
  };
}

async function choice(field, value) {
  const choices = await choicesOf(field);
  const create = await creator(field);
  const held = listOf(value).map((one) => choices.find((known) => String(known.value) === String(one)) ?? { value: one, label: String(one) });
  if (!create && !choices.length) return field.multi ? many({ values: listOf(value), single: (id, described) => input("text", id, described) }) : holding((id, described) => input("text", id, described), value);
  if (!field.multi && !create && choices.length <= 60) return list(choices, held[0]);
  if (field.multi && !create && choices.length <= FEW && held.every((one) => choices.includes(one))) return boxes(choices, held, field.label);
  const search = async (text) => (await choicesOf(field)).filter(({ label, value: key }) => `${label} ${key}`.toLowerCase().includes(text.toLowerCase())).slice(0, 50);
  return lookup({ chosen: held, multi: field.multi, search, create, label: field.label });
}

const list = (choices, held) => (id, described) => {
  const known = !held || choices.includes(held) ? choices : [...choices, held];
  const target = h("select", { id, "aria-describedby": described }, h("option", { value: "" }, "–"), known.map(({ value, label }) => h("option", { value, selected: value === held?.value }, label)));
  return { element: h("span.select", {}, target), target, read: () => target.value || null };
};

const boxes = (choices, held, label) => (id, described) => {
  const target = h("div.choices", { id, tabIndex: -1, role: "group", "aria-label": label, "aria-describedby": described },
    choices.map((one) => h("label.check", {}, h("input", { type: "checkbox", value: one.value, checked: held.includes(one) }), h("span", {}, one.label))));
  return { element: target, target, read: () => [...target.querySelectorAll("input:checked")].map(({ value }) => value) };
};

/** How an entry is added to the dictionary of a field from within the form; null where that may not be. */
async function creator(field) {
  if (field.kind !== "dictionary" || field.dictionaryInlineCreate === false || !(await permissions()).has("dictionaries.manage")) return null;
  return async (text) => {
    let made = null;
    await attempt(async () => {
      made = await call("POST", `/dictionaries/${field.dictionaryId}/entries`, { body: { value: text } });
      forgetChoices(field);
    });
    return made && { value: made.value ?? text, label: made.label ?? text };
  };
}

async function relation(field, value) {
  const ids = listOf(value).map(String);
  let held = ids.map((id) => ({ value: id, label: id }));
  if (ids.length) {
    await attempt(async () => {
      const found = await related(field, { ids });
      held = held.map((one) => found.find((other) => other.value === one.value) ?? one);
    });
  }
  const search = async (text) => {
    let found = [];
    await attempt(async () => (found = await related(field, { q: text })));
    return found;
  };
  return lookup({ chosen: held, multi: field.multi, search, label: field.label });
}
