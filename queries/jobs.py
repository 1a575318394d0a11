"""Background jobs as a tenant's administrators see them (decision 0024)."""

from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from domain.jobs import LIST, STATES
from domain.scope import Scope


class JobItem(Struct, frozen=True, rename="camel"):
    """One job that waits, runs or was given up; what it is about is not told, only its name and its last error."""

    id: str
    name: str
    state: str
    organization_id: UUID | None
    attempts: int
    error: str | None
    created_at: datetime
    due_at: datetime
    updated_at: datetime


class JobPage(Struct, frozen=True):
    """A part of the list, and how many jobs there are in each state."""

    items: list[JobItem]
    counts: dict[str, int]


async def job_page(
    connection: asyncpg.Connection, scope: Scope, state: str | None, name: str | None, limit: int, offset: int
) -> JobPage:
    """Jobs of the tenant, newest first, and the counts of all of them by state."""
    rows = await connection.fetch(LIST, str(scope.tenant_id), state, name, limit, offset)
    counted = await connection.fetch(
        "select case status when 'queued' then 'waiting' when 'picked' then 'running' else status::text end as state,"
        " count(*) as n from jobs.pgqueuer where headers ->> 'tenant' = $1 group by 1",
        str(scope.tenant_id),
    )
    counts = dict.fromkeys(STATES, 0) | {row["state"]: row["n"] for row in counted}
    return JobPage([_item(row) for row in rows], counts)


def _item(row: asyncpg.Record) -> JobItem:
    return JobItem(
        id=str(row["id"]),
        name=row["name"],
        state=row["state"],
        organization_id=UUID(row["organization_id"]) if row["organization_id"] else None,
        attempts=row["attempts"],
        error=row["error"],
        created_at=row["created_at"],
        due_at=row["due_at"],
        updated_at=row["updated_at"],
    )
