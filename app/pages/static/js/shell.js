/** What all signed-in pages share: navigation, the account, light and dark, the live sign, undo and redo. */
import { byId, fill, h, icon } from "./dom.js";
import { initials, refreshTimes } from "./format.js";
import { offerUndo, redoLast, undoLast } from "./history.js";
import { describe, help, listen, shortcut } from "./keys.js";
import { connect, onState } from "./live.js";
import { lists } from "./lists-menu.js";
import { administration } from "./navigation.js";
import { session } from "./session.js";
import { toast } from "./toast.js";

const LIVE_TEXT = { connecting: "Connecting", live: "Live", lost: "Reconnecting" };

/** Start the shell; every page's entry module calls it first. */
export function start() {
  themeSwitch();
  keyboard();
  offerUndo();
  byId("undo-last").addEventListener("click", undoLast);
  byId("redo-last").addEventListener("click", redoLast);
  byId("help").addEventListener("click", help);
  byId("menu-help").addEventListener("click", () => {
    byId("account-menu").hidePopover();
    help();
  });
  onState((state) => {
    const sign = byId("live");
    sign.dataset.state = state;
    sign.querySelector(".live-text").textContent = LIVE_TEXT[state];
    sign.title = state === "live" ? "Changes appear here as they happen" : "Changes appear once the connection is back";
  });
  connect();
  setInterval(refreshTimes, 30_000);
  account();
  administration();
  lists();
  addEventListener("unhandledrejection", (event) => {
    if (event.reason?.name !== "ApiError") return;
    event.preventDefault();
    toast(event.reason.message, { kind: "bad" });
  });
}

async function account() {
  const user = await session();
  byId("account-avatar").textContent = initials(user.name ?? user.email);
  byId("account-organization").textContent = user.organization || "Backstep";
  byId("account-email").textContent = user.email;
  byId("account").setAttribute("aria-label", `Account: ${user.email}`);
  byId("menu-email").textContent = user.email;
  byId("menu-roles").textContent = user.roles.join(", ");
}

function themeSwitch() {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const button = byId("theme");
  const current = () => root.dataset.theme ?? (system.matches ? "dark" : "light");
  const draw = () => {
    const next = current() === "dark" ? "light" : "dark";
    fill(button, icon(next === "dark" ? "moon" : "sun"));
    button.setAttribute("aria-label", `Switch to ${next}`);
    button.title = `Switch to ${next}`;
  };
  button.addEventListener("click", () => {
    root.dataset.theme = current() === "dark" ? "light" : "dark";
    localStorage.setItem("backstep.theme", root.dataset.theme);
    draw();
  });
  system.addEventListener("change", draw);
  addEventListener("storage", ({ key, newValue }) => {
    if (key !== "backstep.theme" || !newValue) return;
    root.dataset.theme = newValue;
    draw();
  });
  draw();
}

function keyboard() {
  shortcut("z", "Undo my last change", undoLast);
  shortcut("shift+z", "Redo what I undid last", redoLast);
  shortcut("/", "Search", () => {
    const field = document.querySelector("[data-search]");
    field?.focus();
    field?.select();
  });
  shortcut("g a", "Go to Activity", () => location.assign("/backend/activity"));
  shortcut("g t", "Go to Data", () => location.assign("/backend/data"));
  shortcut("g d", "Go to Dictionaries", () => location.assign("/backend/dictionaries"));
  shortcut("g e", "Go to the API explorer", () => location.assign("/backend/explorer"));
  shortcut("?", "This help", help);
  describe("esc", "Close a dialog, or leave a field as it was");
  listen();
}

/** A text for a list without items: a title, an explanation, and perhaps a button. */
export function emptyState(title, text, action = null) {
  return [
    h("p.empty-title", {}, title),
    h("p", {}, text),
    action && h("button.button", { type: "button", on: { click: action.run } }, action.label),
  ];
}

/** Previous and next, with what is shown of how many: `go(page)` is called with the wanted page. */
export function drawPaging(nav, { page, pageSize, total, totalPages }, go) {
  nav.hidden = totalPages <= 1;
  if (nav.hidden) return;
  const first = (page - 1) * pageSize + 1;
  const step = (name, label, target, enabled) =>
    h("button.button", { type: "button", disabled: !enabled, "aria-label": label, on: { click: () => go(target) } }, icon(name));
  fill(nav,
    step("left", "Previous page", page - 1, page > 1),
    h("span.paging-text", {}, `${first.toLocaleString("en")}–${Math.min(total, first + pageSize - 1).toLocaleString("en")} of ${total.toLocaleString("en")}`),
    step("right", "Next page", page + 1, page < totalPages));
}
