"""Taking row changes back, and putting them forward again: one generic reversal for every command there is.

Statements are mirrored in the reverse of their order, each set-based. Every row is guarded: it is changed only when
the columns that the command changed still are what it left (`updated_at` apart, which is stamped anew, and computed
columns, which are worked out again). Of a column that holds an object (custom fields) the keys count, each for itself.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Literal
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Raw

from commands import statements
from commands.unit import Change, Unit
from domain.errors import Problem
from domain.images import camel
from domain.resources import Resource, Row, resource_of
from domain.upcasters import current
from domain.wire import iso_ms

_encode = msgspec.json.Encoder().encode
_changes = msgspec.json.Decoder(list[Change])
_members = msgspec.json.Decoder(Row)

RowName = tuple[str, str]
"""Table and id."""
Field = tuple[str, str | None]
"""A column, or one key of a column that holds an object."""


class ChangedSince(Exception):
    """Rows are no longer what the command left; `fields` says of rows what of them is not, where that is known."""

    def __init__(self, rows: list[RowName], fields: Mapping[RowName, list[Field]] | None = None) -> None:
        super().__init__(f"{len(rows)} rows changed since")
        self.rows = rows
        self.fields = dict(fields or {})


MOST_TOLD = 200
"""Rows of a table of which it is looked up what was changed since."""

CHANGED = """
exists (select from jsonb_array_elements(l.changes) c
         where c ->> 't' = x.t and c -> 'k' ->> 'id' = x.id::text
           and (c ->> 'o' <> 'u' or x.fields = '[]' or exists (
                select from jsonb_array_elements(x.fields::jsonb) f
                 where case when f ->> 1 is null then c -> 'a' ? (f ->> 0)
                            else c -> 'a' -> (f ->> 0) -> (f ->> 1)
                                 is distinct from c -> 'b' -> (f ->> 0) -> (f ->> 1) end)))
"""
"""Whether the log row `l` changed one of `x.fields` (JSON of `Field`s; none: anything) of the row (`x.t`, `x.id`), and
not only another part of the record.
"""


def decode(changes: str | bytes) -> list[Change]:
    """The row changes of a log row, their values left undecoded."""
    return _changes.decode(changes)


HistoryAction = Literal["undo", "redo"]
Afterthought = Callable[[Unit, UUID, HistoryAction], Awaitable[None]]

_afterthoughts: dict[str, Afterthought] = {}


def reverses(command_id: str) -> Callable[[Afterthought], Afterthought]:
    """Declare what else is to be noted, outside of history's tables, when a command of this id is undone or redone.

    It is given the unit of the reversal, and the id of the command's log row.
    """

    def register(afterthought: Afterthought) -> Afterthought:
        _afterthoughts[command_id] = afterthought
        return afterthought

    return register


async def noted(unit: Unit, command_id: str, log_id: UUID, action: HistoryAction) -> None:
    """Note what was declared for the reversal of a command."""
    if command_id in _afterthoughts:
        await _afterthoughts[command_id](unit, log_id, action)


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
    await settle(unit, changes)


def is_settled(table: str) -> bool:
    """Whether computed columns of the table are worked out after a reversal."""
    return table in _settlers


_PIECES = """
drop table if exists pg_temp.reversal;
create temp table reversal (s int, t text, o text, place bigint, change jsonb) on commit drop;
"""
_FILLED = """
insert into reversal select (x.c ->> 's')::int, x.c ->> 't', x.c ->> 'o', x.place, x.c
  from action_logs l, jsonb_array_elements(l.changes) with ordinality x (c, place) where l.tenant_id = $1 and l.id = $2
"""
_PIECE = """
select jsonb_agg(p.change order by p.place)::text as changes, min(p.place) as place
  from (select * from reversal where s = $1 and t = $2 and o = $3 and place < $4 order by place desc limit $5) p
"""
_CHUNK = 2_000


async def reverse_large(unit: Unit, log_id: UUID) -> None:
    """`reverse` for a log row with very many changes: they are read, and put down again, in pieces."""
    tenant_id = unit.scope.tenant_id
    rev = await unit.fetchval(
        "select schema_rev from action_logs where tenant_id = $1 and id = $2", tenant_id, log_id
    )
    await unit.connection.execute(_PIECES)
    await unit.connection.execute(_FILLED, tenant_id, log_id)
    await unit.connection.execute("set constraints all deferred")
    found = await unit.fetch(
        "select s, t, o, max(place) as last from reversal group by s, t, o order by s desc, 4 desc"
    )
    for statement in found:
        last = statement["last"] + 1
        while True:
            await unit.make_room()
            piece = await unit.fetchrow(_PIECE, statement["s"], statement["t"], statement["o"], last, _CHUNK)
            if piece is None or piece["changes"] is None:
                break
            last = piece["place"]
            own = [change for change in decode(current(piece["changes"], rev)) if _is_own(change)]
            if own:
                await _reverse_statement(unit, resource_of(own[0].t), own[0].o, own)
    await unit.connection.execute("set constraints all immediate")
    for table in dict.fromkeys(statement["t"] for statement in found):
        if table in _settlers:
            await _settlers[table](unit)


async def settle(unit: Unit, changes: Sequence[Change]) -> None:
    """Have the computed columns of the changed tables worked out again."""
    for table in dict.fromkeys(change.t for change in changes):
        if table in _settlers:
            await _settlers[table](unit)


def _is_own(change: Change) -> bool:
    """Whether the command decided this change, rather than it following from others."""
    return change.o != "u" or resource_of(change.t).edited(change.a or ())


async def _reverse_statement(unit: Unit, resource: Resource, operation: str, group: list[Change]) -> None:
    free = resource.volatile | resource.computed
    tenant = unit.scope.tenant_id
    stamp = {column: Raw(_encode(unit.now)) for column in resource.volatile}
    steps: list[dict[str, Any]] = []
    if operation == "i":
        sql = statements.reverse_insert(resource.name)
        steps = [{"from": change.a} for change in group]
        args: tuple[Any, ...] = (tenant, _text([change.a for change in group]))
    elif operation == "d":
        sql = statements.reverse_delete(resource.name)
        images = [resource.completed(change.b or {}) | stamp for change in group]
        args = (_text(_sealed(unit, resource, images, group)),)
    else:
        sql = statements.reverse_update(resource.name)
        steps = [_step_back(resource, change, stamp, free) for change in group]
        whole = [{**step["to"], "id": change.k["id"]} for step, change in zip(steps, group, strict=True)]
        for step, image in zip(steps, _sealed(unit, resource, whole, group), strict=True):
            step["to"] = {column: image[column] for column in step["to"]}
        args = (tenant, _text(steps))
    records = await unit.connection.fetch(sql, *args)
    if len(records) < len(group):
        done = {record["ord"] for record in records}
        stuck = {
            (c.t, _id(c)): step
            for n, (c, step) in enumerate(zip(group, steps, strict=True), 1)
            if n not in done
        }
        raise ChangedSince(list(stuck), await changed_fields(unit, resource, stuck))
    inverse = {"i": "d", "d": "i", "u": "u"}
    unit.note(resource, inverse[operation], records)  # type: ignore[arg-type]  # a literal of the three


def _sealed(
    unit: Unit, resource: Resource, images: Sequence[dict[str, Any]], group: Sequence[Change]
) -> Sequence[dict[str, Any]]:
    """Images that are brought back, their designated values sealed: they may be older than the encryption map."""
    if unit.seals is None:
        return images
    return unit.seals.images(resource, images, [change.u or change.b or {} for change in group])


def _step_back(
    resource: Resource, change: Change, stamp: dict[str, Raw], free: frozenset[str]
) -> dict[str, Any]:
    """What `statements.reverse_update` needs to take an update back."""
    before: dict[str, Any] = {
        column: value for column, value in (change.b or {}).items() if column not in free
    }
    after: dict[str, Any] = {
        column: value for column, value in (change.a or {}).items() if column not in free
    }
    keys: dict[str, list[str]] = {}
    for column in resource.keyed & before.keys() & after.keys():
        old, new = _members.decode(before[column]), _members.decode(after[column])
        keys[column] = _differing(old, new)
        before[column] = {key: old[key] for key in keys[column] if key in old}
        after[column] = {key: new[key] for key in keys[column] if key in new}
    return {"k": change.k, "to": before | stamp, "from": after, "keys": keys}


def _differing(one: Row, other: Row) -> list[str]:
    """The keys that two objects do not have in common, value by value."""
    return [key for key in one | other if one.get(key) != other.get(key)]


async def changed_fields(
    unit: Unit, resource: Resource, steps: Mapping[RowName, Mapping[str, Any]]
) -> dict[RowName, list[Field]]:
    """What of rows is not as their steps want it: of each, at most MOST_TOLD rows, `from` with its `keys` is compared
    with the row as it is now. Rows that are gone have no fields.
    """
    names = list(steps)[:MOST_TOLD]
    free = resource.volatile | resource.computed
    rows = await unit.fetch(
        f"select id, to_jsonb(t)::text as row from {resource.name} t where tenant_id = $1 and id = any($2::uuid[])",
        unit.scope.tenant_id,
        [UUID(id) for _, id in names],
    )
    found: dict[RowName, list[Field]] = {}
    for record in rows:
        name = (resource.name, str(record["id"]))
        step, now = steps[name], _members.decode(record["row"])
        wanted: Row = {column: value for column, value in step["from"].items() if column in now.keys() - free}
        fields: list[Field] = []
        for column, value in wanted.items():
            if column not in resource.keyed:
                fields += [(column, None)] if value != now[column] else []
                continue
            whole = _members.decode(_encode(value))
            keys = (step.get("keys") or {}).get(column)
            own, present = whole, _members.decode(now[column])
            fields += [(column, key) for key in _differing(own, present) if keys is None or key in keys]
        found[name] = fields
    return found


def _id(change: Change) -> str:
    return bytes(change.k["id"])[1:-1].decode()


def _text(value: Any) -> str:
    return _encode(value).decode()


async def blocked(connection: asyncpg.Connection, error: ChangedSince, tenant: Any, seq: int) -> Problem:
    """The answer to a reversal that met changed rows: which fields those are, and which later action changed them, as
    far as that is known.
    """
    later = await connection.fetchrow(
        "select l.id, l.command_id, l.action_label, l.created_at from"
        " unnest($3::text[], $4::uuid[], $5::text[]) x(t, id, fields)"
        " join action_log_rows r on r.tenant_id = $1 and r.seq > $2 and r.table_name = x.t and r.row_id = x.id"
        " join action_logs l on l.tenant_id = r.tenant_id and l.id = r.log_id"
        f" where {CHANGED} order by r.seq desc limit 1",
        tenant,
        seq,
        [table for table, _ in error.rows],
        [id for _, id in error.rows],
        [_text(error.fields.get(row, [])) for row in error.rows],
    )
    extra: dict[str, Any] = {}
    if later is not None:
        extra["changedBy"] = {
            "logId": str(later["id"]),
            "commandId": later["command_id"],
            "actionLabel": later["action_label"],
            "at": iso_ms(later["created_at"]),
        }
    shown = [name for (table, _), fields in error.fields.items() for name in shown_fields(table, fields)]
    if shown:
        extra["changedFields"] = list(dict.fromkeys(shown))
    return Problem.bad_request("The record has been changed since", "changed_since", **extra)


def shown_fields(table: str, fields: Iterable[Field]) -> list[str]:
    """Fields as clients know them; hidden columns are not told."""
    hidden = resource_of(table).hidden
    return [camel(column) if key is None else f"cf_{key}" for column, key in fields if column not in hidden]
