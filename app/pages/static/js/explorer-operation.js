/** One operation of the explorer: what it takes and gives, its call for a terminal, and a way to try it. */
import { h, icon } from "./dom.js";
import { curlOf, formFields, isForm, pathOf, pretty } from "./openapi.js";
import { copyButton } from "./parts.js";

const STREAMS = "text/event-stream";

/** Build the view of an operation. */
export function drawOperation(operation) {
  const values = {};
  const body = operation.body && h("textarea.input.code-input", { spellcheck: false, rows: Math.min(16, pretty(operation.body.example ?? {}).split("\n").length + 1), value: pretty(operation.body.example ?? {}), "aria-label": "Request body" });
  const curl = h("code", {});
  const redraw = () => {
    curl.textContent = curlOf(operation, values, body ? body.value : null);
  };
  body?.addEventListener("input", redraw);
  redraw();
  return h("article", {},
    heading(operation),
    operation.parameters.length > 0 && section("Parameters", parameters(operation, values, redraw)),
    body && section(`Request body`, h("p.hint", {}, operation.body.contentType, operation.body.required ? " · required" : ""), body, fieldTable(operation.body.fields)),
    section("curl", h("div.snippet", {}, h("pre", {}, curl), copyButton(() => curl.textContent))),
    tryIt(operation, values, body),
    section("Responses", responses(operation)));
}

function heading(operation) {
  return h("header.operation-head", {},
    h("h1", {}, operation.summary),
    h("p.operation-path", {}, method(operation), h("code", {}, operation.path)),
    operation.description && operation.description !== operation.summary && h("p.operation-text", {}, operation.description),
    h("p.badges", {},
      h("span.badge", { data: { tone: "plain" } }, operation.needsSignIn ? [icon("lock"), "Signed in"] : "Public"),
      operation.features.map((feature) => h("span.badge", { data: { tone: "code" } }, feature)),
      h("span.badge", { data: { tone: "plain" } }, operation.id)));
}

/** The badge of a method. */
export const method = (operation) => h("span.method", { data: { method: operation.method } }, operation.method);

const section = (title, ...content) => h("section.operation-part", {}, h("h2", {}, title), ...content);

function parameters(operation, values, redraw) {
  const rows = operation.parameters.map((parameter) => {
    const change = ({ currentTarget }) => {
      values[parameter.name] = currentTarget.value.trim();
      redraw();
    };
    const label = `${parameter.name}, ${parameter.in}`;
    const field = parameter.choices
      ? h("span.select", {}, h("select", { "aria-label": label, on: { change } }, h("option", { value: "" }, "–"), parameter.choices.map((value) => h("option", { value: String(value) }, String(value)))))
      : h("input.input", { "aria-label": label, required: parameter.required, placeholder: parameter.fallback === undefined ? "" : String(parameter.fallback), autocomplete: "off", spellcheck: false, on: { input: change } });
    return h("tr", {},
      h("th", { scope: "row" }, h("code", {}, parameter.name), parameter.required && h("em", {}, "required"), h("small", {}, parameter.in)),
      h("td", {}, h("span.type", {}, parameter.type), parameter.description && h("p", {}, parameter.description)),
      h("td.parameter-value", {}, field));
  });
  return h("table.parameters", {}, h("tbody", {}, rows));
}

function fieldTable(fields) {
  if (!fields.length) return null;
  return h("details.fields", {}, h("summary", {}, `${fields.length} fields`),
    h("table.parameters", {}, h("tbody", {}, fields.map((field) => h("tr", {},
      h("th", { scope: "row" }, h("code", {}, field.name), field.required && h("em", {}, "required")),
      h("td", {}, h("span.type", {}, field.type), field.description && h("p", {}, field.description)))))));
}

function responses(operation) {
  return operation.responses.map(({ status, description, contentType, example }, index) =>
    h("details.response", { open: index === 0 },
      h("summary", {}, h("span.status", { data: { class: status[0] } }, status), h("span", {}, description), contentType && h("small", {}, contentType)),
      example !== undefined && example !== null ? h("div.snippet", {}, h("pre", {}, h("code", {}, pretty(example)))) : h("p.hint", {}, "No body.")));
}

function tryIt(operation, values, body) {
  if (operation.responses.some(({ contentType }) => contentType === STREAMS)) return section("Try it", h("p.hint", {}, "A stream that does not end: use curl."));
  const output = h("div.try-output", { "aria-live": "polite" });
  const button = h("button.button.button-main", { type: "button", on: { click: async () => {
    const missing = operation.parameters.find(({ name, required }) => required && !values[name]);
    if (missing) return output.replaceChildren(h("p.notice.notice-bad", {}, `Fill in ${missing.name} first.`));
    button.disabled = true;
    output.replaceChildren(...(await send(operation, values, body?.value ?? null)));
    button.disabled = false;
  } } }, icon("play"), "Send");
  const warning = operation.method === "GET" ? "With your session." : "With your session, on real data. What can be undone shows up on Activity.";
  return section("Try it", h("p.try-line", {}, button, h("span.hint", {}, warning)), output);
}

async function send(operation, values, body) {
  const headers = { accept: "application/json" };
  for (const { name } of operation.parameters.filter((parameter) => parameter.in === "header" && values[parameter.name])) headers[name] = values[name];
  if (body !== null && !isForm(operation)) headers["content-type"] = operation.body.contentType;
  const started = performance.now();
  try {
    const response = await fetch(pathOf(operation, values), { method: operation.method, headers, credentials: "same-origin", body: body === null ? undefined : isForm(operation) ? new URLSearchParams(formFields(body)) : body });
    const text = await response.text();
    return answered(response, text, performance.now() - started);
  } catch (error) {
    return [h("p.notice.notice-bad", {}, `The call failed: ${error.message}`)];
  }
}

function answered(response, text, milliseconds) {
  const shown = ["content-type", "x-request-id", "x-om-operation", "content-disposition"].filter((name) => response.headers.has(name));
  let body = text;
  if (response.headers.get("content-type")?.includes("json")) {
    try {
      body = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      body = text;
    }
  }
  return [
    h("p.try-status", {}, h("span.status", { data: { class: String(response.status)[0] } }, String(response.status)), `${Math.round(milliseconds)} ms`),
    h("dl.facts", {}, shown.map((name) => h("div", {}, h("dt", {}, name), h("dd", {}, response.headers.get(name))))),
    h("div.snippet", {}, h("pre", {}, h("code", {}, body.slice(0, 100_000) || "(empty)"))),
  ];
}
