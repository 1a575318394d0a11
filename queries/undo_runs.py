"""How far the takings back of many actions are that are under way."""

from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from domain.audit_logs import UNDO_TENANT
from domain.scope import Scope
from domain.undo_runs import SILENT_SECONDS

_RUNS = f"""
select id, actor_user_id, dry_run, phase, done, total, created_at from undo_runs
 where tenant_id = $1 and ($2 or actor_user_id = $3) and updated_at > clock_timestamp() - interval '{SILENT_SECONDS} s'
 order by created_at, id
"""


class UndoRun(Struct, frozen=True, rename="camel"):
    """One that is under way: what it does, and how much of that is done. `total` null: that is not known yet."""

    id: UUID
    actor_user_id: UUID | None
    dry_run: bool
    phase: str
    done: int
    total: int | None
    created_at: datetime


async def undo_runs(connection: asyncpg.Connection, scope: Scope) -> list[UndoRun]:
    """Those of the tenant, oldest first; who may not undo the actions of others sees their own."""
    rows = await connection.fetch(_RUNS, scope.tenant_id, scope.can(UNDO_TENANT), scope.actor.id)
    return [UndoRun(**dict(row)) for row in rows]
