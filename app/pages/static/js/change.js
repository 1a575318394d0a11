/** Changes of what was read before, and what to do when somebody else was faster. */
import { ApiError, call } from "./api.js";
import { choose } from "./dialogs.js";

const LOCK = "x-om-ext-optimistic-lock-expected-updated-at";

const isConflict = (error) => error instanceof ApiError && error.code === "optimistic_lock_conflict";

/**
 * Send a change of something that was read before, refused by the server when it changed since; then ask what to
 * do. Answers what the server answered, or null when the user chose to keep the other person's change.
 */
export async function change(method, path, { updatedAt, body, what }) {
  const headers = updatedAt ? { [LOCK]: updatedAt } : {};
  try {
    return await call(method, path, { body, headers });
  } catch (error) {
    if (!isConflict(error)) throw error;
    const mine = method === "DELETE" ? "Delete it anyway" : "Save mine anyway";
    const chosen = await choose("Changed by somebody else", `${what} was changed after you opened it. Nothing was saved yet. Keep the newer version, or put yours on top? Either way the history keeps both.`, [
      { label: "Keep theirs", main: true }, { label: mine },
    ]);
    if (chosen !== 1) return null;
    return change(method, path, { updatedAt: error.body.currentUpdatedAt, body, what });
  }
}
