/** The OpenAPI document as the explorer needs it: operations, schemas in words, and example values. */

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEEPEST = 6;

/** Read the document: `{title, version, tags, operations, resolve}`; operations in the order of the document. */
export function readDocument(document) {
  const resolve = (node) => {
    let found = node;
    for (let step = 0; found?.$ref && step < 50; step += 1) {
      found = found.$ref.slice(2).split("/").reduce((part, key) => part?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], document);
    }
    return found ?? {};
  };
  const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => readOperation(path, method, item, document, resolve)));
  const order = new Map((document.tags ?? []).map(({ name }, index) => [name, index]));
  const tags = [...new Set(operations.map(({ tag }) => tag))].sort((a, b) => (order.get(a) ?? 999) - (order.get(b) ?? 999));
  return { title: document.info?.title ?? "API", version: document.info?.version ?? "", tags, operations };
}

function readOperation(path, method, item, document, resolve) {
  const raw = item[method];
  const body = resolve(raw.requestBody);
  const [contentType, media] = Object.entries(body.content ?? {})[0] ?? [null, null];
  const security = raw.security ?? document.security ?? [];
  return {
    id: raw.operationId ?? `${method}-${path}`,
    method: method.toUpperCase(),
    path,
    tag: raw.tags?.[0] ?? "Other",
    summary: raw.summary ?? path,
    description: raw.description ?? "",
    features: raw["x-features"] ?? [],
    needsSignIn: security.length > 0 && !security.some((entry) => Object.keys(entry).length === 0),
    parameters: [...(item.parameters ?? []), ...(raw.parameters ?? [])].map(resolve).map((parameter) => readParameter(parameter, resolve)),
    body: media && { contentType, required: Boolean(body.required), example: exampleOf(media, resolve), fields: fieldsOf(media.schema, resolve) },
    responses: Object.entries(raw.responses ?? {}).map(([status, entry]) => readResponse(status, resolve(entry), resolve)),
  };
}

function readParameter(parameter, resolve) {
  const schema = resolve(parameter.schema);
  return { name: parameter.name, in: parameter.in, required: Boolean(parameter.required), description: parameter.description ?? schema.description ?? "", type: typeOf(schema, resolve), fallback: schema.default, choices: schema.enum ?? null };
}

function readResponse(status, response, resolve) {
  const [contentType, media] = Object.entries(response.content ?? {})[0] ?? [null, null];
  return { status, description: response.description ?? "", contentType, example: media ? exampleOf(media, resolve) : undefined };
}

/** An example of a media type: the documented one, else one made from the schema. */
function exampleOf(media, resolve) {
  if (media.example !== undefined) return media.example;
  const named = Object.values(media.examples ?? {}).map(resolve)[0];
  return named?.value ?? sample(media.schema, resolve, 0);
}

/** A value that fits a schema. */
function sample(node, resolve, depth) {
  const schema = resolve(node);
  if (schema.example !== undefined) return schema.example;
  if (schema.examples?.length) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (depth > DEEPEST) return null;
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((part) => sample(part, resolve, depth + 1)));
  const choice = (schema.oneOf ?? schema.anyOf)?.find((part) => resolve(part).type !== "null");
  if (choice) return sample(choice, resolve, depth + 1);
  const type = Array.isArray(schema.type) ? schema.type.find((name) => name !== "null") : schema.type;
  if (type === "object" || schema.properties) {
    return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, part]) => [name, sample(part, resolve, depth + 1)]));
  }
  if (type === "array") return schema.items ? [sample(schema.items, resolve, depth + 1)] : [];
  return plainSample(type, schema);
}

function plainSample(type, schema) {
  if (type === "integer" || type === "number") return schema.minimum ?? 0;
  if (type === "boolean") return true;
  if (type !== "string") return null;
  const formats = { uuid: "00000000-0000-4000-8000-000000000000", "date-time": "2026-01-31T09:30:00.000Z", date: "2026-01-31", email: "someone@example.com", uri: "https://example.com/" };
  return formats[schema.format] ?? "string";
}

/** The type of a schema in words: "string · uuid", "list of integer", "string or null". */
export function typeOf(node, resolve) {
  const schema = resolve(node);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  const parts = schema.oneOf ?? schema.anyOf;
  if (parts) return [...new Set(parts.map((part) => typeOf(part, resolve)))].join(" or ");
  if (schema.allOf) return "object";
  const types = [schema.type ?? (schema.properties ? "object" : "any")].flat();
  const limits = [schema.format, schema.maxLength !== undefined && `at most ${schema.maxLength}`, schema.minimum !== undefined && `≥ ${schema.minimum}`, schema.maximum !== undefined && `≤ ${schema.maximum}`].filter(Boolean);
  const named = types.map((type) => (type === "array" ? `list of ${typeOf(schema.items ?? {}, resolve)}` : type)).join(" or ");
  return [named, ...limits].join(" · ");
}

function fieldsOf(node, resolve) {
  const schema = resolve(node);
  const parts = schema.allOf ? schema.allOf.map(resolve) : [schema];
  return parts.flatMap((part) => Object.entries(part.properties ?? {}).map(([name, field]) => {
    const own = resolve(field);
    return { name, required: (part.required ?? []).includes(name), type: typeOf(own, resolve), description: own.description ?? "" };
  }));
}

/** The path of a call, with its path parameters filled in and its query appended. */
export function pathOf(operation, values) {
  const path = operation.path.replace(/\{(\w+)\}/g, (whole, name) => (values[name] ? encodeURIComponent(values[name]) : whole));
  const query = new URLSearchParams(operation.parameters.filter((parameter) => parameter.in === "query" && values[parameter.name]).map(({ name }) => [name, values[name]]));
  return `/api${path}${query.size ? `?${query}` : ""}`;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The same call for a terminal. `body` is the text of the request body, or null. */
export function curlOf(operation, values, body) {
  const lines = [`curl${operation.method === "GET" ? "" : ` -X ${operation.method}`} ${quoted(location.origin + pathOf(operation, values))}`];
  if (operation.needsSignIn) lines.push('-H "authorization: Bearer $TOKEN"');
  lines.push("-H 'accept: application/json'");
  for (const { name } of operation.parameters.filter((parameter) => parameter.in === "header" && values[parameter.name])) lines.push(`-H ${quoted(`${name}: ${values[name]}`)}`);
  if (body === null) return lines.join(" \\\n  ");
  if (isForm(operation)) for (const [name, value] of formFields(body)) lines.push(`--data-urlencode ${quoted(`${name}=${value}`)}`);
  else lines.push(`-H 'content-type: ${operation.body.contentType}'`, `-d ${quoted(compact(body))}`);
  return lines.join(" \\\n  ");
}

/** Whether the operation takes a form instead of JSON. */
export const isForm = ({ body }) => Boolean(body) && body.contentType !== "application/json";

/** Name and value of each member of a JSON object, for a form; none when the text is not JSON. */
export function formFields(text) {
  try {
    return Object.entries(JSON.parse(text)).filter(([, value]) => value !== null && value !== "").map(([name, value]) => [name, String(value)]);
  } catch {
    return [];
  }
}

function compact(text) {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}

/** An example as people read it. */
export const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
