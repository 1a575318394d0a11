/** One module in the editor of grants: its wildcard, and a line for each of its features. */
import { fill, h, icon } from "./dom.js";
import { isGranted, missing, wildcardFor } from "./grants.js";

const BEYOND = "You can give only what you have yourself";

/**
 * Build the card of a module. `actions` are `grant(id)`, `revoke(id)`, `grantAll(wildcard)`, `itemize(wildcard)` and
 * `clear(ids, wildcard)`; `mine` is the set of what the user may give; with `fixed`, nothing can be changed.
 * Answers the `element` and `draw(grants, words)`, which tells how many features are granted.
 */
export function moduleCard(module, { catalogue, mine, fixed, ...actions }) {
  const ids = module.features.map(({ id }) => id);
  const count = h("span.grant-count");
  const all = h("input", { type: "checkbox", on: { change: () => (all.checked ? actions.grantAll : actions.itemize)(module.wildcard) } });
  const none = h("button.link", { type: "button", "aria-label": `Grant nothing of ${module.title}`, on: { click: () => actions.clear(ids, module.wildcard) } }, "Clear");
  const lines = module.features.map((feature) => line(feature, { catalogue, mine, fixed, ...actions }));
  const element = h("section.grant-card", { "aria-label": module.title },
    h("header.grant-head", {}, h("h2", {}, module.title), count),
    h("div.grant-all", {}, h("label.check", {}, all, h("span", {}, "Everything, also what is added later ", h("code", {}, module.wildcard))), none),
    h("ul.grant-lines", {}, lines.map((one) => one.element)));

  function draw(grants, words) {
    const shown = lines.map((one) => one.draw(grants, words)).filter(Boolean).length;
    const granted = ids.filter((id) => isGranted(grants, id)).length;
    element.hidden = words.length > 0 && shown === 0;
    count.textContent = `${granted} of ${ids.length}`;
    count.dataset.full = String(granted === ids.length);
    all.checked = isGranted(grants, module.wildcard);
    all.disabled = fixed || (all.checked ? !grants.includes(module.wildcard) : !mine.has(module.wildcard));
    all.parentElement.title = all.disabled && !all.checked && !fixed ? BEYOND : "";
    none.hidden = fixed || granted === 0 || !grants.some((grant) => grant === module.wildcard || ids.includes(grant));
    return { granted, all: ids.length };
  }

  return { element, draw };
}

function line(feature, { catalogue, mine, fixed, grant, revoke }) {
  const box = h("input", { type: "checkbox", on: { change: () => (box.checked ? grant : revoke)(feature.id) } });
  const state = h("span.grant-state");
  const warning = h("p.grant-warning", { hidden: true });
  const needs = (feature.dependsOn ?? []).map((id) => catalogue.find(id)?.title ?? id).join(", ");
  const element = h("li.grant-line", {},
    h("label.check", {}, box, h("span.grant-title", {}, feature.title, h("code", {}, feature.id), needs && h("small", {}, `Needs: ${needs}`))), state, warning);
  const text = `${feature.title} ${feature.id} ${feature.module}`.toLowerCase();

  function draw(grants, words) {
    const wildcard = wildcardFor(grants, feature.id);
    const isOn = isGranted(grants, feature.id);
    const isBeyond = !isOn && !mine.has(feature.id);
    box.checked = isOn;
    box.disabled = fixed || isBeyond || wildcard !== null;
    element.classList.toggle("is-on", isOn);
    element.hidden = !words.every((word) => text.includes(word));
    fill(state, wildcard ? h("span.badge", { data: { tone: "code" } }, `by ${wildcard}`) : isBeyond && h("span.badge", { title: BEYOND }, "Not yours to give"));
    const absent = isOn ? missing(grants, feature) : [];
    warning.hidden = absent.length === 0;
    fill(warning, icon("alert"), h("span", {}, `Works only with ${absent.map((id) => `“${catalogue.find(id)?.title ?? id}”`).join(", ")}. `,
      !fixed && h("button.link", { type: "button", on: { click: () => absent.forEach(grant) } }, "Grant that too")));
    return !element.hidden;
  }

  return { element, draw };
}
