/** Who is signed in, as far as the API tells. */
import { call, refusedFeatures } from "./api.js";

const USERS = "backstep.users";

/** Remember which user id belongs to an e-mail address, as the token of a sign-in says. */
export function rememberUser(email, token) {
  try {
    const claims = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    localStorage.setItem(USERS, JSON.stringify({ ...rememberedUsers(), [email.toLowerCase()]: claims.sub }));
  } catch {
    // Not a readable token: the id is then learned from the profile, or not needed.
  }
}

function rememberedUsers() {
  try {
    return JSON.parse(localStorage.getItem(USERS) ?? "{}");
  } catch {
    return {};
  }
}

async function load() {
  const profile = await call("GET", "/auth/profile");
  const id = profile.id ?? rememberedUsers()[profile.email.toLowerCase()] ?? null;
  return { ...profile, id, organization: profile.organizationName ?? (await selectedOrganization()) };
}

/** The profile names no organization; the switcher knows the one that is worked in. */
async function selectedOrganization() {
  const known = sessionStorage.getItem("backstep.organization");
  if (known) return known;
  try {
    const { items, selectedId, tenants, tenantId } = await call("GET", "/directory/organization-switcher");
    const named = within(items, selectedId) ?? tenants.find(({ id }) => id === tenantId) ?? items[0];
    if (named) sessionStorage.setItem("backstep.organization", named.name);
    return named?.name ?? "";
  } catch {
    return "";
  }
}

function within(nodes, id) {
  for (const node of nodes) {
    const found = node.id === id ? node : within(node.children, id);
    if (found) return found;
  }
  return null;
}

let loading = null;

/** The signed-in user: `{id|null, email, roles, organization}`; loaded once for the page. */
export function session() {
  loading ??= load();
  return loading;
}

/** Whether an entry of the action log is the signed-in user's own. */
export function isMine(user, entry) {
  return user.id ? entry.actorUserId === user.id : [user.email, user.name].includes(entry.actorUserName);
}

/**
 * Whether the user may use a feature, such as "dictionaries.manage". True when nothing is known: the server decides
 * in the end, its refusal is shown, and remembered for the rest of the session.
 */
export function may(user, feature) {
  const grants = user.features;
  if (refusedFeatures().includes(feature)) return false;
  return !grants || grants.some((grant) => grant === "*" || grant === feature || (grant.endsWith(".*") && feature.startsWith(grant.slice(0, -1))));
}

/** Forget what this browser tab knows about the session that ends. */
export function forget() {
  sessionStorage.clear();
}
