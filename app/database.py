"""Connections to PostgreSQL: reads narrowed to a tenant, writes under the tenant's lock, and the system's own.

Row level security stands behind every statement: a read connection has its tenant set before it is handed out, a
write transaction sets it in its BEGIN message, and a connection without a tenant sees nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID
from weakref import WeakValueDictionary

import asyncpg
from msgspec import Struct

from domain.wire import array_text

if TYPE_CHECKING:
    from commands.log import Closing

QueryLogger = Callable[[Any], None]

PINNED = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "jit": "off",
    "lock_timeout": "15s",
    "idle_in_transaction_session_timeout": "120s",
    "application_name": "backstep",
}
"""Settings that row images depend on, the same in every process and for every replay."""


class Target(Struct, frozen=True):
    """Where the database is, and how the application's roles connect to it."""

    admin_dsn: str
    app_user: str | None = None
    """Role to connect as directly (embedded server); None: connect as the DSN's user and take on the role."""
    embedded: bool = False


_NO_FLUSH = "set local synchronous_commit = off"
_MOST_PREPARED = 200
_PAIR = 1
_FEW = 3
_GATHER_SECONDS = 0.005
"""How long a flush waits for more commits of a tenant for which more than a few writers wait."""
_SLOTS = 4
"""Short write transactions of a process that run side by side."""
_SLOT_SECONDS = 0.025
"""How long a write transaction counts as a short one."""
_UNPREPARED = (asyncpg.InvalidCachedStatementError, asyncpg.InvalidSQLStatementNameError)
"""What the server answers when a prepared statement can be used no more."""

Value = str | bytes | list[str] | None
"""An argument of a statement that is sent as text."""

Session = tuple[UUID, bool]
"""What the session of a reading connection is set to: its tenant, and whether its plans are made once."""


class Link(asyncpg.Connection):  # type: ignore[misc]
    """A connection that remembers what its session is set to, and the names of its prepared statements."""

    __slots__ = ("prepared", "session")

    async def execution(self, sql: str, args: Sequence[Value]) -> str:
        """SQL text that runs a statement, prepared once a connection, so that it can be sent together with others."""
        statement = self.prepared.get(sql)
        if statement is None:
            if len(self.prepared) >= _MOST_PREPARED:
                del self.prepared[next(iter(self.prepared))]  # the driver closes it
            statement = self.prepared[sql] = await self.prepare(sql)
        return f"execute {statement.get_name()}({', '.join(map(literal, args))})"


def literal(value: Value) -> str:
    """A value as SQL text; None is NULL, the members of a list are plain words.

    Quoting is exact because every connection pins `standard_conforming_strings` and the driver the encoding (UTF-8).
    Raises ValueError for a NUL character, which no text of PostgreSQL can hold.
    """
    if value is None:
        return "null"
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'"
    text = array_text(value) if isinstance(value, list) else value
    if "\0" in text:
        raise ValueError("a text with a NUL character")
    return "'" + text.replace("'", "''") + "'"


def lock_key(tenant_id: UUID) -> int:
    """The number of a tenant's lock."""
    return int.from_bytes(tenant_id.bytes[8:], "big", signed=True)


class Pool:
    """A last-in first-out pool: a hot connection keeps its statements and its tenant."""

    def __init__(self, connect: Callable[[], Awaitable[Link]], size: int) -> None:
        self._connect = connect
        self._places = asyncio.Semaphore(size)
        self._idle: list[Link] = []
        self._all: set[Link] = set()

    async def take(self, session: Session | None = None) -> Link:
        """A live connection, opened when none is idle; waits while all are in use.

        One that is set to `session` is taken before the one used last.
        """
        await self._places.acquire()
        try:
            while self._idle:
                same = (n for n in reversed(range(len(self._idle))) if self._idle[n].session == session)
                link = self._idle.pop(next(same, -1))
                if not link.is_closed():
                    return link
                self._all.discard(link)
            link = await self._connect()
            self._all.add(link)
            return link
        except BaseException:
            self._places.release()
            raise

    def give(self, link: Link) -> None:
        """Take a connection back; a broken one, or one left inside a transaction, is thrown away."""
        if link.is_closed() or link.is_in_transaction():
            self._all.discard(link)
            if not link.is_closed():
                link.terminate()
        else:
            self._idle.append(link)
        self._places.release()

    async def close(self) -> None:
        """Close every connection, waiting briefly for the ones in use."""
        for link in list(self._all):
            with suppress(Exception):
                await link.close(timeout=2)
        self._all.clear()
        self._idle.clear()


class Turn(asyncio.Lock):
    """Whose turn it is to write in a tenant; `waiting` tells how many more want to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0

    async def acquire(self) -> Literal[True]:
        """Wait for the turn, first come, first served."""
        self.waiting += 1
        try:
            return await super().acquire()
        finally:
            self.waiting -= 1


class Slots:
    """Lets only so many transactions run side by side at first: more would but take the processors from one another.

    A slot is held for a moment at most, so that a long transaction keeps nobody waiting.
    """

    def __init__(self, count: int, seconds: float) -> None:
        self._free = asyncio.Semaphore(count)
        self._seconds = seconds

    async def take(self) -> "Slot":
        """Wait for a free slot, first come, first served."""
        await self._free.acquire()
        return Slot(self._free, self._seconds)


class Slot:
    """A slot that was taken; it comes back by itself."""

    __slots__ = ("_free", "_timer")

    def __init__(self, free: asyncio.Semaphore, seconds: float) -> None:
        self._free = free
        self._timer: asyncio.TimerHandle | None = asyncio.get_running_loop().call_later(
            seconds, self.give_back
        )

    def give_back(self) -> None:
        """Let the next one have it; does nothing when it has come back already."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._free.release()


class Flush:
    """Brings to disk what was committed without waiting for it, for all callers of a moment at once.

    It has a session of its own. One that was open before a commit and still is after the flush proves that the server
    did not go down in between, and so that the commit is on disk.
    """

    def __init__(self, connect: Callable[[], Awaitable[Link]]) -> None:
        self._connect = connect
        self._opening = asyncio.Lock()
        self._link: Link | None = None
        self._next: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._patient = False

    async def session(self) -> Link | None:
        """The session to hand to `wait` after a commit; None when none can be had."""
        async with self._opening:
            if self._link is None or self._link.is_closed():
                try:
                    self._link = await self._connect()
                except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    return None
            return self._link

    async def wait(self, session: Link, *, patient: bool = False) -> None:
        """Return when everything that was committed before the call is on disk.

        `patient`: more commits will follow at once, and a flush that waits a moment serves several of them.
        Raises asyncpg.ConnectionDoesNotExistError when the server went down: what became of the commit is unknown.
        """
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
            self._patient = patient
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._run(), name="backstep-flush")
        self._patient &= patient
        await asyncio.shield(self._next)
        if session.is_closed():
            raise asyncpg.ConnectionDoesNotExistError("the server went down while a commit was being flushed")

    async def _run(self) -> None:
        while self._next is not None:
            if self._patient:
                await asyncio.sleep(_GATHER_SECONDS)
            callers, self._next = self._next, None
            try:
                if self._link is not None:
                    # The log is written in order: when this empty transaction is on disk, so are all before it.
                    await self._link.execute("select pg_logical_emit_message(true, 'backstep', '')")
                callers.set_result(None)
            except Exception as error:
                callers.set_exception(error)

    async def close(self) -> None:
        """Close the session."""
        if self._link is not None:
            with suppress(Exception):
                await self._link.close(timeout=2)


class Transaction:
    """One write transaction of a tenant, open until `commit` or `rollback`."""

    __slots__ = ("_database", "_open", "_preparing", "_slot", "_turn", "connection", "tenant_id")

    def __init__(
        self,
        database: "Database",
        connection: Link,
        tenant_id: UUID,
        turn: Turn,
        slot: Slot,
        preparing: asyncio.Lock | None = None,
    ) -> None:
        self._database = database
        self._turn = turn
        self._slot = slot
        self._preparing = preparing
        self._open = True
        self.connection = connection
        self.tenant_id = tenant_id

    @property
    def waiting(self) -> int:
        """How many more of this process want to write in the tenant."""
        return self._turn.waiting

    async def lock(self) -> None:
        """Wait for the tenant's turn and lock, of a transaction that began without."""
        await self._turn.acquire()
        if self._preparing is not None:
            self._preparing.release()
        self._preparing = None
        await self.connection.execute(f"select pg_advisory_xact_lock({lock_key(self.tenant_id)})")

    async def commit(self, last: "Closing | None" = None, *, durable: bool = True) -> None:
        """Send the last statement, make everything durable, and let the next writer of the tenant in.

        While several more writers wait for the tenant, its lock is not held over the disk: COMMIT returns at once, and
        the caller waits for a flush that several commands share. Nobody is told of a change before it is durable, and
        what is built upon it cannot be durable before it. Nothing is left of a transaction whose last statement fails.
        Work that can be done again need not be `durable`: it does not wait for the disk at all.
        """
        session = await self._database.flush.session() if durable and self._turn.waiting > _PAIR else None
        message = [_NO_FLUSH] if session is not None or not durable else []
        try:
            if last is not None:
                message.append(await self.connection.execution(last.sql, last.args))
            await self.connection.execute("; ".join([*message, "commit"]))
        except BaseException as error:
            if isinstance(error, _UNPREPARED):
                self.connection.prepared.clear()
            await self.rollback()
            raise
        many = self._turn.waiting > _FEW
        self._end()
        if session is not None:
            await self._database.flush.wait(session, patient=many)

    async def settle(self) -> None:
        """End without a change, when all that was committed before is on disk."""
        session = await self._database.flush.session()
        await self.rollback()
        if session is not None:
            await self._database.flush.wait(session)

    async def rollback(self) -> None:
        """Undo everything; never raises for a connection that is gone. Does nothing once the transaction has ended."""
        if not self._open:
            return
        try:
            if not self.connection.is_closed() and self.connection.is_in_transaction():
                await asyncio.shield(self.connection.execute("rollback"))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self.connection.terminate()
        finally:
            self._end()

    def _end(self) -> None:
        """Give the connection back and the turn on."""
        self._open = False
        self._slot.give_back()
        self._database.writers.give(self.connection)
        (self._turn if self._preparing is None else self._preparing).release()


class Database:
    """The pools of one process. Open it once, close it at shutdown."""

    def __init__(self, target: Target, readers: int = 8, writers: int = 8, system: int = 4) -> None:
        self.target = target
        self._loggers: set[QueryLogger] = set()
        self.readers = Pool(
            lambda: self._open(
                "backstep_app",
                {"default_transaction_read_only": "on", "statement_timeout": "60s"},
            ),
            readers,
        )
        self.writers = Pool(
            lambda: self._open("backstep_app", {"plan_cache_mode": "force_generic_plan"}), writers
        )
        self._system = Pool(lambda: self._open("backstep_system", {}), system)
        self.flush = Flush(lambda: self._open("backstep_app", {}))
        self._slots = Slots(_SLOTS, _SLOT_SECONDS)
        self._turns: WeakValueDictionary[UUID, Turn] = WeakValueDictionary()
        self._preparing: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    async def connect(self, role: str, settings: dict[str, str] | None = None) -> Link:
        """A connection of its own, outside the pools (the relay, listeners); the caller closes it."""
        return await self._open(role, settings or {})

    async def _open(self, role: str, settings: dict[str, str]) -> Link:
        named: dict[str, Any] = {"user": role} if self.target.app_user else {}
        pinned = PINNED | settings | ({} if self.target.app_user else {"role": role})
        link: Link = await asyncpg.connect(
            self.target.admin_dsn,
            connection_class=Link,
            server_settings=pinned,
            statement_cache_size=500,
            max_cacheable_statement_size=0,
            timeout=15,
            **named,
        )
        link.session = None
        link.prepared = {}
        for logger in self._loggers:
            link.add_query_logger(logger)
        return link

    def log_queries(self, logger: QueryLogger) -> None:
        """Call `logger` with every statement of every connection from now on (tests count round trips)."""
        self._loggers.add(logger)
        for pool in (self.readers, self.writers, self._system):
            for link in pool._all:
                link.add_query_logger(logger)

    def stop_logging(self, logger: QueryLogger) -> None:
        """Undo `log_queries`."""
        self._loggers.discard(logger)
        for pool in (self.readers, self.writers, self._system):
            for link in pool._all:
                link.remove_query_logger(logger)

    @asynccontextmanager
    async def read(self, tenant_id: UUID, *, one_plan: bool = False) -> AsyncIterator[Link]:
        """A read-only connection that sees the rows of one tenant; each statement is a transaction of its own.

        `one_plan` is for statements whose best plan is the same whatever their arguments: it is made once a
        connection, where planning anew takes longer than the statement itself.
        """
        session = (tenant_id, one_plan)
        link = await self.readers.take(session)
        try:
            if link.session != session:
                link.session = None
                mode = "force_generic_plan" if one_plan else "auto"
                await link.execute(f"set app.tenant_id = '{tenant_id}'; set plan_cache_mode = {mode}")
                link.session = session
            yield link
        finally:
            self.readers.give(link)

    async def begin(self, tenant_id: UUID, command_id: str, *, locked: bool = True) -> Transaction:
        """Open a write transaction: tenant, command and the tenant's lock are set in one message.

        Writers of one tenant queue in the process before they take a connection, so that a busy tenant cannot
        starve the others. The caller must end it with `commit` or `rollback`. One that is not `locked` has a queue of
        its own, and stops nobody until its `lock`.
        """
        if "'" in command_id or "\\" in command_id:
            raise ValueError(command_id)
        turn = self._turns.get(tenant_id)
        if turn is None:
            turn = self._turns[tenant_id] = Turn()
        preparing = None
        if not locked:
            preparing = self._preparing.get(tenant_id)
            if preparing is None:
                preparing = self._preparing[tenant_id] = asyncio.Lock()
        queue = preparing or turn
        await queue.acquire()
        slot: Slot | None = None
        try:
            slot = await self._slots.take()
            link = await self.writers.take()
        except BaseException:
            if slot is not None:
                slot.give_back()
            queue.release()
            raise
        try:
            lock = f"; select pg_advisory_xact_lock({lock_key(tenant_id)})" if locked else ""
            await link.execute(
                f"begin; set local app.tenant_id = '{tenant_id}'; set local app.command_id = '{command_id}'{lock}"
            )
        except BaseException as error:
            if not isinstance(error, Exception):
                link.terminate()  # cancelled: the server may yet begin, and nobody would know of the transaction
            await Transaction(self, link, tenant_id, turn, slot, preparing).rollback()
            raise
        return Transaction(self, link, tenant_id, turn, slot, preparing)

    @asynccontextmanager
    async def system(self) -> AsyncIterator[Link]:
        """A connection of the installation's own role, which sees all tenants: sign-in, relay, maintenance."""
        link = await self._system.take()
        try:
            yield link
        finally:
            self._system.give(link)

    async def close(self) -> None:
        """Close all pools."""
        await self.flush.close()
        for pool in (self.readers, self.writers, self._system):
            await pool.close()
