"""Reads of the directory: public lookups, the switcher, organizations in three views, tenants (directory.md 3 and 4).

The stored path does the work: the descendants of a root, as they are stored, are the pre-order of its tree.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

from projections.custom_members import with_custom
from projections.directory import TENANT_DOCUMENT
from projections.index import wire_object
from queries.custom_filters import arguments, conditions
from queries.custom_values import ValueFilter
from queries.found import Found, FoundPage
from queries.index_reading import IndexReading, gap_of, rows_of

Status = Literal["all", "active", "inactive"]
TenantSort = Literal["name", "createdAt", "updatedAt"]


class TenantName(Struct, frozen=True, rename="camel"):
    """A live tenant as menus show it."""

    id: UUID
    name: str
    is_active: bool


class OrganizationName(Struct, frozen=True):
    """A live organization with its place in the tree of its tenant."""

    id: UUID
    name: str
    depth: int
    ancestor_ids: list[UUID]


# Public lookups

_TENANT = "select id, name from tenants where tenant_id = $1 and id = $1 and deleted_at is null"
_BY_SLUG = "select id, name from organizations where slug = $1 and deleted_at is null order by created_at, id limit 1"


async def tenant_name(connection: Any, tenant_id: UUID) -> str | None:
    """The name of a live tenant, active or not."""
    row = await connection.fetchrow(_TENANT, tenant_id)
    return None if row is None else str(row["name"])


async def organization_by_slug(connection: Any, slug: str) -> tuple[UUID, str] | None:
    """Id and name of the oldest live organization with exactly this slug, in whatever tenant."""
    row = await connection.fetchrow(_BY_SLUG, slug)
    return None if row is None else (row["id"], row["name"])


async def tenant_of_organization(connection: Any, id: UUID) -> UUID | None:
    """The tenant that a live organization belongs to; asked for super admins only."""
    found: UUID | None = await connection.fetchval(
        "select tenant_id from organizations where id = $1 and deleted_at is null", id
    )
    return found


# The switcher

_BY_NAME = 'lower({0}.name) collate "C", {0}.id'
_PLACED = f"""
  select o.*, row_number() over (order by {_BY_NAME.format("r")}, x.n) as place
    from organizations r cross join lateral unnest(r.id || r.descendant_ids) with ordinality x(id, n)
    join organizations o on o.tenant_id = r.tenant_id and o.id = x.id
   where r.tenant_id = $1 and r.parent_id is null and r.deleted_at is null
"""
_LABEL = """
  cross join lateral (select string_agg(a.name, ' / ' order by y.n) as label
     from unnest(o.ancestor_ids || o.id) with ordinality y(id, n)
     join organizations a on a.tenant_id = o.tenant_id and a.id = y.id) path
"""


async def live_tenants(connection: Any) -> list[TenantName]:
    """All live tenants by name; asked for super admins only."""
    rows = await connection.fetch(
        f"select t.id, coalesce(nullif(t.name, ''), t.id::text) as name, t.is_active from tenants t"
        f" where t.deleted_at is null order by {_BY_NAME.format('t')}"
    )
    return [TenantName(row["id"], row["name"], row["is_active"]) for row in rows]


async def organization_names(connection: Any, tenant_id: UUID) -> list[OrganizationName]:
    """The live organizations of a tenant in the pre-order of its tree."""
    rows = await connection.fetch(
        f"select id, name, depth, ancestor_ids from ({_PLACED}) p order by place", tenant_id
    )
    return [OrganizationName(**row) for row in rows]


# Organizations

_TENANT_NAME = "case when {} then coalesce(n.name, o.tenant_id::text) end"
_OPTION = wire_object(
    id="o.id",
    name="o.name",
    logoUrl="o.logo_url",
    parentId="p.id",
    parentName="p.name",
    tenantId="o.tenant_id",
    tenantName=_TENANT_NAME.format("$4::boolean"),
    rootId="o.root_id",
    isActive="o.is_active",
    depth="o.depth",
    treePath="coalesce(o.tree_path, o.id::text)",
)
_TREE_NODE = wire_object(
    id="o.id",
    name="o.name",
    parentId="o.parent_id",
    tenantId="o.tenant_id",
    depth="o.depth",
    ancestorIds="o.ancestor_ids",
    childIds="o.child_ids",
    descendantIds="o.descendant_ids",
    isActive="o.is_active",
    treePath="o.tree_path",
    pathLabel="path.label",
)
_MANAGED = wire_object(
    id="o.id",
    name="o.name",
    slug="o.slug",
    logoUrl="o.logo_url",
    updatedAt="iso_ms(o.updated_at)",
    tenantId="o.tenant_id",
    tenantName=_TENANT_NAME.format("$7::boolean"),
    parentId="p.id",
    parentName="p.name",
    depth="o.depth",
    rootId="o.root_id",
    treePath="o.tree_path",
    pathLabel="o.label",
    ancestorIds="o.ancestor_ids",
    childIds="o.child_ids",
    descendantIds="o.descendant_ids",
    childrenCount="cardinality(o.child_ids)",
    descendantsCount="cardinality(o.descendant_ids)",
    isActive="o.is_active",
)
_NAMES = (
    " left join organizations p on p.tenant_id = o.tenant_id and p.id = o.parent_id"
    " left join tenants n on n.tenant_id = o.tenant_id and n.id = o.tenant_id and n.deleted_at is null"
)
_OPTIONS = f"""
select o.id, {_OPTION} as document from organizations o{_NAMES}
 where o.tenant_id = $1 and o.deleted_at is null and ($2::uuid[] is null or o.id = any($2))
   and ($3::boolean is null or o.is_active = $3)
 order by {_BY_NAME.format("o")}
"""
_TREE = f"select o.id, o.depth, {_TREE_NODE} as document from ({_PLACED}) o {_LABEL} order by o.place"
_EVERYWHERE = (
    "select o.*, null::bigint as place from organizations o where o.deleted_at is null and $1::uuid is null"
)


def _manage(placed: str, order: str, filters: int, made: bool) -> str:
    gap = gap_of("'directory:organization'", None) if filters else "false"
    values = "o.custom_fields" if made else None
    return f"""
with listed as materialized (
  select o.*, path.label from ({placed}) o {_LABEL}
   where ($2::uuid[] is null or o.id = any($2)) and ($3::boolean is null or o.is_active = $3)
     and ($4::text = '' or position(lower($4) in lower(path.label)) > 0)
     {conditions(filters, "o", "o.id", "directory:organization", 8, values)}
)
select (select count(*) from listed) as total, o.id, {with_custom(_MANAGED, "o")} as document, {gap} as gap
  from (values (1)) one left join lateral (
    select o.*, row_number() over (order by {order}) as nth from listed o
      left join tenants n on n.tenant_id = o.tenant_id and n.id = o.tenant_id and n.deleted_at is null
     order by {order} limit $5 offset $6) o on true{_NAMES}
 order by o.nth
"""


_BY_TENANT = (
    'lower(coalesce(n.name, o.tenant_id::text)) collate "C", o.tenant_id, lower(o.label) collate "C", o.id'
)


@cache
def _managed(everywhere: bool, filters: int, made: bool) -> str:
    placed, order = (_EVERYWHERE, _BY_TENANT) if everywhere else (_PLACED, "o.place")
    return _manage(placed, order, filters, made)


class OrganizationFilter(Struct, frozen=True):
    """What part of the organizations is asked for; `search` is looked for in names and in paths of names."""

    ids: tuple[UUID, ...] | None = None
    status: Status = "all"
    search: str = ""
    custom: tuple[ValueFilter, ...] = ()

    @property
    def active(self) -> bool | None:
        """The wanted `is_active`, if it matters."""
        return None if self.status == "all" else self.status == "active"


async def organization_options(
    connection: Any, tenant_id: UUID, wanted: OrganizationFilter, with_tenant: bool
) -> list[Found]:
    """The organizations of a tenant by name, as choices; `with_tenant` shows the tenant's name."""
    rows = await connection.fetch(_OPTIONS, tenant_id, wanted.ids, wanted.active, with_tenant)
    return [Found(row["id"], row["document"]) for row in rows]


async def organization_tree(connection: Any, tenant_id: UUID) -> list[tuple[int, Found]]:
    """The organizations of a tenant in pre-order, each with its depth."""
    return [
        (row["depth"], Found(row["id"], row["document"])) for row in await connection.fetch(_TREE, tenant_id)
    ]


async def managed_organizations(
    connection: Any,
    tenant_id: UUID | None,
    wanted: OrganizationFilter,
    reading: IndexReading,
    limit: int,
    offset: int,
    with_tenant: bool,
) -> FoundPage:
    """A page of a tenant's organizations in pre-order; without a tenant, of all tenants by tenant and path."""
    rows, gap = await rows_of(
        connection,
        reading,
        lambda made: _managed(tenant_id is None, len(wanted.custom), made),
        tenant_id,
        wanted.ids,
        wanted.active,
        wanted.search,
        limit,
        offset,
        with_tenant,
        *arguments(wanted.custom),
    )
    return FoundPage.of(rows, gap)


class Branding(Struct, frozen=True, rename="camel"):
    """What an organization shows of itself; times as ISO 8601 text."""

    organization_id: UUID
    organization_name: str
    tenant_id: UUID
    logo_url: str | None
    updated_at: str | None


async def branding(connection: Any, tenant_id: UUID, id: UUID) -> Branding | None:
    """The branding of a live organization."""
    row = await connection.fetchrow(
        "select id, name, tenant_id, logo_url, iso_ms(updated_at) as updated_at from organizations"
        " where tenant_id = $1 and id = $2 and deleted_at is null",
        tenant_id,
        id,
    )
    return None if row is None else Branding(*row.values())


# Tenants

_TENANT_SORTS: dict[TenantSort, str] = {
    "name": 'lower(t.name) collate "C"',
    "createdAt": "t.created_at",
    "updatedAt": "t.updated_at",
}


async def tenants(
    connection: Any,
    reading: IndexReading,
    *,
    id: UUID | None,
    search: str,
    active: bool | None,
    custom: Sequence[ValueFilter],
    sort: TenantSort,
    descending: bool,
    limit: int,
    offset: int,
) -> FoundPage:
    """A page of all live tenants; asked for super admins only."""
    direction = "desc" if descending else "asc"
    order = f"{_TENANT_SORTS[sort]} {direction}, t.id {direction}"
    gap = gap_of("'directory:tenant'", None) if custom else "false"

    def sql(made: bool) -> str:
        values = "t.custom_fields" if made else None
        return f"""
with listed as materialized (
  select t.* from tenants t where t.deleted_at is null and ($1::uuid is null or t.id = $1)
     and position(lower($2::text) in lower(t.name)) > 0 and ($3::boolean is null or t.is_active = $3)
     {conditions(len(custom), "t", "t.id", "directory:tenant", 6, values)}
)
select (select count(*) from listed) as total, t.id, {TENANT_DOCUMENT} as document, {gap} as gap
  from (values (1)) one left join lateral (
    select t.*, row_number() over (order by {order}) as nth from listed t order by {order} limit $4 offset $5
  ) t on true order by t.nth
"""

    rows, found_gap = await rows_of(
        connection,
        reading,
        sql,
        id,
        search,
        active,
        limit,
        offset,
        *arguments(custom),
    )
    return FoundPage.of(rows, found_gap)
