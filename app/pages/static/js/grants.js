/** What grants mean: wildcards, dependencies, and what a change of one brings along. Nothing here touches the page. */
import { covers } from "./permissions.js";

const isWildcard = (grant) => grant === "*" || grant.endsWith(".*");

const part = ({ id }) => id.slice(0, id.lastIndexOf("."));
const needs = ({ dependsOn }) => dependsOn?.length ?? 0;
const byPart = (a, b) => part(a).localeCompare(part(b)) || needs(a) - needs(b) || a.id.localeCompare(b.id);

/** The catalogue as modules with their features: `{modules: [{id, title, wildcard, features}], find(id)}`. */
export function catalogueOf({ items, modules }) {
  const titles = new Map(modules.map(({ id, title }) => [id, title]));
  const grouped = new Map();
  for (const feature of items) grouped.set(feature.module, [...(grouped.get(feature.module) ?? []), feature]);
  const known = new Map(items.map((feature) => [feature.id, feature]));
  const shown = [...grouped].map(([id, features]) => ({ id, title: titles.get(id) ?? id, wildcard: `${id}.*`, features: features.sort(byPart) }));
  return { modules: shown.sort((a, b) => a.title.localeCompare(b.title)), find: (id) => known.get(id) ?? null };
}

/** Whether a feature is granted, in its own name or by a wildcard. */
export const isGranted = (grants, id) => grants.some((grant) => covers(grant, id));

/** The wildcard by which a feature is granted, or null. */
export const wildcardFor = (grants, id) => grants.find((grant) => isWildcard(grant) && covers(grant, id)) ?? null;

/** What a feature needs, directly, and is not granted. */
export const missing = (grants, feature) => (feature.dependsOn ?? []).filter((id) => !isGranted(grants, id));

/** Grants with a feature and, first, all that it needs: `{grants, added}`, where `added` are the ids brought along. */
export function withFeature(grants, id, catalogue) {
  const added = [];
  const visit = (wanted, seen) => {
    if (seen.has(wanted)) return;
    seen.add(wanted);
    for (const needed of catalogue.find(wanted)?.dependsOn ?? []) visit(needed, seen);
    if (!isGranted([...grants, ...added], wanted)) added.push(wanted);
  };
  visit(id, new Set());
  return { grants: [...grants, ...added], added: added.filter((one) => one !== id) };
}

/** Grants with a wildcard in place of everything that it covers. */
export const withWildcard = (grants, wildcard) => [...grants.filter((grant) => !covers(wildcard, grant)), wildcard];

/** Grants in which each feature that a wildcard covered is named by itself. */
export function withoutWildcard(grants, wildcard, catalogue) {
  const rest = grants.filter((grant) => grant !== wildcard);
  const named = catalogue.modules.flatMap(({ features }) => features.map(({ id }) => id)).filter((id) => covers(wildcard, id));
  return [...rest, ...named.filter((id) => !isGranted(rest, id))];
}

/** Grants that name neither a feature of the catalogue nor a module of it: wildcards of parts, and unknown ones. */
export function others(grants, catalogue) {
  const modules = new Set(catalogue.modules.map(({ wildcard }) => wildcard));
  return grants.filter((grant) => !catalogue.find(grant) && !modules.has(grant));
}

/** The features of one catalogue that differ between two lists of grants: `{more, less}`. */
export function difference(before, after) {
  return { more: after.filter((grant) => !before.includes(grant)), less: before.filter((grant) => !after.includes(grant)) };
}
