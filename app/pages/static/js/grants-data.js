/** What the editor of grants needs to know, of whoever's grants it shows. */
import { call } from "./api.js";
import { organizationChoices } from "./choices.js";
import { catalogueOf } from "./grants.js";
import { granted } from "./permissions.js";

/** The catalogue, the organizations of a tenant, what the user may give, and whether the user is a super admin. */
export async function grantsData(tenantId = null) {
  const [features, places] = await Promise.all([call("GET", "/auth/features"), organizationChoices(tenantId)]);
  const catalogue = catalogueOf(features);
  const asked = [...features.items.map(({ id }) => id), ...catalogue.modules.map(({ wildcard }) => wildcard)];
  const mine = places.isSuperAdmin ? new Set(asked) : await granted(asked);
  return { catalogue, organizations: places.options, mine, isSuperAdmin: places.isSuperAdmin };
}
