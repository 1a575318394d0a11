"""Reads of the retention of the log: policies, and what would go (decision 0033)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from domain.retention import BEGINS, GOING_BY_KIND


class Policy(Struct, frozen=True, rename="camel"):
    """How long actions on a kind of record are kept; `*`: on every kind without a policy of its own."""

    id: UUID
    kind: str
    days: int
    updated_at: datetime


class Going(Struct, frozen=True, rename="camel"):
    """What would go of one kind (empty: actions on no kind): rows, their stored size, and from when to when."""

    kind: str
    rows: int
    bytes: int
    oldest: datetime
    newest: datetime


class Retention(Struct, frozen=True, rename="camel"):
    """The policies of a tenant, what would go if they were applied now, and up to when history was removed."""

    policies: list[Policy]
    going: list[Going]
    rows: int
    bytes: int
    history_begins_at: datetime | None


async def retention(connection: Any, tenant_id: UUID) -> Retention:
    """Policies and preview. Reads the log of the tenant when there is a policy."""
    rows = await connection.fetch(
        "select id, kind, days, updated_at from log_retention_policies where tenant_id = $1 order by kind",
        tenant_id,
    )
    policies = [Policy(**dict(row)) for row in rows]
    going = []
    if policies:
        going = [Going(**dict(row)) for row in await connection.fetch(GOING_BY_KIND, tenant_id)]
    begins = await connection.fetchrow(BEGINS, tenant_id)
    return Retention(
        policies,
        going,
        sum(one.rows for one in going),
        sum(one.bytes for one in going),
        None if begins is None else begins["recorded_at"],
    )
