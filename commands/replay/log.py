"""The log as replay reads it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from commands import history
from commands.unit import Change
from domain.upcasters import SCHEMA_REVISION, current

_COLUMNS = (
    "l.tenant_id, l.seq, l.id, l.command_id, l.action_label, l.resource_kind, l.resource_id, l.history_action,"
    " l.reverses, l.source_log_id, l.schema_rev, l.created_at, l.recorded_at, l.changes::text as changes"
)
AFTER_BASE = "a.seq > coalesce((select max(b.seq) from log_bases b where b.tenant_id = a.tenant_id), 0)"
"""SQL: whether the log row `a` is to be replayed; one from before a base is only looked at."""
_READ = (
    f"select {_COLUMNS}{{more}} from (select n.*, sum(n.size) over (order by n.seq) - n.size as before from"
    " (select a.*, pg_column_size(a.changes) as size from action_logs a where a.seq > $1 and a.seq <= $3"
    f" and {AFTER_BASE} order by a.seq limit $2) n) l{{joins}} where l.before < $4 order by l.seq"
)
_BYTES = 8_000_000
"""Stored size of the row changes that are read at once; the row that goes beyond it is the last one."""
_LAST = (1 << 63) - 1
_SCOPES = (
    " left join action_log_scopes s on s.tenant_id = l.tenant_id and s.id = l.scope_id",
    ", l.input::text as input, s.scope::text as scope",
)


class LogRow(Struct, frozen=True):
    """One row of the log, its row changes in the form of today's tables."""

    tenant_id: UUID
    seq: int
    id: UUID
    command_id: str
    label: str | None
    resource_kind: str | None
    resource_id: str | None
    history_action: Literal["undo", "redo"] | None
    reverses: UUID | None
    source_log_id: UUID | None
    schema_rev: int
    created_at: datetime
    recorded_at: datetime
    changes: list[Change]
    input: str | None = None
    scope: str | None = None


class Named(Struct, frozen=True, rename="camel"):
    """A command of the log, as reports name it."""

    tenant_id: UUID
    log_id: UUID
    seq: int
    command: str
    action: str
    resource: str | None
    at: datetime


def named(row: LogRow) -> Named:
    """The log row as reports name it; `action` is do, undo or redo."""
    kind, record = row.resource_kind, row.resource_id
    resource = f"{kind}:{record}" if kind and record else kind
    return Named(
        row.tenant_id, row.id, row.seq, row.command_id, row.history_action or "do", resource, row.created_at
    )


async def read(
    connection: Any, after: int, limit: int, *, until: int = _LAST, inputs: bool = False
) -> list[LogRow]:
    """The next rows after a place, in the order of history; `inputs`: with what a re-execution needs.

    There are fewer than `limit` when they are large; none means that there are no more.

    Raises msgspec.DecodeError or whatever an upcaster raises when a row cannot be read.
    """
    joins, more = _SCOPES if inputs else ("", "")
    sql = _READ.format(joins=joins, more=more)
    return [_row(record, inputs) for record in await connection.fetch(sql, after, limit, until, _BYTES)]


async def read_these(connection: Any, ids: Sequence[UUID]) -> list[LogRow]:
    """These rows of the log, in the order of history."""
    sql = f"select {_COLUMNS} from action_logs l where l.id = any($1::uuid[]) order by l.seq"
    return [_row(record, inputs=False) for record in await connection.fetch(sql, list(ids))]


def _row(record: Any, inputs: bool) -> LogRow:
    return LogRow(
        tenant_id=record["tenant_id"],
        seq=record["seq"],
        id=record["id"],
        command_id=record["command_id"],
        label=record["action_label"],
        resource_kind=record["resource_kind"],
        resource_id=record["resource_id"],
        history_action=record["history_action"],
        reverses=record["reverses"],
        source_log_id=record["source_log_id"],
        schema_rev=record["schema_rev"],
        created_at=record["created_at"],
        recorded_at=record["recorded_at"],
        changes=history.decode(current(record["changes"], record["schema_rev"])),
        input=record["input"] if inputs else None,
        scope=record["scope"] if inputs else None,
    )


def base_row(tenant_id: UUID, seq: int, changes: list[Change]) -> LogRow:
    """What history begins with, in the form of a log row."""
    begin = datetime.min.replace(tzinfo=UTC)
    return LogRow(
        tenant_id=tenant_id,
        seq=seq,
        id=UUID(int=0),
        command_id="",
        label=None,
        resource_kind=None,
        resource_id=None,
        history_action=None,
        reverses=None,
        source_log_id=None,
        schema_rev=SCHEMA_REVISION,
        created_at=begin,
        recorded_at=begin,
        changes=changes,
    )


async def changes_of(connection: Any, tenant_id: UUID, log_id: UUID) -> list[Change] | None:
    """The row changes of one log row in the form of today's tables; None when there is no such row."""
    row = await connection.fetchrow(
        "select changes::text as changes, schema_rev from action_logs where tenant_id = $1 and id = $2",
        tenant_id,
        log_id,
    )
    return None if row is None else history.decode(current(row["changes"], row["schema_rev"]))


def text_of(value: Any) -> str:
    """A value as JSON text."""
    return msgspec.json.encode(value).decode()


def total(rows: Sequence[LogRow]) -> int:
    """How many row changes these log rows hold."""
    return sum(len(row.changes) for row in rows)
