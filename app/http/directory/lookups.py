"""What anybody may ask: the name of a tenant, and an organization by its slug (contract: directory.md 3)."""

from typing import Any, Final
from uuid import UUID

from litestar import Response
from msgspec import Struct

from app.http.answers import Answer
from app.http.call import Call
from app.http.kit import Failure
from app.http.operation import Parameter, operation
from app.rate_limit import Rule
from domain.credentials import uuid_or_none
from domain.directory import MAX_SLUG
from domain.errors import Problem
from queries import directory as queries

TAG: Final = "Directory (Tenants & Organizations)"
TENANT_LOOKUP: Final = Rule("DIRECTORY_TENANT_LOOKUP", 60, 60, 60)
ORGANIZATION_LOOKUP: Final = Rule("DIRECTORY_ORG_LOOKUP", 60, 60, 60)


class TenantFound(Struct):
    """A tenant, as far as the public may know it."""

    id: UUID
    name: str


class TenantLookup(Struct):
    """The tenant that was asked for."""

    ok: bool
    tenant: TenantFound


class OrganizationFound(Struct):
    """An organization, as far as the public may know it: not its tenant."""

    id: UUID
    name: str
    slug: str


class OrganizationLookup(Struct):
    """The organization that was asked for."""

    ok: bool
    organization: OrganizationFound


class NotFound(Struct):
    """A lookup without a result."""

    ok: bool
    error: str


_LIMITED = Answer(
    Failure,
    "More than 60 lookups in a minute from one address",
    headers={"retry-after": "Seconds until the next try"},
)


@operation(
    "GET",
    "/directory/organizations/lookup",
    tag=TAG,
    summary="Public organization lookup by slug",
    description="The oldest organization with exactly this slug. Case matters, and blanks are not cut off.",
    auth=False,
    query=[Parameter("slug", "The slug, 1 to 150 characters", example="acme-corp")],
    answers={
        200: Answer(OrganizationLookup, "Success response"),
        400: Answer(NotFound, "The slug is missing, or too long"),
        404: Answer(NotFound, "No organization has this slug"),
        429: _LIMITED,
    },
)
async def lookup_organization(call: Call[None]) -> Response[Any]:
    """200 with id, name and slug."""
    await call.app.rate_limits.hit(ORGANIZATION_LOOKUP, call.request)
    slug = call.first("slug") or ""
    if not 1 <= len(slug) <= MAX_SLUG:
        raise Problem(400, {"ok": False, "error": "Invalid slug."})
    async with call.app.database.system() as connection:
        found = await queries.organization_by_slug(connection, slug)
    if found is None:
        raise Problem(404, {"ok": False, "error": "Organization not found."})
    return call.json(OrganizationLookup(True, OrganizationFound(*found, slug)))


@operation(
    "GET",
    "/directory/tenants/lookup",
    tag=TAG,
    summary="Public tenant lookup",
    description="The name of a tenant, for the sign-in page.",
    auth=False,
    query=[
        Parameter("tenantId", "The tenant's id", {"type": "string", "format": "uuid"}),
        Parameter("tenant", "Another name of `tenantId`", {"type": "string", "format": "uuid"}),
    ],
    answers={
        200: Answer(TenantLookup, "Success response"),
        400: Answer(NotFound, "The id is missing, or no UUID"),
        404: Answer(NotFound, "There is no such tenant"),
        429: _LIMITED,
    },
)
async def lookup_tenant(call: Call[None]) -> Response[Any]:
    """200 with id and name."""
    await call.app.rate_limits.hit(TENANT_LOOKUP, call.request)
    tenant_id = uuid_or_none((call.first("tenantId") or call.first("tenant") or "").lower())
    if tenant_id is None:
        raise Problem(400, {"ok": False, "error": "Invalid tenant id."})
    async with call.app.database.system() as connection:
        name = await queries.tenant_name(connection, tenant_id)
    if name is None:
        raise Problem(404, {"ok": False, "error": "Tenant not found."})
    return call.json(TenantLookup(True, TenantFound(tenant_id, name)))
