"""Lists of roles (contract: auth.md 7.9)."""

from functools import cache
from typing import Any
from uuid import UUID

from msgspec import Struct

from projections.custom_members import with_custom
from projections.index import wire_object
from queries.custom_filters import arguments, conditions
from queries.custom_values import ValueFilter
from queries.found import FoundPage
from queries.index_reading import IndexReading, gap_of, rows_of

SUPER_ADMIN_ROLES = "select a.role_id from role_acls a where a.tenant_id = {0}.tenant_id and a.is_super_admin"
"""The roles that make super admins, in the tenant of the row `{0}`."""

_ITEM = wire_object(
    id="r.id",
    name="r.name",
    usersCount="(select count(*) from user_roles l where l.tenant_id = r.tenant_id and l.role_id = r.id)",
    tenantId="r.tenant_id",
    tenantIds="array[r.tenant_id]",
    tenantName="coalesce(n.name, r.tenant_id::text)",
    updatedAt="iso_ms(r.updated_at)",
)


@cache
def _list(filters: int, made: bool) -> str:
    gap = gap_of("'auth:role'", None) if filters else "false"
    return f"""
with listed as materialized (
  select r.* from roles r
   where ($1::uuid is null or r.tenant_id = $1) and r.deleted_at is null and ($2::uuid is null or r.id = $2)
     and ($3::text = '' or position(lower($3) in lower(r.name)) > 0)
     and ($4 or (r.name <> 'superadmin' and r.id not in ({SUPER_ADMIN_ROLES.format("r")})))
     {conditions(filters, "r", "r.id", "auth:role", 7, "r.custom_fields" if made else None)}
)
select (select count(*) from listed) as total, r.id, {with_custom(_ITEM, "r")} as document, {gap} as gap
  from (values (1)) one
  left join lateral (select * from listed order by name collate "C", id limit $5 offset $6) r on true
  left join tenants n on n.tenant_id = r.tenant_id and n.id = r.tenant_id
 order by r.name collate "C", r.id
"""


class RoleFilter(Struct, frozen=True):
    """What part of the roles is asked for; `search` is a part of a name, in any case."""

    id: UUID | None = None
    search: str = ""
    custom: tuple[ValueFilter, ...] = ()


async def roles(
    connection: Any,
    tenant_id: UUID | None,
    wanted: RoleFilter,
    reading: IndexReading,
    *,
    everything: bool,
    limit: int,
    offset: int,
) -> FoundPage:
    """A page of a tenant's roles by name; without a tenant (asked for super admins only), of all tenants.

    `everything` False leaves out what makes super admins.
    """
    rows, gap = await rows_of(
        connection,
        reading,
        lambda made: _list(len(wanted.custom), made),
        tenant_id,
        wanted.id,
        wanted.search,
        everything,
        limit,
        offset,
        *arguments(wanted.custom),
    )
    return FoundPage.of(rows, gap)


async def tenant_of_role(connection: Any, role_id: UUID) -> UUID | None:
    """The tenant of a live role; asked for super admins only."""
    found: UUID | None = await connection.fetchval(
        "select tenant_id from roles where id = $1 and deleted_at is null", role_id
    )
    return found
