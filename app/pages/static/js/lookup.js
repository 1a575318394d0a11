/** A field that finds what it is to hold: type, choose from what the server found, by keyboard or pointer. */
import { announce, fill, h, icon, settled } from "./dom.js";
import { chips } from "./many.js";

/**
 * A control for `buildFields`. `chosen` are the `{value, label}` it holds at first; `search(text)` finds more of
 * them; with `multi` it holds several and reads as a list, else as one value or null. `create(text)`, where there is
 * one, makes what was not found.
 */
export function lookup({ chosen, multi, search, create = null, label }) {
  return (id, described) => {
    let held = [...chosen];
    let found = [];
    let active = -1;
    let turn = 0;
    // From a key's press to the answer for what was typed: what is listed is not what is looked for
    let searching = false;
    const searchSoon = settled(180, () => searching && find());
    const list = h("ul.lookup-list", { role: "listbox", id: `${id}-list`, "aria-label": label, hidden: true });
    const target = h("input.input", {
      id, role: "combobox", "aria-expanded": "false", "aria-controls": list.id, "aria-autocomplete": "list", "aria-describedby": described, "aria-label": label,
      autocomplete: "off", placeholder: "Type to find", on: { input: typed, focus: () => find(), keydown: pressed, blur: () => setTimeout(close, 150) },
    });
    const shown = chips({ label: ({ label: text }) => text, remove: (index) => put(held.toSpliced(index, 1), true) });
    put(held, false);
    return { element: h("div.lookup", {}, shown.element, target, list), target, read: () => (multi ? held.map(({ value }) => value) : (held[0]?.value ?? null)) };

    function put(next, refocus) {
      held = next;
      shown.draw(held);
      if (refocus) target.focus();
    }

    function typed() {
      turn += 1;
      searching = true;
      active = -1;
      if (!list.hidden) draw();
      searchSoon();
    }

    async function find() {
      const mine = (turn += 1);
      const text = target.value.trim();
      const answer = await search(text);
      if (mine !== turn || document.activeElement !== target) return;
      found = answer.filter(({ value }) => !held.some((one) => one.value === value));
      if (create && text && !answer.some((one) => one.label.toLowerCase() === text.toLowerCase())) found.push({ label: `Add “${text}”`, make: text });
      active = text && found.length ? 0 : -1;
      searching = false;
      draw();
    }

    function draw() {
      fill(list, found.length ? found.map((one, index) => h("li.lookup-option", { id: `${id}-${index}`, role: "option", "aria-selected": String(index === active), on: { pointerdown: (event) => take(event, one) } }, one.make && icon("plus"), one.label))
        : h("li.lookup-none", {}, "Nothing found"));
      list.hidden = false;
      target.setAttribute("aria-expanded", "true");
      if (active >= 0) target.setAttribute("aria-activedescendant", `${id}-${active}`);
      else target.removeAttribute("aria-activedescendant");
      list.children[active]?.scrollIntoView({ block: "nearest" });
    }

    function close() {
      turn += 1;
      searching = false;
      list.hidden = true;
      target.setAttribute("aria-expanded", "false");
    }

    async function take(event, one) {
      event.preventDefault();
      target.value = "";
      close();
      const made = one.make ? await create(one.make) : one;
      if (!made) return;
      put(multi ? [...held, made] : [made], false);
      announce(`${made.label} chosen`);
    }

    function pressed(event) {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        if (searching) return;
        if (list.hidden) return find();
        active = (active + (event.key === "ArrowDown" ? 1 : -1) + found.length) % Math.max(1, found.length);
        return draw();
      }
      if (event.key === "Enter" && !list.hidden && found[active]) return take(event, found[active]);
      if (event.key === "Enter" && target.value) return event.preventDefault();
      if (event.key === "Escape" && !list.hidden) {
        event.preventDefault();
        event.stopPropagation();
        return close();
      }
      if (event.key === "Backspace" && !target.value && held.length) put(held.slice(0, -1), false);
    }
  };
}
