/**
 * The lists of the product that the pages of the data show beside user-defined entities. Each source is
 * `{id, label, note, icon, feature, path, home?, columns, filters?, whole?, sorts?, exports?, query?, actions(can)}`:
 * `path(filters)` is its list in the API, `home(row)` the page that a row's name leads to, `whole` says that the API answers all rows at
 * once, `historyKind` is the kind of its records in the action log, `sorts` maps columns to the API's sort fields, `kinds` names what makes the list old. `actions` are `create`,
 * `edit(row)` and `remove(row)`, as far as the features `can` holds allow; `columns` are `{key, label, kind, value?}`.
 * What live events do not tell of calls the `refresh` that `actions(can, refresh)` is given.
 */
import { createKey } from "./api-key-forms.js";
import { call } from "./api.js";
import { createDictionary, editDictionary, removeDictionary } from "./dictionary-forms.js";
import { removeRole, renameRole, createRole } from "./role-forms.js";
import { createTenant, editTenant, removeTenant } from "./tenant-forms.js";
import { createUser, editUser, removeUser } from "./user-forms.js";

const CHANGED = { key: "updatedAt", label: "Changed", kind: "datetime" };
const ACTIVE = { key: "isActive", label: "Active", kind: "boolean" };

/** Ask for the choices of a filter: the rows of a list as `{value, label}`. */
const choices = (path, query = {}) => async () => {
  const { items } = await call("GET", path, { query: { pageSize: 100, ...query } });
  return items.map(({ id, name }) => ({ value: id, label: name }));
};

export const SOURCES = [
  {
    id: "dictionaries:dictionary", historyKind: "dictionaries.dictionary", label: "Dictionaries", note: "The named lists that others choose from.", icon: "book", feature: "dictionaries.view",
    path: () => "/dictionaries", whole: true, query: () => ({ includeInactive: true }), kinds: ["dictionaries."],
    home: ({ id }) => `/backend/dictionaries/${id}`,
    columns: [{ key: "name", label: "Name", kind: "text" }, { key: "key", label: "Key", kind: "text" }, { key: "description", label: "Description", kind: "multiline" }, { key: "isSystem", label: "System", kind: "boolean" }, ACTIVE, { key: "entrySortMode", label: "Order", kind: "text", isExtra: true }, CHANGED],
    filters: [{ key: "isActive", label: "Active", kind: "boolean" }],
    actions: (can) => can.has("dictionaries.manage") && { create: createDictionary, edit: editDictionary, remove: removeDictionary },
  },
  {
    id: "dictionaries:dictionary_entry", historyKind: "dictionaries.entry", label: "Dictionary entries", note: "The values of one dictionary.", icon: "sort", feature: "dictionaries.view",
    path: ({ dictionary }) => dictionary && `/dictionaries/${dictionary}/entries`, missing: "Choose a dictionary", kinds: ["dictionaries."],
    query: () => ({}), exports: true, sorts: { label: "label", position: "position", createdAt: "createdAt" }, hasSearch: true,
    home: ({ id, dictionaryId }) => `/backend/dictionaries/${dictionaryId}#entry-${id}`,
    columns: [{ key: "label", label: "Label", kind: "text" }, { key: "value", label: "Value", kind: "text" }, { key: "color", label: "Color", kind: "color" }, { key: "icon", label: "Icon", kind: "text" }, { key: "position", label: "Position", kind: "integer" }, { key: "isDefault", label: "Default", kind: "boolean" }, { key: "createdAt", label: "Created", kind: "datetime", isExtra: true }, CHANGED],
    filters: [{ key: "dictionary", label: "Dictionary", kind: "select", choices: choices("/dictionaries", { includeInactive: true }), isNeeded: true }],
    actions: () => false,
  },
  {
    id: "auth:user", historyKind: "auth.user", label: "Users", note: "Who may sign in.", icon: "people", feature: "auth.users.list",
    path: () => "/auth/users", query: ({ roleId }) => ({ roleId }), hasSearch: true, kinds: ["auth.user", "auth.role"],
    columns: [{ key: "name", label: "Name", kind: "text", value: ({ name, email }) => name ?? email }, { key: "email", label: "Email", kind: "text" }, { key: "roles", label: "Roles", kind: "text", multi: true }, { key: "organizationName", label: "Organization", kind: "text" }, { key: "tenantName", label: "Tenant", kind: "text", isExtra: true }, CHANGED],
    filters: [{ key: "roleId", label: "Role", kind: "select", choices: choices("/auth/roles") }],
    actions: (can) => ({ create: can.has("auth.users.create") && createUser, edit: can.has("auth.users.edit") && editUser, remove: can.has("auth.users.delete") && removeUser }),
  },
  {
    id: "auth:role", historyKind: "auth.role", label: "Roles", note: "Named sets of grants.", icon: "shield", feature: "auth.roles.list",
    path: () => "/auth/roles", hasSearch: true, kinds: ["auth.role", "auth.user"], home: ({ id }) => `/backend/roles/${id}`,
    columns: [{ key: "name", label: "Name", kind: "text" }, { key: "usersCount", label: "Users", kind: "integer" }, { key: "tenantName", label: "Tenant", kind: "text", isExtra: true }, CHANGED],
    actions: (can) => can.has("auth.roles.manage") && { create: createRole, edit: renameRole, remove: removeRole, isFixed: ({ usersCount }) => usersCount > 0 },
  },
  {
    id: "directory:organization", historyKind: "directory.organization", label: "Organizations", note: "Companies, branches and teams.", icon: "tree", feature: "directory.organizations.view",
    path: () => "/directory/organizations", query: () => ({ view: "manage" }), hasSearch: true, kinds: ["directory.organization"], home: () => "/backend/organizations",
    columns: [{ key: "name", label: "Name", kind: "text" }, { key: "pathLabel", label: "Path", kind: "text" }, { key: "slug", label: "Short name", kind: "text" }, { key: "childrenCount", label: "Below it", kind: "integer" }, ACTIVE, { key: "depth", label: "Depth", kind: "integer", isExtra: true }, CHANGED],
    actions: () => false,
  },
  {
    id: "directory:tenant", historyKind: "directory.tenant", label: "Tenants", note: "Companies that share this installation, and see nothing of one another.", icon: "box", feature: "directory.tenants.view",
    path: () => "/directory/tenants", query: ({ isActive }) => ({ isActive }), hasSearch: true, sorts: { name: "name", createdAt: "createdAt", updatedAt: "updatedAt" }, kinds: ["directory.tenant"],
    columns: [{ key: "name", label: "Name", kind: "text" }, ACTIVE, { key: "createdAt", label: "Created", kind: "datetime" }, CHANGED, { key: "id", label: "Id", kind: "text", isExtra: true }],
    filters: [{ key: "isActive", label: "Active", kind: "boolean" }],
    actions: (can, refresh) => can.has("directory.tenants.manage") && { create: () => createTenant(refresh), edit: (row) => editTenant(row, refresh), remove: (row) => removeTenant(row, refresh) },
  },
  {
    id: "api_keys:api_key", historyKind: "api_keys.key", label: "API keys", note: "What programs sign in with.", icon: "key", feature: "api_keys.view",
    path: () => "/api_keys/keys", hasSearch: true, kinds: ["api_keys."], home: () => "/backend/api-keys",
    columns: [{ key: "name", label: "Name", kind: "text" }, { key: "keyPrefix", label: "Begins with", kind: "text" }, { key: "roles", label: "Roles", kind: "text", multi: true, value: ({ roles }) => roles.map(({ name }) => name) }, { key: "organizationName", label: "Organization", kind: "text" }, { key: "lastUsedAt", label: "Last used", kind: "datetime" }, { key: "expiresAt", label: "Expires", kind: "datetime" }],
    actions: (can) => can.has("api_keys.create") && { create: createKey },
  },
];

/** The source of that id, or null. */
export const sourceOf = (id) => SOURCES.find((source) => source.id === id) ?? null;
