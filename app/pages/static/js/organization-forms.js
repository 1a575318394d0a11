/** Creating, editing, moving and deleting organizations. */
import { call } from "./api.js";
import { change } from "./change.js";
import { customFields } from "./custom-fields.js";
import { choose, form } from "./dialogs.js";
import { plural } from "./format.js";
import { pathOf, placesFor } from "./organization-tree.js";
import { attempt } from "./parts.js";

const PATH = "/directory/organizations";
const ENTITY = "directory:organization";
const TOP = ["", "None: top level"];
const SLUG_RULE = "Letters, digits, - and _.";

const parentField = (tree, without, value) => ({ name: "parentId", label: "Belongs to", type: "select", options: [TOP, ...placesFor(tree, without)], value: value ?? "" });

function fields(row) {
  return [
    { name: "name", label: "Name", required: true, maxLength: 200, value: row.name ?? "" },
    { name: "slug", label: "Short name", maxLength: 150, value: row.slug ?? "", pattern: "[A-Za-z0-9_\\-]+", invalid: SLUG_RULE, hint: row.id ? SLUG_RULE : `${SLUG_RULE} Made of the name if left empty.` },
  ];
}

const active = (value) => ({ name: "isActive", label: "Active", type: "checkbox", value });

/** Ask for a new organization below a node, or at the top level. `made(id, parentId)` is told of it. */
export async function createOrganization(tree, parent, { tenantId, made }) {
  await attempt(async () => {
    const custom = await customFields(ENTITY);
    form("New organization", {
      fields: [...fields({}), parentField(tree, null, parent?.row.id), active(true), ...custom.rows],
      action: "Create organization",
      submit: async ({ name, slug, parentId, isActive, ...rest }) => {
        const body = { name, slug: slug || null, parentId: parentId || null, isActive, ...custom.sent(rest) };
        if (tenantId) body.tenantId = tenantId;
        const { id } = await call("POST", PATH, { body });
        made(id, body.parentId);
      },
    });
  });
}

/** Ask for changes of an organization and save those that were made. */
export async function editOrganization(tree, { row }, { done }) {
  const node = tree.nodes.get(row.id);
  await attempt(async () => {
    const custom = await customFields(ENTITY, row);
    form("Edit organization", {
      fields: [...fields(row), parentField(tree, node, row.parentId), active(row.isActive), ...custom.rows],
      action: "Save",
      opened: custom.opened,
      submit: async (values) => {
        const wanted = { ...custom.own(values), slug: values.slug || null, parentId: values.parentId || null };
        const changed = { ...Object.fromEntries(Object.entries(wanted).filter(([name, value]) => value !== row[name])), ...custom.sent(values) };
        if (Object.keys(changed).length && (await update(row, changed))) done(changed.parentId);
      },
    });
  });
}

/** Ask for another place of an organization. */
export function moveDialog(tree, node, { move }) {
  form(`Move “${node.row.name}”`, {
    fields: [{ ...parentField(tree, node, node.row.parentId), hint: `It is at: ${pathOf(node)}` }],
    action: "Move",
    submit: ({ parentId }) => move(node, parentId || null),
  });
}

/** Save changes of an organization; false when the user kept what somebody else saved meanwhile. */
export async function update(row, changes) {
  const answer = await change("PUT", PATH, { updatedAt: row.updatedAt, body: { id: row.id, ...changes }, what: `“${row.name}”` });
  return answer !== null;
}

/** Delete an organization; those below it move up, which is said first. True when it is gone. */
export async function removeOrganization({ row, parent, children }) {
  if (children.length) {
    const place = parent ? `to “${parent.row.name}”` : "to the top level";
    const chosen = await choose(`Delete “${row.name}”?`, `${plural(children.length, "organization", "organizations")} below it will move up ${place}. You can take this back.`, [{ label: "Delete", main: true }, { label: "Cancel" }]);
    if (chosen !== 0) return false;
  }
  let answer = null;
  await attempt(async () => {
    answer = await change("DELETE", PATH, { updatedAt: row.updatedAt, body: { id: row.id }, what: `“${row.name}”` });
  });
  return answer !== null;
}
