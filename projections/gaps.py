"""Gaps: entity types of which some records have no document (contract: query-index.md 8, decision 0025).

A gap is noted in the transaction that makes it, or when records and documents are counted, and is over when every
record is seen to have a document. Lists ask for it in the statement that reads the index.
"""

from typing import Any, Final
from uuid import UUID

from domain.query_index import REBUILD_EVERY
from domain.resources import resource_of
from projections.index import EntityProjection
from projections.parts import Part

NOTE_GAP: Final = (
    "insert into entity_index_gaps (tenant_id, entity_type, noted_at) select $1, $2, clock_timestamp()"
)
"""Notes a gap of the entity type `$2` in the tenant `$1`; a condition may follow, then what happens on conflict."""
NOTED_AGAIN: Final = "(tenant_id, entity_type) do update set noted_at = excluded.noted_at"


async def note_gap(connection: Any, tenant_id: UUID, entity_type: str) -> None:
    """Have lists of an entity type read the tables, if they do not yet."""
    await connection.execute(
        f"{NOTE_GAP} on conflict {NOTED_AGAIN} where entity_index_gaps.noted_at is null",
        tenant_id,
        entity_type,
    )


async def end_gap(connection: Any, part: Part) -> bool:
    """Have lists read the index again, if every record of the tenant has a document; answers whether a gap ended.

    A gap that is noted anew meanwhile stays.
    """
    noted = await connection.fetchval(
        "select noted_at from entity_index_gaps where tenant_id = $1 and entity_type = $2 and noted_at is not null",
        *part.arguments[:2],
    )
    if noted is None:
        return False
    whole = Part(part.tenant_id, part.entity_type, part.projection)
    noted = await connection.fetchval(
        "select g.noted_at from entity_index_gaps g where g.tenant_id = $1 and g.entity_type = $2"
        f" and not exists (select from ({whole.records}) r where not exists (select from entity_index e"
        " where e.tenant_id = $1 and e.entity_type = $2 and e.entity_id = r.id))",
        *whole.arguments,
    )
    if noted is None:
        return False
    ended = await connection.execute(
        "update entity_index_gaps set noted_at = null where tenant_id = $1 and entity_type = $2 and noted_at = $3",
        *part.arguments[:2],
        noted,
    )
    return str(ended) == "UPDATE 1"


async def claim_rebuild(connection: Any, tenant_id: UUID, entity_type: str) -> bool:
    """Whether a gap should be closed now: there is one, and nobody had it closed in the last five minutes."""
    claimed = await connection.execute(
        "update entity_index_gaps set scheduled_at = clock_timestamp() where tenant_id = $1 and entity_type = $2"
        " and noted_at is not null and coalesce(scheduled_at < clock_timestamp() - $3::interval, true)",
        tenant_id,
        entity_type,
        REBUILD_EVERY,
    )
    return str(claimed) == "UPDATE 1"


async def note_unindexed(connection: Any, projection: EntityProjection) -> int:
    """Note the gaps of all tenants whose records are more than the counters tell; answers how many there are.

    For what came about elsewhere: a table that was not projected before, a database that was restored in part.
    """
    kind = f"t.{projection.type_column}" if projection.type_column else f"'{projection.entity_type}'"
    live = " where t.deleted_at is null" if resource_of(projection.table).soft_deletes else ""
    noted = await connection.execute(
        "insert into entity_index_gaps (tenant_id, entity_type, noted_at)"
        " select r.tenant_id, r.kind, clock_timestamp()"
        f" from (select t.tenant_id, {kind} as kind, count(*) as n from {projection.table} t{live} group by 1, 2) r"
        " where r.n > (select coalesce(sum(c.n), 0) from entity_counters c"
        "   where c.tenant_id = r.tenant_id and c.entity_type = r.kind)"
        f" on conflict {NOTED_AGAIN}"
    )
    return int(str(noted).rpartition(" ")[2])
