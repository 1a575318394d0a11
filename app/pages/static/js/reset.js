/** The page for people who forgot their password. */
import { call } from "./api.js";
import { byId } from "./dom.js";
import { pageForm } from "./page-form.js";

pageForm(byId("form"), {
  fields: [{ name: "email", label: "Email", type: "email", required: true, autocomplete: "username", value: new URLSearchParams(location.search).get("email") ?? "" }],
  action: "Send the link",
  wide: true,
  submit: async ({ email }) => {
    await call("POST", "/auth/reset", { body: new URLSearchParams({ email }), anonymous: true });
    byId("form").hidden = byId("lead").hidden = true;
    byId("address").textContent = email;
    byId("done").hidden = false;
    byId("done").focus();
  },
}).focus();
