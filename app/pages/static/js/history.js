/** Undo and redo, from wherever the page offers them. */
import { ApiError, call, onOperation } from "./api.js";
import { ago } from "./format.js";
import { isMine, session } from "./session.js";
import { toast } from "./toast.js";

const ACTIONS = "/audit_logs/audit-logs/actions";
const HINTS = {
  already_undone: "It was taken back already.",
  expired: "Its time to be taken back is over.",
  not_latest: "Changes of one record are taken back newest first, and put forward again oldest first.",
  not_undone: "It is not undone, or it was put forward again already.",
  in_use: "Something that was made since depends on it.",
};

const listeners = [];

/** Be told after this page changed something, took something back or put it forward again. */
export function onChange(listener) {
  listeners.push(listener);
}

function changed() {
  for (const listener of listeners) listener();
}

/** Offer the way back after every change this page makes. */
export function offerUndo() {
  onOperation((operation) => {
    const label = operation.actionLabel ?? operation.commandId;
    toast(label, { kind: "good", key: "operation", action: { label: "Undo", run: () => undo(operation.undoToken, label) } });
    changed();
  });
}

/** Take a change back by its token; true when that worked. The outcome is shown as a message. */
export async function undo(undoToken, label) {
  return attempt("Could not undo", async () => {
    const { logId } = await call("POST", `${ACTIONS}/undo`, { body: { undoToken } });
    toast(`Undone: ${label}`, { kind: "good", key: "operation", action: { label: "Redo", run: () => redo(logId, label) } });
  });
}

/** Put an undone change forward again; true when that worked. Its answer carries a new way back. */
export async function redo(logId, label) {
  return attempt("Could not redo", async () => {
    const answer = await call("POST", `${ACTIONS}/redo`, { body: { logId } });
    const action = answer.undoToken && { label: "Undo", run: () => undo(answer.undoToken, label) };
    toast(`Redone: ${label}`, { kind: "good", key: "operation", action });
  });
}

async function attempt(title, action) {
  try {
    await action();
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    toast(`${title}: ${error.message}`, { kind: "bad", detail: reason(error) });
    return false;
  } finally {
    changed();
  }
}

/** What is known beyond the server's text: the later change that stands in the way, a hint, and the code. */
function reason({ body, code }) {
  const later = body?.changedBy;
  const hint = later ? `By “${later.actionLabel ?? later.commandId}”, ${ago(later.at)}. Take that back first.` : HINTS[code];
  return [hint, code && `(${code})`].filter(Boolean).join(" ");
}

async function mine(query) {
  const user = await session();
  const { items } = await call("GET", ACTIONS, { query: { ...query, actorUserId: user.id } });
  return items.filter((entry) => isMine(user, entry));
}

/** Take back my newest change that can be. */
export async function undoLast() {
  await attempt("Could not undo", async () => {
    const [entry] = await mine({ undoableOnly: true, limit: 20 });
    if (entry?.undoToken) await undo(entry.undoToken, title(entry));
    else toast("You have nothing to undo.");
  });
}

/** Put forward again what I took back last. */
export async function redoLast() {
  await attempt("Could not redo", async () => {
    const entries = await mine({ limit: 200 });
    const undone = entries.filter((entry) => entry.executionState === "undone");
    const [entry] = undone.sort((a, b) => b.updatedAt.localeCompare(a.updatedAt));
    if (entry) await redo(entry.id, title(entry));
    else toast("You have nothing to redo.");
  });
}

const title = (entry) => entry.actionLabel ?? entry.commandId;
