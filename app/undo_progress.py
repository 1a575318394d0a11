"""Tells other connections how far the taking back of many actions is, while its own transaction shows nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

import asyncpg
import structlog

from commands.progress import listening
from domain.scope import Scope

if TYPE_CHECKING:
    from app.database import Database

_logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.undo_progress")
_BEAT_SECONDS: Final = 0.5
"""Between two writings; what is over sooner is never written."""

_WRITE = """
insert into undo_runs (tenant_id, id, actor_user_id, dry_run, phase, done, total, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp(), clock_timestamp())
on conflict (tenant_id, id) do update
   set phase = excluded.phase, done = excluded.done, total = excluded.total, updated_at = excluded.updated_at
"""
_END = """
delete from undo_runs
 where tenant_id = $1 and (id = $2 or updated_at < clock_timestamp() - interval '1 hour')
"""


@asynccontextmanager
async def told(database: "Database", scope: Scope, *, dry_run: bool) -> AsyncIterator[None]:
    """While the block runs, how far its command is stands in `undo_runs`, twice a second.

    A process that dies leaves a row without heartbeat, which nobody is shown and the next run clears away.
    """
    place = (scope.tenant_id, uuid4())
    run = _Run(database, place, scope.actor.id, dry_run)
    writing = asyncio.create_task(run.write(), name="backstep-undo-progress")
    try:
        with listening(run.hear):
            yield
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await run.end()


class _Run:
    """What is known of one run."""

    def __init__(
        self, database: "Database", place: tuple[UUID, UUID], actor_id: UUID | None, dry_run: bool
    ) -> None:
        self._database = database
        self._place = place
        self._who = (actor_id, dry_run)
        self._state: tuple[str, int, int | None] = ("choosing", 0, None)
        self._written = False

    def hear(self, phase: str, done: int, total: int | None) -> None:
        """Take in how far it is."""
        self._state = (phase, done, total)

    async def write(self) -> None:
        """Write it down, again and again."""
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            self._written = True
            await self._execute(_WRITE, *self._who, *self._state)

    async def end(self) -> None:
        """It is over."""
        if self._written:
            await self._execute(_END)

    async def _execute(self, sql: str, *args: object) -> None:
        """Failing to tell must not fail the work."""
        try:
            async with self._database.system() as connection:
                await connection.execute(sql, *self._place, *args)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _logger.warning("progress could not be written", error=str(error) or type(error).__name__)
