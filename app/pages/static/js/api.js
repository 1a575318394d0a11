/** Calls of the documented API, always same origin, with the session cookie. */

const ORIGIN = "/api";
const REFUSED = "backstep.refused";
const operationListeners = [];

/** An answer that is not a success: `status`, the server's text as message, its `code`, and the whole body. */
export class ApiError extends Error {
  constructor(status, body) {
    super(errorText(status, body));
    this.name = "ApiError";
    this.status = status;
    this.body = body;
    this.code = typeof body?.code === "string" ? body.code : null;
  }

  /** Messages by field, in whichever of its forms the answer names them. */
  get fields() {
    const issues = this.body?.details ?? this.body?.issues ?? [];
    const named = [this.body?.fields, this.body?.fieldErrors, Array.isArray(issues) ? null : issues.fieldErrors];
    const single = named.flatMap((texts) => Object.entries(texts ?? {})).map(([name, text]) => [name, String([text].flat()[0] ?? "")]);
    const listed = Array.isArray(issues) ? issues.map((issue) => [String((issue.path ?? []).join(".")), String(issue.message ?? "")]) : [];
    return Object.fromEntries([...single, ...listed]);
  }
}

function errorText(status, body) {
  if (status === 0) return "The server cannot be reached.";
  const text = typeof body?.error === "string" ? body.error : `The server answered ${status}.`;
  if (status === 403 && Array.isArray(body?.requiredFeatures)) return `You may not do this: it needs ${body.requiredFeatures.join(", ")}.`;
  return text;
}

/** Be told of every change that this page makes and that can be taken back: `listener(operation)`. */
export function onOperation(listener) {
  operationListeners.push(listener);
}

/** The path and query of an API address; blank, null and undefined query values are left out. */
export function address(path, query = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== null && value !== undefined && value !== "") search.set(name, value);
  const text = search.toString();
  return ORIGIN + path + (text ? `?${text}` : "");
}

/**
 * One call. `body` is sent as JSON, a `URLSearchParams` as a form. Answers the decoded body.
 * Throws `ApiError`; a 401 leads to the sign-in page instead, unless `anonymous` says that this is it.
 */
export async function call(method, path, { query, body, headers = {}, anonymous = false, signal } = {}) {
  const isForm = body instanceof URLSearchParams;
  const sent = { accept: "application/json", ...headers };
  if (body !== undefined && !isForm) sent["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(address(path, query), {
      method,
      headers: sent,
      body: body === undefined || isForm ? body : JSON.stringify(body),
      credentials: "same-origin",
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, null);
  }
  const answer = await decode(response);
  if (response.status === 401 && !anonymous) return leaveToSignIn();
  if (response.status === 403) rememberRefused(answer?.requiredFeatures);
  if (!response.ok) throw new ApiError(response.status, answer);
  const operation = readOperation(response.headers.get("x-om-operation"));
  if (operation) for (const listener of operationListeners) listener(operation);
  return answer;
}

/** Features that the server refused in this session. */
export function refusedFeatures() {
  return JSON.parse(sessionStorage.getItem(REFUSED) ?? "[]");
}

function rememberRefused(features) {
  if (Array.isArray(features)) sessionStorage.setItem(REFUSED, JSON.stringify([...new Set([...refusedFeatures(), ...features])]));
}

async function decode(response) {
  const text = await response.text();
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

/** The change named by an `x-om-operation` header; null when there is none, or it is not complete. */
export function readOperation(header) {
  if (!header) return null;
  try {
    const operation = JSON.parse(decodeURIComponent(header.replace(/^omop:/, "")));
    const complete = ["id", "commandId", "undoToken", "executedAt"].every((key) => typeof operation[key] === "string");
    return complete ? operation : null;
  } catch {
    return null;
  }
}

/** Go to the sign-in page and come back afterwards; a remembered session is tried first. Never returns. */
export function leaveToSignIn() {
  const here = encodeURIComponent(location.pathname + location.search + location.hash);
  const tried = Number(sessionStorage.getItem("backstep.refreshed") ?? 0);
  const door = Date.now() - tried < 30_000 ? "/login" : `${ORIGIN}/auth/session/refresh`;
  sessionStorage.setItem("backstep.refreshed", String(Date.now()));
  location.replace(`${door}?redirect=${here}`);
  return new Promise(() => {});
}

/** Load every page of a list that answers `page` and `totalPages`, at most `most` items. */
export async function callAll(path, { query = {}, most }) {
  const items = [];
  for (let page = 1; ; page += 1) {
    const answer = await call("GET", path, { query: { ...query, page } });
    items.push(...answer.items);
    if (page >= (answer.totalPages ?? 1) || items.length >= most) return items;
  }
}
