/**
 * The live stream of events. One tab of the browser holds the connection (a browser allows few per host) and tells
 * the others; when that tab closes, another takes over. A tab that hears nothing for too long connects by itself.
 * A new connection goes on after the last event that was heard, so that none is lost, and none is told twice.
 */

import { call } from "./api.js";

const ADDRESS = "/api/events/stream";
const SILENCE = 75_000; // milliseconds; the server's heartbeat comes every 15 to 30 s
const RETRY = 4_000;
const PATIENCE = 1_500; // a connection that is back sooner is not worth a word

const listeners = new Set();
const stateListeners = new Set();
const channel = "BroadcastChannel" in window ? new BroadcastChannel("backstep.events") : null;
let source = null;
let state = "connecting";
let heard = Date.now();
let retry = 0;
let gap = false;
let patience = 0;
let last = 0; // the place in the stream of what was heard last; 0 while it is not known

/**
 * Be told of events: `listener({id, payload, timestamp, organizationId, place})`, in the order of their `place` in the
 * stream. The id `resumed` means that the connection was away, and comes before the events of that time; with `missed`
 * they do not all follow.
 */
export function onEvent(listener) {
  listeners.add(listener);
}

/**
 * Be told when records of some kinds may have changed: `kinds` are beginnings of event names and of the resource kinds
 * in the action log, such as "auth.role". Also called when events may have been missed.
 */
export function onChangeOf(kinds, listener) {
  const matches = (text) => kinds.some((kind) => text.startsWith(kind));
  onEvent(({ id, payload }) => {
    if (id === "resumed" || matches(id) || (id === "audit_logs.action.recorded" && matches(payload?.resourceKind ?? ""))) listener();
  });
}

/** Be told of the connection's state, now and whenever it changes: "connecting", "live" or "lost". */
export function onState(listener) {
  stateListeners.add(listener);
  listener(state);
}

function setState(next) {
  if (next === state) return;
  state = next;
  for (const listener of stateListeners) listener(state);
}

function deliver(event) {
  for (const listener of listeners) listener(event);
}

function hear(message, own) {
  heard = Date.now();
  clearTimeout(patience);
  setState("live");
  if (own) channel?.postMessage(message);
  if (message.missed) last = 0;
  if (gap || message.missed) deliver({ id: "resumed", payload: {}, missed: Boolean(message.missed) });
  gap = false;
  const { event, place = 0 } = message;
  if (event && !(place && place <= last)) deliver({ ...event, place });
  last = Math.max(last, place);
}

function lose() {
  gap = true;
  clearTimeout(patience);
  patience = setTimeout(() => setState("lost"), PATIENCE);
}

function open() {
  clearTimeout(retry);
  source?.close();
  let missed = !last && state !== "connecting"; // there is nothing to go on after
  source = new EventSource(last ? `${ADDRESS}?lastEventId=${last}` : ADDRESS);
  source.onopen = () => {
    hear({ missed }, true);
    missed = false;
  };
  source.addEventListener("heartbeat", ({ lastEventId }) => hear({ place: Number(lastEventId) }, true));
  source.addEventListener("reset", () => hear({ missed: true }, true));
  source.onmessage = ({ data, lastEventId }) => {
    const event = decode(data);
    if (event) hear({ event, place: Number(lastEventId) }, true);
  };
  source.onerror = () => {
    lose();
    channel?.postMessage({ lost: true });
    if (source.readyState === EventSource.CLOSED) retry = setTimeout(again, RETRY);
  };
}

/** After a refusal: a session that is over leads to the sign-in page, anything else is tried once more. */
async function again() {
  await call("GET", "/auth/profile").catch(() => null);
  open();
}

function decode(data) {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}

function close() {
  clearTimeout(retry);
  source?.close();
  source = null;
}

/** Start listening; called once by the shell. */
export function connect() {
  if (!channel || !navigator.locks) return watch(open());
  channel.onmessage = ({ data }) => {
    if (source) return;
    if (data.lost) lose();
    else if (!data.ask) hear(data, false);
  };
  channel.addEventListener("message", ({ data }) => {
    if (data.ask && source?.readyState === EventSource.OPEN) channel.postMessage({ place: last });
  });
  channel.postMessage({ ask: true });
  navigator.locks.request("backstep.events", () => {
    open();
    return new Promise(() => {});
  });
  watch();
}

function watch() {
  setInterval(() => {
    if (Date.now() - heard < SILENCE) return;
    lose();
    heard = Date.now();
    open();
  }, 5_000);
  addEventListener("pagehide", close);
}
