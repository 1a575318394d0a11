"""Replays of a tenant, as its super admins see them."""

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Raw, Struct

from domain.scope import Scope

_COLUMNS = (
    "id, mode, until, state, phase, done, total, error, requested_by, created_at, finished_at,"
    " report->>'logRows' as log_rows, jsonb_array_length(report->'differences') as differences,"
    " jsonb_array_length(report->'diverged') as diverged, jsonb_array_length(report->'broken') as broken"
)


class ReplayItem(Struct, frozen=True, rename="camel"):
    """One replay. `state` is waiting, running, equal, not_equal or could_not; `findings` how much is not equal."""

    id: UUID
    mode: str
    until: str | None
    state: str
    phase: str | None
    done: int
    total: int | None
    findings: int
    error: str | None
    requested_by: UUID | None
    created_at: datetime
    finished_at: datetime | None


class ReplayDetail(ReplayItem, frozen=True, rename="camel", kw_only=True):
    """One replay with its report (docs/replay.md), once there is one."""

    report: Raw | None


async def replays(connection: asyncpg.Connection, scope: Scope, limit: int) -> list[ReplayItem]:
    """The newest replays of the tenant."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from replay_runs where tenant_id = $1 order by created_at desc, id desc limit $2",
        scope.tenant_id,
        limit,
    )
    return [ReplayItem(**_values(row)) for row in rows]


async def replay(connection: asyncpg.Connection, scope: Scope, id: UUID) -> ReplayDetail | None:
    """One replay of the tenant."""
    row = await connection.fetchrow(
        f"select {_COLUMNS}, report::text as report from replay_runs where tenant_id = $1 and id = $2",
        scope.tenant_id,
        id,
    )
    if row is None:
        return None
    return ReplayDetail(**_values(row), report=Raw(row["report"].encode()) if row["report"] else None)


def _values(row: asyncpg.Record) -> dict[str, Any]:
    kept = ("id", "mode", "until", "state", "phase", "done", "total", "error", "requested_by")
    found = sum(row[name] or 0 for name in ("differences", "diverged", "broken"))
    times = {name: row[name] for name in ("created_at", "finished_at")}
    return {name: row[name] for name in kept} | times | {"findings": found}
