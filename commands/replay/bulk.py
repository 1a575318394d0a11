"""State replay into a database: the row changes of many log rows at once, a few statements for each table.

The rows that a batch touches are read first, the changes are applied to them in memory in the order of history (where
each is held against what it says it found), and what came of each row is written back in sets.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from commands.replay.log import LogRow
from commands.replay.state import Broken, State, apply
from commands.unit import Change
from domain.resources import Resource, Row, all_resources

_row = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode
_CHUNK = 5_000
"""Rows that one statement writes."""

Place = tuple[UUID, str]
"""Tenant and row id."""


class Applied(Struct, frozen=True):
    """What applying a batch came to: row changes, and those that contradict what came before them."""

    changes: int
    broken: list[Broken]


async def apply_rows(connection: Any, rows: Sequence[LogRow]) -> Applied:
    """Apply the changes of log rows, given in the order of history, inside the caller's transaction.

    Constraints other than primary keys must be deferred or dropped: within a batch, only the outcome is written.
    """
    known = {resource.name: resource for resource in all_resources()}
    touched = _touched(rows, known)
    states: dict[UUID, State] = {}
    stored: dict[str, set[Place]] = {}
    for table, places in touched.items():
        stored[table] = await _load(connection, table, places, states)
    broken: list[Broken] = []
    for row in rows:
        state = states.setdefault(row.tenant_id, {})
        for change in row.changes:
            why = _misfit(change, known) or apply(state, change)
            if why is not None:
                key = bytes(change.k["id"])[1:-1].decode()
                broken.append(Broken(row.tenant_id, str(row.id), row.seq, change.t, key, why))
    for table, places in touched.items():
        await _store(connection, known[table], places, stored[table], states)
    return Applied(sum(len(row.changes) for row in rows), broken)


def _touched(rows: Sequence[LogRow], known: dict[str, Resource]) -> dict[str, dict[Place, None]]:
    """By table, parents first, the rows that will be read and written."""
    found: dict[str, dict[Place, None]] = {}
    for row in rows:
        for change in row.changes:
            if change.t in known:
                place = (row.tenant_id, bytes(change.k["id"])[1:-1].decode())
                found.setdefault(change.t, {})[place] = None
    return {table: found[table] for table in known if table in found}


def _misfit(change: Change, known: dict[str, Resource]) -> str | None:
    """Why a change does not fit the tables as they are today."""
    resource = known.get(change.t)
    if resource is None:
        return "is about a table that does not exist"
    unknown = (change.a or change.b or {}).keys() - resource.table.columns.keys()
    return f"has columns that the table does not have: {', '.join(sorted(unknown))}" if unknown else None


async def _load(
    connection: Any, table: str, places: Iterable[Place], states: dict[UUID, State]
) -> set[Place]:
    """Put the rows of these places, as far as they exist, into the states; returns the places that exist."""
    wanted = list(places)
    found: set[Place] = set()
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        records = await connection.fetch(
            f"select t.tenant_id, t.id, to_jsonb(t)::text as row from unnest($1::uuid[], $2::uuid[]) x(tenant, row)"
            f" join {table} t on t.tenant_id = x.tenant and t.id = x.row",
            [tenant for tenant, _ in part],
            [id for _, id in part],
        )
        for record in records:
            tenant, id = record["tenant_id"], str(record["id"])
            states.setdefault(tenant, {}).setdefault(table, {})[id] = _row.decode(record["row"])
            found.add((tenant, id))
    return found


async def _store(
    connection: Any,
    resource: Resource,
    places: Iterable[Place],
    stored: set[Place],
    states: dict[UUID, State],
) -> None:
    """Write what became of these rows."""
    gone: list[Place] = []
    kept: list[Row] = []
    for place in places:
        row = states[place[0]].get(resource.name, {}).get(place[1])
        if row is not None:
            kept.append(row)
        elif place in stored:
            gone.append(place)
    if gone:
        await connection.execute(
            f"delete from {resource.name} t using unnest($1::uuid[], $2::uuid[]) x(tenant, row)"
            f" where t.tenant_id = x.tenant and t.id = x.row",
            [tenant for tenant, _ in gone],
            [id for _, id in gone],
        )
    sql = _upsert(resource)
    for start in range(0, len(kept), _CHUNK):
        await connection.execute(sql, _encode(kept[start : start + _CHUNK]).decode())


def _upsert(resource: Resource) -> str:
    columns = resource.columns
    listed = ", ".join(columns)
    values = ", ".join(f"r.{column}" for column in columns)
    sets = ", ".join(f"{c} = excluded.{c}" for c in columns if c not in ("tenant_id", "id"))
    return (
        f"insert into {resource.name} ({listed}) select {values}"
        f" from jsonb_array_elements($1::text::jsonb) x(img), jsonb_populate_record(null::{resource.name}, x.img) r"
        f" on conflict (tenant_id, id) do update set {sets}"
    )
