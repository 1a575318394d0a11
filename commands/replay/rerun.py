"""Command replay: recorded commands executed again by today's handlers, one after the other, in a scratch database.

A command runs with the recorded input, scope, clock and ids, on tables that hold what they held then. What it changes
is compared with what it changed; where the two differ, the recorded changes are applied instead, so that one
divergence does not cause all that follow. Nothing but the tables of history is written: no log row, no document, no
event, no job; whatever reacts to those does not run.
"""

import re
from copy import copy
from typing import Any, Literal

import asyncpg
import msgspec
from msgspec import Raw, Struct

from commands import history
from commands.registry import definition, guards_of, handler_of
from commands.replay.bulk import apply_rows
from commands.replay.diff import RowDifference, differences
from commands.replay.inputs import Unrepeatable, command_of, outcomes
from commands.replay.log import LogRow, Named, changes_of, named
from commands.replay.state import Broken
from commands.sealing import Sealing, Seals
from commands.unit import Change, Unit
from domain.encryption.tables import PLAN_TABLES
from domain.encryption.tokens import older_tokens, subjects_in
from domain.errors import Problem
from domain.recorded_scope import scope_of
from domain.resources import Row, resource_of

_MARKS = (
    "insert into action_log_marks (tenant_id, log_id, origin, undone, marked_at)"
    " select m.tenant_id, m.log_id, m.origin, m.undone, m.marked_at from replay.marks m"
    " where m.tenant_id = $1 and m.origin = any($2::uuid[]) and m.marked_at = $3 order by m.seq"
)
"""What a command that is not executed again left beside its changes: the actions that it took back."""
_KEY_IS_GONE = "what it met is sealed with a key that there is no more"
_NUMBERS = re.compile(rb"bse1:(\d{1,9}):")
_row = msgspec.json.Decoder(dict[str, Raw])


class Diverged(Struct, frozen=True, rename="camel"):
    """A command that does today what it did not do then: how it fared, and the rows that came out differently."""

    command: Named
    why: str
    rows: list[RowDifference]

    def lines(self) -> list[str]:
        """The divergence as a person reads it."""
        one = self.command
        action = "" if one.action == "do" else f" ({one.action})"
        about = f" of {one.resource}" if one.resource else ""
        head = f"{one.log_id} {one.command}{action}{about} at {one.at.isoformat()}: {self.why}"
        return [head, *(f"  {line}" for row in self.rows for line in row.lines())]


class Step(Struct, frozen=True):
    """What became of one recorded command."""

    outcome: Literal["same", "diverged", "applied"]
    why: str = ""
    diverged: Diverged | None = None
    broken: list[Broken] = []


class Rerun:
    """Executes log rows again on one connection, inside a transaction that the caller begins and commits."""

    def __init__(self, connection: Any, sealing: Sealing | None = None) -> None:
        self._connection = connection
        self._sealing = sealing
        self._open = False

    async def step(self, row: LogRow, *, only_apply: bool = False) -> Step:
        """Execute one log row again, or apply it where that cannot be done; `only_apply`: do not even try."""
        await self._begin(row)
        try:
            return await self._step(row, only_apply)
        finally:
            if self._sealing is not None and any(change.t in PLAN_TABLES for change in row.changes):
                self._sealing.forget(row.tenant_id)

    async def _step(self, row: LogRow, only_apply: bool) -> Step:
        if only_apply:
            return Step("applied", "not asked for", broken=await self._apply(row))
        if not row.changes:
            return Step("applied", "what it does is not part of history")
        try:
            unit = await self._unit(row)
            await self._perform(unit, row)
            for guard in guards_of(unit.tables):
                await guard(unit)
            rows = differences(row.changes, unit.changes)
            if rows and unit.seals is not None and unit.seals.keys.missed:
                raise Unrepeatable(_KEY_IS_GONE)
        except Unrepeatable as reason:
            await self._back(row)
            return Step("applied", str(reason), broken=await self._apply(row))
        except Exception as error:
            if self._connection.is_closed() or isinstance(error, asyncpg.InterfaceError):
                raise
            return await self._diverged(row, _failure(error), [])
        return await self._diverged(row, "it changes other things", rows) if rows else Step("same")

    async def _unit(self, row: LogRow) -> Unit:
        """The unit of a re-execution, which seals with the keys of then. Raises Unrepeatable without a scope."""
        if row.scope is None:
            raise Unrepeatable("its scope was not recorded")
        unit = Unit(self._connection, scope_of(row.scope, row.tenant_id), row.created_at, row.id)
        sealing = self._sealing
        if sealing is not None:

            async def replan(seals: Seals | None) -> Seals | None:
                again = await sealing.again(self._connection, row.tenant_id, seals)
                return await self._as_then(again, row)

            unit.seals = await self._as_then(await sealing.seals(self._connection, row.tenant_id), row)
            unit.replan = replan
        return unit

    async def _as_then(self, seals: Seals | None, row: LogRow) -> Seals | None:
        """Have a command seal with the keys that it sealed with then, which may not be the newest.

        Raises Unrepeatable when a key that it met is gone.
        """
        text = msgspec.json.encode(row.changes)
        used = {int(number) for number in _NUMBERS.findall(text)}
        subjects = subjects_in(text)
        if (used or subjects) and seals is None:
            raise Unrepeatable(_KEY_IS_GONE)
        if seals is None:
            return None
        await seals.learn(self._connection, subjects | subjects_in((row.input or "").encode()))
        alive = {id for id, one in seals.subjects.items() if one.secret is not None}
        if not (used <= seals.keys.numbers and subjects <= alive):
            raise Unrepeatable(_KEY_IS_GONE)
        seals.repeats, seals.older_form = True, any(map(_sealed_older, row.changes))
        seals.keys = copy(seals.keys)
        seals.keys.missed = set()
        seals.keys.current = max(used, default=seals.keys.current)
        return seals

    async def _perform(self, unit: Unit, row: LogRow) -> None:
        for change in row.changes:
            resource_of(change.t)  # raises KeyError for a table that is gone
        if row.history_action is not None:
            await history.reverse(unit, await self._reversed(row))
            if row.source_log_id is not None:
                await history.noted(unit, row.command_id, row.source_log_id, row.history_action)
            return
        if row.input is None or row.input == "null":
            raise Unrepeatable("its input was not recorded")
        kind = definition(row.command_id)
        if kind is None:
            raise LookupError(f"there is no command {row.command_id} any more")
        found = await self._found(row.changes) if kind.secrets else {}
        command = command_of(kind, row, outcomes(row, found), unit.seals)
        await handler_of(kind.type)(command, unit)

    async def _reversed(self, row: LogRow) -> list[Change]:
        """The changes that an undo or redo reversed."""
        changes = None
        if row.reverses is not None:
            changes = await changes_of(self._connection, row.tenant_id, row.reverses)
        if changes is None:
            raise Unrepeatable("what it reverses is not in the log")
        return changes

    async def _found(self, changes: list[Change]) -> dict[tuple[str, str], Row]:
        """The rows that are about to be updated or deleted, as they are now."""
        found: dict[tuple[str, str], Row] = {}
        for change in changes:
            place = (change.t, bytes(change.k["id"])[1:-1].decode())
            if change.o == "i" or place in found:
                continue
            sql = f"select to_jsonb(t)::text from {resource_of(change.t).name} t where t.id = $1"
            text = await self._connection.fetchval(sql, place[1])
            if text is not None:
                found[place] = _row.decode(text)
        return found

    async def _diverged(self, row: LogRow, why: str, rows: list[RowDifference]) -> Step:
        await self._back(row)
        broken = await self._apply(row)
        return Step("diverged", why, Diverged(named(row), why, rows), broken)

    # The savepoint around each command, and the settings that stand for its transaction

    async def _begin(self, row: LogRow) -> None:
        release = "release savepoint command; " if self._open else ""
        await self._connection.execute(f"{release}savepoint command; {_settings(row)}")
        self._open = True

    async def _back(self, row: LogRow) -> None:
        await self._connection.execute(f"rollback to savepoint command; {_settings(row)}")

    def committed(self) -> None:
        """Tell that the caller's transaction ended, and its savepoint with it."""
        self._open = False

    async def _apply(self, row: LogRow) -> list[Broken]:
        """Apply the recorded changes."""
        await self._connection.execute("set constraints all deferred")
        try:
            broken = (await apply_rows(self._connection, [row])).broken
            origins = [id for id in (row.id, row.source_log_id) if id is not None]
            await self._connection.execute(_MARKS, row.tenant_id, origins, row.created_at)
            await self._connection.execute("set constraints all immediate")
        except asyncpg.IntegrityConstraintViolationError as error:
            await self._back(row)
            place = row.changes[0]
            id = bytes(place.k["id"])[1:-1].decode()
            why = f"cannot be applied: {error}"
            return [Broken(row.tenant_id, str(row.id), row.seq, place.t, id, why)]
        return broken


def _sealed_older(change: Change) -> bool:
    """Whether a command sealed something in the older form."""
    before, after = (older_tokens(msgspec.json.encode(image)) for image in (change.b, change.a))
    return bool(after - before)


def _settings(row: LogRow) -> str:
    """What a command's transaction says of it; the place in history hides what the log says of later ones."""
    return (
        f"set local app.tenant_id = '{row.tenant_id}'; set local app.command_id = 'replay';"
        f" set local replay.seq = '{row.seq}'"
    )


def _failure(error: Exception) -> str:
    """Why a command failed, in one line."""
    if isinstance(error, Problem):
        return f"it is refused: {error.status} {error}"
    if isinstance(error, history.ChangedSince):
        places = ", ".join(f"{table} {id}" for table, id in error.rows[:5])
        return f"it cannot be reversed: {places} changed since"
    if isinstance(error, msgspec.ValidationError):
        return f"its input is not valid today: {error}"
    text = " ".join(str(error).split())
    return f"it fails: {type(error).__name__}: {text}"
