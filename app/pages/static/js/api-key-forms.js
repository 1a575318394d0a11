/** Making an API key, and showing its secret the only time that it is shown. */
import { call } from "./api.js";
import { organizationChoices, roleChoices } from "./choices.js";
import { form, inform } from "./dialogs.js";
import { h, icon } from "./dom.js";
import { attempt } from "./parts.js";

const DAY = 86_400_000;
const LIVES = [["90", "In 90 days"], ["30", "In 30 days"], ["365", "In a year"], ["date", "On a date…"], ["", "Never"]];
const WHOLE = "";

/** Ask for a new key, create it, and show its secret. */
export async function createKey() {
  await attempt(async () => {
    const { options } = await organizationChoices();
    const roles = await roleChoices();
    const tomorrow = new Date(Date.now() + DAY).toISOString().slice(0, 10);
    form("New API key", {
      fields: [
        { name: "name", label: "Name", required: true, maxLength: 120, placeholder: "Nightly import" },
        { name: "description", label: "What it is for", maxLength: 1000 },
        { name: "roles", label: "Roles", type: "choices", options: roles ?? [], none: "There is no role that you can see.", hint: "The key may do what these roles grant, and never more than you." },
        { name: "organizationId", label: "Organization", type: "select", options: [...options, [WHOLE, "Whole tenant"]], value: options.find(([, , disabled]) => !disabled)?.[0] ?? WHOLE },
        { name: "life", label: "Expires", type: "select", options: LIVES, value: "90" },
        { name: "expiresAt", label: "Date", type: "date", required: true, min: tomorrow, when: ({ life }) => life === "date" },
      ],
      action: "Create key",
      submit: create,
    });
  });
}

async function create({ life, expiresAt, ...values }) {
  const body = { ...values, description: values.description || null, organizationId: values.organizationId || null };
  if (life === "date") body.expiresAt = new Date(`${expiresAt}T23:59:59`).toISOString();
  else if (life) body.expiresAt = new Date(Date.now() + Number(life) * DAY).toISOString();
  const made = await call("POST", "/api_keys/keys", { body });
  setTimeout(() => showSecret(made));
}

/** Show a secret; leaving asks for nothing more, but there is no other time. */
function showSecret({ name, secret }) {
  const field = h("input.input.secret-text", { value: secret, readOnly: true, spellcheck: false, "aria-label": "Secret of the new key", on: { focus: () => field.select() } });
  const copied = h("span.field-hint", { role: "status" });
  const copy = h("button.button", { type: "button", on: { click: take } }, icon("copy"), "Copy");
  const dialog = inform("Your new API key",
    h("p.notice.notice-warn", {}, h("strong", {}, "Copy the key now. "), "It is shown this one time only; nobody, not even an administrator, can read it later."),
    h("div.field", {}, h("span.field-label", {}, name), h("div.secret", {}, field, copy), copied),
    h("p.hint", {}, "Programs send it in the header ", h("code", {}, "X-Api-Key"), "."),
    h("div.secret-done", {}, h("button.button.button-main", { type: "button", on: { click: () => dialog.close() } }, "I have stored it")));
  dialog.dataset.keep = "";
  dialog.addEventListener("close", () => (field.value = ""));
  copy.focus();

  async function take() {
    field.select();
    const worked = await (navigator.clipboard?.writeText(secret) ?? Promise.reject(new Error("no clipboard"))).then(() => true, () => false);
    copied.textContent = worked ? "Copied." : "Press Ctrl+C (⌘C) to copy the selected text.";
    if (!worked) field.focus();
  }
}
