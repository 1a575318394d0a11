"""Rebuild and check of the query index, beside live traffic.

A batch is written under its tenant's lock, so a document is never older than its row. Lists are served all the time:
nothing is taken away before its replacement is there.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol
from uuid import UUID

from msgspec import Struct

from projections.index import NOBODY, EntityProjection, projections, refresh_sql

BATCH = 1_000


class Transaction(Protocol):
    """A write transaction of one tenant."""

    connection: Any

    async def commit(self) -> None:
        """Make it durable."""
        ...

    async def rollback(self) -> None:
        """Take it back."""
        ...


class Database(Protocol):
    """Where connections come from."""

    async def begin(self, tenant_id: UUID, command_id: str) -> Transaction:
        """Open a write transaction under the tenant's lock."""
        ...

    def system(self) -> AbstractAsyncContextManager[Any]:
        """A connection that sees all tenants."""
        ...


class Progress(Struct, frozen=True):
    """How far the rebuild of one entity type of one tenant is."""

    tenant_id: UUID
    entity_type: str
    done: int
    total: int
    removed: int = 0


class Difference(Struct, frozen=True, rename="camel"):
    """A document that is not what a rebuild would make; `kind` is missing, stale, orphan or counter."""

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
    chosen = [p for p in projections() if entity_type in (None, p.entity_type)]
    async with database.system() as connection:
        tenants = await _tenants(connection, chosen, tenant_id)
    for tenant in tenants:
        for projection in chosen:
            async for progress in _rebuild_one(database, search_key(tenant), tenant, projection, batch):
                yield progress


async def _tenants(connection: Any, chosen: list[EntityProjection], tenant_id: UUID | None) -> list[UUID]:
    if tenant_id is not None:
        return [tenant_id]
    tables = ["entity_index", *(p.table for p in chosen)]
    union = " union ".join(f"select tenant_id from {table}" for table in tables)
    return [row["tenant_id"] for row in await connection.fetch(f"{union} order by 1")]


async def _rebuild_one(
    database: Database, key: bytes, tenant: UUID, projection: EntityProjection, batch: int
) -> AsyncIterator[Progress]:
    async with database.system() as connection:
        total = await connection.fetchval(
            f"select count(*) from {projection.table} where tenant_id = $1", tenant
        )
    refresh = refresh_sql(projection.entity_type, "0", "$2::uuid[]", "$2::uuid[]", "$3::bytea", "$1::uuid")
    done, last = 0, UUID(int=0)
    while True:
        transaction = await database.begin(tenant, "query_index.rebuild")
        try:
            rows = await transaction.connection.fetch(
                f"select id from {projection.table} where tenant_id = $1 and id > $2 order by id limit $3",
                tenant,
                last,
                batch,
            )
            ids = [row["id"] for row in rows]
            if ids:
                await transaction.connection.execute(f"with {refresh} select 1", tenant, ids, key)
            await transaction.commit()
        except BaseException:
            await transaction.rollback()
            raise
        done += len(ids)
        if len(ids) < batch:
            break
        last = ids[-1]
        yield Progress(tenant, projection.entity_type, done, max(total, done))
    removed = await _finish(database, tenant, projection)
    yield Progress(tenant, projection.entity_type, done, done, removed)


async def _finish(database: Database, tenant: UUID, projection: EntityProjection) -> int:
    """Remove documents without a row, and count anew."""
    gone = f"not exists (select from {projection.table} t where t.tenant_id = $1 and t.id = e.entity_id)"
    transaction = await database.begin(tenant, "query_index.rebuild")
    try:
        connection = transaction.connection
        orphans = await connection.fetch(
            f"delete from entity_index e where e.tenant_id = $1 and e.entity_type = $2 and {gone} returning 1",
            tenant,
            projection.entity_type,
        )
        await connection.execute(
            f"delete from entity_search e where e.tenant_id = $1 and e.entity_type = $2 and {gone}",
            tenant,
            projection.entity_type,
        )
        await connection.execute(
            "delete from entity_counters where tenant_id = $1 and entity_type = $2",
            tenant,
            projection.entity_type,
        )
        await connection.execute(
            f"insert into entity_counters (tenant_id, entity_type, organization_id, parent_id, n) {_COUNT}",
            tenant,
            projection.entity_type,
        )
        await transaction.commit()
    except BaseException:
        await transaction.rollback()
        raise
    return len(orphans)


_COUNT = (
    f"select tenant_id, entity_type, coalesce(organization_id, '{NOBODY}') as organization_id,"
    f" coalesce(parent_id, '{NOBODY}') as parent_id, count(*) as n"
    " from entity_index where tenant_id = $1 and entity_type = $2 and deleted_at is null group by 1, 2, 3, 4"
)


async def differences(connection: Any, tenant_id: UUID, key: bytes) -> list[Difference]:
    """Where a tenant's index is not what a rebuild would make of its tables: documents, tokens and counters."""
    found: list[Difference] = []
    for projection in projections():
        rows = await connection.fetch(_compare_sql(projection), tenant_id, projection.entity_type, key)
        found += [Difference(tenant_id, projection.entity_type, str(row["id"]), row["kind"]) for row in rows]
        counted = await connection.fetch(
            f"select coalesce(k.parent_id, c.parent_id) as id from ({_COUNT}) c"
            " full join (select * from entity_counters where tenant_id = $1 and entity_type = $2) k"
            " on c.organization_id = k.organization_id and c.parent_id = k.parent_id"
            " where coalesce(k.n, 0) <> coalesce(c.n, 0)",
            tenant_id,
            projection.entity_type,
        )
        found += [Difference(tenant_id, projection.entity_type, str(row["id"]), "counter") for row in counted]
    return found


def _compare_sql(projection: EntityProjection) -> str:
    return f"""
with fresh as (select * from ({projection.select} where t.tenant_id = $1) d),
     kept as (select * from entity_index where tenant_id = $1 and entity_type = $2),
     tokens as (select * from entity_search where tenant_id = $1 and entity_type = $2)
select coalesce(fresh.id, kept.entity_id) as id,
       case when kept.entity_id is null then 'missing' when fresh.id is null then 'orphan' else 'stale' end as kind
  from fresh full join kept on kept.entity_id = fresh.id left join tokens on tokens.entity_id = kept.entity_id
 where kept.entity_id is null or fresh.id is null
    or (kept.doc, kept.organization_id, kept.parent_id, kept.position, kept.name_lc, kept.created_at,
        kept.updated_at, kept.deleted_at, kept.projection_version)
       is distinct from (fresh.doc, fresh.organization_id, fresh.parent_id, fresh.position, fresh.name_lc collate "C",
        fresh.created_at, fresh.updated_at, fresh.deleted_at, {projection.version})
    or tokens.grams is distinct from search_grams(fresh.search, $3)
"""
