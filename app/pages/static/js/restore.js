/** Going back to a moment: what would change is shown first, and it can be undone afterwards. */
import { call } from "./api.js";
import { form } from "./dialogs.js";
import { difference, drawDifference } from "./diff.js";
import { h } from "./dom.js";
import { moment } from "./format.js";
import { attempt } from "./parts.js";
import { toast } from "./toast.js";

const DRY_RUN = { "x-backstep-dry-run": "true" };

/** Ask whether the record behind `path` (its history in the API) shall be as it was right after `action`. */
export function restore(path, action) {
  return attempt(async () => {
    const body = { at: action.id };
    const plan = await call("POST", `${path}/restore`, { body, headers: DRY_RUN });
    if (!plan.rows.length) return toast("It is as it was then already.");
    form("Restore to this moment?", {
      fields: [],
      action: "Restore",
      above: [
        h("p", {}, "The record becomes what it was after “", h("strong", {}, action.actionLabel ?? action.commandId), `”, ${moment(action.createdAt)}. That is a new step in its history, and can be undone.`),
        preview(plan),
      ],
      submit: async () => {
        const { restored } = await call("POST", `${path}/restore`, { body });
        if (!restored) toast("It is as it was then already.");
      },
    });
  });
}

function preview(plan) {
  const found = difference(plan);
  const rows = found.mode === "change" ? found.rows : found.rows.filter(({ quiet }) => !quiet);
  const title = { create: "It comes back with", delete: "It is deleted", change: "What changes" }[found.mode];
  return h("section.restore-preview", {}, h("h3", {}, title), rows.length ? drawDifference({ ...found, rows }) : h("p.quiet", {}, "What was done with it since is taken back; its own fields stay as they are."));
}
