/** What the signed-in user may do in the administration. */
import { ApiError, call, refusedFeatures } from "./api.js";
import { session } from "./session.js";

const STORED = "backstep.granted";
const ASKED = [
  "auth.users.list", "auth.users.create", "auth.users.edit", "auth.users.delete", "auth.roles.list", "auth.roles.manage", "auth.acl.manage",
  "directory.organizations.view", "directory.organizations.manage", "directory.tenants.view", "directory.tenants.manage", "api_keys.view", "api_keys.create", "api_keys.delete",
  "dictionaries.view", "dictionaries.manage", "entities.definitions.view", "entities.definitions.manage", "entities.records.view", "entities.records.manage",
  "query_index.status.view", "query_index.reindex", "query_index.purge",
  "audit_logs.view_self", "audit_logs.view_tenant", "audit_logs.undo_self", "audit_logs.undo_tenant",
  "feature_toggles.view", "feature_toggles.manage", "configs.system_status.view", "configs.cache.view", "configs.cache.manage", "configs.manage",
];
const MOST = 50; // features of one question

let loading = null;

/** Whether one grant, such as "auth.*", covers a feature. */
export const covers = (grant, feature) =>
  grant === "*" || grant === feature || (grant.endsWith(".*") && (feature === grant.slice(0, -2) || feature.startsWith(grant.slice(0, -1))));

/** Which of these features the user has, as a set; asked in as many questions as it takes. */
export async function granted(features) {
  const profile = await session();
  if (profile.features) return new Set(features.filter((feature) => profile.features.some((grant) => covers(grant, feature))));
  const parts = [];
  for (let from = 0; from < features.length; from += MOST) parts.push(features.slice(from, from + MOST));
  const answers = await Promise.all(parts.map((part) => call("POST", "/auth/feature-check", { body: { features: part } })));
  return new Set(answers.flatMap((answer) => answer.granted));
}

async function load() {
  try {
    const found = await granted(ASKED);
    sessionStorage.setItem(STORED, JSON.stringify([...found]));
    return found;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return new Set(ASKED.filter((feature) => !refusedFeatures().includes(feature)));
  }
}

/** The features of the administration that the user has; asked once for the page. */
export function permissions() {
  loading ??= load();
  return loading;
}

/** What `permissions` said on the page before, for a first drawing; empty when nothing is known. */
export function rememberedPermissions() {
  return new Set(JSON.parse(sessionStorage.getItem(STORED) ?? "[]"));
}
