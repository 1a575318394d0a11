/** Signs out at once when the visitor comes from a page of this site; asks first when the link was elsewhere. */
import { ApiError, call } from "./api.js";
import { byId } from "./dom.js";
import { forget } from "./session.js";

async function leave() {
  forget();
  try {
    await call("POST", "/auth/logout", { anonymous: true });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status !== 401) {
      byId("status").textContent = error.message;
      byId("sign-out").hidden = false;
      return;
    }
  }
  location.replace("/login");
}

const own = document.referrer.startsWith(`${location.origin}/`);
byId("sign-out").addEventListener("click", leave);
if (own) leave();
else {
  byId("status").textContent = "Do you want to leave?";
  byId("sign-out").hidden = false;
}
