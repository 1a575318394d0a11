"""The secrets of records in the database: read, made and destroyed, each in one statement (decision 0034)."""

import os
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain.encryption.tokens import SECRET_BYTES, Subject
from domain.ids import random_id

LOG: Final = "action_logs"
"""The table of the subjects of values that stand in the input of a command, and in none of its rows."""

_COLUMNS = "k.id, k.table_name, k.row_id, k.secret"
_BY_ID = f"select {_COLUMNS} from subject_keys k where k.tenant_id = $1 and k.id = any($2::uuid[])"
_INSERT = """
insert into subject_keys (tenant_id, id, table_name, row_id, secret, created_at)
select $1, w.id, w.table_name, w.row_id, w.secret, now()
  from unnest($2::uuid[], $3::text[], $4::uuid[], $5::bytea[]) w (id, table_name, row_id, secret)
"""
# What is made in a statement is not seen by the rest of it, so nothing is found twice.
_MET = f"""
with made as (
  insert into subject_keys as k (tenant_id, id, table_name, row_id, secret, created_at)
  select $1, w.id, $2, w.row_id, w.secret, now()
    from unnest($3::uuid[], $4::uuid[], $5::bytea[]) w (row_id, id, secret)
   where not exists (select from subject_keys x where x.tenant_id = $1 and x.table_name = $2
                        and x.row_id = w.row_id and x.secret is not null)
  returning k.id, k.table_name, k.row_id, k.secret
)
select * from made
union all
select {_COLUMNS} from subject_keys k
 where k.tenant_id = $1 and k.table_name = $2 and k.row_id = any($3::uuid[]) and k.secret is not null
union all
{_BY_ID.replace("$2", "$6")}
"""
_ERASED = """
update subject_keys k set secret = null, erased_at = $4
 where k.tenant_id = $1 and k.secret is not null and ((k.table_name = $2 and k.row_id = $3)
    or (k.table_name = 'action_logs' and k.row_id in (
         select r.log_id from action_log_rows r where r.tenant_id = $1 and r.table_name = $2 and r.row_id = $3)))
returning k.id
"""


def new_subject(table: str, row_id: UUID) -> Subject:
    """A subject with a secret of its own, which nobody else has, and which is not stored yet."""
    return Subject(random_id(), table, row_id, os.urandom(SECRET_BYTES))


async def subjects_by_id(connection: Any, tenant_id: UUID, ids: Collection[UUID]) -> list[Subject]:
    """Those that there are, erased ones without their secret."""
    if not ids:
        return []
    return [Subject(*row) for row in await connection.fetch(_BY_ID, tenant_id, list(ids))]


async def met_subjects(
    connection: Any, tenant_id: UUID, table: str, row_ids: Iterable[UUID], ids: Collection[UUID]
) -> list[Subject]:
    """The subjects of these rows of a table, made where there are none, and those of these ids.

    Inside the transaction of a command, under the tenant's lock.
    """
    fresh = [new_subject(table, row_id) for row_id in row_ids]
    rows = await connection.fetch(
        _MET,
        tenant_id,
        table,
        [one.row_id for one in fresh],
        [one.id for one in fresh],
        [one.secret for one in fresh],
        list(ids),
    )
    return [Subject(*row) for row in rows]


async def store_subjects(connection: Any, tenant_id: UUID, subjects: Sequence[Subject]) -> None:
    """Keep the secrets of new subjects."""
    await connection.execute(
        _INSERT,
        tenant_id,
        [one.id for one in subjects],
        [one.table for one in subjects],
        [one.row_id for one in subjects],
        [one.secret for one in subjects],
    )


async def destroy_secrets(
    connection: Any, tenant_id: UUID, table: str, row_id: UUID, now: datetime
) -> list[UUID]:
    """Destroy the secrets of a record, and of what the inputs of commands on it hold; returns the subjects' ids."""
    rows = await connection.fetch(_ERASED, tenant_id, table, row_id, now)
    return [row["id"] for row in rows]
