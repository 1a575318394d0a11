/** The organizations and roles that forms let people choose from. */
import { call, callAll } from "./api.js";
import { permissions } from "./permissions.js";

const MOST_ROLES = 1_000;

/**
 * Organizations of a tenant as options `[id, indented name, disabled]`, in the order of the tree. Without a tenant,
 * of the one that is worked in. Answers `{options, tenantId, isSuperAdmin}`.
 */
export async function organizationChoices(tenantId = null) {
  const { items, tenantId: tenant, isSuperAdmin } = await call("GET", "/directory/organization-switcher", { query: { tenantId } });
  return { options: flat(items), tenantId: tenant, isSuperAdmin };
}

function flat(nodes) {
  return nodes.flatMap(({ id, name, depth, selectable, children }) => [[id, `${"\u2003".repeat(depth)}${name}`, !selectable], ...flat(children)]);
}

/** The tenants that a super admin may look at, as options `[id, name]`; none for anybody else, or where there is one. */
export async function tenantChoices() {
  const { tenants, isSuperAdmin } = await call("GET", "/directory/organization-switcher");
  return isSuperAdmin && tenants.length > 1 ? tenants.map(({ id, name }) => [id, name]) : [];
}

/** Roles as options `[id, name]`; null where the user may not see them. */
export async function roleChoices(tenantId = null) {
  if (!(await permissions()).has("auth.roles.list")) return null;
  const roles = await callAll("/auth/roles", { query: { tenantId, pageSize: 100 }, most: MOST_ROLES });
  return roles.map(({ id, name }) => [id, name]);
}
