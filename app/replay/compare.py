"""Compares the tables of history in two databases, and explains what differs from the log."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from app.replay.report import Difference
from commands.replay.diff import text_of
from commands.replay.log import LogRow, Named, named, read_these
from commands.replay.state import apply
from domain.resources import Resource, Row, all_resources

_row = msgspec.json.Decoder(dict[str, Raw])
_PAGE = 20_000
_NIL = UUID(int=0)
EXPLAINED = 500
"""Differences that are looked up in the log; the rest are reported without that."""

OUTSIDE = "no command: changed outside"


class Focus(Struct, frozen=True):
    """What of history is looked at: a resource kind, or one record of it."""

    kind: str
    id: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Focus":
        """`KIND` or `KIND:ID`."""
        kind, _, id = text.partition(":")
        return cls(kind, id or None)

    def covers(self, row: LogRow) -> bool:
        """Whether a command is about it."""
        return row.resource_kind == self.kind and self.id in (None, row.resource_id)


Places = dict[tuple[UUID, UUID], Any]


def compared(focus: Focus | None) -> list[tuple[Resource, str | None]]:
    """The tables to compare, each with the column that must be the focused record's id, if any."""
    tables: list[tuple[Resource, str | None]] = []
    roots = {resource.name for resource in all_resources() if focus is None or resource.kind == focus.kind}
    for resource in all_resources():
        if not resource.logged:
            continue
        if resource.name in roots:
            tables.append((resource, None if focus is None or focus.id is None else "id"))
        elif focus is not None and resource.root in roots:
            tables.append((resource, resource.parent if focus.id is not None else None))
    return tables


async def differences(
    live: Any,
    scratch: Any,
    tenant_id: UUID | None,
    focus: Focus | None,
    show: Callable[[str, int], None],
) -> AsyncIterator[tuple[int, list[Difference]]]:
    """For each table, how many rows were compared and which differ, not explained yet."""
    for resource, column in compared(focus):
        count, found = 0, []
        async for seen, different in _of_table(live, scratch, resource, _where(tenant_id, focus, column)):
            count += seen
            found += different
            show(resource.name, seen)
        yield count, found


def _where(tenant_id: UUID | None, focus: Focus | None, column: str | None) -> str:
    parts = ["true"]
    if tenant_id is not None:
        parts.append(f"t.tenant_id = '{tenant_id}'")
    if column is not None and focus is not None:
        parts.append(f"t.{column} = '{UUID(focus.id)}'")
    return " and ".join(parts)


async def _of_table(
    live: Any, scratch: Any, resource: Resource, where: str
) -> AsyncIterator[tuple[int, list[Difference]]]:
    """Both sides are read by digests, in the order of their keys; only rows that differ are read themselves."""
    last, end = (_NIL, _NIL), False
    while not end:
        here, there = [await _digests(side, resource.name, where, last) for side in (live, scratch)]
        full = [side for side in (here, there) if len(side) == _PAGE]
        end = not full
        if full:  # what lies beyond the nearer end is compared with the next page
            last = min(list(side)[-1] for side in full)
            here, there = ({k: v for k, v in side.items() if k <= last} for side in (here, there))
        places = [place for place in here | there if here.get(place) != there.get(place)]
        yield len(here | there), await _differing(live, scratch, resource, places)


async def _digests(connection: Any, table: str, where: str, after: tuple[UUID, UUID]) -> Places:
    rows = await connection.fetch(
        f"select t.tenant_id, t.id, md5(to_jsonb(t)::text)::uuid as digest from {table} t"
        f" where (t.tenant_id, t.id) > ($1, $2) and {where} order by t.tenant_id, t.id limit {_PAGE}",
        *after,
    )
    return {(row["tenant_id"], row["id"]): row["digest"] for row in rows}


async def _differing(
    live: Any, scratch: Any, resource: Resource, places: Sequence[tuple[UUID, UUID]]
) -> list[Difference]:
    if not places:
        return []
    here, there = [await _rows(side, resource.name, places) for side in (live, scratch)]
    found = []
    for place in places:
        one, other = there.get(place), here.get(place)
        kind: Literal["missing", "unexpected", "different"]
        kind = "missing" if other is None else "unexpected" if one is None else "different"
        columns: dict[str, tuple[str | None, str | None]] = {}
        if one is not None and other is not None:
            columns = {
                c: (text_of(one.get(c)), text_of(other.get(c)))
                for c in sorted(one | other)
                if one.get(c) != other.get(c)
            }
        found.append(Difference(*_named(place, resource), kind, columns, OUTSIDE))
    return found


def _named(place: tuple[UUID, UUID], resource: Resource) -> tuple[UUID, str, UUID]:
    return place[0], resource.name, place[1]


async def _rows(connection: Any, table: str, places: Sequence[tuple[UUID, UUID]]) -> Places:
    rows = await connection.fetch(
        "select t.tenant_id, t.id, to_jsonb(t)::text as row from unnest($1::uuid[], $2::uuid[]) x(tenant, row)"
        f" join {table} t on t.tenant_id = x.tenant and t.id = x.row",
        [tenant for tenant, _ in places],
        [id for _, id in places],
    )
    return {(row["tenant_id"], row["id"]): _row.decode(row["row"]) for row in rows}


# Explanations


async def explained(live: Any, scratch: Any, difference: Difference) -> Difference:
    """The difference with the first command that explains it.

    That is the first whose record contradicts what came before it (so somebody changed the row, or the log, before
    it), or else the first whose effect the live row lacks, when the row stands as an earlier command left it.
    """
    place = (difference.tenant_id, difference.id)
    current = (await _rows(live, difference.table, [place])).get(place)
    ids = await scratch.fetch(
        "select log_id from action_log_rows where tenant_id = $1 and table_name = $2 and row_id = $3 order by seq",
        difference.tenant_id,
        difference.table,
        difference.id,
    )
    rows = await read_these(scratch, [row["log_id"] for row in ids])
    state: dict[str, dict[str, Row]] = {difference.table: {}}
    lacking: Named | None = None
    for number, row in enumerate(rows):
        own = [
            c
            for c in row.changes
            if c.t == difference.table and bytes(c.k["id"])[1:-1].decode() == str(place[1])
        ]
        for change in own:
            why = apply(state, change)
            if why is not None:
                text = f"first explained by the record of a command that {why}:"
                return msgspec.structs.replace(difference, explanation=text, command=named(row))
        if number + 1 < len(rows) and state[difference.table].get(str(place[1])) == current:
            lacking = named(rows[number + 1])
    if lacking is not None:
        text = "the live row is as if this command had never been:"
        return msgspec.structs.replace(difference, explanation=text, command=lacking)
    return difference
