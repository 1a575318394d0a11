/** The API explorer, over the OpenAPI document that the server itself serves. */
import { byId, fill, h, note } from "./dom.js";
import { toMarkdown } from "./explorer-markdown.js";
import { drawOperation, method } from "./explorer-operation.js";
import { plural } from "./format.js";
import { readDocument } from "./openapi.js";
import { emptyState, start } from "./shell.js";

let api = { title: "", version: "", tags: [], operations: [] };

function list() {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = api.operations.filter((operation) => {
    const text = [operation.method, operation.path, operation.summary, operation.id, operation.tag, ...operation.features].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const groups = api.tags.map((tag) => [tag, found.filter((operation) => operation.tag === tag)]).filter(([, operations]) => operations.length);
  fill(byId("operations"), groups.map(([tag, operations]) =>
    h("details.operations-group", { open: true }, h("summary", {}, tag, h("small", {}, String(operations.length))),
      h("ul", {}, operations.map((operation) => h("li", {}, h("a.operation-link", { href: `#${encodeURIComponent(operation.id)}`, title: operation.summary }, method(operation), h("span", {}, operation.summary, h("small", {}, operation.path)))))))));
  note(byId("count"), words.length ? `${found.length} of ${plural(api.operations.length, "operation", "operations")}` : plural(api.operations.length, "operation", "operations"));
  mark();
}

function mark() {
  for (const link of byId("operations").querySelectorAll(".operation-link")) {
    if (link.hash === location.hash) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

function open() {
  const id = decodeURIComponent(location.hash.slice(1));
  const operation = api.operations.find((one) => one.id === id) ?? api.operations[0];
  if (!operation) return fill(byId("operation"), emptyState("No operations", "The OpenAPI document is empty."));
  if (!location.hash) history.replaceState(null, "", `#${encodeURIComponent(operation.id)}`);
  document.title = `${operation.summary} · Backstep API`;
  fill(byId("operation"), drawOperation(operation));
  byId("operation").scrollTop = 0;
  mark();
}

function download() {
  const url = URL.createObjectURL(new Blob([toMarkdown(api)], { type: "text/markdown" }));
  h("a", { href: url, download: "backstep-api.md" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

start();
addEventListener("hashchange", () => {
  open();
  if (matchMedia("(max-width: 800px)").matches) byId("operation").scrollIntoView();
  else scrollTo({ top: 0 });
});
byId("search").addEventListener("input", list);
byId("markdown").addEventListener("click", download);
try {
  const response = await fetch("/openapi.json");
  if (!response.ok) throw new Error(`The server answered ${response.status}`);
  api = readDocument(await response.json());
  list();
  open();
} catch (error) {
  fill(byId("operation"), emptyState("The API description could not be loaded", error.message));
} finally {
  byId("operations").setAttribute("aria-busy", "false");
}
