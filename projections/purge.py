"""Taking documents out of the index, their tokens and values with them; the records stay (query-index.md 7).

The gap is noted in the transaction that takes the documents out, so that no list meets it unawares.
"""

from collections.abc import AsyncIterator
from typing import Final

from projections.gaps import NOTE_GAP, NOTED_AGAIN
from projections.index import NOBODY
from projections.parts import Database, Part

_BATCH: Final = 200

_TAKE = f"""
with gone as (
  delete from entity_index where tenant_id = $1 and entity_type = $2 and entity_id = any($3::uuid[])
  returning organization_id, parent_id, deleted_at is null as counted
), tokens as (
  delete from entity_search where tenant_id = $1 and entity_type = $2 and entity_id = any($3::uuid[])
), vals as (
  delete from entity_values where tenant_id = $1 and entity_type = $2 and entity_id = any($3::uuid[])
), less as (
  select coalesce(organization_id, '{NOBODY}') as organization_id, coalesce(parent_id, '{NOBODY}') as parent_id,
         count(*) as n from gone where counted group by 1, 2
), counters as (
  update entity_counters c set n = c.n - less.n from less
   where c.tenant_id = $1 and c.entity_type = $2
     and c.organization_id = less.organization_id and c.parent_id = less.parent_id
), noted as (
  {NOTE_GAP} where exists (select from gone) on conflict {NOTED_AGAIN}
)
select count(*) from gone
"""


async def documents_of(database: Database, part: Part) -> int:
    """How many documents the part has."""
    async with database.system() as connection:
        sql = f"select count(*) from entity_index e where {part.documents}"
        return int(await connection.fetchval(sql, *part.arguments))


async def purged(database: Database, part: Part) -> AsyncIterator[int]:
    """Take out the documents of a part, in short transactions; yields how many each of them took."""
    sql = (
        f"select e.entity_id as id from entity_index e where {part.documents} order by 1 limit {_BATCH * 10}"
    )
    while True:
        async with database.system() as connection:
            ids = [row["id"] for row in await connection.fetch(sql, *part.arguments)]
        for place in range(0, len(ids), _BATCH):
            transaction = await database.begin(part.tenant_id, "query_index.purge")
            try:
                taken = await transaction.connection.fetchval(
                    _TAKE, part.tenant_id, part.entity_type, ids[place : place + _BATCH]
                )
                await transaction.commit(durable=False)
            except BaseException:
                await transaction.rollback()
                raise
            yield int(taken)
        if len(ids) < _BATCH * 10:
            return
