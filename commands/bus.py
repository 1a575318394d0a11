"""The command bus: the one door through which anything is ever changed.

It checks the rights, opens one transaction under the tenant's lock, lets the handler write through a unit, and
closes with the log row, the projections and the events, all or none of it.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar
from uuid import UUID

import asyncpg
import msgspec
import structlog
from msgspec import Raw

from commands import eligibility, history
from commands.conflicts import conflict_of
from commands.entry import log_entry, preview
from commands.idempotency import store_answer, stored_answer
from commands.log import Closing, Projector, announce, closing
from commands.registry import (
    Command,
    Definition,
    definition,
    definition_of,
    guards_of,
    handler_of,
    preparer_of,
    recorded_input,
)
from commands.sealing import Sealing, refuse_forged
from commands.spill import keeper
from commands.unit import Unit
from commands.work import Committed, DryRun, Outcome, Work
from domain.encryption.tables import PLAN_TABLES
from domain.encryption.tokens import MARKED
from domain.errors import Problem
from domain.ids import random_id
from domain.jobs import JobRequest
from domain.recorded_scope import record_of
from domain.resources import all_resources
from domain.scope import Options, Scope

_encode = msgspec.json.Encoder().encode
_logger = structlog.get_logger("backstep.bus")
_RETRIED = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.InvalidSQLStatementNameError,
)
_REFUSED = {403: "not_permitted", 409: "conflict"}
"""What a reversal answers in place of these statuses (decision 0009): 400 with a code."""

_SCOPES = 20_000
"""Stored scopes that a process remembers."""

__all__ = (
    "NO_OPTIONS",
    "Bus",
    "Committed",
    "DryRun",
    "Outcome",
    "Transaction",
    "Transactions",
    "Work",
    "authorize",
)

NO_OPTIONS = Options()
T = TypeVar("T")


class Transaction(Protocol):
    """A write transaction of one tenant."""

    connection: Any

    async def lock(self) -> None:
        """Take the tenant's lock, where it began without."""
        ...

    async def commit(self, last: Closing | None = None) -> None:
        """Send the last statement, if any, and make it all durable; nothing is left of it when that fails."""
        ...

    async def settle(self) -> None:
        """End it without a change, when all that it may have seen is durable."""
        ...

    async def rollback(self) -> None:
        """Take it back."""
        ...


class Transactions(Protocol):
    """Where write transactions come from."""

    async def begin(self, tenant_id: UUID, command_id: str, *, locked: bool = True) -> Transaction:
        """Open one, with the tenant set and (unless not `locked`) the tenant's lock held."""
        ...


class Enqueue(Protocol):
    """Writes down a command's background jobs on its connection."""

    async def __call__(self, connection: Any, tenant_id: UUID, requests: Sequence[JobRequest]) -> None:
        """Write them down; nothing is sent before the commit."""
        ...


class Bus:
    """Runs commands. One per process."""

    def __init__(
        self,
        transactions: Transactions,
        projector: Projector,
        token_key: bytes,
        *,
        lock_kinds: Callable[[str], bool] = lambda kind: True,
        undo_max_age: timedelta | None = None,
        enqueue: Enqueue | None = None,
        sealing: Sealing | None = None,
    ) -> None:
        self._transactions = transactions
        self._sealing = sealing
        self._enqueue = enqueue
        self._projector = projector
        self._token_key = token_key
        self._lock_kinds = lock_kinds
        self._undo_max_age = undo_max_age
        self._listeners: list[Callable[[Committed], None]] = []
        self._keep = keeper(projector, history.is_settled)
        self._put_down = keeper(None, history.is_settled)
        self._scopes: set[tuple[UUID, UUID | None]] = set()
        self._conflicts: dict[str, str] = {}
        for resource in all_resources():
            self._conflicts |= resource.conflicts

    def after_commit(self, listener: Callable[[Committed], None]) -> None:
        """Call `listener` (which must be quick and must not raise) after each commit."""
        self._listeners.append(listener)

    async def execute(self, command: Command, scope: Scope, options: Options = NO_OPTIONS) -> Outcome:
        """Run a command. Raises Problem: 403 without its features, and whatever its handler refuses."""
        kind = definition_of(type(command))
        authorize(kind, scope)
        target = getattr(command, kind.target) if kind.target else None
        handler, preparer = handler_of(type(command)), preparer_of(type(command))
        work = Work(
            command_id=kind.id,
            label=kind.label,
            resource_kind=command.about() or kind.resource,
            logged=kind.logged,
            undoable=kind.undoable,
            input=Raw(_encode(recorded_input(kind, command))) if kind.logged else None,
            perform=lambda unit: handler(command, unit),
            prepare=None if preparer is None else lambda unit: preparer(command, unit),
            target=target,
        )
        return await self.run(work, scope, options)

    async def undo(self, token: str, scope: Scope, options: Options = NO_OPTIONS) -> Outcome:
        """Take back the command that `token` belongs to. Raises Problem 400 with a code when it may not be.

        The result is `{"ok": true, "logId": <the command's log id>}`; the outcome's log is the new row.
        """
        if not scope.can("audit_logs.undo_self"):
            raise Problem.forbidden(["audit_logs.undo_self"])
        return await self._reverse(
            lambda connection: eligibility.for_undo(connection, token, scope, self._undo_max_age),
            "undo",
            Raw(_encode({"undoToken": token})),
            scope,
            options,
        )

    async def redo(self, log_id: UUID, scope: Scope, options: Options = NO_OPTIONS) -> Outcome:
        """Put an undone command forward again. Raises Problem 400 with a code when it may not be.

        The result is `{"ok": true, "logId": <the new row>, "undoToken": <its token>}`.
        """
        if not scope.can("audit_logs.redo_self"):
            raise Problem.forbidden(["audit_logs.redo_self"])
        return await self._reverse(
            lambda connection: eligibility.for_redo(connection, log_id, scope),
            "redo",
            Raw(_encode({"logId": log_id})),
            scope,
            options,
        )

    async def _reverse(
        self,
        find: Callable[[Any], Awaitable[eligibility.Source]],
        action: history.HistoryAction,
        subject: Raw,
        scope: Scope,
        options: Options,
    ) -> Outcome:
        work = Work(
            "backstep.reverse", None, None, True, action == "redo", subject, _nothing, history_action=action
        )

        async def perform(unit: Unit) -> Any:
            source = await find(unit.connection)
            kind = definition(source.command_id)
            if kind is None or scope.missing((*kind.features, *source.features)):
                raise Problem.bad_request(eligibility.UNAVAILABLE[action], "not_available")
            work.command_id, work.label = source.command_id, source.label
            work.resource_kind, work.resource_id = source.resource_kind, source.resource_id
            work.reverses, work.source_log_id, work.context = source.reverses, source.log_id, source.context
            try:
                if source.changes is None:
                    await history.reverse_large(unit, source.reverses)
                else:
                    await history.reverse(unit, history.decode(source.changes))
            except history.ChangedSince as error:
                raise await history.blocked(unit.connection, error, scope.tenant_id, source.seq) from error
            await history.noted(unit, source.command_id, source.log_id, action)
            return {"ok": True, "logId": str(source.log_id if action == "undo" else unit.log_id)}

        work.perform = perform
        try:
            outcome = await self.run(work, scope, options)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise self._obstacle(action, error) from error
        except Problem as problem:
            if problem.status in _REFUSED:
                raise Problem.bad_request(str(problem), problem.code or _REFUSED[problem.status]) from problem
            raise
        if action == "redo" and outcome.log is not None and not outcome.replayed:
            result = outcome.result | {"undoToken": outcome.log.undo_token}
            return Outcome(result, outcome.log, outcome.dry_run)
        return outcome

    def _obstacle(self, action: str, error: asyncpg.IntegrityConstraintViolationError) -> Problem:
        if isinstance(error, asyncpg.ForeignKeyViolationError):
            return Problem.bad_request(
                f"{action.capitalize()} failed: something depends on the record now", "in_use"
            )
        text = self._conflicts.get(error.constraint_name or "", "another record stands in the way")
        return Problem.bad_request(f"{action.capitalize()} failed: {text}", "conflict")

    async def run(self, work: Work, scope: Scope, options: Options) -> Outcome:
        """Run prepared work in a transaction of its own, retried when PostgreSQL asks for it."""
        for attempt in range(3):
            try:
                return await self._run(work, scope, options)
            except _RETRIED:
                if attempt == 2:
                    raise
                _logger.info("command retried", command=work.command_id)
        raise AssertionError("unreachable")

    async def _run(self, work: Work, scope: Scope, options: Options) -> Outcome:
        transaction = await self._transactions.begin(
            scope.tenant_id, work.command_id, locked=work.prepare is None
        )
        try:
            if work.prepare is not None:
                now = datetime.now(UTC)
                await work.prepare(Unit(transaction.connection, scope, now, random_id(now)))
                if not options.dry_run:
                    await transaction.lock()
            outcome, unit, last = await self._inside(transaction.connection, work, scope, options)
            if outcome.replayed:
                # The answer that is given again may be another request's that waits for the disk: so does this one.
                await transaction.settle()
                return outcome
            kept = unit.wrote or bool(unit.events or unit.jobs) or options.idempotency_key is not None
            if options.dry_run or not kept:
                await transaction.rollback()
                return outcome
            if self._sealing is not None and not PLAN_TABLES.isdisjoint(unit.tables):
                self._sealing.forget(scope.tenant_id)
            await transaction.commit(last)
        except BaseException as error:
            await transaction.rollback()
            problem = None if work.history_action else conflict_of(error)
            if problem is not None:
                raise problem from error
            raise
        if outcome.log is not None:
            self._remember(scope.tenant_id, outcome.log.scope_id)
        committed = Committed(scope.tenant_id, unit.tables, len(unit.jobs))
        for listener in self._listeners:
            listener(committed)
        return outcome

    def _remember(self, tenant_id: UUID, scope_id: UUID | None) -> None:
        """Note that a scope is stored, so that it is not written again."""
        if len(self._scopes) >= _SCOPES:
            self._scopes.clear()
        self._scopes.add((tenant_id, scope_id))

    async def _inside(
        self, connection: Any, work: Work, scope: Scope, options: Options
    ) -> tuple[Outcome, Unit, Closing | None]:
        """The part between BEGIN and the end, and the statement to send with COMMIT."""
        now = datetime.now(UTC)
        expected = options.expected_updated_at
        unit = Unit(
            connection,
            scope,
            now,
            random_id(now),
            kind=work.resource_kind,
            target=str(work.target) if work.target else None,
            expected_updated_at=expected if expected and self._lock_kinds(work.resource_kind or "") else None,
        )
        if options.idempotency_key is not None:
            stored = await stored_answer(connection, work, scope, options.idempotency_key, self._token_key)
            if stored is not None:
                return stored, unit, None
        await self._seal(unit, work)
        unit.keep = self._put_down if options.dry_run else self._keep
        result = await work.perform(unit)
        for guard in guards_of(unit.tables):
            await guard(unit)
        recorded = unit.changes or ((unit.wrote or unit.jobs) and not work.undoable)
        entry = log_entry(work, unit, scope, options, self._token_key) if recorded and work.logged else None
        if unit.changes and not work.logged:
            raise RuntimeError(f"{work.command_id} is not logged but changed {unit.changes[0].t}")
        if unit.seals is not None:
            if unit.seals.used:
                _hide(unit)
            await unit.seals.settle(connection, (change.a for change in unit.changes if change.a))
        if options.dry_run:
            return Outcome(result, dry_run=preview(work, unit, result)), unit, None
        if unit.jobs:
            if self._enqueue is None:
                raise RuntimeError(
                    f"{work.command_id} wants a background job, but the bus was given no queue"
                )
            await self._enqueue(connection, scope.tenant_id, unit.jobs)
        last = None
        if entry is not None:
            plan = self._projector.plan(scope.tenant_id, unit.changes)
            record = None if (scope.tenant_id, entry.scope_id) in self._scopes else record_of(scope)
            last = closing(entry, unit.changes, plan, unit.events, record, pieced=unit.put_down > 0)
        elif unit.events:
            await announce(connection, scope.tenant_id, unit.log_id, unit.events, now)
        if options.idempotency_key is not None:
            await store_answer(unit, work, options.idempotency_key, entry, result, self._token_key)
            if unit.seals is not None:
                await unit.seals.keep(connection)
        return Outcome(result, entry), unit, last

    async def _seal(self, unit: Unit, work: Work) -> None:
        """Give the unit what it seals with. Raises Problem 400 when the input pretends to be sealed."""
        if work.input is not None and unit.scope.actor.kind != "system" and MARKED in bytes(work.input):
            refuse_forged(msgspec.json.decode(work.input))
        sealing = self._sealing
        if sealing is not None:
            tenant_id = unit.scope.tenant_id
            unit.seals = await sealing.seals(unit.connection, tenant_id)
            unit.replan = lambda seals: sealing.again(unit.connection, tenant_id, seals)


def authorize(kind: Definition, scope: Scope) -> None:
    """The gate that stands before every command, whichever way it comes. Raises Problem 403."""
    if kind.system_only and scope.actor.kind != "system":
        raise Problem.forbidden()
    if scope.missing(kind.features):
        raise Problem.forbidden(list(kind.features))


async def _nothing(unit: Unit) -> None:
    """Stands in until the real work is known."""


def _hide(unit: Unit) -> None:
    """Seal designated values in what a command announces and leaves to background jobs."""
    seals = unit.seals
    assert seals is not None
    for event in unit.events:
        event["payload"] = msgspec.json.decode(seals.hide(_encode(event["payload"]), unit.log_id))
    unit.jobs = [
        msgspec.structs.replace(one, payload=seals.hide(one.payload, unit.log_id)) for one in unit.jobs
    ]
