/** Where grants hold: in all organizations, or in some of them. */
import { fill, h } from "./dom.js";

const ALL = "__all__";

/**
 * Build the card. `organizations` are `[id, indented name]`; `changed(list)` is told of a new choice, null for all.
 * Answers the `element` and `show(list)`.
 */
export function placesCard({ organizations, fixed, changed }) {
  const everywhere = h("input", { type: "radio", name: "places", value: "all", disabled: fixed, on: { change: tell } });
  const some = h("input", { type: "radio", name: "places", value: "some", disabled: fixed, on: { change: tell } });
  const list = h("div.choices", { role: "group", "aria-label": "Organizations" });
  const warning = h("p.notice.notice-warn", {}, "Without an organization, these grants hold nowhere.");
  const element = h("fieldset.grant-card.grant-places", {}, h("legend.visually-hidden", {}, "Where these grants hold"),
    h("header.grant-head", {}, h("h2", {}, "Where")),
    h("label.check", {}, everywhere, h("span", {}, "In all organizations")),
    h("label.check", {}, some, h("span", {}, "Only in these, and those below them")), list, warning);

  function show(places) {
    const isAll = places === null || places.includes(ALL);
    everywhere.checked = isAll;
    some.checked = !isAll;
    const known = new Set(organizations.map(([id]) => id));
    const strangers = (isAll ? [] : places).filter((id) => !known.has(id)).map((id) => [id, "An organization that is gone, or not yours to see"]);
    fill(list, [...organizations, ...strangers].map(([id, name]) => h("label.check", {}, h("input", { type: "checkbox", value: id, disabled: fixed, checked: !isAll && places.includes(id), on: { change: tell } }), h("span", {}, name))));
    settle();
  }

  const chosen = () => [...list.querySelectorAll("input:checked")].map(({ value }) => value);

  function settle() {
    list.hidden = everywhere.checked;
    warning.hidden = everywhere.checked || chosen().length > 0;
  }

  function tell() {
    settle();
    changed(everywhere.checked ? null : chosen());
  }

  return { element, show };
}
