/** My account: address, password, language, and where I am signed in. */
import { call } from "./api.js";
import { drawSessions } from "./account-sessions.js";
import { byId, fill, h, note } from "./dom.js";
import { onChange } from "./history.js";
import { pageForm } from "./page-form.js";
import { attempt } from "./parts.js";
import { policy } from "./password.js";
import { session } from "./session.js";
import { start } from "./shell.js";
import { toast } from "./toast.js";

const LOCALES = [["en", "English"], ["pl", "Polski"], ["es", "Español"], ["de", "Deutsch"]];

function addressForm(user) {
  const fields = [{ name: "email", label: "Email", type: "email", required: true, maxLength: 320, value: user.email, autocomplete: "email", hint: "You sign in with it." }];
  pageForm(byId("address"), {
    fields,
    action: "Save address",
    submit: async ({ email }) => {
      if (email === user.email) return toast("Nothing has changed.");
      const answer = await call("PUT", "/auth/profile", { body: { email } });
      user.email = answer.email;
      byId("account-email").textContent = byId("menu-email").textContent = answer.email;
      return toast("Your address was changed", { kind: "good", detail: `Sign in as ${answer.email} from now on.` });
    },
  });
}

function passwordForm() {
  const element = byId("password");
  const built = pageForm(element, {
    fields: [
      { name: "currentPassword", label: "Current password", type: "password", required: true, autocomplete: "current-password" },
      { name: "password", label: "New password", type: "password", required: true, autocomplete: "new-password", hint: policy() },
      { name: "again", label: "New password again", type: "password", required: true, autocomplete: "new-password" },
    ],
    action: "Change password",
    submit: async ({ again, ...body }) => {
      if (again !== body.password) return built.fault("again", "This is not the same password.");
      await call("PUT", "/auth/profile", { body });
      element.reset();
      toast("Your password was changed", { kind: "good", detail: "All your other sessions were ended." });
      return drawSessions();
    },
  });
}

function languageForm() {
  const current = document.cookie.split("; ").find((one) => one.startsWith("locale="))?.slice(7) ?? null;
  const wished = LOCALES.find(([id]) => navigator.languages.some((language) => language.toLowerCase().startsWith(id)));
  const select = byId("locale");
  select.replaceChildren(...LOCALES.map(([id, name]) => h("option", { value: id, selected: id === (current ?? wished?.[0] ?? "en") }, name)));
  select.addEventListener("change", () => attempt(async () => {
    await call("POST", "/auth/locale", { body: { locale: select.value } });
    toast(`Language: ${select.selectedOptions[0].textContent}`, { kind: "good" });
  }));
}

async function open() {
  start();
  passwordForm();
  languageForm();
  drawSessions();
  onChange(drawSessions);
  const user = await session();
  addressForm(user);
  byId("lead").textContent = user.organization ? `Signed in at ${user.organization}` : "";
  fill(byId("roles"), user.roles.map((role) => h("span.badge", {}, role)));
  note(byId("problem"), "");
}

open();
