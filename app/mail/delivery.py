"""Seeing to it that letters leave: a task that works through the outbox of mail, patiently, and gives up in the open.

A row is leased before it is worked on, so that processes do not get in each other's way; a process that dies in between
leaves it to the others. What was sent is deleted. What cannot be sent is kept as dead, and `backstep mail` lists it.
Delivery is at least once: a message sent twice has the same Message-ID.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import structlog

from app.database import Database
from app.mail.rendering import message_of
from app.mail.transport import RefusedForGood, Transport, Unsent
from domain.errors import Problem
from domain.mail import NO_TENANT, Letter, ResetRequest, opened_letter, opened_request, sealed_request

MOST_ATTEMPTS: Final = 10

_BATCH: Final = 20
_LEASE: Final = timedelta(minutes=5)
_POLL_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 10.0
_FIRST_DELAY: Final = timedelta(seconds=15)
_LONGEST_DELAY: Final = timedelta(hours=1)
_REQUEST_LIFE: Final = timedelta(minutes=60)
_FAILURES: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

_LEASED = """
update mail_outbox m set attempts = m.attempts + 1, due_at = $2, updated_at = $1
  from (select tenant_id, id from mail_outbox where state = 'waiting' and due_at <= $1
         order by due_at limit $3 for update skip locked) due
 where m.tenant_id = due.tenant_id and m.id = due.id
returning m.tenant_id, m.id, m.kind, m.sealed, m.attempts, m.expires_at
"""

logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.mail")


class Delivery:
    """Works through the outbox. One per process; the holder of the relay also looks for what others left behind."""

    def __init__(
        self,
        database: Database,
        key: bytes,
        transport: Transport,
        sender: str,
        *,
        answer_request: Callable[[ResetRequest], Awaitable[None]],
        looks_around: Callable[[], bool] = lambda: True,
    ) -> None:
        """`key` seals the rows; `answer_request` finds out whom a request is for and writes the letters down."""
        self._database = database
        self._key = key
        self.transport = transport
        self._sender = sender
        self._answer_request = answer_request
        self._looks_around = looks_around
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._working = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Something was written to the outbox; cheap, and never fails."""
        self._wake.set()

    async def start(self) -> None:
        """Begin to deliver."""
        self._stopping.clear()
        self._task = asyncio.create_task(self._run(), name="backstep-mail")

    async def stop(self) -> None:
        """Finish what is being sent, if that does not take long; the rest waits in the outbox."""
        self._stopping.set()
        self._wake.set()
        if self._task is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._task, _STOP_SECONDS)
            self._task = None

    async def request(self, request: ResetRequest) -> None:
        """Write down that somebody asked for a link: the same work whether or not there is an account."""
        now = datetime.now(UTC)
        async with self._database.system() as connection:
            await connection.execute(
                "insert into mail_outbox (tenant_id, id, kind, sealed, due_at, expires_at, created_at, updated_at)"
                " values ($1, gen_random_uuid(), 'reset_request', $2, $3, $4, $3, $3)",
                NO_TENANT,
                sealed_request(self._key, request),
                now,
                now + _REQUEST_LIFE,
            )
        self.wake()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            woken = True
            try:
                await asyncio.wait_for(self._wake.wait(), _POLL_SECONDS)
            except TimeoutError:
                woken = False
            self._wake.clear()
            if self._stopping.is_set() or not (woken or self._looks_around()):
                continue
            try:
                while not self._stopping.is_set() and await self.deliver_due() == _BATCH:
                    pass
            except _FAILURES as error:
                logger.warning("outbox of mail not read", error=str(error) or type(error).__name__)

    async def deliver_due(self) -> int:
        """Work on what is due now, at most a batch; answers how many rows that were."""
        async with self._working:
            now = datetime.now(UTC)
            async with self._database.system() as connection:
                rows = await connection.fetch(_LEASED, now, now + _LEASE, _BATCH)
            requests = [row for row in rows if row["kind"] == "reset_request"]
            letters = [row for row in rows if row["kind"] != "reset_request"]
            for row in requests:
                await self._answer(row)
            if letters:
                await self._send_all(letters)
            return len(rows)

    async def _answer(self, row: Any) -> None:
        try:
            await self._answer_request(opened_request(self._key, row["sealed"]))
        except ValueError as error:
            await self._failed(row, f"unreadable: {error}", for_good=True)
        except (Problem, *_FAILURES) as error:
            await self._failed(row, str(error) or type(error).__name__)
        else:
            await self._done(row)

    async def _send_all(self, rows: list[Any]) -> None:
        left = list(rows)
        try:
            async with self.transport.connected() as send:
                while left:
                    await self._send(left[0], send)
                    del left[0]
        except Unsent as error:
            for row in left:
                await self._failed(row, str(error))

    async def _send(self, row: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        letter = await self._letter(row)
        if letter is None:
            return
        try:
            message = message_of(letter, self._sender, row["id"])
        except (ValueError, KeyError) as error:  # an address or a value that no message can be made of
            await self._failed(row, f"cannot be written: {error}", for_good=True)
            return
        try:
            await send(message)
        except RefusedForGood as error:
            await self._failed(row, str(error), for_good=True)
        except Unsent as error:
            await self._failed(row, str(error))
        else:
            await self._done(row)
            logger.info("mail sent", kind=letter.kind, id=str(row["id"]), tenant=str(row["tenant_id"]))

    async def _letter(self, row: Any) -> Letter | None:
        if row["expires_at"] <= datetime.now(UTC):
            await self._failed(row, "expired before it could be sent", for_good=True)
            return None
        try:
            return opened_letter(self._key, row["tenant_id"], row["sealed"])
        except ValueError as error:
            await self._failed(row, f"unreadable: {error}", for_good=True)
            return None

    async def _done(self, row: Any) -> None:
        async with self._database.system() as connection:
            await connection.execute(
                "delete from mail_outbox where tenant_id = $1 and id = $2", row["tenant_id"], row["id"]
            )

    async def _failed(self, row: Any, error: str, *, for_good: bool = False) -> None:
        """Try again later, or give up: when it makes no sense, was tried too often, or would come too late."""
        delay = min(_FIRST_DELAY * 4 ** (row["attempts"] - 1), _LONGEST_DELAY)
        again = datetime.now(UTC) + delay
        dead = for_good or row["attempts"] >= MOST_ATTEMPTS or again >= row["expires_at"]
        async with self._database.system() as connection:
            await connection.execute(
                "update mail_outbox set state = $3, due_at = $4, last_error = $5, updated_at = now()"
                " where tenant_id = $1 and id = $2",
                row["tenant_id"],
                row["id"],
                "dead" if dead else "waiting",
                again,
                error[:500],
            )
        tell = logger.error if dead else logger.warning
        tell(
            "mail given up" if dead else "mail not sent yet",
            kind=row["kind"],
            id=str(row["id"]),
            attempt=row["attempts"],
            error=error[:500],
        )
