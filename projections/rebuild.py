"""Rebuild and check of the query index, beside live traffic.

Nothing is taken away before its replacement is there (projections/parts.py), so lists are served all the time.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

from msgspec import Struct

from projections.coverage import MISCOUNTED, mend_counters
from projections.gaps import end_gap
from projections.index import EntityProjection, projection_for, projections
from projections.parts import Database, Fault, Part, rebuilt, total_of
from projections.values import fresh_values

BATCH = 1_000


class Progress(Struct, frozen=True):
    """How far the rebuild of one entity type of one tenant is."""

    tenant_id: UUID
    entity_type: str
    done: int
    total: int
    removed: int = 0
    """Documents without a record that were taken out; told once, at the end."""
    faults: tuple[Fault, ...] = ()
    """Records that cannot be indexed; told once, at the end."""


class Difference(Struct, frozen=True, rename="camel"):
    """A document that is not what a rebuild would make; `kind` is missing, stale, orphan, counter or values."""

    tenant_id: UUID
    entity_type: str
    entity_id: str
    kind: str


async def rebuild(
    database: Database,
    search_key: Callable[[UUID], bytes],
    *,
    tenant_id: UUID | None = None,
    entity_type: str | None = None,
    batch: int = BATCH,
) -> AsyncIterator[Progress]:
    """Bring every document up to date and remove orphans; yields its progress after each batch."""
    one = projection_for(entity_type) if entity_type is not None else None
    chosen = projections() if entity_type is None else [one] if one is not None else []
    async with database.system() as connection:
        tenants = await _tenants(connection, chosen, tenant_id)
    for tenant in tenants:
        for projection in chosen:
            async with database.system() as connection:
                kinds = [entity_type] if entity_type else await types_of(connection, tenant, projection)
            for kind in kinds:
                async for progress in _rebuild_one(
                    database, search_key(tenant), tenant, projection, kind, batch
                ):
                    yield progress


async def types_of(connection: Any, tenant: UUID, projection: EntityProjection) -> list[str]:
    """The entity types that a projection makes documents of in a tenant, those that it made before included."""
    if projection.type_column is None:
        return [projection.entity_type]
    others = [one.entity_type for one in projections() if one.type_column is None]
    rows = await connection.fetch(
        f"select {projection.type_column} as kind from {projection.table} where tenant_id = $1 union"
        " (select entity_type from entity_index where tenant_id = $1"
        " union select entity_type from entity_counters where tenant_id = $1"
        " union select entity_type from entity_values where tenant_id = $1"
        " except select unnest($2::text[])) order by 1",
        tenant,
        others,
    )
    return [row["kind"] for row in rows]


async def _tenants(connection: Any, chosen: list[EntityProjection], tenant_id: UUID | None) -> list[UUID]:
    if tenant_id is not None:
        return [tenant_id]
    tables = ["entity_index", *(p.table for p in chosen)]
    union = " union ".join(f"select tenant_id from {table}" for table in tables)
    return [row["tenant_id"] for row in await connection.fetch(f"{union} order by 1")]


async def _rebuild_one(
    database: Database, key: bytes, tenant: UUID, projection: EntityProjection, kind: str, batch: int
) -> AsyncIterator[Progress]:
    part = Part(tenant, kind, projection)
    async with database.system() as connection:
        total = await total_of(connection, part)
    done = removed = 0
    faults: tuple[Fault, ...] = ()
    async for step in rebuilt(database, key, part, most=batch):
        done, removed, faults = done + step.done, removed + step.removed, faults + step.faults
        yield Progress(tenant, kind, done, max(total, done))
    await mend_counters(database, tenant, kind)
    async with database.system() as connection:
        await end_gap(connection, part)
    yield Progress(tenant, kind, done, done, removed, faults)


async def differences(connection: Any, tenant_id: UUID, key: bytes) -> list[Difference]:
    """Where a tenant's index is not what a rebuild would make: documents, tokens, counters and custom values."""
    found: list[Difference] = []
    for projection in projections():
        for kind in await types_of(connection, tenant_id, projection):
            found += await _differences(connection, tenant_id, key, projection, kind)
    return found


async def _differences(
    connection: Any, tenant_id: UUID, key: bytes, projection: EntityProjection, kind: str
) -> list[Difference]:
    rows = await connection.fetch(_compare_sql(projection), tenant_id, kind, key)
    found = [Difference(tenant_id, kind, str(row["id"]), row["kind"]) for row in rows]
    for name, sql in (("counter", MISCOUNTED), ("values", _compare_values_sql(projection))):
        rows = await connection.fetch(sql, tenant_id, kind)
        found += [Difference(tenant_id, kind, str(row["id"]), name) for row in rows]
    return found


def _compare_sql(projection: EntityProjection) -> str:
    return f"""
with fresh as (select * from ({projection.select} where t.tenant_id = $1 and {projection.of_type}) d),
     kept as (select * from entity_index where tenant_id = $1 and entity_type = $2),
     tokens as (select * from entity_search where tenant_id = $1 and entity_type = $2)
select coalesce(fresh.id, kept.entity_id, tokens.entity_id) as id,
       case when fresh.id is null then 'orphan' when kept.entity_id is null then 'missing' else 'stale' end as kind
  from fresh full join kept on kept.entity_id = fresh.id
  full join tokens on tokens.entity_id = coalesce(kept.entity_id, fresh.id)
 where kept.entity_id is null or fresh.id is null
    or (kept.doc, kept.organization_id, kept.parent_id, kept.position, kept.name_lc, kept.created_at,
        kept.updated_at, kept.deleted_at, kept.projection_version)
       is distinct from (fresh.doc, fresh.organization_id, fresh.parent_id, fresh.position, fresh.name_lc collate "C",
        fresh.created_at, fresh.updated_at, fresh.deleted_at, {projection.version})
    or tokens.grams is distinct from search_grams(fresh.search, $3)
"""


def _compare_values_sql(projection: EntityProjection) -> str:
    """The records whose indexed custom values are not those that a rebuild would write."""
    fresh = f"{projection.select} where t.tenant_id = $1 and {projection.of_type}"
    wanted = (
        fresh_values(projection.table, "fresh", "$1")
        if projection.has_values
        else "select id, organization_id, false, '', 0, 0::float8, '', 0::bigint from fresh where false"
    )
    return f"""
with fresh as materialized ({fresh}),
     wanted (id, organization_id, deleted, field, n, number, text, signature) as ({wanted}),
     kept as (select entity_id, organization_id, deleted, field, n, number, text, signature from entity_values
               where tenant_id = $1 and entity_type = $2)
select distinct id from ((table wanted except table kept) union all (table kept except table wanted)) d
"""
