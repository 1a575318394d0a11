"""From many actions one step: what each touched row must be now, what it goes back to, and going there.

The temporary table `undo_set` (of commands.undo_many) names the actions.
"""

from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from commands import statements
from commands.history import ChangedSince, settle
from commands.unit import Unit
from domain.errors import Problem
from domain.resources import Resource, all_resources, resource_of

CHUNK = 2_000
"""Rows that one statement goes back for."""

RowName = tuple[str, str]
"""Table and id."""

_TABLE = """
drop table if exists pg_temp.undo_net;
create temp table undo_net (t text, id text, action text, target jsonb, expected jsonb, n bigint, broken bigint)
  on commit drop;
"""

# One row of undo_net for each row of a table that the actions touched. Of a column, the oldest `before` is where it
# goes back to, and the newest `after` is what it must be now. `broken` is the place of an action of the set whose own
# `before` is not what the action of the set before it left: somebody else changed the column in between.
_NET = """
with c as materialized (
  select s.seq, e.n, e.c ->> 't' as t, e.c -> 'k' ->> 'id' as id, e.c ->> 'o' as o, e.c -> 'b' as b, e.c -> 'a' as a
    from undo_set s join action_logs l on l.tenant_id = $1 and l.id = s.id,
         jsonb_array_elements(l.changes) with ordinality e (c, n)
), ends as (
  select distinct on (t, id) t, id, first_value(o) over w as first, last_value(o) over w as last,
         last_value(b) over w as last_b, last_value(a) over w as last_a
    from c window w as (partition by t, id order by seq, n rows between unbounded preceding and unbounded following)
), columns as (
  select c.t, c.id, x.key, c.seq, c.n, c.b -> x.key as b, c.a -> x.key as a,
         lag(c.a -> x.key) over k as left_by, lag(c.seq) over k as earlier
    from c, jsonb_object_keys(coalesce(c.a, '{}') || coalesce(c.b, '{}')) x (key)
  window k as (partition by c.t, c.id, x.key order by c.seq, c.n)
), found as (
  select t, id,
         jsonb_object_agg(key, b order by seq desc, n desc) filter (where b is not null) as target,
         jsonb_object_agg(key, a order by seq, n) filter (where a is not null) as expected,
         min(seq) filter (where earlier is not null and earlier <> seq and b is distinct from left_by
                            and t || '.' || key <> all ($2::text[])) as broken
    from columns group by t, id
)
insert into undo_net
select e.t, e.id,
       case when e.first = 'i' then case when e.last = 'd' then 'none' else 'delete' end
            when e.last = 'd' then 'insert' else 'update' end,
       case when e.last = 'd' then coalesce(e.last_b, '{}') || coalesce(f.target, '{}') else f.target end,
       f.expected,
       row_number() over (partition by e.t order by e.id), f.broken
  from ends e join found f on f.t = e.t and f.id = e.id
"""


async def compose(unit: Unit) -> None:
    """Fill undo_net."""
    await unit.connection.execute(_TABLE)
    await unit.connection.execute(_NET, unit.scope.tenant_id, _free_columns())


async def broken_rows(unit: Unit) -> list[RowName]:
    """The rows in which others changed, between the actions, what the actions changed."""
    rows = await unit.fetch("select t, id from undo_net where broken is not null order by t, id")
    return [(row["t"], row["id"]) for row in rows]


async def go_back(unit: Unit) -> list[RowName]:
    """Delete what was inserted, set back what was updated, insert what was deleted.

    Answers with the rows that are not what the actions left; then the caller must give up. Raises Problem 409 when
    something else stands in the way.
    """
    await unit.connection.execute("set constraints all deferred")
    found = await unit.fetch("select t, action, count(*) as n from undo_net group by t, action order by t")
    stuck: list[RowName] = []
    for action in ("delete", "update", "insert"):
        for row in found:
            if row["action"] == action:
                stuck += await _one_table(unit, resource_of(row["t"]), action)
    if stuck:
        return stuck
    try:
        await unit.connection.execute("set constraints all immediate")
    except asyncpg.IntegrityConstraintViolationError as error:
        raise Problem.conflict("Something depends on what would be taken back", "in_use") from error
    try:
        await settle(unit, unit.changes)
    except ChangedSince as error:
        return error.rows
    return []


async def _one_table(unit: Unit, resource: Resource, action: str) -> list[RowName]:
    """Go back in one table; answers with the rows that are not what the actions left."""
    free = sorted(resource.volatile | resource.computed)
    stamp = msgspec.json.encode(dict.fromkeys(resource.volatile, unit.now)).decode()
    defaults = msgspec.json.encode(resource.completed({})).decode()
    given = (free, stamp, defaults)
    stuck: list[RowName] = []
    last = 0
    while True:
        await unit.make_room()
        (chunk,) = await unit.fetch(_CHUNK[action], resource.name, last, CHUNK, *given)
        if chunk["ids"] is None:
            return stuck
        records = await _tried(unit, resource, action, chunk["text"], free)
        if records is None:
            records = await _singly(unit, resource, action, (last, chunk["last"]), given)
        if len(records) < len(chunk["ids"]):
            done = {_id_of(record) for record in records}
            stuck += [(resource.name, id) for id in chunk["ids"] if id not in done]
        operation = {"delete": "d", "update": "u", "insert": "i"}[action]
        unit.note(resource, operation, records)  # type: ignore[arg-type]  # a literal of the three
        last = chunk["last"]


async def _singly(
    unit: Unit, resource: Resource, action: str, between: tuple[int, int], given: tuple[list[str], str, str]
) -> list[Any]:
    """Row by row, as often as it helps: a value that must be free first is freed by another row.

    Raises Problem 409 when no row can go any further.
    """
    waiting = list(range(*between))
    records: list[Any] = []
    while waiting:
        blocked: list[int] = []
        for place in waiting:
            (one,) = await unit.fetch(_CHUNK[action], resource.name, place, 1, *given)
            found = await _tried(unit, resource, action, one["text"], given[0])
            if found is None:
                blocked.append(place)
            else:
                records += found
        if len(blocked) == len(waiting):
            (one,) = await unit.fetch(_CHUNK[action], resource.name, blocked[0], 1, *given)
            try:
                await _reverse(unit, resource, action, one["text"], given[0])
            except asyncpg.IntegrityConstraintViolationError as error:
                told = resource.conflicts.get(error.constraint_name or "")
                raise Problem.conflict(told or "Something else has taken the place", "conflict") from error
        waiting = blocked
    return records


async def _tried(unit: Unit, resource: Resource, action: str, text: str, free: list[str]) -> list[Any] | None:
    """What going back gave; None, and nothing done, when something stands in the way at this moment."""
    await unit.connection.execute("savepoint piece")
    try:
        records = await _reverse(unit, resource, action, text, free)
    except asyncpg.IntegrityConstraintViolationError:
        await unit.connection.execute("rollback to savepoint piece; release savepoint piece")
        return None
    await unit.connection.execute("release savepoint piece")
    return records


async def _reverse(unit: Unit, resource: Resource, action: str, text: str, free: list[str]) -> list[Any]:
    tenant = unit.scope.tenant_id
    if action == "delete":
        return await unit.fetch(statements.reverse_insert(resource.name), tenant, text, free)
    if action == "update":
        return await unit.fetch(statements.reverse_update(resource.name), tenant, text, free)
    return await unit.fetch(statements.reverse_delete(resource.name), text)


_PIECE = (
    "(select u.* from undo_net u where u.t = $1 and u.action = '{}' and u.n > $2 order by u.n limit $3) p,"
    " (select $4::text[] as free, $5::text::jsonb as stamp, $6::text::jsonb as defaults) g"
)
_WANTED = (
    "select array_agg(p.id order by p.n) as ids, max(p.n) as last,"
    " jsonb_agg({} order by p.n)::text as text from {}"
)
_CHUNK = {
    "delete": _WANTED.format("p.expected", _PIECE.format("delete")),
    "update": _WANTED.format(
        "jsonb_build_object('k', jsonb_build_object('id', p.id), 'to', (p.target - g.free) || g.stamp,"
        " 'from', p.expected - g.free)",
        _PIECE.format("update"),
    ),
    "insert": _WANTED.format("g.defaults || p.target || g.stamp", _PIECE.format("insert")),
}
"""$1 table, $2 the last row of the chunk before, $3 rows, $4 free columns, $5 stamps, $6 defaults."""


def _free_columns() -> list[str]:
    """The columns that nobody guards: stamps and what is computed, as `table.column`."""
    return [f"{one.name}.{name}" for one in all_resources() for name in one.volatile | one.computed]


class _Keyed(Struct):
    id: UUID


def _id_of(record: Any) -> str:
    image = record["after"] if record["after"] is not None else record["before"]
    return str(msgspec.json.decode(image, type=_Keyed).id)
