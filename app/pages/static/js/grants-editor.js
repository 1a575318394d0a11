/** The editor of grants: features by module, where they hold, and whether they make a super admin. */
import { fill, h, icon, note } from "./dom.js";
import { plural } from "./format.js";
import { moduleCard } from "./grants-module.js";
import { difference, isGranted, others, withFeature, withWildcard, withoutWildcard } from "./grants.js";
import { placesCard } from "./grants-places.js";
import { attempt } from "./parts.js";

const PATTERN = /^(\*|[a-z0-9_~-]+(\.[a-z0-9_~-]+)*(\.\*)?)$/;

/**
 * Build an editor in an element. `catalogue` comes from `catalogueOf`, `organizations` are `[id, name]`, `mine` is
 * the set of features and wildcards that the user may give, `isSuperAdmin` whether the user is one. `save(value)`
 * stores `{features, organizations, isSuperAdmin}` and answers whether it did. With `fixed`, nothing can be changed.
 * Answers `show(value)`, which starts anew from what is stored, `begin(value)`, which fills in what is not, and
 * `isDirty()`.
 */
export function grantsEditor(element, { catalogue, organizations, mine, isSuperAdmin, fixed, save }) {
  let stored = null;
  let value = null;
  let saving = false;
  const search = h("input.input", { type: "search", placeholder: "Search features", "aria-label": "Search features", autocomplete: "off", data: { search: "" }, on: { input: draw } });
  const count = h("span.toolbar-status", { role: "status" });
  const hint = h("p.notice", { role: "status", hidden: true });
  const flag = h("input", { type: "checkbox", on: { change: () => put({ isSuperAdmin: flag.checked }) } });
  const power = h("label.check.grants-super", { hidden: !isSuperAdmin }, flag,
    h("span", {}, "Super admin", h("small.field-hint", {}, "May do everything in all tenants, whatever is ticked below.")));
  const cards = catalogue.modules.map((module) => moduleCard(module, { catalogue, mine, fixed, grant, revoke, grantAll, itemize, clear }));
  const rest = h("section.grant-card.grant-rest");
  const places = placesCard({ organizations, fixed, changed: (list) => put({ organizations: list }) });
  const summary = h("span.save-text");
  const button = h("button.button.button-main", { type: "button", on: { click: store } }, "Save");
  const bar = h("div.save-bar", { hidden: true, role: "region", "aria-label": "Unsaved changes" }, summary,
    h("button.button", { type: "button", on: { click: () => show(stored) } }, "Discard"), button);
  flag.disabled = fixed;

  fill(element, h("div.toolbar", {}, h("label.search", {}, icon("search"), search), count), power, hint,
    h("div.grant-cards", {}, cards.map((card) => card.element), rest), places.element, bar);
  addEventListener("beforeunload", (event) => element.contains(bar) && isDirty() && event.preventDefault());

  const features = () => value.features;
  const isDirty = () => value !== null && JSON.stringify(plain(value)) !== JSON.stringify(plain(stored));

  function show(acl) {
    stored = { features: acl.features, organizations: acl.organizations, isSuperAdmin: acl.isSuperAdmin };
    value = { ...stored };
    note(hint, "");
    element.setAttribute("aria-busy", "false");
    places.show(value.organizations);
    draw();
  }

  function put(changes) {
    value = { ...value, ...changes };
    draw();
  }

  function grant(id) {
    const { grants, added } = withFeature(features(), id, catalogue);
    note(hint, added.length ? `Also granted what it needs: ${added.map(titleOf).join(", ")}.` : "");
    put({ features: grants });
  }

  function revoke(id) {
    const grants = features().filter((one) => one !== id);
    const needing = catalogue.modules.flatMap((module) => module.features)
      .filter((feature) => feature.dependsOn?.includes(id) && isGranted(grants, feature.id)).map(({ title }) => title);
    note(hint, needing.length ? `“${titleOf(id)}” is still needed by: ${needing.join(", ")}.` : "");
    put({ features: grants });
  }

  function grantAll(wildcard) {
    put({ features: withWildcard(features(), wildcard) });
  }

  function itemize(wildcard) {
    note(hint, `${wildcard} is gone; the features that it covered are now granted one by one.`);
    put({ features: withoutWildcard(features(), wildcard, catalogue) });
  }

  function clear(ids, wildcard) {
    put({ features: features().filter((one) => one !== wildcard && !ids.includes(one)) });
  }

  const titleOf = (id) => catalogue.find(id)?.title ?? id;

  function draw() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    flag.checked = value.isSuperAdmin;
    const sums = cards.map((card) => card.draw(features(), words));
    drawRest(words);
    const total = sums.reduce((sum, { granted }) => sum + granted, 0);
    const of = sums.reduce((sum, { all }) => sum + all, 0);
    count.textContent = `${total} of ${plural(of, "feature", "features")} granted`;
    const { more, less } = difference(stored.features, value.features);
    const parts = [more.length && `+${more.length}`, less.length && `−${less.length}`].filter(Boolean).join(" ");
    summary.textContent = `Unsaved changes${parts ? `: ${parts}` : ""}`;
    bar.hidden = !isDirty();
  }

  function drawRest(words) {
    const found = others(features(), catalogue);
    rest.hidden = words.length > 0 || (!found.length && fixed);
    const field = h("input.input", { "aria-label": "Grant to add", placeholder: "module.part.*", autocomplete: "off", spellcheck: false });
    const fault = h("p.field-error");
    const add = (event) => {
      event.preventDefault();
      const grantText = field.value.trim();
      if (!PATTERN.test(grantText)) return void (fault.textContent = "A grant is a feature such as “customers.people.view”, or a wildcard such as “customers.*”.");
      put({ features: [...new Set([...features(), grantText])] });
    };
    fill(rest, h("header.grant-head", {}, h("h2", {}, "Other grants"), h("span.grant-count", {}, found.length)),
      h("p.hint", {}, "Wildcards and features that are not listed here, perhaps of modules that are not installed."),
      found.length ? h("ul.grant-chips", {}, found.map(chip)) : null,
      fixed ? null : h("form.grant-add", { noValidate: true, on: { submit: add } }, field, h("button.button", { type: "submit" }, icon("plus"), "Add")), fault);
  }

  function chip(text) {
    const remove = () => put({ features: features().filter((one) => one !== text) });
    return h("li.grant-chip", { data: { wide: text.endsWith("*") ? "yes" : "no" } }, h("code", {}, text),
      !fixed && h("button", { type: "button", "aria-label": `Remove ${text}`, on: { click: remove } }, icon("close")));
  }

  async function store() {
    if (saving) return;
    saving = button.disabled = true;
    await attempt(async () => {
      if (await save(value)) show(value);
    });
    saving = button.disabled = false;
  }

  /** Start from what is stored, with other grants filled in but not saved. */
  function begin(acl) {
    places.show(acl.organizations);
    put({ ...acl });
  }

  return { show, begin, isDirty };
}

const plain = ({ features, organizations, isSuperAdmin }) => ({ features: [...features].sort(), organizations: organizations && [...organizations].sort(), isSuperAdmin });
