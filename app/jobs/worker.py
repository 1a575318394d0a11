"""The worker of a process: does background jobs, and is started anew whenever it falls over (decision 0024)."""

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import UUID

import asyncpg
import msgspec
import structlog
from pgqueuer import PgQueuer
from pgqueuer.core.tm import TaskManager
from pgqueuer.domain.errors import PgqException, RetryRequested
from pgqueuer.domain.types import Channel
from pgqueuer.models import Context, Schedule
from pgqueuer.models import Job as Entry
from pgqueuer.ports.driver import Driver, NotifyCallback

from app.database import Link
from app.jobs.queue import (
    CHANNEL,
    GiveUp,
    Interrupted,
    Job,
    Run,
    Timetable,
    jobs,
    library,
    timetables,
    wake_message,
)

if TYPE_CHECKING:
    from app.main import Application

POLL: Final = timedelta(seconds=5)
"""How long a job may wait when the message about it is lost."""
HEARTBEAT: Final = timedelta(seconds=60)
"""A job whose worker showed no sign of life for so long is given to another."""
MOST_AT_ONCE: Final = 8
"""Jobs that one process works on at a time."""

_BATCH: Final = 4
_RESTART_SECONDS: Final = 1.0
_GRACE_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 10.0
_COALESCE_SECONDS: Final = 0.01
_FIRST_DELAY: Final = timedelta(seconds=1)
_LONGEST_DELAY: Final = timedelta(minutes=10)
_STOPPED: Final = "the server stopped"
_FAILURES: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, PgqException)

_ATTEMPT = """
select count(*) filter (where status = 'picked')
       - count(*) filter (where traceback ->> 'exception_message' = $2) as attempt
  from jobs.pgqueuer_log
 where job_id = $1
   and id > coalesce((select max(id) from jobs.pgqueuer_log where job_id = $1 and status = 'failed'), 0)
"""
"""How often a job was begun since somebody retried it; an attempt that killed its process counts too."""

logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.jobs")


class Worker:
    """Does jobs in this process. One per process; jobs go to whichever is free."""

    def __init__(self, application: "Application") -> None:
        self._application = application
        self._stopping = asyncio.Event()
        self._wake = asyncio.Event()
        self._queuer: PgQueuer | None = None
        self._driver: Connected | None = None
        self._task: asyncio.Task[None] | None = None
        self._heard: float | None = None

    async def start(self) -> None:
        """Begin to work."""
        logging.getLogger("pgqueuer").setLevel(logging.CRITICAL)  # failures are told below, once
        self._stopping.clear()
        self._task = asyncio.create_task(self._run(), name="backstep-jobs")

    async def stop(self) -> None:
        """Take no more jobs, let the running ones end soon, and give back those that do not."""
        self._stopping.set()
        if self._queuer is not None:
            self._queuer.shutdown.set()
        if self._task is None:
            return
        await asyncio.wait({self._task}, timeout=_STOP_SECONDS)
        if not self._task.done():
            # The library would record the jobs that it cancels as done with; unrecorded, others take them over.
            if self._driver is not None:
                self._driver.refuse()
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    def wake(self) -> None:
        """Jobs were written down and committed: let all workers look now; cheap, and never fails."""
        self._wake.set()

    def seconds_since_heard(self) -> float | None:
        """How long ago the database last answered the worker; None when it never did."""
        return None if self._heard is None else monotonic() - self._heard

    def heard(self) -> None:
        """The database answered."""
        self._heard = monotonic()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            self._driver = driver = Connected(self)
            try:
                await self._serve(driver)
            except _FAILURES as error:
                if not self._stopping.is_set():
                    logger.warning("worker restarted", error=str(error) or type(error).__name__)
            except Exception as error:
                logger.error("worker fell over", exc_info=error)
            finally:
                self._queuer = None
                await driver.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _RESTART_SECONDS)

    async def _serve(self, driver: "Connected") -> None:
        """Work with a new queuer until the process stops or the connection is lost."""
        self._queuer = queuer = PgQueuer(driver, Channel(CHANNEL), queries=library(driver))
        for one in jobs():
            self._register(queuer, one)
        for timetable in timetables():
            self._schedule(queuer, timetable)
        waking = asyncio.create_task(self._pass_on(driver), name="backstep-jobs-wake")
        try:
            await queuer.run(
                dequeue_timeout=POLL,
                batch_size=_BATCH,
                max_concurrent_tasks=MOST_AT_ONCE,
                shutdown_on_listener_failure=True,
                heartbeat_timeout=HEARTBEAT,
                log_aggregation_interval=timedelta(0),
            )
        finally:
            waking.cancel()
            await asyncio.gather(waking, return_exceptions=True)

    async def _pass_on(self, driver: "Connected") -> None:
        """Send one message to all workers for whatever was committed in a moment."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(_COALESCE_SECONDS)
            self._wake.clear()
            try:
                await driver.notify(CHANNEL, wake_message())
            except _FAILURES:
                await asyncio.sleep(_RESTART_SECONDS)
                self._wake.set()

    def _register(self, queuer: PgQueuer, definition: Job) -> None:
        async def perform(entry: Entry, context: Context) -> None:
            await self._perform(definition, entry, context)

        queuer.entrypoint(
            definition.name,
            concurrency_limit=definition.concurrency,
            accepts_context=True,
            on_failure="hold",
        )(perform)

    def _schedule(self, queuer: PgQueuer, timetable: Timetable) -> None:
        async def perform(schedule: Schedule) -> None:
            try:
                await timetable.handler(self._application)
            except Exception as error:
                logger.error("timetable failed", name=timetable.name, exc_info=error)
                raise

        queuer.schedule(timetable.name, timetable.expression, clean_old=True, accepts_context=False)(perform)

    async def _perform(self, definition: Job, entry: Entry, context: Context) -> None:
        """One attempt; its failure is turned into what the library does next: try again later, or keep as failed."""
        attempt = await self._attempt(entry.id)
        run = self._run_of(definition, entry, attempt)
        if attempt > definition.attempts:
            raise GiveUp(f"begun {attempt - 1} times and never ended: it may have killed its process")
        with structlog.contextvars.bound_contextvars(job=definition.name, job_id=run.job_id):
            try:
                payload = msgspec.json.decode(entry.payload or b"null", type=definition.payload)
                with context.cancellation:
                    await self._until_stopped(definition, run, payload)
            except Interrupted:
                raise RetryRequested(timedelta(0), _STOPPED) from None
            except (GiveUp, msgspec.DecodeError) as error:
                logger.error("job given up", attempt=attempt, error=str(error))
                raise
            except Exception as error:
                if attempt >= definition.attempts:
                    logger.error("job given up", attempt=attempt, exc_info=error)
                    raise
                delay = min(_FIRST_DELAY * 2 ** (attempt - 1), _LONGEST_DELAY)
                logger.warning("job failed", attempt=attempt, again_in=delay.total_seconds(), exc_info=error)
                raise RetryRequested(delay, str(error) or type(error).__name__) from error

    async def _attempt(self, job_id: int) -> int:
        async with self._application.database.system() as connection:
            return int(await connection.fetchval(_ATTEMPT, job_id, _STOPPED))

    def _run_of(self, definition: Job, entry: Entry, attempt: int) -> Run:
        headers = entry.headers or {}
        tenant, organization = headers.get("tenant"), headers.get("organization")
        return Run(
            app=self._application,
            job_id=int(entry.id),
            name=definition.name,
            tenant_id=UUID(str(tenant)) if tenant else None,
            organization_id=UUID(str(organization)) if organization else None,
            attempt=attempt,
            last_attempt=definition.attempts,
            stopping=self._stopping,
        )

    async def _until_stopped(self, definition: Job, run: Run, payload: Any) -> None:
        """Run the handler; when the process stops, it has some seconds to end by itself. Raises Interrupted."""
        work = asyncio.ensure_future(_timed(definition, run, payload))
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                await asyncio.wait({work}, timeout=_GRACE_SECONDS)
        finally:
            stop.cancel()
            cut = work.cancel()
            await asyncio.gather(work, stop, return_exceptions=True)
        if work.cancelled() and cut:
            raise Interrupted
        work.result()


async def _timed(definition: Job, run: Run, payload: Any) -> None:
    async with asyncio.timeout(definition.timeout):
        await definition.handler(run, payload)


class Connected(Driver):
    """The library's driver over a connection of its own, which is opened anew when it is lost.

    A lost one takes the listener with it; the library's check finds that out and ends the run, while the jobs that are
    under way can still be recorded as done.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._link: Link | None = None
        self._refused = False
        self._lock = asyncio.Lock()
        self._shutdown = asyncio.Event()

    def refuse(self) -> None:
        """Let nothing more be recorded."""
        self._refused = True

    async def _connection(self) -> Link:
        if self._refused:
            raise asyncpg.InterfaceError("the worker has ended")
        if self._link is None or self._link.is_closed():
            self._link = await self._worker._application.database.connect("backstep_system")
        return self._link

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """Rows of a statement."""
        async with self._lock:
            rows = [dict(row) for row in await (await self._connection()).fetch(query, *args)]
        self._worker.heard()
        return rows

    async def execute(self, query: str, *args: object) -> str:
        """Run a statement; answers its command tag."""
        async with self._lock:
            tag: str = await (await self._connection()).execute(query, *args)
        self._worker.heard()
        return tag

    async def notify(self, channel: str, payload: str) -> None:
        """Send a message."""
        await self.execute("select pg_notify($1, $2)", channel, payload)

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        """Call `callback` with each message of a channel."""

        def heard(_connection: object, _process: object, _channel: object, payload: object) -> None:
            if isinstance(payload, str):
                callback(payload)

        async with self._lock:
            await (await self._connection()).add_listener(channel, heard)

    async def close(self) -> None:
        """Close the connection."""
        if self._link is not None:
            with suppress(Exception):
                await self._link.close(timeout=2)

    @property
    def shutdown(self) -> asyncio.Event:
        """Set by the library when nothing more is to be asked."""
        return self._shutdown

    @property
    def tm(self) -> TaskManager:
        """Keeps the library's tasks."""
        return TaskManager()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """The connection outlives the run: what was done is still recorded."""
