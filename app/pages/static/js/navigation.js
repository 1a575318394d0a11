/** The menu "Administration": there for people who may see at least one of its pages. */
import { place } from "./color.js";
import { byId } from "./dom.js";
import { shortcut } from "./keys.js";
import { permissions, rememberedPermissions } from "./permissions.js";

const KEYS = { "/backend/users": "g u", "/backend/roles": "g r", "/backend/organizations": "g o", "/backend/api-keys": "g k", "/backend/index": "g i", "/backend/entities": "g f", "/backend/toggles": "g l", "/backend/system": "g s", "/backend/log-integrity": "g v", "/backend/events": "g n" };

/** Show what the user may open, at once as far as it is known, then as the server says. */
export async function administration() {
  const button = byId("administration");
  const menu = byId("administration-menu");
  menu.addEventListener("toggle", ({ newState }) => {
    if (newState !== "open") return;
    place(menu, button);
    menu.querySelector("a:not([hidden])")?.focus();
  });
  shortcut("g p", "Go to my account", () => location.assign("/backend/account"));
  show(rememberedPermissions());
  const found = await permissions();
  show(found);
  for (const link of menu.querySelectorAll("a:not([hidden])")) {
    const path = link.getAttribute("href");
    if (KEYS[path]) shortcut(KEYS[path], `Go to ${link.textContent.trim()}`, () => location.assign(path));
  }

  function show(features) {
    const links = [...menu.querySelectorAll("[data-feature]")];
    for (const link of links) link.hidden = !features.has(link.dataset.feature);
    button.hidden = links.every((link) => link.hidden) && !button.hasAttribute("aria-current");
    button.disabled = links.every((link) => link.hidden);
  }
}
