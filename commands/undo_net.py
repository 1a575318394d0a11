"""From many actions one step: what each touched row must be now, what it goes back to, and going there.

The temporary table `undo_set` (of commands.undo_many) names the actions.
"""

from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Raw, Struct

from commands import statements
from commands.history import ChangedSince, Field, RowName, changed_fields, settle
from commands.progress import tell
from commands.unit import Unit
from domain.errors import Problem
from domain.resources import Resource, Row, all_resources, resource_of

CHUNK = 2_000
"""Rows that one statement goes back for."""

Stuck = dict[RowName, list[Field]]
"""Rows that are not what the actions left, with the fields that are not, as far as they are known."""

_fields = msgspec.json.Decoder(list[Field])
_encode = msgspec.json.Encoder().encode

Given = tuple[list[str], str, str]
"""What every piece of a table needs: the free columns, the stamps, and the defaults (the last two as JSON)."""


class Piece(Struct):
    """Some rows of a table, in order: their ids, the number of the last one, and what they go back to, as JSON."""

    ids: list[str]
    last: int
    text: str


class Count(Struct):
    """How many rows went back, and how many there are."""

    done: int
    total: int


class Step(Struct, rename={"from_": "from"}):
    """One update, as `statements.reverse_update` takes it, its values left undecoded."""

    k: Row
    to: Row
    from_: Row
    keys: dict[str, list[str]] = {}


_rows = msgspec.json.Decoder(list[Row])
_steps = msgspec.json.Decoder(list[Step])

_TABLE = """
drop table if exists pg_temp.undo_net;
create temp table undo_net
  (t text, id text, action text, target jsonb, expected jsonb, keys jsonb, n bigint, broken jsonb) on commit drop;
"""

# One row of undo_net for each row of a table that the actions touched. Of a field, the oldest `before` is where it goes
# back to, and the newest `after` is what it must be now. A field is a column or, of a column that holds an object ($3),
# each of its keys: those that an update changed, and with an insertion or a deletion all that the actions know of.
# `broken` are the fields of which an action of the set found something else than the action of the set before it left:
# somebody else changed them in between. It is an empty list where the row itself came or went.
_NET = """
with c as materialized (
  select s.seq, e.n, e.c ->> 't' as t, e.c -> 'k' ->> 'id' as id, e.c ->> 'o' as o, e.c -> 'b' as b, e.c -> 'a' as a
    from undo_set s join action_logs l on l.tenant_id = $1 and l.id = s.id,
         jsonb_array_elements(l.changes) with ordinality e (c, n)
), ends as (
  select t, id, (array_agg(o order by seq, n))[1] as first, (array_agg(o order by seq desc, n desc))[1] as last,
         (array_agg(b order by seq desc, n desc) filter (where o = 'd'))[1] as last_b,
         (array_agg(a order by seq, n) filter (where o = 'i'))[1] as first_a,
         bool_or(earlier is not null and (earlier = 'd') <> (o = 'i')) as odd
    from (select *, lag(o) over (partition by t, id order by seq, n) as earlier from c) x group by t, id
), columns as materialized (
  select c.t, c.id, c.seq, c.n, c.o, x.key as col, c.b -> x.key as b, c.a -> x.key as a,
         c.t || '.' || x.key = any ($3::text[]) as keyed
    from c, jsonb_object_keys(coalesce(c.a, '{}') || coalesce(c.b, '{}')) x (key)
), members as (
  select distinct v.t, v.id, v.col, x.key
    from columns v, jsonb_object_keys(coalesce(v.a, '{}') || coalesce(v.b, '{}')) x (key)
   where v.keyed and (v.o <> 'u' or v.a -> x.key is distinct from v.b -> x.key)
), parts as (
  select t, id, col, null as key, seq, n, b, a from columns where not keyed
  union all
  select v.t, v.id, v.col, m.key, v.seq, v.n, v.b -> m.key, v.a -> m.key
    from columns v join members m on m.t = v.t and m.id = v.id and m.col = v.col
   where v.keyed and (v.o <> 'u' or v.a -> m.key is distinct from v.b -> m.key)
), fields as (
  select t, id, col, key,
         (array_agg(b order by seq, n) filter (where key is not null or b is not null))[1] as target,
         (array_agg(a order by seq desc, n desc) filter (where key is not null or a is not null))[1] as expected,
         bool_or(earlier <> seq and b is distinct from left_by and t || '.' || col <> all ($2::text[])) as broken
    from (select *, lag(a) over k as left_by, lag(seq) over k as earlier
            from parts window k as (partition by t, id, col, key order by seq, n)) x
   group by t, id, col, key
), whole as (
  select t, id, col, jsonb_agg(key) filter (where key is not null) as keys,
         case when count(key) = 0 then (array_agg(target))[1] else
           coalesce(jsonb_object_agg(key, target) filter (where key is not null and target is not null), '{}')
         end as target,
         case when count(key) = 0 then (array_agg(expected))[1] else
           coalesce(jsonb_object_agg(key, expected) filter (where key is not null and expected is not null), '{}')
         end as expected,
         jsonb_agg(jsonb_build_array(col, key)) filter (where broken) as broken
    from fields group by t, id, col
), found as (
  select t, id, jsonb_object_agg(col, target) filter (where target is not null) as target,
         jsonb_object_agg(col, expected) filter (where expected is not null) as expected,
         coalesce(jsonb_object_agg(col, keys) filter (where keys is not null), '{}') as keys,
         jsonb_path_query_array(jsonb_agg(broken) filter (where broken is not null), '$[*][*]') as broken
    from whole group by t, id
)
insert into undo_net
select e.t, e.id,
       case when e.first = 'i' then case when e.last = 'd' then 'none' else 'delete' end
            when e.last = 'd' then 'insert' else 'update' end,
       case when e.last = 'd' then coalesce(e.last_b, '{}') || coalesce(f.target, '{}') else f.target end,
       case when e.first = 'i' then coalesce(e.first_a, '{}') || coalesce(f.expected, '{}') else f.expected end,
       f.keys, row_number() over (partition by e.t order by e.id),
       coalesce(f.broken, case when e.odd then '[]'::jsonb end)
  from ends e join found f on f.t = e.t and f.id = e.id
"""


async def compose(unit: Unit) -> None:
    """Fill undo_net."""
    await unit.connection.execute(_TABLE)
    keyed = [f"{one.name}.{column}" for one in all_resources() for column in one.keyed]
    await unit.connection.execute(_NET, unit.scope.tenant_id, _free_columns(), keyed)
    await unit.connection.execute("create index on undo_net (t, action, n); analyze undo_net")


async def broken_rows(unit: Unit) -> Stuck:
    """The rows in which others changed, between the actions, what the actions changed."""
    rows = await unit.fetch(
        "select t, id, broken::text as fields from undo_net where broken is not null order by t, id"
    )
    return {(row["t"], row["id"]): _fields.decode(row["fields"]) for row in rows}


async def go_back(unit: Unit) -> Stuck:
    """Delete what was inserted, set back what was updated, insert what was deleted.

    Answers with the rows that are not what the actions left; then the caller must give up. Raises Problem 409 when
    something else stands in the way.
    """
    await unit.connection.execute("set constraints all deferred")
    found = await unit.fetch("select t, action, count(*) as n from undo_net group by t, action order by t")
    stuck: Stuck = {}
    done, total = 0, sum(row["n"] for row in found if row["action"] != "none")
    for action in ("delete", "update", "insert"):
        for row in found:
            if row["action"] == action:
                stuck |= await _one_table(unit, resource_of(row["t"]), action, Count(done, total))
                done += row["n"]
    tell("checking", total, total)
    if stuck:
        return stuck
    try:
        await unit.connection.execute("set constraints all immediate")
    except asyncpg.IntegrityConstraintViolationError as error:
        raise Problem.conflict("Something depends on what would be taken back", "in_use") from error
    try:
        await settle(unit, unit.changes)
    except ChangedSince as error:
        return {row: error.fields.get(row, []) for row in error.rows}
    return {}


async def _one_table(unit: Unit, resource: Resource, action: str, count: Count) -> Stuck:
    """Go back in one table; answers with the rows that are not what the actions left."""
    free = sorted(resource.volatile | resource.computed)
    stamp = msgspec.json.encode(dict.fromkeys(resource.volatile, unit.now)).decode()
    defaults = msgspec.json.encode(resource.completed({})).decode()
    given = (free, stamp, defaults)
    stuck: Stuck = {}
    last = 0
    while (piece := await _piece(unit, resource, action, last, CHUNK, given)) is not None:
        records = await _tried(unit, resource, action, piece.text)
        if records is None:
            records = await _singly(unit, resource, action, (last, piece.last), given)
        if len(records) < len(piece.ids):
            done = {_id_of(record) for record in records}
            stuck |= await _stuck(unit, resource, action, piece, done)
        operation = {"delete": "d", "update": "u", "insert": "i"}[action]
        unit.note(resource, operation, records)  # type: ignore[arg-type]  # a literal of the three
        last = piece.last
        count.done += len(piece.ids)
        tell("going_back", count.done, count.total)
        await unit.make_room()
    return stuck


async def _piece(
    unit: Unit, resource: Resource, action: str, after: int, most: int, given: Given
) -> Piece | None:
    """The next rows of a table, their designated values sealed: images may be older than the encryption map."""
    (row,) = await unit.fetch(_CHUNK[action], resource.name, after, most, *given)
    if row["ids"] is None:
        return None
    piece = Piece(row["ids"], row["last"], row["text"])
    seals = unit.seals
    if seals is None or resource.name not in seals.plan.tables or action == "delete":
        return piece
    if action == "insert":
        images = await seals.sealed(unit.connection, resource, _rows.decode(piece.text), whole=True)
        piece.text = _encode(images).decode()
        return piece
    steps = _steps.decode(piece.text)
    whole = [{**step.to, "id": step.k["id"]} for step in steps]
    sealed = await seals.sealed(unit.connection, resource, whole, whole=False)
    for step, image in zip(steps, sealed, strict=True):
        step.to = {column: Raw(_encode(image[column])) for column in step.to}
    piece.text = _encode(steps).decode()
    return piece


async def _stuck(unit: Unit, resource: Resource, action: str, piece: Piece, done: set[str]) -> Stuck:
    """The rows of a piece that could not go back, with what of them is not as the actions left it."""
    left = [id for id in piece.ids if id not in done]
    if action == "delete":
        steps = [Step({}, {}, image) for image in _rows.decode(piece.text)]
    else:
        steps = _steps.decode(piece.text)
    by_id = dict(zip(piece.ids, steps, strict=True))
    wanted = {(resource.name, id): {"from": by_id[id].from_, "keys": by_id[id].keys} for id in left}
    fields = await changed_fields(unit, resource, wanted)
    return {row: fields.get(row, []) for row in wanted}


async def _singly(
    unit: Unit, resource: Resource, action: str, between: tuple[int, int], given: Given
) -> list[Any]:
    """Row by row, as often as it helps: a value that must be free first is freed by another row.

    Raises Problem 409 when no row can go any further.
    """
    waiting = list(range(*between))
    records: list[Any] = []
    while waiting:
        blocked: list[int] = []
        for place in waiting:
            one = await _piece(unit, resource, action, place, 1, given)
            found = await _tried(unit, resource, action, one.text) if one is not None else []
            if found is None:
                blocked.append(place)
            else:
                records += found
        if len(blocked) == len(waiting):
            one = await _piece(unit, resource, action, blocked[0], 1, given)
            assert one is not None, "what is blocked is there"
            try:
                await _reverse(unit, resource, action, one.text)
            except asyncpg.IntegrityConstraintViolationError as error:
                told = resource.conflicts.get(error.constraint_name or "")
                raise Problem.conflict(told or "Something else has taken the place", "conflict") from error
        waiting = blocked
    return records


async def _tried(unit: Unit, resource: Resource, action: str, text: str) -> list[Any] | None:
    """What going back gave; None, and nothing done, when something stands in the way at this moment."""
    await unit.connection.execute("savepoint piece")
    try:
        records = await _reverse(unit, resource, action, text)
    except asyncpg.IntegrityConstraintViolationError:
        await unit.connection.execute("rollback to savepoint piece; release savepoint piece")
        return None
    await unit.connection.execute("release savepoint piece")
    return records


async def _reverse(unit: Unit, resource: Resource, action: str, text: str) -> list[Any]:
    tenant = unit.scope.tenant_id
    if action == "delete":
        return await unit.fetch(statements.reverse_insert(resource.name), tenant, text)
    if action == "update":
        return await unit.fetch(statements.reverse_update(resource.name), tenant, text)
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
        " 'from', p.expected - g.free, 'keys', p.keys)",
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
