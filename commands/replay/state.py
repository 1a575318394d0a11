"""State replay: what the tables must be, computed from the log alone.

Every row change of a tenant, in the order of its history, is applied to an empty state in memory; images stay the
JSON text that PostgreSQL made, so that the comparison with the live rows is exact.
"""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from commands import history
from commands.retention_base import base_changes, begins_after
from commands.unit import Change
from domain.resources import Row, all_resources, resource_of
from domain.upcasters import current

_row = msgspec.json.Decoder(dict[str, Raw])
_PAGE = 2_000
_LAST = (1 << 63) - 1

State = dict[str, dict[str, Row]]
"""Table, then id, then the row."""


class Divergence(Struct, frozen=True, rename="camel"):
    """A row that is not what the log says; `kind` is missing, unexpected or different."""

    tenant_id: UUID
    table: str
    id: str
    kind: str
    columns: list[str]


class Broken(Struct, frozen=True, rename="camel"):
    """A log row that cannot be applied to what came before it."""

    tenant_id: UUID
    log_id: str
    seq: int
    table: str
    id: str
    why: str


async def recorded_changes(
    connection: Any, tenant_id: UUID, until: int = _LAST
) -> AsyncIterator[tuple[int, str, list[Change]]]:
    """All log rows of a tenant from where its history begins, in its order: place, id, row changes."""
    last = await begins_after(connection, tenant_id)
    while True:
        rows = await connection.fetch(
            "select seq, id::text as id, changes::text as changes, schema_rev from action_logs"
            " where tenant_id = $1 and seq > $2 and seq <= $4 order by seq limit $3",
            tenant_id,
            last,
            _PAGE,
            until,
        )
        for row in rows:
            yield row["seq"], row["id"], history.decode(current(row["changes"], row["schema_rev"]))
        if len(rows) < _PAGE:
            return
        last = rows[-1]["seq"]


async def replay_state(connection: Any, tenant_id: UUID, until: int = _LAST) -> tuple[State, list[Broken]]:
    """The state that the tenant's log leads to (up to a place), and the log rows that contradict what came before."""
    state: State = {resource.name: {} for resource in all_resources() if resource.logged}
    broken: list[Broken] = []
    async for changes in base_changes(connection, tenant_id):
        for change in changes:
            apply(state, change)
    async for seq, log_id, changes in recorded_changes(connection, tenant_id, until):
        for change in changes:
            why = apply(state, change)
            if why is not None:
                broken.append(Broken(tenant_id, log_id, seq, change.t, _key(change), why))
    return state, broken


def apply(state: State, change: Change) -> str | None:
    """Put one row change on a state; says why when it does not fit."""
    rows = state.setdefault(change.t, {})
    key = _key(change)
    row = rows.get(key)
    if change.o == "i":
        rows[key] = resource_of(change.t).completed(change.a or {})
        return None if row is None else "inserts a row that exists"
    if row is None:
        return "changes a row that does not exist"
    before = change.b or {}
    fits = all(row.get(column) == value for column, value in before.items())
    if change.o == "d":
        del rows[key]
    else:
        row.update(change.a or {})
    return None if fits else "starts from another state of the row"


async def compare(connection: Any, tenant_id: UUID, state: State) -> list[Divergence]:
    """Where the live tables are not the state."""
    found: list[Divergence] = []
    for table, rows in state.items():
        seen: set[str] = set()
        last = UUID(int=0)
        while True:
            live = await connection.fetch(
                f"select id, to_jsonb(t)::text as row from {table} t where tenant_id = $1 and id > $2"
                f" order by id limit {_PAGE}",
                tenant_id,
                last,
            )
            for record in live:
                key = str(record["id"])
                seen.add(key)
                found += _compare_row(tenant_id, table, key, rows.get(key), _row.decode(record["row"]))
            if len(live) < _PAGE:
                break
            last = live[-1]["id"]
        found += [Divergence(tenant_id, table, key, "missing", []) for key in rows if key not in seen]
    return found


def _compare_row(tenant_id: UUID, table: str, key: str, expected: Row | None, live: Row) -> list[Divergence]:
    if expected is None:
        return [Divergence(tenant_id, table, key, "unexpected", [])]
    columns = sorted(c for c in expected.keys() | live.keys() if expected.get(c) != live.get(c))
    return [Divergence(tenant_id, table, key, "different", columns)] if columns else []


def _key(change: Change) -> str:
    return bytes(change.k["id"])[1:-1].decode()
