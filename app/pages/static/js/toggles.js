/** The list of feature toggles, with what the tenant makes of each. */
import { callAll } from "./api.js";
import { byId, h } from "./dom.js";
import { shortcut } from "./keys.js";
import { listing } from "./listing.js";
import { tool } from "./parts.js";
import { permissions } from "./permissions.js";
import { session } from "./session.js";
import { emptyState, start } from "./shell.js";
import { createToggle, editToggle, removeToggle, setOwnValue } from "./toggle-forms.js";
import { shown, typeName } from "./toggle-values.js";

const MOST = 1_000; // toggles whose own values are looked up

let can = new Set();
let isSuperAdmin = false;

function cells(toggle) {
  return [
    h("td", {}, h("div.who-text", {}, h("strong.who-name", {}, toggle.name), h("span.who-note", {}, h("code", {}, toggle.identifier), toggle.category && ` · ${toggle.category}`), toggle.description && h("span.who-note", {}, toggle.description))),
    h("td", { data: { label: "Type" } }, h("span.badge", {}, typeName(toggle.type))),
    h("td", { data: { label: "Default" } }, shown(toggle.type, toggle.defaultValue)),
    h("td", { data: { label: "This tenant" } }, own(toggle)),
    h("td.c-tools", {},
      can.has("feature_toggles.manage") && tool("sliders", `Own value of ${toggle.name}`, () => setOwnValue(toggle)),
      isSuperAdmin && tool("pencil", `Edit ${toggle.name}`, () => editToggle(toggle)),
      isSuperAdmin && tool("trash", `Delete ${toggle.name}`, () => removeToggle(toggle), { danger: true })),
  ];
}

function own({ type, state }) {
  if (!state?.isOverride) return h("span.quiet", {}, "Default");
  if (type === "boolean") return h("span.badge", { data: { tone: state.overrideState === "disabled" ? "bad" : "good" } }, state.overrideState === "disabled" ? "Off here" : "On here");
  return h("span.badge", { data: { tone: "super" } }, "Own value");
}

/** The toggles with the states of the tenant; without them when those cannot be had. */
async function withStates({ items }) {
  if (!items.length) return items;
  const found = await callAll("/feature_toggles/overrides", { query: { pageSize: 100 }, most: MOST });
  const states = new Map(found.map((one) => [one.toggleId, one]));
  return items.map((toggle) => ({ ...toggle, state: states.get(toggle.id) ?? null }));
}

function empty(isFiltered) {
  if (isFiltered) return emptyState("No toggle matches", "Search by another word, or choose another type.");
  const action = isSuperAdmin ? { label: "New toggle", run: createToggle } : null;
  return emptyState("No feature toggles yet", "A toggle switches a part of the product on or off, or holds a value that it works with.", action);
}

async function open() {
  start();
  const list = listing({
    fetch: { path: "/feature_toggles/global", pageSize: 50, query: (filters) => ({ ...filters, sortField: "identifier" }) },
    filters: ["type"],
    cells,
    empty,
    noun: ["toggle", "toggles"],
    kinds: ["feature_toggles."],
    loaded: withStates,
  });
  byId("create").addEventListener("click", createToggle);
  shortcut("n", "New feature toggle", () => isSuperAdmin && createToggle());
  const [features, user] = await Promise.all([permissions(), session()]);
  can = features;
  isSuperAdmin = user.isSuperAdmin === true || user.roles.some((role) => role.toLowerCase() === "superadmin");
  byId("create").hidden = !isSuperAdmin;
  await list.reload();
}

open();
