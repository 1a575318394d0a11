/** The list of API keys. */
import { call } from "./api.js";
import { createKey } from "./api-key-forms.js";
import { choose } from "./dialogs.js";
import { byId, h } from "./dom.js";
import { moment } from "./format.js";
import { shortcut } from "./keys.js";
import { listing } from "./listing.js";
import { attempt, since, tags, tool } from "./parts.js";
import { permissions } from "./permissions.js";
import { emptyState, start } from "./shell.js";

const SOON = 7 * 86_400_000; // milliseconds before the end in which it is worth a word
let can = new Set();

function cells(key) {
  return [
    h("td", {}, h("div.who-text", {}, h("strong.who-name", {}, key.name), h("span.who-note", {}, h("code", {}, `${key.keyPrefix}…`), key.description ? ` · ${key.description}` : ""))),
    h("td", {}, tags(key.roles.map(({ name }) => name), "No role")),
    h("td", {}, key.organizationName ?? h("span.quiet", {}, "Whole tenant")),
    h("td.c-when", { data: { label: "Last used" } }, since(key.lastUsedAt)),
    h("td.c-when", { data: { label: "Expires" } }, end(key.expiresAt)),
    h("td.c-tools", {}, can.has("api_keys.delete") && tool("trash", `Revoke ${key.name}`, () => revoke(key), { danger: true })),
  ];
}

function end(iso) {
  if (!iso) return h("span.quiet", {}, "Never");
  const left = Date.parse(iso) - Date.now();
  const day = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric" }).format(new Date(iso));
  return h("span.badge", { title: moment(iso), data: { tone: left < 0 ? "bad" : left < SOON ? "undone" : "plain" } }, left < 0 ? `Expired ${day}` : day);
}

async function revoke(key) {
  const chosen = await choose(`Revoke “${key.name}”?`, "Whatever uses this key is refused from now on. You can take this back.", [{ label: "Revoke", main: true }, { label: "Cancel" }]);
  if (chosen === 0) await attempt(() => call("DELETE", "/api_keys/keys", { query: { id: key.id } }));
}

function empty(isFiltered) {
  if (isFiltered) return emptyState("No key matches", "Search by another name, or by the beginning of the key.");
  const action = can.has("api_keys.create") ? { label: "New API key", run: createKey } : null;
  return emptyState("No API keys yet", "A key lets a program use the API with the rights of roles.", action);
}

async function open() {
  start();
  const list = listing({ fetch: { path: "/api_keys/keys", pageSize: 50 }, cells, empty, noun: ["key", "keys"], kinds: ["api_keys."] });
  byId("create").addEventListener("click", createKey);
  shortcut("n", "New API key", () => can.has("api_keys.create") && createKey());
  can = await permissions();
  byId("create").hidden = !can.has("api_keys.create");
  await list.reload();
}

open();
