"""The relay: moves committed events from the outbox into the stream, and tells the processes (contract: events.md 3.2).

One process of the installation holds the relay, by an advisory lock on a connection of its own; the others stand by
and try for it. NOTIFY is only ever sent after a commit, never inside a command's transaction, and only says that
there is something: what there is, is read from the tables, so a lost message costs a moment and no event.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from time import monotonic
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from app.cache import Tag
from app.database import Database, Link
from app.jobs.hub import Hub
from app.jobs.subscribers import deliver_later, subscribed_events
from app.settings import Settings
from domain.events import broadcast_events

logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.relay")

OUTBOX_CHANNEL = "backstep_outbox"
"""Says to the holder of the relay that the outbox has something."""
EVENTS_CHANNEL = "backstep_events"
"""Says to every process that the stream has something; `identity:<tenant>`: that accounts of a tenant changed;
`cache:<tenant or platform>:<name>`: that what is cached under that tag is stale."""

_LOCK = (30_577, 1)
_BATCH = 500
_POLL_SECONDS = 2.0
_COALESCE_SECONDS = 0.05
_BUSY_SECONDS = 0.2
_MANY = 20
"""So many commands at once make the outbox a busy one."""
_RETRY_SECONDS = 1.0
_ANSWER_SECONDS = 15.0
_PRUNE_SECONDS = 600.0
_PRUNE_ROWS = 5_000
_IDENTITY = "identity:"
_CACHE = "cache:"
_FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

_MOVE = """
with taken as (
  delete from outbox where ctid = any (array(select ctid from outbox order by seq limit $1 for update skip locked))
  returning tenant_id, log_id, organization_id, events, created_at, seq
), published as (
  insert into event_stream (tenant_id, organization_id, event, payload, audience, created_at)
  select t.tenant_id, (e.value ->> 'organizationId')::uuid, e.value ->> 'event',
         coalesce(e.value -> 'payload', '{}'), nullif(e.value -> 'audience', 'null'), t.created_at
    from taken t, jsonb_array_elements(t.events) with ordinality e(value, place)
   where e.value ->> 'event' = any ($2::text[])
   order by t.seq, t.tenant_id, e.place
  returning id
)
select (select count(*) from taken) as taken, (select max(id) from published) as newest,
       (select jsonb_agg(jsonb_build_object(
                 'tenantId', t.tenant_id, 'logId', t.log_id, 'place', e.place, 'event', e.value ->> 'event',
                 'payload', coalesce(e.value -> 'payload', '{}'), 'organizationId', e.value ->> 'organizationId',
                 'occurredAt', t.created_at) order by t.seq, t.tenant_id, e.place)::text
          from taken t, jsonb_array_elements(t.events) with ordinality e(value, place)
         where e.value ->> 'event' = any ($3::text[])) as subscribed
"""
_PRUNE = tuple(
    f"delete from {table} where ctid = any (array(select ctid from {table}"
    " where created_at < now() - make_interval(hours => $1) limit $2))"
    for table in ("event_stream", "idempotency_keys")
)


class Relay:
    """The part of the relay that runs in this process, and the hub of its live streams."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        forget: Callable[[UUID], None] | None = None,
        forget_all: Callable[[], None] | None = None,
        delivered: Callable[[], None] | None = None,
        forget_cached: Callable[[str, str], None] | None = None,
    ) -> None:
        """`forget` is called when accounts of a tenant changed elsewhere, `forget_all` when messages may be lost.

        `forget_cached` is told the two parts of a tag of the cache that became stale elsewhere.
        """
        self.hub = Hub(database.system)
        self.holds = False
        """Whether this process moves the events."""
        self._database = database
        self._keep_hours = settings.event_retention_hours
        self._forget = forget
        self._forget_all = forget_all
        self._delivered = delivered
        self._forget_cached = forget_cached
        self._wake = asyncio.Event()
        self._urgent = asyncio.Event()
        self._accounts: set[UUID] = set()
        self._stale: set[Tag] = set()
        self._dirty = False
        self._heard: float | None = None
        self._pruned: float | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to relay, or to stand by."""
        self.hub.start()
        self._task = asyncio.create_task(self._run(), name="backstep-relay")

    async def stop(self) -> None:
        """End the streams and let another process take over."""
        await self.hub.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def wake(self) -> None:
        """A command of this process was committed; cheap, and never fails."""
        self._dirty = True
        self._wake.set()

    def announce_accounts(self, tenant_id: UUID) -> None:
        """Accounts of a tenant changed: every process drops what it remembers of them."""
        self._accounts.add(tenant_id)
        self._urgent.set()
        self._wake.set()

    def announce_stale(self, tags: Iterable[Tag]) -> None:
        """What is cached under these tags counts no more, in no process."""
        self._stale.update(tags)
        self._urgent.set()
        self._wake.set()

    def seconds_since_heard(self) -> float | None:
        """How long ago the database last answered the relay; None when it never did."""
        return None if self._heard is None else monotonic() - self._heard

    async def _run(self) -> None:
        while True:
            link: Link | None = None
            try:
                link = await self._database.connect("backstep_system")
                await self._serve(link)
            except _FAILURES as error:
                logger.warning("relay connection lost", error=str(error) or type(error).__name__)
            finally:
                self.holds = False
                if link is not None:
                    link.terminate()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _serve(self, link: Link) -> None:
        """Listen, and relay while the lock is ours; returns never, raises when the connection is lost."""
        link.add_termination_listener(lambda _: self._wake.set())
        await link.add_listener(OUTBOX_CHANNEL, self._outbox_heard)
        await link.add_listener(EVENTS_CHANNEL, self._events_heard)
        if self._heard is not None and self._forget_all is not None:
            self._forget_all()
        self.hub.wake()
        self._dirty = True
        while True:
            moved = await self._step(link)
            self._heard = monotonic()
            # An idle outbox is moved at once, a busy one in batches: half of what a small batch costs is its commit.
            with suppress(TimeoutError):
                async with asyncio.timeout(_COALESCE_SECONDS if moved < _MANY else _BUSY_SECONDS):
                    await self._urgent.wait()
            self._urgent.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._wake.wait()
            self._wake.clear()

    async def _step(self, link: Link) -> int:
        """Tell about accounts and stale values, take the lock if it is free, move what there is or wake the holder.

        Answers how many commands' events were moved.
        """
        while self._accounts:
            tenant_id = self._accounts.pop()
            await self._notify(link, EVENTS_CHANNEL, f"{_IDENTITY}{tenant_id}")
        while self._stale:
            tag = self._stale.pop()
            try:
                await self._notify(link, EVENTS_CHANNEL, f"{_CACHE}{tag[0]}:{tag[1]}")
            except BaseException:
                self._stale.add(tag)
                raise
        if not self.holds:
            taken = await link.fetchval(
                "select pg_try_advisory_lock($1, $2)", *_LOCK, timeout=_ANSWER_SECONDS
            )
            self.holds = bool(taken)
            if self.holds:
                logger.info("relay taken over")
        dirty, self._dirty = self._dirty, False
        if self.holds:
            moved = await self._move(link)
            await self._keep_house_when_due(link)
            return moved
        if dirty:
            await asyncio.sleep(_COALESCE_SECONDS)
            await self._notify(link, OUTBOX_CHANNEL, "")
        return 0

    async def _move(self, link: Link) -> int:
        """Publish the whole outbox in order, a batch a transaction, tell everybody after each, and count."""
        subscribed = subscribed_events()
        total: int = 0
        while True:
            async with link.transaction() if subscribed else nullcontext():
                moved = await link.fetchrow(
                    _MOVE, _BATCH, broadcast_events(), subscribed, timeout=_ANSWER_SECONDS
                )
                deliveries = await deliver_later(link, moved["subscribed"])
            if deliveries and self._delivered is not None:
                self._delivered()
            if moved["newest"] is not None:
                self.hub.wake()
                await self._notify(link, EVENTS_CHANNEL, str(moved["newest"]))
            total += moved["taken"]
            if moved["taken"] < _BATCH:
                return total

    async def _keep_house_when_due(self, link: Link) -> None:
        """Make the log's next partitions, and drop what nobody can ask for any more."""
        if self._pruned is not None and monotonic() - self._pruned < _PRUNE_SECONDS:
            return
        await link.execute("select action_log_partitions()", timeout=_ANSWER_SECONDS)
        for statement in _PRUNE:
            done = await link.execute(statement, self._keep_hours, _PRUNE_ROWS, timeout=_ANSWER_SECONDS)
            if int(done.rpartition(" ")[2]) == _PRUNE_ROWS:
                return  # the next step goes on, so that events do not wait
        self._pruned = monotonic()

    async def _notify(self, link: Link, channel: str, payload: str) -> None:
        await link.execute("select pg_notify($1, $2)", channel, payload, timeout=_ANSWER_SECONDS)

    def _outbox_heard(self, *_: Any) -> None:
        self._wake.set()

    def _events_heard(self, connection: Any, process: int, _channel: str, payload: str) -> None:
        if payload.startswith(_CACHE):
            tenant, _, name = payload.removeprefix(_CACHE).partition(":")
            if self._forget_cached is not None and process != connection.get_server_pid():
                self._forget_cached(tenant, name)
        elif not payload.startswith(_IDENTITY):
            self.hub.wake()
        elif self._forget is not None:
            with suppress(ValueError):
                self._forget(UUID(payload.removeprefix(_IDENTITY)))
