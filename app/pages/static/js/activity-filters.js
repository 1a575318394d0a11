/** The filters of the Activity page: form, address bar and API parameters as three forms of one state. */
import { call } from "./api.js";
import { byId, fill, h } from "./dom.js";
import { session } from "./session.js";

const SPANS = { "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000, "30d": 2_592_000_000 };
const TEXTS = ["id", "who", "kind", "field", "span", "sort", "from", "to"];
const SAMPLE = 200;

const form = byId("filters");
const actors = new Map();
const kinds = new Set();
const fields = new Set();
let sampled = false;

/** The filters of the address bar: texts, the list `type`, the flag `undoable`, and `page`. */
export function readAddress() {
  const search = new URLSearchParams(location.search);
  const filters = Object.fromEntries(TEXTS.map((name) => [name, search.get(name) ?? ""]));
  return { ...filters, type: search.getAll("type"), undoable: search.has("undoable"), page: Math.max(1, Number(search.get("page")) || 1) };
}

/** The filters of the form; a changed filter starts again at the first page. */
export function readForm() {
  const data = new FormData(form);
  const filters = Object.fromEntries(TEXTS.map((name) => [name, String(data.get(name) ?? "").trim()]));
  if (filters.span !== "custom") filters.from = filters.to = "";
  return { ...filters, type: data.getAll("type"), undoable: data.has("undoable"), page: 1 };
}

/** Show filters in the form. */
export function showInForm(filters) {
  if (filters.who && filters.who !== "me" && !actors.has(filters.who)) actors.set(filters.who, filters.who.slice(0, 8));
  drawChoices();
  for (const name of TEXTS) form.elements[name].value = filters[name];
  for (const box of form.querySelectorAll("[name=type]")) box.checked = filters.type.includes(box.value);
  form.elements.undoable.checked = filters.undoable;
  showExtras(filters);
}

function showExtras(filters) {
  byId("between").hidden = filters.span !== "custom";
  byId("clear").hidden = !isFiltered(filters);
}

/** Write filters to the address bar, as a step of the browser's history when `step` says so. */
export function showInAddress(filters, step) {
  const search = new URLSearchParams();
  for (const name of TEXTS) if (filters[name]) search.set(name, filters[name]);
  for (const type of filters.type) search.append("type", type);
  if (filters.undoable) search.set("undoable", "1");
  if (filters.page > 1) search.set("page", filters.page);
  const text = search.toString();
  history[step ? "pushState" : "replaceState"](null, "", text ? `?${text}` : location.pathname);
}

/** Whether anything but order and page is set. */
export function isFiltered({ id, who, kind, field, span, type, undoable }) {
  return Boolean(id || who || kind || field || span || type.length || undoable);
}

/** The API's query parameters for filters, without paging. */
export async function toQuery(filters) {
  const user = filters.who === "me" ? await session() : null;
  const [sortField, sortDir] = (filters.sort || "createdAt.desc").split(".");
  return {
    resourceId: filters.id,
    resourceKind: filters.kind,
    includeRelated: filters.id && filters.kind ? true : null,
    actorUserId: user ? user.id : filters.who,
    fieldName: filters.field,
    actionType: filters.type.join(","),
    undoableOnly: filters.undoable || null,
    sortField: filters.sort ? sortField : null,
    sortDir: filters.sort ? sortDir : null,
    ...bounds(filters),
  };
}

function bounds({ span, from, to }) {
  if (SPANS[span]) return { after: new Date(Date.now() - SPANS[span]).toISOString() };
  if (span !== "custom") return {};
  return { after: from && new Date(from).toISOString(), before: to && new Date(to).toISOString() };
}

/** Offer the people, kinds and fields that occur in these entries. */
export function learnChoices(entries) {
  const before = actors.size + kinds.size + fields.size;
  for (const entry of entries) {
    if (entry.actorUserId) actors.set(entry.actorUserId, entry.actorUserName ?? entry.actorUserId.slice(0, 8));
    if (entry.resourceKind) kinds.add(entry.resourceKind);
    for (const field of Object.keys(entry.changes ?? {})) fields.add(field);
  }
  if (actors.size + kinds.size + fields.size !== before) drawChoices();
}

function drawChoices() {
  const who = form.elements.who;
  const chosen = who.value;
  const people = [...actors].sort(([, a], [, b]) => a.localeCompare(b));
  fill(who, h("option", { value: "" }, "Anyone"), h("option", { value: "me" }, "Me"), people.map(([id, name]) => h("option", { value: id }, name)));
  who.value = chosen;
  fill(byId("kinds"), [...kinds].sort().map((value) => h("option", { value })));
  fill(byId("fields"), [...fields].sort().map((value) => h("option", { value })));
}

/** Call `changed(filters)` when the user changes a filter. More choices are fetched when one is first touched. */
export function watchFilters(changed) {
  let timer = 0;
  const tell = () => {
    const filters = readForm();
    showExtras(filters);
    changed(filters);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    tell();
  });
  form.addEventListener("input", ({ target }) => {
    clearTimeout(timer);
    timer = setTimeout(tell, target.matches("select, [type=checkbox]") ? 0 : 300);
  });
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    const none = { ...Object.fromEntries(TEXTS.map((name) => [name, ""])), type: [], undoable: false, page: 1 };
    showInForm(none);
    changed(none);
  });
  form.addEventListener("focusin", sample, { once: true });
  byId("more-filters").addEventListener("click", ({ currentTarget }) => {
    currentTarget.setAttribute("aria-expanded", String(form.classList.toggle("is-open")));
  });
}

async function sample() {
  if (sampled) return;
  sampled = true;
  const { items } = await call("GET", "/audit_logs/audit-logs/actions", { query: { pageSize: SAMPLE } });
  learnChoices(items);
}
