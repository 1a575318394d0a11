"""Jobs for tests, declared once; what they did is told to whoever waits for it."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec import Struct

from app.jobs.queue import GiveUp, Run, enqueue, job
from app.main import Application


class Told(Struct):
    """What one test's jobs are to do, and what they did: the attempt numbers in order."""

    fail: int = 0
    hold: float = 0.0
    attempts: list[int] = []
    runs: list[Run] = []
    running: int = 0
    most: int = 0


_told: dict[str, Told] = defaultdict(Told)


class Note(Struct):
    """The payload of the jobs for tests: which test it is, and how to fail."""

    test: str
    for_good: bool = False


async def _do(run: Run, note: Note) -> None:
    told = _told[note.test]
    told.attempts.append(run.attempt)
    told.runs.append(run)
    told.running += 1
    told.most = max(told.most, told.running)
    try:
        await asyncio.sleep(told.hold)
    finally:
        told.running -= 1
    if note.for_good:
        raise GiveUp("there is no way")
    if len(told.attempts) <= told.fail:
        raise RuntimeError(f"failure number {len(told.attempts)}")


job("tests.note", payload=Note)(_do)
job("tests.once", payload=Note, attempts=1)(_do)
job("tests.alone", payload=Note, concurrency=1)(_do)


@pytest.fixture
def told(request: pytest.FixtureRequest) -> Told:
    """What the jobs of this test are to do and did."""
    return _told[request.node.name]


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """The payload that belongs to `told`."""
    return Note(request.node.name)


@pytest.fixture
def owner() -> UUID:
    """The tenant that jobs are written down for."""
    return uuid4()


Put = Callable[..., Awaitable[int | None]]


@pytest.fixture
def put(application: Application) -> Put:
    """Writes a job down outside a command, and wakes the workers."""

    async def written(
        tenant_id: UUID | None, payload: Note, name: str = "tests.note", **more: Any
    ) -> int | None:
        async with application.database.system() as connection:
            number = await enqueue(connection, name, payload, tenant_id=tenant_id, **more)
        application.jobs.wake()
        return number

    return written


async def until(holds: Callable[[], Any], seconds: float = 15) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


async def until_async(holds: Callable[[], Awaitable[Any]], seconds: float = 15) -> None:
    """Wait for something to become true that must be asked for."""
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.02)


async def state(application: Application, number: int | None) -> str | None:
    """The state of a job; None when it is gone."""
    async with application.database.system() as connection:
        found: str | None = await connection.fetchval(
            "select status::text from jobs.pgqueuer where id = $1", number
        )
        return found
