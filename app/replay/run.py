"""One run of a replay, from the making of its scratch database to the report."""

import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec
from msgspec import Struct

from app.database import Database, Target
from app.encryption import Encryption
from app.migrate import current, head
from app.replay import archive, commands, scratch, state
from app.replay.compare import EXPLAINED, Focus, compared, differences, explained
from app.replay.copy import KEYS, SESSIONS, Span, copy_log, copy_tail, lay_bases, snapshot
from app.replay.report import Bisection, Report
from app.settings import Settings, StartError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Mode = Literal["state", "commands", "bisect"]


class Wanted(Struct, frozen=True):
    """What a run is asked to do."""

    mode: Mode = "state"
    span: Span = Span()
    focus: Focus | None = None
    sql: str | None = None
    log: str | None = None
    """A saved log to replay in place of the live one; there is nothing to compare with then."""
    keep: bool = False
    serve: bool = False
    resume: bool = False

    @property
    def signature(self) -> str:
        """What a run that goes on with another one's work must have in common with it."""
        options = [self.mode, self.span, self.focus, self.sql, self.serve, self.log]
        return msgspec.json.encode(options).decode()

    @property
    def compares(self) -> bool:
        """Whether the end of what is replayed is the live database."""
        bounded = self.span.until_log is not None or self.span.until_time is not None or bool(self.span.among)
        return self.log is None and not bounded


class Progress(Protocol):
    """Is told how a run comes along."""

    def phase(self, name: str, total: int | None) -> None:
        """A part of the work begins; `total` steps, if that is known."""
        ...

    def advance(self, steps: int, note: str = "") -> None:
        """Steps were done."""
        ...


class Silent:
    """Shows nothing."""

    def phase(self, name: str, total: int | None) -> None:
        """Nothing."""

    def advance(self, steps: int, note: str = "") -> None:
        """Nothing."""


class Finished(Struct, frozen=True):
    """A run that came to its end: the report, and the scratch database while it is there."""

    report: Report
    scratch: scratch.Scratch


class Run:
    """One run. `interrupted` says which scratch database can be gone on with when it was cut off.

    `template` names an empty scratch database to copy, where many runs are made with the same schema.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        wanted: Wanted,
        progress: Progress,
        template: str | None = None,
    ) -> None:
        if wanted.mode == "commands":
            wanted = msgspec.structs.replace(wanted, span=msgspec.structs.replace(wanted.span, shared=True))
        self._template = template
        self._database = database
        self._target: Target = database.target
        self._settings = settings
        self._wanted = wanted
        self._progress = progress
        self._report = Report(
            wanted.mode,
            tenant_id=wanted.span.tenant_id,
            until=str(wanted.span.until_log or wanted.span.until_time or "") or None,
            resource=None
            if wanted.focus is None
            else ":".join(filter(None, msgspec.structs.astuple(wanted.focus))),
            started_at=datetime.now(UTC),
        )
        self.interrupted: str | None = None

    @asynccontextmanager
    async def finished(self) -> "AsyncIterator[Finished]":
        """Do it all; the scratch database is there for as long as the block runs, and longer when it is kept.

        Raises StartError for what keeps it from working. When the run is cut off after its log was copied, the scratch
        database stays, for a run with `resume`.
        """
        from app.main import load_parts

        load_parts()
        await self._check()
        place = await self._scratch()
        try:
            await self._work(place)
        except StartError:
            await scratch.drop(self._target, place.name)
            raise
        except BaseException:
            if not await _ready(place):
                await scratch.drop(self._target, place.name)
            else:
                self.interrupted = place.name
            raise
        try:
            if self._wanted.keep:
                await scratch.keep(self._target, place)
                self._report.database = place.name
            yield Finished(self._report, place)
        finally:
            if not self._wanted.keep:
                await scratch.drop(self._target, place.name)

    async def _check(self) -> None:
        async with self._database.system() as live:
            revision = await current(live)
            if revision != head():
                raise StartError(
                    "The database has another schema than this program: run `backstep migrate` first."
                )
            tenant = self._wanted.span.tenant_id
            if (
                tenant is not None
                and self._wanted.log is None
                and not await live.fetchval(
                    "select exists (select from action_logs where tenant_id = $1)"
                    " or exists (select from log_bases where tenant_id = $1)",
                    tenant,
                )
            ):
                raise StartError(f"There is no history of a tenant {tenant}.")

    async def _scratch(self) -> scratch.Scratch:
        signature = self._wanted.signature
        found = await scratch.left_over(self._target, signature) if self._wanted.resume else None
        if self._wanted.resume and found is None:
            raise StartError("There is no run with these options to go on with.")
        await scratch.clear(self._target, found.name if found else None)
        if found is not None:
            return found
        self._progress.phase("Making a scratch database", None)
        return await scratch.create(self._target, signature, self._template)

    async def _work(self, place: scratch.Scratch) -> None:
        connection = await scratch.connect(place)
        reader = await scratch.connect(place)
        try:
            await self._copy(connection)
            begun = time.perf_counter()
            if self._wanted.mode == "commands":
                await self._execute(place, connection, reader)
            elif self._wanted.mode == "bisect":
                await self._bisect(connection, reader)
            else:
                await self._apply(connection, reader)
            self._report.replaying = time.perf_counter() - begun - self._report.comparing
            await self._conclude(connection)
            if self._wanted.keep or self._wanted.serve:
                await self._furnish(place, connection)
        finally:
            await connection.close()
            await reader.close()

    async def _copy(self, connection: Any) -> None:
        run = await connection.fetchrow("select ready, total from replay.run")
        if run["ready"]:
            self._report.log_rows = run["total"]
            return
        begun = time.perf_counter()
        self._progress.phase("Copying the log", None)
        if self._wanted.log is not None:
            await self._load(connection, Path(self._wanted.log))
        else:
            await self._copy_live(connection)
        await connection.execute("analyze action_logs")
        self._report.copying = time.perf_counter() - begun

    @property
    def _marks(self) -> str:
        """Where marks on actions go: aside, when the commands that made them make them again."""
        return "replay.marks" if self._wanted.mode == "commands" else "action_log_marks"

    async def _load(self, connection: Any, path: Path) -> None:
        async with connection.transaction():
            self._report.log_rows = await archive.load(connection, path, marks=self._marks)
            await connection.execute("update replay.run set total = $1, ready = true", self._report.log_rows)
            if self._wanted.mode != "commands":
                await state.strip(connection)
            await lay_bases(connection)

    async def _copy_live(self, connection: Any) -> None:
        beside = (*KEYS, *(SESSIONS if self._wanted.serve else ()))
        async with snapshot(self._target) as live, connection.transaction():
            self._report.log_rows = await copy_log(
                live, connection, self._wanted.span, beside, marks=self._marks
            )
            if self._wanted.mode != "commands":
                await state.strip(connection)
            await lay_bases(connection)

    def _show(self) -> Callable[[int, int], None]:
        def show(rows: int, changes: int) -> None:
            self._report.row_changes += changes
            self._progress.advance(rows)

        return show

    async def _begin_phase(self, connection: Any, name: str) -> None:
        done = await connection.fetchval(
            "select count(*) from action_logs where seq <= (select position from replay.run)"
        )
        self._progress.phase(name, self._report.log_rows)
        self._progress.advance(done)

    async def _apply(self, connection: Any, reader: Any) -> None:
        await self._begin_phase(connection, "Applying row changes")
        await state.replay(connection, reader, self._show())
        span = self._wanted.span
        if not self._wanted.compares:
            return
        async with snapshot(self._target) as live:
            begun = time.perf_counter()
            tail = await copy_tail(live, connection, span)
            self._report.log_rows += len(tail)
            await state.replay_these(connection, tail, self._show())
            await self._compare(live, connection)
            self._report.comparing = time.perf_counter() - begun

    async def _compare(self, live: Any, connection: Any) -> None:
        self._progress.phase("Comparing tables", None)
        span, focus = self._wanted.span, self._wanted.focus
        self._report.tables = len(compared(focus))

        def show(table: str, rows: int) -> None:
            self._progress.advance(rows, table)

        async for count, found in differences(live, connection, span.tenant_id, focus, show):
            self._report.rows_compared += count
            self._report.differences += found
        for number, one in enumerate(self._report.differences[:EXPLAINED]):
            self._report.differences[number] = await explained(live, connection, one)

    async def _execute(self, place: scratch.Scratch, connection: Any, reader: Any) -> None:
        await self._begin_phase(connection, "Executing commands")
        database = Database(place.target)
        try:
            sealing = Encryption(database, self._settings)
            await commands.replay(
                database, reader, self._wanted.span, self._wanted.focus, self._show(), sealing
            )
        finally:
            await database.close()
        tally, self._report.diverged = await commands.findings_of(connection)
        self._report.executed, self._report.applied = tally.executed, tally.applied
        self._report.row_changes = tally.changes

    async def _bisect(self, connection: Any, reader: Any) -> None:
        assert self._wanted.sql is not None, "a bisection has a statement"
        await self._begin_phase(connection, "Looking for the command")
        sql, span = self._wanted.sql, self._wanted.span
        found = await state.bisect(connection, reader, sql, span, self._show())
        if found.why == state.HELD and self._wanted.compares:
            async with snapshot(self._target) as live:
                tail = await copy_tail(live, connection, span)
                found = await state.bisect_these(connection, tail, sql, span, self._show())
                if found.why == state.HELD and not await state.holds(live, sql, span):
                    found = Bisection(sql, _OUTSIDE)
        self._report.bisection = found

    async def _conclude(self, connection: Any) -> None:
        report = self._report
        report.broken = await state.broken_of(connection)
        done = report.executed if report.mode == "commands" else report.row_changes
        report.rate = done / report.replaying if report.replaying else 0.0
        if report.bisection is not None:
            why = report.bisection.why
            report.verdict = {state.HELD: "equal", state.NEVER: "could_not"}.get(why, "not_equal")  # type: ignore[assignment]  # a literal of the three
        else:
            faults = report.broken or report.differences or report.diverged
            report.verdict = "not_equal" if faults else "equal"

    async def _furnish(self, place: scratch.Scratch, connection: Any) -> None:
        """Make the scratch database one that can be looked at: constraints, indexes, documents."""
        from app.main import search_keys
        from projections.rebuild import rebuild

        self._progress.phase("Building the index", None)
        await state.restore(connection)
        database = Database(place.target)
        try:
            async for step in rebuild(
                database, search_keys(self._settings), tenant_id=self._wanted.span.tenant_id
            ):
                self._progress.advance(step.done, step.entity_type)
        finally:
            await database.close()


_OUTSIDE = (
    "True to the end of history, but not in the live database: no command did that, it was changed outside"
)


async def _ready(place: scratch.Scratch) -> bool:
    """Whether the log was copied, so that a cut off run can be gone on with."""
    try:
        connection = await scratch.connect(place)
    except (OSError, TimeoutError):
        return True  # the server is gone; what is there will be seen by the next run
    try:
        return bool(await connection.fetchval("select ready from replay.run"))
    finally:
        await connection.close()
