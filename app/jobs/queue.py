"""Background jobs: declaring them, and writing them down on the connection of whoever wants them done (decision 0024).

A job that is written down in a command's transaction is there exactly when the command is. It is done at least once,
by any process of the installation, so its handler must bear repetition. One that raises is tried again after 1 s, 2 s,
4 s …, and kept as failed after its last attempt, until somebody retries or deletes it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import (
    QueryBuilderEnvironment,
    QueryQueueBuilder,
    QuerySchedulerBuilder,
)
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import Channel
from pgqueuer.ports.driver import Driver
from pgqueuer.queries import Queries

from domain.jobs import JobRequest, declare_job, job_request

if TYPE_CHECKING:
    from app.main import Application

CHANNEL: Final = "backstep_jobs"
"""Says to the workers that there may be something to do."""

NAMES: Final = DBSettings(
    prefix="",
    db_schema="jobs",
    channel=Channel(CHANNEL),
    function="fn_pgqueuer_changed",
    trigger="tg_pgqueuer_changed",
    queue_table="pgqueuer",
    queue_table_log="pgqueuer_log",
    statistics_table="pgqueuer_statistics",
    schedules_table="pgqueuer_schedules",
    queue_status_type="pgqueuer_status",
)
"""Names of the library's tables, all given, because it would take those that are not from the environment."""

DEFAULT_ATTEMPTS: Final = 3


class Run(Struct, frozen=True):
    """One attempt at one job, as its handler sees it."""

    app: "Application"
    job_id: int
    name: str
    tenant_id: UUID | None
    """Whose job it is; None: the installation's."""
    organization_id: UUID | None
    attempt: int
    """1 for the first; never more than `last_attempt`."""
    last_attempt: int
    stopping: asyncio.Event
    """Set when the process is about to stop: long work should save what it has and raise `Interrupted`."""


class Interrupted(Exception):
    """Raised by a handler that stops because the process does: the job goes back, and the attempt does not count."""


class GiveUp(Exception):
    """Raised by a handler when trying again makes no sense: the job is kept as failed at once."""


Handler = Callable[[Run, Any], Awaitable[None]]


class Job(Struct, frozen=True):
    """A declared job. `concurrency` is how many may run at once in the whole installation (0: any number)."""

    name: str
    handler: Handler
    payload: Any
    attempts: int
    concurrency: int
    timeout: float


class Timetable(Struct, frozen=True):
    """Work that is done at set times; `expression` is a cron expression in UTC."""

    name: str
    expression: str
    handler: Callable[["Application"], Awaitable[None]]


_jobs: dict[str, Job] = {}
_timetables: dict[str, Timetable] = {}


def job(
    name: str,
    *,
    payload: Any = Any,
    attempts: int = DEFAULT_ATTEMPTS,
    concurrency: int = 0,
    timeout: float = 3600.0,
) -> Callable[[Handler], Handler]:
    """Declare the decorated `async def handler(run, payload)` as what is done for jobs of this name.

    `payload` is the type that the JSON of a job is converted to. `timeout` is in seconds; the attempt fails after it.
    """

    def register(handler: Handler) -> Handler:
        declare_job(name)
        _jobs[name] = Job(name, handler, payload, attempts, concurrency, timeout)
        return handler

    return register


def at(
    expression: str, name: str
) -> Callable[[Callable[["Application"], Awaitable[None]]], Callable[["Application"], Awaitable[None]]]:
    """Declare the decorated `async def work(application)` as done at set times, by one process of the installation.

    `expression` is a cron expression in UTC, at most one run a minute. Work that raises is tried at its next time.
    """

    def register(
        handler: Callable[["Application"], Awaitable[None]],
    ) -> Callable[["Application"], Awaitable[None]]:
        if name in _timetables:
            raise ValueError(f"the timetable {name} is declared twice")
        _timetables[name] = Timetable(name, expression, handler)
        return handler

    return register


def jobs() -> list[Job]:
    """All declared jobs."""
    return list(_jobs.values())


def timetables() -> list[Timetable]:
    """Everything that is done at set times."""
    return list(_timetables.values())


def library(driver: Driver) -> Queries:
    """The library's statements over a driver, for our names."""
    return Queries(
        driver,
        qbe=QueryBuilderEnvironment(NAMES),
        qbq=QueryQueueBuilder(NAMES),
        qbs=QuerySchedulerBuilder(NAMES),
    )


async def enqueue(
    connection: asyncpg.Connection,
    name: str,
    payload: Any,
    *,
    tenant_id: UUID | None,
    organization_id: UUID | None = None,
    dedupe_key: str | None = None,
    delay: float = 0.0,
) -> int | None:
    """Write down one job on this connection, in its transaction if it is in one; answers its number.

    None: a job of the same `dedupe_key` waits or runs already. `payload` is anything msgspec encodes, or bytes that
    already are JSON; `delay` is in seconds. Whoever commits calls `Worker.wake`, or `wake_workers` in a process without
    a worker. Raises KeyError for a job that nobody declared.
    """
    request = job_request(name, payload, dedupe_key=dedupe_key, delay=delay, organization_id=organization_id)
    return (await enqueue_all(connection, tenant_id, [request]))[0]


async def enqueue_all(
    connection: asyncpg.Connection, tenant_id: UUID | None, requests: Sequence[JobRequest]
) -> list[int | None]:
    """Write down jobs of one tenant in one statement; see `enqueue`."""
    if not requests:
        return []
    owner = "" if tenant_id is None else str(tenant_id)
    ids = await library(AsyncpgDriver(connection)).enqueue(
        [one.name for one in requests],
        [one.payload for one in requests],
        [0] * len(requests),
        [timedelta(seconds=one.delay) for one in requests],
        [None if one.dedupe_key is None else f"{owner}:{one.name}:{one.dedupe_key}" for one in requests],
        [_headers(tenant_id, one.organization_id) for one in requests],
        on_conflict="skip",
    )
    return [None if id is None else int(id) for id in ids]


def _headers(tenant_id: UUID | None, organization_id: UUID | None) -> dict[str, str]:
    named = {"tenant": tenant_id, "organization": organization_id}
    return {key: str(value) for key, value in named.items() if value is not None}


async def write_down(connection: Any, tenant_id: UUID, requests: Sequence[JobRequest]) -> None:
    """Write down the jobs of a command in its transaction: what the bus is handed."""
    assert connection.is_in_transaction(), "a command's jobs are part of its transaction"
    await enqueue_all(connection, tenant_id, requests)


async def wake_workers(connection: asyncpg.Connection) -> None:
    """Tell the workers of all processes to look for jobs; after the commit, never inside a command's transaction."""
    await connection.execute("select pg_notify($1, $2)", CHANNEL, wake_message())


def wake_message() -> str:
    """The message that the library's listener understands as `look again`."""
    return msgspec.json.encode(
        {
            "channel": CHANNEL,
            "operation": "insert",
            "sent_at": "2000-01-01T00:00:00Z",
            "table": NAMES.queue_table,
            "type": "table_changed_event",
        }
    ).decode()
