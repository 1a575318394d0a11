/** Keyboard shortcuts: single keys and `g` sequences, never while somebody types. */
import { inform } from "./dialogs.js";
import { h } from "./dom.js";

const PATIENCE = 1_200; // milliseconds between the keys of a sequence
const shortcuts = [];
let prefix = "";
let timer = 0;

/** Add a shortcut: `keys` such as "z", "shift+z", "g a"; `text` is its line in the help. */
export function shortcut(keys, text, run) {
  shortcuts.push({ keys, text, run });
}

/** Add a line to the help for keys that are handled elsewhere. */
export function describe(keys, text) {
  shortcuts.push({ keys, text, run: null });
}

/** Show all shortcuts of this page. */
export function help() {
  if (document.querySelector("dialog[open]")) return;
  inform("Keyboard shortcuts", h("dl.keys", {}, shortcuts.map(({ keys, text }) =>
    h("div", {}, h("dt", {}, keys.split(" ").map((key) => h("kbd", {}, shown(key)))), h("dd", {}, text)))));
}

const NAMES = { shift: "Shift", alt: "Alt", up: "↑", down: "↓", left: "←", right: "→", arrowleft: "←", arrowright: "→", home: "Home", end: "End", enter: "Enter", esc: "Esc" };
const shown = (key) => key.split("+").map((part) => NAMES[part] ?? part.toUpperCase()).join(" + ");

function isTyping(target) {
  return target.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]") !== null;
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const letter = event.key.length === 1 && event.key.toLowerCase() !== event.key.toUpperCase();
  const key = (letter && event.shiftKey ? "shift+" : "") + event.key.toLowerCase();
  const found = shortcuts.find(({ keys, run }) => run && keys === prefix + key);
  clearTimeout(timer);
  prefix = "";
  if (found) {
    event.preventDefault();
    found.run();
  } else if (shortcuts.some(({ keys }) => keys.startsWith(`${key} `))) {
    prefix = `${key} `;
    timer = setTimeout(() => (prefix = ""), PATIENCE);
  }
}

/** Start listening; called once by the shell. */
export function listen() {
  document.addEventListener("keydown", pressed);
}
