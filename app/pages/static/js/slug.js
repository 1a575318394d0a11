/** Keys that are made of what something is called. */

/** Small letters, digits and `_`: "Due date (local)" becomes "due_date_local". */
export function slug(text) {
  const plain = text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  return plain.replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "");
}

/** Keep one field of a form made from another, until somebody types into it. */
export function derived(dialog, from, to, make) {
  const [source, target] = [from, to].map((name) => dialog.querySelector(`[name="${name}"]`));
  let isOwn = target.value !== "";
  target.addEventListener("input", () => (isOwn = target.value !== ""));
  source.addEventListener("input", () => {
    if (!isOwn) target.value = make(source.value);
  });
}
