"""The sealer: puts seals over the log behind the backs of its writers, who never wait for it (decision 0032).

One process of the installation seals, by an advisory lock on a connection of its own; the others stand by. Which
tenants wrote something is read from the event stream, where every logged action is announced; now and then all tenants
are looked at, so that nothing depends on that.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog
from msgspec import Struct

from app.database import Database, Link
from app.settings import Settings, master_key
from domain.seals import ITEMS, MOST, SEAL_COLUMNS, Item, Seal, made, seal_key, seal_of

logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.sealer")

_LOCK: Final = (30_577, 2)
_PAUSE_SECONDS: Final = 5.0
_SWEEP_SECONDS: Final = 300.0
_RETRY_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 60.0
_AT_ONCE: Final = 16
"""Seals that one transaction writes at most."""
_FAILURES: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

TENANTS: Final = """
with recursive t(id) as (
  (select tenant_id from action_logs order by tenant_id limit 1)
  union all
  select (select a.tenant_id from action_logs a where a.tenant_id > t.id order by a.tenant_id limit 1)
    from t where t.id is not null
)
select id from t where id is not null
"""
"""All tenants that have a history."""

_WROTE: Final = "select distinct tenant_id as id from event_stream where id > $1 and id <= $2"
_NEWEST_EVENT: Final = "select coalesce(max(id), 0) from event_stream"

_BOUND: Final = """
select max(seq) from (
  select n.seq, bool_and(n.settled) over (order by n.seq) as settled from (
    select l.seq, l.xid < pg_snapshot_xmin(s.now) or l.xid >= pg_snapshot_xmax(s.now) as settled
      from action_logs l, (select pg_current_snapshot() as now) s
     where l.tenant_id = $1 and l.seq > $2 order by l.seq limit $3) n
) m where m.settled
"""
"""How far a tenant's history can be sealed: up to before the first row beside whose transaction another one may still
be under way. A visible row of a later transaction than any of this server came with a restored dump."""

_TRY: Final = "select pg_try_advisory_lock($1, $2)"
_LAST: Final = f"select {SEAL_COLUMNS} from log_seals where tenant_id = $1 order by number desc limit 1"
_INSERT: Final = (
    f"insert into log_seals ({SEAL_COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
)


class Sealed(Struct, frozen=True):
    """What was sealed of a tenant in one step."""

    tenant_id: UUID
    seals: int
    rows: int


class Sealer:
    """The part of the sealer that runs in this process."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._key = seal_keys(settings)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to seal, or to stand by."""
        self._task = asyncio.create_task(self._run(), name="backstep-sealer")

    async def stop(self) -> None:
        """Let another process take over; a step that is under way leaves nothing half done."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            link: Link | None = None
            try:
                link = await self._database.connect("backstep_system")
                await self._serve(link)
            except _FAILURES as error:
                logger.warning("sealer connection lost", error=str(error) or type(error).__name__)
            finally:
                if link is not None:
                    link.terminate()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _serve(self, link: Link) -> None:
        """Seal while the lock is ours; returns never, raises when the connection is lost."""
        while True:
            if await link.fetchval(_TRY, *_LOCK, timeout=_ANSWER_SECONDS):
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        seen, swept = 0, None
        waiting: set[UUID] = set()
        while True:
            newest = await link.fetchval(_NEWEST_EVENT, timeout=_ANSWER_SECONDS)
            if swept is None or monotonic() - swept > _SWEEP_SECONDS:
                rows = await link.fetch(TENANTS, timeout=_ANSWER_SECONDS)
                swept = monotonic()
            else:
                rows = await link.fetch(_WROTE, seen, newest, timeout=_ANSWER_SECONDS)
            tenants = waiting.union(row["id"] for row in rows)
            async for step in sealed(link, self._key, tenants):
                logger.debug("sealed", tenant=str(step.tenant_id), seals=step.seals, rows=step.rows)
            waiting = {tenant_id for tenant_id in tenants if await _is_open(link, tenant_id)}
            seen = newest
            await asyncio.sleep(_PAUSE_SECONDS)


async def _is_open(link: Any, tenant_id: UUID) -> bool:
    """Whether the tenant has rows without a seal: new ones, or such as wait for a transaction under way."""
    last = await link.fetchval("select max(last_seq) from log_seals where tenant_id = $1", tenant_id)
    sql = "select exists (select from action_logs where tenant_id = $1 and seq > $2)"
    return bool(await link.fetchval(sql, tenant_id, last or 0, timeout=_ANSWER_SECONDS))


def seal_keys(settings: Settings) -> Callable[[UUID], bytes]:
    """Gives each tenant's key of seals; the keys are never stored."""
    master = master_key(settings)
    return lambda tenant_id: seal_key(master, tenant_id)


async def sealed(link: Any, key: Callable[[UUID], bytes], tenants: Iterable[UUID]) -> AsyncIterator[Sealed]:
    """Seal what these tenants have unsealed by now, one step after the other; `link` is of the installation's own role.

    What is written meanwhile waits for the next time: else a busy tenant would be sealed a few rows at a time, without
    end, and no other tenant at all.
    Two that do it at once do not harm one another: the second to write a seal of the same number goes on after it.
    """
    for tenant_id in tenants:
        while True:
            try:
                step = await _step(link, key(tenant_id), tenant_id)
            except asyncpg.UniqueViolationError:
                continue
            if step is None:
                break
            yield step
            if step.rows < MOST * _AT_ONCE:
                break


async def _step(link: Any, key: bytes, tenant_id: UUID) -> Sealed | None:
    """Write the next seals of a tenant; None when there is nothing to seal."""
    async with link.transaction():
        record = await link.fetchrow(_LAST, tenant_id)
        last = None if record is None else seal_of(record)
        items = await _unsealed(link, tenant_id, 0 if last is None else last.last_seq)
        if not items:
            return None
        now = datetime.now(UTC)
        seals: list[Seal] = []
        for start in range(0, len(items), MOST):
            last = made(key, tenant_id, last, items[start : start + MOST], now)
            seals.append(last)
        await link.executemany(_INSERT, [_values(seal) for seal in seals])
    return Sealed(tenant_id, len(seals), len(items))


async def _unsealed(link: Any, tenant_id: UUID, after: int) -> list[Item]:
    """The next rows after a place that are complete: what is not there yet cannot come before them any more."""
    most = MOST * _AT_ONCE
    bound = await link.fetchval(_BOUND, tenant_id, after, most, timeout=_ANSWER_SECONDS)
    if bound is None:
        return []
    rows = await link.fetch(ITEMS, tenant_id, after, bound, most, timeout=_ANSWER_SECONDS)
    return [Item(*row) for row in rows]


def _values(seal: Seal) -> tuple[Any, ...]:
    return tuple(getattr(seal, name) for name in SEAL_COLUMNS.split(", "))
