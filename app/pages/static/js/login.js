/** The sign-in page. */
import { ApiError, call } from "./api.js";
import { byId, note } from "./dom.js";
import { forget, rememberUser } from "./session.js";

const form = byId("sign-in");
const { email, password } = form.elements;

/** Where to go afterwards: only a path of this site. */
function destination() {
  const wanted = new URLSearchParams(location.search).get("redirect") ?? "";
  try {
    const url = new URL(wanted, location.origin);
    return url.origin === location.origin && /^\/(?![/\\])/.test(wanted) ? url.pathname + url.search + url.hash : "/backend/activity";
  } catch {
    return "/backend/activity";
  }
}

function check() {
  const faults = {
    email: email.value.trim() === "" ? "Enter your email address." : email.validity.typeMismatch ? "This is not an email address." : "",
    password: password.value === "" ? "Enter your password." : password.value.length < 6 ? "A password has at least 6 characters." : "",
  };
  for (const [name, text] of Object.entries(faults)) {
    byId(`${name}-error`).textContent = text;
    form.elements[name].setAttribute("aria-invalid", String(text !== ""));
  }
  const first = Object.keys(faults).find((name) => faults[name]);
  if (first) form.elements[first].focus();
  return !first;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  note(byId("problem"), "");
  if (!check()) return;
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  button.textContent = "Signing in…";
  const body = new URLSearchParams({ email: email.value.trim(), password: password.value });
  if (form.elements.remember.checked) body.set("remember", "on");
  try {
    const { token } = await call("POST", "/auth/login", { body, anonymous: true });
    forget();
    rememberUser(email.value.trim(), token);
    location.replace(destination());
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    note(byId("problem"), error.status === 429 ? "Too many attempts. Wait a little, then try again." : error.message);
    if (error.status === 401) password.select();
    button.disabled = false;
    button.textContent = "Sign in";
  }
});

for (const type of ["keydown", "keyup", "pointerdown"]) {
  password.addEventListener(type, (event) => {
    byId("caps").hidden = !event.getModifierState("CapsLock");
  });
}

byId("reveal").addEventListener("click", ({ currentTarget }) => {
  const visible = password.type === "password";
  password.type = visible ? "text" : "password";
  currentTarget.textContent = visible ? "Hide" : "Show";
  currentTarget.setAttribute("aria-pressed", String(visible));
  password.focus();
});

for (const button of document.querySelectorAll("[data-demo]")) {
  button.addEventListener("click", () => {
    email.value = button.dataset.demo;
    password.value = "secret";
    form.requestSubmit();
  });
}
