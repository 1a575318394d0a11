/** The tree of organizations as it is made from a flat list. Nothing here touches the page. */

const byName = (a, b) => a.row.name.toLowerCase().localeCompare(b.row.name.toLowerCase()) || a.row.id.localeCompare(b.row.id);

/** Rows `{id, name, parentId, …}` as a tree: `{roots, nodes}` of `{row, parent, children}`, `nodes` by id. */
export function treeOf(rows) {
  const nodes = new Map(rows.map((row) => [row.id, { row, parent: null, children: [] }]));
  const roots = [];
  for (const node of nodes.values()) {
    node.parent = nodes.get(node.row.parentId) ?? null;
    (node.parent?.children ?? roots).push(node);
  }
  for (const list of [roots, ...[...nodes.values()].map(({ children }) => children)]) list.sort(byName);
  return { roots, nodes };
}

/** Whether a node is the other one, or below it. */
export function isWithin(node, other) {
  for (let place = node; place; place = place.parent) if (place === other) return true;
  return false;
}

/**
 * The lines to show, from top to bottom: `{node, level, position, size, isOpen}`, with `level` and `position` from 1.
 * `isOpen(id)` says what is expanded. With words, only what matches all of them is shown, and what leads there.
 */
export function linesOf(tree, isOpen, words) {
  const matches = ({ row }) => words.every((word) => `${row.name} ${row.slug ?? ""}`.toLowerCase().includes(word));
  const keeps = (node) => matches(node) || node.children.some(keeps);
  const lines = [];
  const walk = (siblings, level) => {
    const shown = words.length ? siblings.filter(keeps) : siblings;
    shown.forEach((node, index) => {
      const open = node.children.length > 0 && (words.length > 0 || isOpen(node.row.id));
      lines.push({ node, level, position: index + 1, size: shown.length, isOpen: open, isFound: words.length > 0 && matches(node) });
      if (open) walk(node.children, level + 1);
    });
  };
  walk(tree.roots, 1);
  return lines;
}

/** Where "one level out" leads: the id of the new parent, null for the top level, undefined when there is no way. */
export const outOf = (node) => (node.parent ? (node.parent.parent?.row.id ?? null) : undefined);

/** Where "one level in" leads: the id of the sibling above, undefined when there is none. */
export function into(tree, node) {
  const siblings = node.parent?.children ?? tree.roots;
  return siblings[siblings.indexOf(node) - 1]?.row.id;
}

/** All organizations as options `[id, indented name]` in the order of the tree, without one and what is below it. */
export function placesFor(tree, without = null) {
  return linesOf(tree, () => true, []).filter(({ node }) => !without || !isWithin(node, without))
    .map(({ node, level }) => [node.row.id, `${"\u2003".repeat(level - 1)}${node.row.name}`]);
}

/** "Acme / Sales / North". */
export const pathOf = (node) => (node.parent ? `${pathOf(node.parent)} / ${node.row.name}` : node.row.name);
