"""How complete the index is: counting records and documents, and keeping the counts (contract: query-index.md 8)."""

from typing import Any
from uuid import UUID

from msgspec import Struct

from domain.entities.code import SHOWN
from domain.query_index import WHOLE_TENANT
from projections.gaps import end_gap, note_gap
from projections.index import NOBODY, EntityProjection, projection_for, projections
from projections.parts import Database, Part


class Coverage(Struct, frozen=True):
    """How many records there are, and how many of them have a document; deleted ones are not counted."""

    base: int
    indexed: int


def entity_id_of(projection: EntityProjection) -> str:
    """The id that an entity is known by to clients; its documents may be kept under another name."""
    named = (id for id, shown in SHOWN.items() if shown.table == projection.table)
    return next(named, projection.entity_type)


def part_of(tenant_id: UUID, entity_id: str, organization_id: UUID | None) -> Part | None:
    """All documents of an entity in an organization; None where nothing makes documents for it."""
    for one in projections():
        if one.type_column is None and entity_id in (one.entity_type, entity_id_of(one)):
            return Part(tenant_id, one.entity_type, one, organization_id)
    projection = projection_for(entity_id)
    return None if projection is None else Part(tenant_id, entity_id, projection, organization_id)


async def recount(
    connection: Any, tenant_id: UUID, entity_type: str, organization_id: UUID | None
) -> Coverage | None:
    """Count, and keep the counts; None for an entity type that has no documents.

    A gap that shows is noted, and one that shows no more is looked at again.
    """
    part = part_of(tenant_id, entity_type, organization_id)
    if part is None:
        return None
    row = await connection.fetchrow(
        f"select (select count(*) from ({part.records}) r where r.deleted_at is null) as base,"
        f" (select count(*) from entity_index e where {part.documents} and e.deleted_at is null) as indexed",
        *part.arguments,
    )
    found = Coverage(row["base"], row["indexed"])
    if found.indexed < found.base:
        await note_gap(connection, tenant_id, part.entity_type)
    else:
        await end_gap(connection, part)
    await keep(connection, tenant_id, entity_type, organization_id, found)
    return found


async def keep(
    connection: Any, tenant_id: UUID, entity_type: str, organization_id: UUID | None, found: Coverage
) -> None:
    """Keep counts as those of now."""
    await connection.execute(
        "insert into entity_index_coverage (tenant_id, id, organization_id, entity_type, base_count, indexed_count,"
        " refreshed_at) values ($1, gen_random_uuid(), $2, $3, $4, $5, clock_timestamp())"
        " on conflict (tenant_id, organization_id, entity_type, with_deleted) do update set"
        " base_count = excluded.base_count, indexed_count = excluded.indexed_count,"
        " refreshed_at = excluded.refreshed_at",
        tenant_id,
        organization_id or WHOLE_TENANT,
        entity_type,
        found.base,
        found.indexed,
    )


COUNTED = (
    f"select tenant_id, entity_type, coalesce(organization_id, '{NOBODY}') as organization_id,"
    f" coalesce(parent_id, '{NOBODY}') as parent_id, count(*) as n"
    " from entity_index where tenant_id = $1 and entity_type = $2 and deleted_at is null group by 1, 2, 3, 4"
)
"""What the counters of an entity type should be."""

MISCOUNTED = (
    f"select coalesce(k.parent_id, c.parent_id) as id from ({COUNTED}) c"
    " full join (select * from entity_counters where tenant_id = $1 and entity_type = $2) k"
    " on c.organization_id = k.organization_id and c.parent_id = k.parent_id"
    " where coalesce(k.n, 0) <> coalesce(c.n, 0)"
)
"""Counters that are not what they should be."""


async def mend_counters(database: Database, tenant_id: UUID, entity_type: str) -> bool:
    """Count the documents of an entity type anew where a counter is wrong; answers whether one was."""
    async with database.system() as connection:
        if not await connection.fetch(MISCOUNTED, tenant_id, entity_type):
            return False
    transaction = await database.begin(tenant_id, "query_index.rebuild")
    try:
        await transaction.connection.execute(
            "delete from entity_counters where tenant_id = $1 and entity_type = $2", tenant_id, entity_type
        )
        await transaction.connection.execute(
            f"insert into entity_counters (tenant_id, entity_type, organization_id, parent_id, n) {COUNTED}",
            tenant_id,
            entity_type,
        )
        await transaction.commit()
    except BaseException:
        await transaction.rollback()
        raise
    return True
