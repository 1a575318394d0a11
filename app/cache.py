"""The cache of an installation: bytes under a tenant's keys, in this process or in Redis (command-bus.md section 12).

A thin layer around cashews. An entry is kept with the marks of its tags as they were before its value was looked up,
and counts only while they are the same: to invalidate is to give a tag a new mark. So a value that was looked up before
a change can never be found after it, however late it is kept. Nothing here is needed for an answer to be right: a cache
that is away costs time only.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Hashable, Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from msgspec import Struct

from app.settings import Settings

_logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.cache")

ALL: Final = "*"
"""The tag that every entry of a tenant has."""
PLATFORM: Final = "platform"
"""Stands for a tenant in the tags of what all tenants share."""

_MARK_SECONDS: Final = 30 * 86_400.0
_ENTRY_SECONDS: Final = 300.0
_RETRY_SECONDS: Final = 5.0
_NEAR_MOST: Final = 10_000
_encode = msgspec.msgpack.encode

Tag = tuple[UUID | str, str]
"""A tenant (or PLATFORM) and a name: a table, `toggles`, or ALL."""


class CacheDown(Exception):
    """The store of the cache cannot be reached."""


class Slot(Struct, frozen=True):
    """The place of a value that is about to be looked up: its key, and its tags' marks from before."""

    key: str
    tags: tuple[str, ...]
    marks: tuple[bytes, ...]


class _Entry(Struct, frozen=True, array_like=True):
    tags: tuple[str, ...]
    marks: tuple[bytes, ...]
    value: bytes


_entry = msgspec.msgpack.Decoder(_Entry)


class Near:
    """Values that are asked for so often that even the store in this process is too far: a dictionary with tags."""

    def __init__(self) -> None:
        self._values: dict[Hashable, tuple[float, tuple[str, ...], bytes]] = {}
        self._keys: dict[str, set[Hashable]] = {}
        self.generation = 0
        """How many changes were heard of; a value that was looked up under another one is not to be kept."""

    def get(self, key: Hashable) -> bytes | None:
        """The value, unless its time is over."""
        found = self._values.get(key)
        if found is None:
            return None
        if found[0] <= time.monotonic():
            self._remove(key)
            return None
        return found[2]

    def put(self, key: Hashable, tags: Iterable[Tag], value: bytes, seconds: float, generation: int) -> None:
        """Keep a value unless something changed since `generation`; the oldest gives way when there are too many."""
        if generation != self.generation:
            return
        self._remove(key)
        while len(self._values) >= _NEAR_MOST:
            self._remove(next(iter(self._values)))
        names = tuple(map(_mark_of, tags))
        self._values[key] = (time.monotonic() + seconds, names, value)
        for name in names:
            self._keys.setdefault(name, set()).add(key)

    def clear(self) -> None:
        """Drop everything."""
        self.generation += 1
        self._values.clear()
        self._keys.clear()

    def drop(self, names: Iterable[str]) -> None:
        """Drop the values whose tags have one of these names of marks."""
        self.generation += 1
        for tag in names:
            for key in list(self._keys.get(tag, ())):
                self._remove(key)

    def _remove(self, key: Hashable) -> None:
        found = self._values.pop(key, None)
        for tag in found[1] if found else ():
            keys = self._keys[tag]
            keys.discard(key)
            if not keys:
                del self._keys[tag]


class Cache:
    """The cache of one process. `start` and `close` it inside the running loop."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is opened yet: the library is loaded aside, after the server has started."""
        self.shared = settings.cache_strategy == "redis"
        """Whether all processes see the same entries."""
        self._address = settings.redis_url.get_secret_value() if self.shared and settings.redis_url else None
        self._size = settings.cache_memory_entries
        self._seconds = settings.cache_ttl / 1000 if settings.cache_ttl else _ENTRY_SECONDS
        self._backend: Any = None
        self._failures: tuple[type[Exception], ...] = (CacheDown, OSError, TimeoutError)
        self._opening = asyncio.Lock()
        self._settling = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._stale: dict[str, int] = {}
        self._changes = 0
        self.near = Near()
        self._distrusted_until = 0.0

    async def start(self) -> None:
        """Load the library in the background."""
        self._task = asyncio.create_task(self._prepare(), name="backstep-cache")

    async def _prepare(self) -> None:
        with suppress(CacheDown):
            await self._store()

    async def close(self) -> None:
        """Let the connections go."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        if self._backend is not None:
            await self._backend.close()
            self._backend = None

    async def _store(self) -> Any:
        """The store, opened when it is needed first. Raises CacheDown when no store can be had."""
        if self._backend is not None:
            return self._backend
        async with self._opening:
            if self._backend is None:
                library = await asyncio.to_thread(import_module, "cashews")
                faults = import_module("cashews.exceptions")
                backend = library.Cache()
                if not self.shared:
                    # Its sweeper visits every entry each second; entries that nobody asks for fall out by their age.
                    backend.setup("mem://", size=self._size, check_interval=0)
                elif self._address is None:
                    raise CacheDown("CACHE_STRATEGY=redis needs REDIS_URL")
                else:
                    backend.setup(
                        self._address, suppress=False, socket_timeout=1, wait_for_connection_timeout=1
                    )
                self._failures = (CacheDown, OSError, TimeoutError, faults.CacheError)
                if self.shared:
                    self._failures += (import_module("redis.exceptions").RedisError,)
                self._backend = backend
        return self._backend

    async def find(
        self, tenant_id: UUID, key: str, tags: Sequence[Tag] = ()
    ) -> tuple[bytes | None, Slot | None]:
        """The value of a tenant's key if nothing of its tags changed since; else a slot to `keep` a new one in.

        Without a value and a slot the cache is away. Every entry also has its tenant's tag ALL.
        """
        names = tuple(_mark_of(tag) for tag in ((tenant_id, ALL), *tags))
        place = _place(tenant_id, key)
        try:
            store = await self._store()
            if self._stale:
                await self._settle(store)
            raw, *marks = await store.get_many(place, *names)
            if raw is not None:
                entry = _entry.decode(raw)
                if entry.tags == names and entry.marks == tuple(marks):
                    return entry.value, None
            if None in marks:
                marks = [
                    mark or await self._new_mark(store, name) for name, mark in zip(names, marks, strict=True)
                ]
        except self._failures as error:
            self._failed("read", error)
            return None, None
        return None, Slot(place, names, tuple(marks))

    async def keep(self, slot: Slot | None, value: bytes, seconds: float | None = None) -> None:
        """Keep the value that was looked up for a slot, for `seconds` at most."""
        if slot is None:
            return
        try:
            store = await self._store()
            packed = _encode(_Entry(slot.tags, slot.marks, value))
            await store.set(slot.key, packed, expire=seconds or self._seconds)
        except self._failures as error:
            self._failed("write", error)

    def invalidate(self, tags: Iterable[Tag]) -> None:
        """What is kept under these tags counts no more: from now on in this process, and in the store at once."""
        self._changes += 1
        names = [_mark_of(tag) for tag in tags]
        self.near.drop(names)
        self._stale.update(dict.fromkeys(names, self._changes))
        if self._backend is not None and self.shared:
            self._task = asyncio.get_running_loop().create_task(self._settle_soon(), name="backstep-cache")

    def heard(self, tenant: str, name: str) -> None:
        """Some process, perhaps this one, made a tag stale: what this one keeps by itself counts no more."""
        if not self.shared:
            self.invalidate([(tenant, name)])
        else:  # who made it stale has told the store
            self.near.drop([_mark_of((tenant, name))])

    def forget_all(self) -> None:
        """Drop what this process keeps by itself, when messages of changes may have been lost."""
        self.near.clear()
        if not self.shared and self._backend is not None:
            self._task = asyncio.get_running_loop().create_task(self._clear(), name="backstep-cache")

    async def _clear(self) -> None:
        await self._backend.clear()

    async def _settle_soon(self) -> None:
        with suppress(*self._failures):
            await self._settle(await self._store())

    async def _settle(self, store: Any) -> None:
        """Write the new marks of stale tags. Until that is done, no entry is believed; raises when it fails."""
        if time.monotonic() < self._distrusted_until:
            raise CacheDown("the cache was away a moment ago")
        async with self._settling:
            settled = dict(self._stale)
            if not settled:
                return
            try:
                await store.set_many({name: os.urandom(12) for name in settled}, expire=_MARK_SECONDS)
            except BaseException:
                self._distrusted_until = time.monotonic() + _RETRY_SECONDS
                raise
            for name, change in settled.items():
                if self._stale.get(name) == change:  # no further change came meanwhile
                    del self._stale[name]

    async def _new_mark(self, store: Any, name: str) -> bytes:
        """The first mark of a tag; of two processes that give one, both go on with the same."""
        mark = os.urandom(12)
        if await store.set(name, mark, expire=_MARK_SECONDS, exist=False):
            return mark
        return await store.get(name) or mark

    def _failed(self, action: str, error: BaseException) -> None:
        _logger.warning("cache away", action=action, error=str(error) or type(error).__name__)

    # What a tenant's part of the cache holds, for people who administer it

    async def entries(self, tenant_id: UUID, prefix: str) -> list[str]:
        """The keys of a tenant that begin with `prefix` and whose values still count. Raises CacheDown."""
        return [key async for key in self._keys(tenant_id, prefix, counting=True)]

    async def delete(self, tenant_id: UUID, prefix: str) -> int:
        """Delete a tenant's entries that begin with `prefix`; how many of them still counted. Raises CacheDown."""
        counted = len(await self.entries(tenant_id, prefix))
        every = [key async for key in self._keys(tenant_id, prefix, counting=False)]
        try:
            store = await self._store()
            if every:
                await store.delete_many(*(_place(tenant_id, key) for key in every))
        except self._failures as error:
            raise CacheDown(str(error)) from error
        return counted

    async def clear(self, tenant_id: UUID) -> int:
        """Empty a tenant's part of the cache; how many entries still counted. Raises CacheDown."""
        self.invalidate([(tenant_id, ALL)])
        return await self.delete(tenant_id, "")

    async def _keys(self, tenant_id: UUID, prefix: str, *, counting: bool) -> AsyncIterator[str]:
        start = _place(tenant_id, "")
        try:
            store = await self._store()
            if counting and self._stale:
                await self._settle(store)
            async for found in store.scan(f"{start}*"):
                key = found.decode() if isinstance(found, bytes) else found
                if key.startswith(start + prefix) and (not counting or await self._counts(store, key)):
                    yield key.removeprefix(start)
        except self._failures as error:
            raise CacheDown(str(error) or type(error).__name__) from error

    async def _counts(self, store: Any, key: str) -> bool:
        raw = await store.get(key)
        if raw is None:
            return False
        entry = _entry.decode(raw)
        return tuple(await store.get_many(*entry.tags)) == entry.marks


def _mark_of(tag: Tag) -> str:
    return f"mark:{tag[0]}:{tag[1]}"


def _place(tenant_id: UUID, key: str) -> str:
    return f"tenant:{tenant_id}:{key}"
