"""What must hold of a tenant at any time, and what its tables hold."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from app.database import Database
from app.main import Application
from commands import replay
from domain.resources import all_resources
from projections import rebuild
from tests.generators import World

State = Mapping[str, str]
"""Table to the JSON text of all its rows, in the order of their ids."""

HISTORY = ("action_logs", "action_log_reversals", "action_log_rows", "idempotency_keys")
"""The tables that a refused request must not write either."""


def _rows_sql(leave_out: str) -> str:
    tables = [resource.name for resource in all_resources() if resource.logged]
    parts = [
        f"select '{table}' as name, coalesce(jsonb_agg(to_jsonb(r){leave_out} order by r.id), '[]')::text as rows"
        f" from {table} r where r.tenant_id = $1"
        for table in tables
    ]
    return " union all ".join(parts)


async def state_of(database: Database, tenant_id: UUID) -> State:
    """Every row of every logged table of a tenant, `updated_at` apart (undo stamps it anew)."""
    return await _state(database, tenant_id, " - 'updated_at'")


async def exact_state_of(database: Database, tenant_id: UUID) -> State:
    """Every row of every logged table of a tenant, whole, and how much history there is."""
    counts = " union all ".join(
        f"select '{table}', count(*)::text from {table} where tenant_id = $1" for table in HISTORY
    )
    async with database.system() as connection:
        rows = await connection.fetch(f"{_rows_sql('')} union all {counts}", tenant_id)
    return {row["name"]: row["rows"] for row in rows}


async def _state(database: Database, tenant_id: UUID, leave_out: str) -> State:
    async with database.system() as connection:
        rows = await connection.fetch(_rows_sql(leave_out), tenant_id)
    return {row["name"]: row["rows"] for row in rows}


async def world_of(database: Database, tenant_id: UUID, names: Mapping[str, str] | None = None) -> World:
    """The rows of a tenant, for generators to choose from; `names` of rows that were sealed since."""
    state = await _state(database, tenant_id, "")
    return World({table: msgspec.json.decode(rows) for table, rows in state.items()}, names or {})


def differing(one: State, other: State) -> dict[str, tuple[Any, Any]]:
    """The rows of two states that differ, by table: readable in a failure."""
    found: dict[str, tuple[Any, Any]] = {}
    for table in one.keys() | other.keys():
        if one.get(table) != other.get(table):
            here, there = (msgspec.json.decode(state.get(table, "[]")) for state in (one, other))
            if isinstance(here, list) and isinstance(there, list):
                here, there = [r for r in here if r not in there], [r for r in there if r not in here]
            found[table] = (here, there)
    return found


async def assert_proven(application: Application, tenant_id: UUID) -> None:
    """The index is what a rebuild would make (counters and search tokens too), and the log leads to the live rows."""
    async with application.database.system() as connection:
        key = application.search_key(tenant_id)
        assert await rebuild.differences(connection, tenant_id, key) == [], (
            "the index is not what a rebuild makes"
        )
        state, broken = await replay.replay_state(connection, tenant_id)
        assert broken == [], "the log contradicts itself"
        assert await replay.compare(connection, tenant_id, state) == [], (
            "the log does not lead to the live rows"
        )
