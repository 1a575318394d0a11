"""The live streams of this process: each event is read once and handed to the streams that it reaches."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from uuid import UUID

import asyncpg
import structlog

from domain.audience import reaches
from domain.scope import Scope
from queries.events import Published, published_after, stream_bounds

logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.hub")

MAX_STREAMS = 20
"""Streams that one actor may hold open in a process; the oldest is closed for a further one."""
MAX_BACKLOG = 2_000
"""Events that may wait for a slow client; then it is cut off, and may resume from the last one that it got."""

_BATCH = 500
_POLL_SECONDS = 5.0
_RETRY_SECONDS = 1.0

System = Callable[[], AbstractAsyncContextManager[asyncpg.Connection]]


class Subscription:
    """One live stream: the events that wait to be sent to it."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        """Whose stream it is; the stream sets it anew when rights have changed."""
        self.closed = False
        self._waiting: deque[Published] = deque()
        self._ready = asyncio.Event()

    def offer(self, event: Published) -> None:
        """Queue an event that reaches the stream; too many waiting ones close it."""
        if self.closed or event.tenant_id != self.scope.tenant_id or not reaches(event.audience, self.scope):
            return
        if len(self._waiting) >= MAX_BACKLOG:
            logger.info("stream cut off", reason="slow", waiting=len(self._waiting))
            self.close()
            return
        self._waiting.append(event)
        self._ready.set()

    def ended(self) -> bool:
        """Whether the stream is over."""
        return self.closed

    def close(self) -> None:
        """End the stream; what waits is not sent any more."""
        self.closed = True
        self._waiting.clear()
        self._ready.set()

    async def take(self, seconds: float) -> list[Published]:
        """Everything that waits, or what comes first; empty after `seconds` without an event, and when closed."""
        if not self._waiting and not self.closed:
            self._ready.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._ready.wait()
            except TimeoutError:
                return []
        taken = list(self._waiting)
        self._waiting.clear()
        return taken


class Hub:
    """Reads published events while somebody listens, and fans them out."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._streams: dict[tuple[UUID, UUID | None], list[Subscription]] = {}
        self._position: int | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    @property
    def size(self) -> int:
        """How many streams are open."""
        return sum(len(streams) for streams in self._streams.values())

    def start(self) -> None:
        """Begin to read; inside the running loop."""
        self._closed = False
        self._task = asyncio.create_task(self._run(), name="backstep-hub")

    def wake(self) -> None:
        """Look for new events now."""
        self._wake.set()

    async def open(self, scope: Scope) -> tuple[Subscription, int]:
        """A new stream, and the id that its events come after."""
        subscription = Subscription(scope)
        async with self._opening:
            if self._position is None:
                async with self._system() as connection:
                    _, self._position = await stream_bounds(connection)
            position = self._position
            if self._closed:
                subscription.close()
                return subscription, position
            streams = self._streams.setdefault((scope.tenant_id, scope.actor.id), [])
            streams.append(subscription)
            while len(streams) > MAX_STREAMS:
                streams.pop(0).close()
        return subscription, position

    def leave(self, subscription: Subscription) -> None:
        """Forget a stream that has ended."""
        subscription.close()
        key = (subscription.scope.tenant_id, subscription.scope.actor.id)
        streams = self._streams.get(key, [])
        if subscription in streams:
            streams.remove(subscription)
        if not streams:
            self._streams.pop(key, None)
        if not self._streams:
            self._position = None

    def end_streams(self) -> None:
        """End every stream at once, and accept no new ones: the process is about to stop."""
        self._closed = True
        for streams in list(self._streams.values()):
            for subscription in list(streams):
                subscription.close()

    def end_with(self, closing: asyncio.Event) -> None:
        """End every stream when `closing` is set, be it long before `stop`."""
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._end_after(closing), name="backstep-hub-closing")

    async def _end_after(self, closing: asyncio.Event) -> None:
        await closing.wait()
        self.end_streams()

    async def missed(self, scope: Scope, last: int, upto: int, limit: int) -> list[Published] | None:
        """The events of a tenant after `last` up to `upto` that reach the actor; None when they are not all there.

        They are not when more than `limit` came, when the oldest are pruned, and when `last` was never given out.
        """
        async with self._system() as connection:
            oldest, newest = await stream_bounds(connection)
            if last > newest or (oldest is not None and last < oldest - 1):
                return None
            found = await published_after(connection, last, limit + 1, scope.tenant_id)
        if len(found) > limit:
            return None
        return [event for event in found if event.id <= upto and reaches(event.audience, scope)]

    async def stop(self) -> None:
        """End all streams and the reader."""
        self.end_streams()
        for task in (self._task, self._watch):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self._read()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                logger.warning("events could not be read", error=str(error) or type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)
                self._wake.set()

    async def _read(self) -> None:
        while self._position is not None:
            start = self._position
            async with self._system() as connection:
                events = await published_after(connection, start, _BATCH)
            if self._position != start:  # all streams left meanwhile, and perhaps others came
                continue
            for event in events:
                self._position = event.id
                if event.message is None:
                    logger.warning("event cannot be sent", name=event.event, id=event.id)
                    continue
                for streams in list(self._streams.values()):
                    for subscription in list(streams):
                        subscription.offer(event)
            if len(events) < _BATCH:
                return
