/** Small parts of rows and pages: tools, tags, times, what went wrong. */
import { ApiError } from "./api.js";
import { h, icon } from "./dom.js";
import { ago, moment } from "./format.js";
import { toast } from "./toast.js";

/** A button of a row, an icon alone; `label` is its name for everybody. */
export function tool(name, label, run, { danger = false } = {}) {
  return h(`button.button.button-icon.button-quiet${danger ? ".button-danger" : ""}`, { type: "button", "aria-label": label, title: label, on: { click: run } }, icon(name));
}

/** A link of a row, an icon alone; `label` is its name for everybody. */
export function linkTool(name, label, href) {
  return h("a.button.button-icon.button-quiet", { href, "aria-label": label, title: label }, icon(name));
}

/** Names side by side, or a dash. */
export function tags(names, none = "–") {
  if (!names.length) return h("span.quiet", {}, none);
  return h("span.tags", {}, names.map((name) => h("span.badge", {}, name)));
}

/** How long ago that was, kept current; `none` when it never was. */
export function since(iso, none = "Never") {
  return iso ? h("time", { dateTime: iso, title: moment(iso), data: { ago: "" } }, ago(iso)) : h("span.quiet", {}, none);
}

/** Do something that the server may refuse; a refusal becomes a message. True when it worked. */
export async function attempt(action) {
  try {
    await action();
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const [first] = Object.values(error.fields);
    toast(error.message, { kind: "bad", detail: first && first !== error.message ? first : "" });
    return false;
  }
}

/** A button that copies what `text()` answers; where the browser does not let it, it says so. */
export function copyButton(text) {
  const label = h("span", {}, "Copy");
  return h("button.button.button-small.snippet-copy", { type: "button", on: { click: async () => {
    const worked = await (navigator.clipboard?.writeText(text()) ?? Promise.reject(new Error("no clipboard"))).then(() => true, () => false);
    label.textContent = worked ? "Copied" : "Select it to copy";
    setTimeout(() => (label.textContent = "Copy"), 1_500);
  } } }, icon("copy"), label);
}
