/** Where records are on these pages, what their kinds are called, and where their history is. */
import { words } from "./format.js";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const at = (path) => encodeURIComponent(path);
const KINDS = {
  "api_keys.key": { name: "API key", page: () => "/backend/api-keys" },
  "auth.role": { name: "Role", page: (id) => `/backend/roles/${at(id)}` },
  "auth.role_acl": { name: "Grants of a role" },
  "auth.user": { name: "User", page: (id) => `/backend/users/${at(id)}` },
  "auth.user_acl": { name: "Grants of a user" },
  "dictionaries.dictionary": { name: "Dictionary", page: (id) => `/backend/dictionaries/${at(id)}` },
  "dictionaries.entry": { name: "Dictionary entry", page: (id, { parent }) => parent && `/backend/dictionaries/${at(parent)}#entry-${at(id)}` },
  "directory.organization": { name: "Organization", page: () => "/backend/organizations" },
  "directory.tenant": { name: "Tenant" },
  "entities.entity": { name: "Entity" },
  "entities.field_definition": { name: "Field", page: (_, { parent }) => parent && `/backend/entities/${at(parent)}` },
  "entities.record": { name: "Record", page: (_, { parent }) => parent && `/backend/data/${at(parent)}` },
  "feature_toggles.global": { name: "Feature toggle", page: () => "/backend/toggles" },
};

/** What a kind of record is called, such as "Dictionary entry". */
export const kindName = (kind) => KINDS[kind]?.name ?? words(String(kind ?? "").split(".").at(-1));

/** The kinds that have a name, for people to choose from. */
export const namedKinds = () => Object.entries(KINDS).map(([kind, { name }]) => [kind, name]);

/** The page that shows a record as it is, or null; `parent` is the id of the record that it belongs to. */
export const placeOf = (kind, id, { parent = null } = {}) => KINDS[kind]?.page?.(id, { parent }) || null;

/** The id of the record that a snapshot belongs to, as far as it says. */
export const parentIn = (record) => record?.dictionaryId ?? record?.entityId ?? record?.entityType ?? null;

/** Where the history of a record is, at the moment after an action if one is named; null for what has no history. */
export function historyAddress(kind, id, moment = null) {
  if (!kind || !UUID.test(id ?? "") || kind.startsWith("backstep.")) return null;
  return `/backend/history/${at(kind)}/${at(id)}${moment ? `?at=${at(moment)}` : ""}`;
}
