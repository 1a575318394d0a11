"""Taking row changes back, and putting them forward again: one generic reversal for every command there is.

Statements are mirrored in the reverse of their order, each set-based. Every row is guarded: it is changed only when
the columns that the command changed still are what it left (`updated_at` apart, which is stamped anew, and computed
columns, which are worked out again).
"""

from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from typing import Any

import asyncpg
import msgspec
from msgspec import Raw

from commands import statements
from commands.unit import Change, Unit
from domain.errors import Problem
from domain.resources import Resource, resource_of
from domain.wire import iso_ms

_encode = msgspec.json.Encoder().encode
_changes = msgspec.json.Decoder(list[Change])


class ChangedSince(Exception):
    """Rows are no longer what the command left: `rows` are (table, id) pairs."""

    def __init__(self, rows: list[tuple[str, str]]) -> None:
        super().__init__(f"{len(rows)} rows changed since")
        self.rows = rows


def decode(changes: str | bytes) -> list[Change]:
    """The row changes of a log row, their values left undecoded."""
    return _changes.decode(changes)


Settler = Callable[[Unit], Awaitable[None]]

_settlers: dict[str, Settler] = {}


def settles(table: str) -> Callable[[Settler], Settler]:
    """Declare what works out the computed columns of a table after a reversal that touched it.

    It writes through the unit, so that what it does is part of the reversal's own log row, and raises ChangedSince when
    the rows, as they are now, do not go together any more.
    """

    def register(settler: Settler) -> Settler:
        _settlers[table] = settler
        return settler

    return register


async def reverse(unit: Unit, changes: Sequence[Change]) -> None:
    """Apply the inverse of `changes` through the unit, which notes what was done.

    Raises ChangedSince when a row is no longer what the command left, and asyncpg's integrity errors when something
    else stands in the way. Nothing is half done: the caller rolls back.
    """
    own = [change for change in changes if _is_own(change)]
    several = len(own) > 1
    if several:
        await unit.connection.execute("set constraints all deferred")
    backwards = sorted(enumerate(own), key=lambda pair: (-pair[1].s, -pair[0]))
    for (_, table, operation), group in groupby((c for _, c in backwards), key=lambda c: (c.s, c.t, c.o)):
        await _reverse_statement(unit, resource_of(table), operation, list(group))
    if several:
        await unit.connection.execute("set constraints all immediate")
    for table in dict.fromkeys(change.t for change in changes):
        if table in _settlers:
            await _settlers[table](unit)


def _is_own(change: Change) -> bool:
    """Whether the command decided this change, rather than it following from others."""
    return change.o != "u" or resource_of(change.t).edited(change.a or ())


async def _reverse_statement(unit: Unit, resource: Resource, operation: str, group: list[Change]) -> None:
    free = resource.volatile | resource.computed
    tenant, volatile = unit.scope.tenant_id, sorted(free)
    stamp = {column: Raw(_encode(unit.now)) for column in resource.volatile}
    if operation == "i":
        sql = statements.reverse_insert(resource.name)
        args: tuple[Any, ...] = (tenant, _text([change.a for change in group]), volatile)
    elif operation == "d":
        sql = statements.reverse_delete(resource.name)
        args = (_text([(change.b or {}) | stamp for change in group]),)
    else:
        sql = statements.reverse_update(resource.name)
        args = (tenant, _text([_step_back(change, stamp, free) for change in group]), volatile)
    records = await unit.connection.fetch(sql, *args)
    if len(records) < len(group):
        done = {record["ord"] for record in records}
        raise ChangedSince([(c.t, _id(c)) for n, c in enumerate(group, 1) if n not in done])
    inverse = {"i": "d", "d": "i", "u": "u"}
    unit.note(resource, inverse[operation], records)  # type: ignore[arg-type]  # a literal of the three


def _step_back(change: Change, stamp: dict[str, Raw], free: frozenset[str]) -> dict[str, Any]:
    before = {column: value for column, value in (change.b or {}).items() if column not in free}
    after = {column: value for column, value in (change.a or {}).items() if column not in free}
    return {"k": change.k, "to": before | stamp, "from": after}


def _id(change: Change) -> str:
    return bytes(change.k["id"])[1:-1].decode()


def _text(value: Any) -> str:
    return _encode(value).decode()


async def blocked(connection: asyncpg.Connection, error: ChangedSince, tenant: Any, seq: int) -> Problem:
    """The answer to a reversal that met changed rows: which later action changed them, when the log knows."""
    tables = [table for table, _ in error.rows]
    ids = [id for _, id in error.rows]
    later = await connection.fetchrow(
        "select l.id, l.command_id, l.action_label, l.created_at, l.actor_user_id from action_log_rows r"
        " join action_logs l on l.tenant_id = r.tenant_id and l.id = r.log_id"
        " where r.tenant_id = $1 and r.seq > $2 and (r.table_name, r.row_id) in"
        " (select * from unnest($3::text[], $4::uuid[])) order by r.seq desc limit 1",
        tenant,
        seq,
        tables,
        ids,
    )
    extra: dict[str, Any] = {}
    if later is not None:
        extra["changedBy"] = {
            "logId": str(later["id"]),
            "commandId": later["command_id"],
            "actionLabel": later["action_label"],
            "at": iso_ms(later["created_at"]),
        }
    return Problem.bad_request("The record has been changed since", "changed_since", **extra)
