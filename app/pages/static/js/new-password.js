/** The page behind a mailed link: choose a new password, or the first one. */
import { call } from "./api.js";
import { byId } from "./dom.js";
import { pageForm } from "./page-form.js";
import { policy } from "./password.js";
import { forget } from "./session.js";

const token = location.pathname.split("/").at(-1);

const built = pageForm(byId("form"), {
  fields: [
    { name: "password", label: "New password", type: "password", required: true, autocomplete: "new-password", hint: policy() },
    { name: "again", label: "New password again", type: "password", required: true, autocomplete: "new-password" },
  ],
  action: "Set password",
  wide: true,
  submit: async ({ password, again }) => {
    if (again !== password) return built.fault("again", "This is not the same password.");
    await call("POST", "/auth/reset/confirm", { body: new URLSearchParams({ token, password }), anonymous: true });
    forget();
    history.replaceState(null, "", "/reset");
    byId("form").hidden = byId("lead").hidden = byId("again").hidden = true;
    byId("done").hidden = false;
    return byId("sign-in").focus();
  },
});
built.focus();
