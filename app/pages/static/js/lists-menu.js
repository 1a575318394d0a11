/** The menu beside "Data": the user-defined entities that are to be shown in the navigation, for those who see records. */
import { ApiError, call } from "./api.js";
import { place } from "./color.js";
import { byId, fill, h, icon, settled } from "./dom.js";
import { onChangeOf } from "./live.js";
import { permissions } from "./permissions.js";

const STORED = "backstep.lists";

/** Show what was known on the page before, then what the server says; and follow its changes. */
export function lists() {
  const menu = byId("lists-menu");
  menu.addEventListener("toggle", ({ newState }) => {
    if (newState !== "open") return;
    place(menu, byId("lists"));
    menu.querySelector("a")?.focus();
  });
  draw(JSON.parse(sessionStorage.getItem(STORED) ?? "[]"));
  load();
  onChangeOf(["entities.entity", "entities.custom_entity"], settled(200, load));
}

async function load() {
  try {
    if (!(await permissions()).has("entities.records.view")) return draw([]);
    const { items } = await call("GET", "/entities/sidebar-entities", { anonymous: true });
    sessionStorage.setItem(STORED, JSON.stringify(items));
    draw(items);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    draw([]);
  }
}

function draw(items) {
  byId("lists").hidden = items.length === 0;
  fill(byId("lists-nav"), items.map(({ label, href, entityId }) => {
    const isHere = [href, `/backend/data/${encodeURIComponent(entityId)}`].includes(location.pathname);
    return h("a.menu-item", { href, "aria-current": isHere ? "page" : null }, icon("box"), label);
  }));
}
