"""Writes down who read what, off the request's path, and forgets it in time (contract: audit-logs.md 4)."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import structlog
from msgspec import Struct

from app.database import Database
from app.settings import Settings
from domain.ids import random_id
from domain.scope import Scope

logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.access_log")

CORE_KINDS = ("auth.user", "auth.role")
"""Resource kinds whose access rows are kept for days; all others are kept for hours."""
BATCH_ROWS = 500
MAX_WAITING_ROWS = 50_000
"""Rows that may wait for the database; beyond that the oldest are given up, and the loss is logged."""

_COALESCE_SECONDS = 0.05
_RETRY_SECONDS = 1.0
_STOP_SECONDS = 10.0
_SWEEP_ROWS = 5_000
_FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
_COLUMNS = (
    "tenant_id, id, organization_id, actor_user_id, actor_kind, resource_kind, resource_id, access_type,"
    " fields, context, created_at"
)
_INSERT = (
    f"insert into access_logs ({_COLUMNS})"
    " select r.t, r.id, r.o, r.a, r.ak, r.k, r.rid, r.at, r.f::jsonb, r.c::jsonb, r.now from unnest($1::uuid[],"
    " $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],"
    " $11::timestamptz[]) r(t, id, o, a, ak, k, rid, at, f, c, now)"
)
_SWEEP = (
    "delete from access_logs where tenant_id = $1 and id = any(array("
    "select id from access_logs where tenant_id = $1 and created_at < greatest($2::timestamptz, $3::timestamptz)"
    " and created_at < case when resource_kind = any($4::text[]) then $2 else $3 end limit $5))"
)
_encode = msgspec.json.Encoder().encode


class Note(Struct, frozen=True, array_like=True):
    """One call of `AccessLog.record`, apart from who asked."""

    tenant_id: UUID
    kind: str
    ids: list[str]
    access_type: str
    fields: list[str]
    context: dict[str, Any] | None


NOTED: ContextVar[list[Note] | None] = ContextVar("noted", default=None)
"""Takes in what is noted while an answer is made that will be given again (`app.http.list_cache`)."""


class _Row(Struct, frozen=True):
    """One row, in the order of the columns."""

    tenant_id: UUID
    id: UUID
    organization_id: UUID | None
    actor_user_id: UUID | None
    actor_kind: str
    resource_kind: str
    resource_id: str
    access_type: str
    fields: str
    context: str
    created_at: datetime


class AccessLog:
    """Takes notes of reads and writes them in batches. One per process; `stop` writes what still waits."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._blocking = settings.access_log_blocking
        self._core_age = timedelta(days=settings.audit_core_retention_days)
        self._other_age = timedelta(hours=settings.audit_other_retention_hours)
        self._sweep_seconds = settings.audit_rotate_interval_ms / 1000
        self._swept: float | None = None
        self._waiting: deque[_Row] = deque()
        self._lost = 0
        self._stopping = False
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def record(
        self,
        scope: Scope,
        kind: str,
        ids: Sequence[UUID | str],
        access_type: str,
        fields: Sequence[str] = (),
        context: Mapping[str, Any] | None = None,
    ) -> None:
        """Note that the actor read these records: one row for each distinct id, none for no id.

        `fields` names what was shown; `context` is kept with `resultCount` and `accessType`. Returns at once, except
        in blocking mode, which waits for the write. Never raises for a failing database.
        """
        distinct = list(dict.fromkeys(str(one) for one in ids))
        if not distinct:
            return
        noted = NOTED.get()
        if noted is not None:
            about_it = None if context is None else dict(context)
            noted.append(Note(scope.tenant_id, kind, distinct, access_type, list(fields), about_it))
        now = datetime.now(UTC)
        shown = _encode(list(fields)).decode()
        about = _encode({"resultCount": len(distinct), "accessType": access_type, **(context or {})}).decode()
        organization = scope.selected_organization_id or scope.home_organization_id
        self._waiting.extend(
            _Row(
                scope.tenant_id,
                random_id(now),
                organization,
                scope.actor.id,
                scope.actor.kind,
                _text(kind),
                _text(one),
                _text(access_type),
                shown,
                about,
                now,
            )
            for one in distinct
        )
        while len(self._waiting) > MAX_WAITING_ROWS:
            self._waiting.popleft()
            self._lost += 1
        if self._blocking:
            await self._write_all()
        else:
            self._wake.set()

    async def start(self) -> None:
        """Begin to write in the background."""
        self._stopping = False
        self._task = asyncio.create_task(self._run(), name="backstep-access-log")

    async def stop(self) -> None:
        """Write what waits, then end; gives up after ten seconds."""
        self._stopping = True
        self._wake.set()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                if self._task is not None:
                    await self._task
                if not await self._write_all():
                    logger.error("access rows lost", rows=len(self._waiting), reason="stopped")
        except TimeoutError:
            logger.error("access rows lost", rows=len(self._waiting), reason="stopped")

    async def _run(self) -> None:
        while not self._stopping:
            await self._wake.wait()
            self._wake.clear()
            if not self._stopping:
                await asyncio.sleep(_COALESCE_SECONDS)
                if not await self._write_all():
                    await asyncio.sleep(_RETRY_SECONDS)
                    self._wake.set()

    async def _write_all(self) -> bool:
        """Write everything that waits; whether that worked."""
        async with self._writing:
            while self._waiting:
                rows = [self._waiting.popleft() for _ in range(min(BATCH_ROWS, len(self._waiting)))]
                try:
                    await self._write(rows)
                except _FAILURES as error:
                    self._waiting.extendleft(reversed(rows))
                    logger.warning("access rows not written", rows=len(self._waiting), error=str(error))
                    return False
            if self._lost:
                logger.error("access rows lost", rows=self._lost, reason="too many waiting")
                self._lost = 0
            try:
                await self._sweep_when_due()
            except _FAILURES as error:
                logger.warning("access log not swept", error=str(error))
            return True

    async def _write(self, rows: list[_Row]) -> None:
        columns = zip(*(msgspec.structs.astuple(row) for row in rows), strict=True)
        async with self._database.system() as connection:
            await connection.execute(_INSERT, *(list(column) for column in columns))

    async def _sweep_when_due(self) -> None:
        if self._swept is not None and monotonic() - self._swept < self._sweep_seconds:
            return
        self._swept = monotonic()
        await self.sweep()

    async def sweep(self) -> int:
        """Delete the rows whose time is over, tenant by tenant and in small steps; answers how many there were."""
        now = datetime.now(UTC)
        others, core = now - self._other_age, now - self._core_age
        gone = 0
        async with self._database.system() as connection:
            tenants = [row["id"] for row in await connection.fetch("select id from tenants order by id")]
            for tenant_id in tenants:
                while True:
                    done = await connection.execute(
                        _SWEEP, tenant_id, core, others, list(CORE_KINDS), _SWEEP_ROWS
                    )
                    count = int(done.rpartition(" ")[2])
                    gone += count
                    if count < _SWEEP_ROWS:
                        break
        return gone


def access_type_of(item_id: str | None, count: int) -> str:
    """How a read of `count` records is called; `item_id` is the query's `id`, if there was one."""
    if item_id is not None and item_id.strip():
        return "read:item"
    return "read:list" if count > 1 else "read"


def _text(value: str) -> str:
    return value.replace("\x00", "").strip() or "unknown"
