/** Small tools to build and update the page. Data only ever becomes text nodes and attributes, never markup. */

const SVG = "http://www.w3.org/2000/svg";

/** The element with that id; throws when the page has none, since every caller relies on its template. */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no element #${id}`);
  return element;
}

/**
 * Build an element. `tag` may carry classes (`"p.lead.small"`). In `options`, `on` holds listeners, `data` the
 * dataset, `vars` CSS custom properties; functions-free keys are properties where the element has them, else
 * attributes; null and false are left out. Children are nodes, text, numbers, or lists of these; null is skipped.
 */
export function h(tag, options = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(options ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else if (key === "data") Object.assign(element.dataset, value);
    else if (key === "vars") for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
    else if (key in element && !key.startsWith("aria") && key !== "list") element[key] = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** One of the icons of the page's sprite. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Replace everything inside an element. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Show a text in an element that is hidden while it has none. */
export function note(element, text) {
  element.textContent = text ?? "";
  element.hidden = !text;
}

/**
 * Make an element's children mirror `items`, keeping the nodes of items that stay, so that focus, selection and
 * open parts survive an update. `build(item)` makes a node, `refresh(node, item)` updates one that exists.
 * Returns the nodes made just now.
 */
export function mirror(parent, items, { key, build, refresh }) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  const made = [];
  let place = parent.firstElementChild;
  for (const item of items) {
    const id = String(key(item));
    let node = old.get(id);
    if (node) {
      old.delete(id);
      refresh(node, item);
    } else {
      node = build(item);
      node.dataset.key = id;
      made.push(node);
    }
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  for (const node of old.values()) node.remove();
  return made;
}

/** Call a function once things have been quiet for some milliseconds. */
export function settled(milliseconds, action) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), milliseconds);
  };
}

/** Say something to people who listen to the page. */
export function announce(text) {
  byId("announcer").textContent = text;
}
