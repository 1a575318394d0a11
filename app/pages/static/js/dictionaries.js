/** The list of dictionaries. */
import { ApiError, call } from "./api.js";
import { createDictionary, editDictionary, isProtected, removeDictionary } from "./dictionary-forms.js";
import { byId, fill, h, icon, mirror, note, settled } from "./dom.js";
import { ago, moment, plural } from "./format.js";
import { onChange } from "./history.js";
import { shortcut } from "./keys.js";
import { onEvent } from "./live.js";
import { may, session } from "./session.js";
import { emptyState, start } from "./shell.js";

let dictionaries = [];
let drawn = false;
let mayManage = true;

async function load() {
  try {
    const inactive = byId("inactive").checked;
    ({ items: dictionaries } = await call("GET", "/dictionaries", { query: { includeInactive: inactive || null } }));
    mayManage = may(await session(), "dictionaries.manage");
    byId("create").hidden = !mayManage;
    note(byId("problem"), "");
    show();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    note(byId("problem"), error.message);
  } finally {
    byId("list").setAttribute("aria-busy", "false");
  }
}

function show() {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = dictionaries.filter((dictionary) => {
    if (dictionary.managerVisibility === "hidden" && !byId("hidden-too").checked && !words.length) return false;
    const text = [dictionary.name, dictionary.key, dictionary.description ?? ""].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
  if (!drawn) byId("list").replaceChildren();
  drawn = true;
  mirror(byId("list"), found, { key: ({ id }) => id, build: (item) => draw(h("li.card"), item), refresh: draw });
  byId("total").textContent = plural(found.length, "dictionary", "dictionaries");
  byId("empty").hidden = found.length > 0;
  if (!found.length) fill(byId("empty"), words.length ? emptyState("No dictionary matches", "Search by another word.") : emptyState("No dictionaries yet", "A dictionary is a named list of values, such as priorities or regions.", { label: "New dictionary", run: createDictionary }));
}

function draw(element, dictionary) {
  const mark = JSON.stringify(dictionary);
  if (element.dataset.mark === mark) return element;
  element.dataset.mark = mark;
  const tools = dictionary.isInherited || !mayManage ? null : h("span.card-tools", {},
    h("button.button.button-icon.button-quiet", { type: "button", "aria-label": `Edit ${dictionary.name}`, title: "Edit", on: { click: () => editDictionary(dictionary) } }, icon("pencil")),
    !isProtected(dictionary) && h("button.button.button-icon.button-quiet", { type: "button", "aria-label": `Delete ${dictionary.name}`, title: "Delete", on: { click: () => removeDictionary(dictionary) } }, icon("trash")));
  return fill(element,
    h("a.card-link", { href: `/backend/dictionaries/${dictionary.id}` }, h("strong.card-title", {}, dictionary.name), h("code.card-key", {}, dictionary.key)),
    h("p.card-text", {}, dictionary.description ?? ""),
    h("p.card-foot", {}, badges(dictionary), h("time", { dateTime: dictionary.updatedAt, title: `Changed ${moment(dictionary.updatedAt)}`, data: { ago: "" } }, ago(dictionary.updatedAt))),
    tools);
}

function badges(dictionary) {
  const shown = [
    [dictionary.isInherited, "Inherited", "inherited"],
    [dictionary.isSystem, "System", "plain"],
    [isProtected(dictionary), "Protected", "plain"],
    [dictionary.managerVisibility === "hidden", "Hidden", "plain"],
    [!dictionary.isActive, "Inactive", "undone"],
  ];
  return shown.filter(([applies]) => applies).map(([, text, tone]) => h("span.badge", { data: { tone } }, text));
}

start();
fill(byId("list"), [1, 2, 3, 4, 5, 6].map(() => h("li.card.is-skeleton", { "aria-hidden": "true" }, h("i"), h("i"))));
byId("create").addEventListener("click", createDictionary);
byId("search").addEventListener("input", show);
byId("hidden-too").addEventListener("change", show);
byId("inactive").addEventListener("change", load);
shortcut("n", "New dictionary", () => mayManage && createDictionary());
const refresh = settled(120, load);
onChange(refresh);
onEvent(({ id }) => (id.startsWith("dictionaries.") || id === "resumed" || id === "audit_logs.action.recorded") && refresh());
load();
