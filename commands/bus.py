"""The command bus: the one door through which anything is ever changed.

It checks the rights, opens one transaction under the tenant's lock, lets the handler write through a unit, and
closes with the log row, the projections and the events, all or none of it.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar
from uuid import UUID

import asyncpg
import msgspec
import structlog
from msgspec import Raw, Struct

from commands import eligibility, history
from commands.conflicts import conflict_of
from commands.log import Closing, LogEntry, Projector, announce, closing
from commands.registry import (
    Command,
    Definition,
    definition,
    definition_of,
    guards_of,
    handler_of,
    recorded_input,
)
from commands.unit import Change, Unit
from domain import snapshots
from domain.errors import Problem
from domain.ids import random_id, undo_token
from domain.resources import all_resources, resource_of
from domain.scope import Options, Scope

_encode = msgspec.json.Encoder().encode
_logger = structlog.get_logger("backstep.bus")
_RETRIED = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCachedStatementError,
)
_REFUSED = {403: "not_permitted", 409: "conflict"}
"""What a reversal answers in place of these statuses (decision 0009): 400 with a code."""

NO_OPTIONS = Options()
T = TypeVar("T")


class Transaction(Protocol):
    """A write transaction of one tenant."""

    connection: Any

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

    async def begin(self, tenant_id: UUID, command_id: str) -> Transaction:
        """Open one, with the tenant set and the tenant's lock held."""
        ...


class DryRun(Struct, frozen=True, rename="camel"):
    """What a command would have done."""

    command_id: str
    resource_kind: str | None
    resource_id: str | None
    snapshot_before: Any
    snapshot_after: Any
    changes: Any
    rows: list[Change]
    result: Any


class Outcome(Struct, frozen=True):
    """What came of a command: the handler's result, and the log row when something changed."""

    result: Any
    log: LogEntry | None = None
    dry_run: DryRun | None = None
    replayed: bool = False


class Committed(Struct, frozen=True):
    """Told to listeners after a commit: whose rows, and of which tables."""

    tenant_id: UUID
    tables: frozenset[str]


class Work(Struct):
    """One run of the bus: what is to be recorded of it."""

    command_id: str
    label: str | None
    resource_kind: str | None
    logged: bool
    undoable: bool
    input: Raw | None
    perform: Callable[[Unit], Awaitable[Any]]
    target: UUID | None = None
    resource_id: str | None = None
    reverses: UUID | None = None
    history_action: str | None = None
    source_log_id: UUID | None = None
    context: dict[str, Any] | None = None


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
    ) -> None:
        self._transactions = transactions
        self._projector = projector
        self._token_key = token_key
        self._lock_kinds = lock_kinds
        self._undo_max_age = undo_max_age
        self._listeners: list[Callable[[Committed], None]] = []
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
        handler = handler_of(type(command))
        work = Work(
            command_id=kind.id,
            label=kind.label,
            resource_kind=kind.resource,
            logged=kind.logged,
            undoable=kind.undoable,
            input=Raw(_encode(recorded_input(kind, command))) if kind.logged else None,
            perform=lambda unit: handler(command, unit),
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
        action: str,
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
            if kind is None or scope.missing(source.features or kind.features):
                raise Problem.bad_request(eligibility.UNAVAILABLE[action], "not_available")
            work.command_id, work.label = source.command_id, source.label
            work.resource_kind, work.resource_id = source.resource_kind, source.resource_id
            work.reverses, work.source_log_id, work.context = source.reverses, source.log_id, source.context
            try:
                await history.reverse(unit, history.decode(source.changes))
            except history.ChangedSince as error:
                raise await history.blocked(unit.connection, error, scope.tenant_id, source.seq) from error
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
        transaction = await self._transactions.begin(scope.tenant_id, work.command_id)
        try:
            outcome, unit, last = await self._inside(transaction.connection, work, scope, options)
            if outcome.replayed:
                # The answer that is given again may be another request's that waits for the disk: so does this one.
                await transaction.settle()
                return outcome
            kept = unit.wrote or bool(unit.events) or options.idempotency_key is not None
            if options.dry_run or not kept:
                await transaction.rollback()
                return outcome
            await transaction.commit(last)
        except BaseException as error:
            await transaction.rollback()
            problem = None if work.history_action else conflict_of(error)
            if problem is not None:
                raise problem from error
            raise
        committed = Committed(scope.tenant_id, unit.tables)
        for listener in self._listeners:
            listener(committed)
        return outcome

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
            stored = await self._stored_answer(connection, work, scope, options.idempotency_key)
            if stored is not None:
                return stored, unit, None
        result = await work.perform(unit)
        for guard in guards_of(unit.tables):
            await guard(unit)
        recorded = unit.changes or (unit.wrote and not work.undoable)
        entry = self._entry(work, unit, scope, options) if recorded and work.logged else None
        if unit.changes and not work.logged:
            raise RuntimeError(f"{work.command_id} is not logged but changed {unit.changes[0].t}")
        if options.dry_run:
            return Outcome(result, dry_run=_preview(work, unit, result)), unit, None
        last = None
        if entry is not None:
            plan = self._projector.plan(scope.tenant_id, unit.changes)
            last = closing(entry, unit.changes, plan, unit.events)
        elif unit.events:
            await announce(connection, scope.tenant_id, unit.log_id, unit.events, now)
        if options.idempotency_key is not None:
            await self._store_answer(connection, work, scope, options.idempotency_key, now, entry, result)
        return Outcome(result, entry), unit, last

    def _entry(self, work: Work, unit: Unit, scope: Scope, options: Options) -> LogEntry:
        encoded = _encode(unit.changes)
        root = _root(work, unit.changes) if unit.changes else None
        own = str(work.target) if work.target else None if root is None else _text(root.k["id"])
        resource_id = work.resource_id or own
        organization = scope.selected_organization_id if root is None else _organization(root, scope)
        fields = snapshots.changed_fields(
            work.command_id, snapshots.decode(encoded), work.resource_kind, resource_id
        )
        source = "api" if scope.actor.kind == "api_key" and options.source == "ui" else options.source
        parent, related = _surroundings(root)
        return LogEntry(
            tenant_id=scope.tenant_id,
            id=unit.log_id,
            organization_id=organization,
            actor_user_id=scope.actor.id,
            actor_kind=scope.actor.kind,
            command_id=work.command_id,
            action_label=work.label,
            action_type=snapshots.action_type(work.command_id, work.label),
            resource_kind=work.resource_kind,
            resource_id=resource_id,
            parent_resource_kind=parent[0],
            parent_resource_id=parent[1],
            related_resource_kind=related[0],
            related_resource_id=related[1],
            undo_token=undo_token(unit.log_id, self._token_key) if work.undoable else None,
            reverses=work.reverses,
            history_action=work.history_action,
            source_log_id=work.source_log_id,
            source_key="system" if scope.actor.kind == "system" else source,
            input=work.input if work.input is not None and work.history_action is None else Raw(b"null"),
            changes=Raw(encoded),
            changed_fields=fields,
            primary_changed_field=fields[0] if fields else None,
            context=work.context,
            reason=options.reason,
            correlation_id=options.correlation_id,
            request_id=options.request_id,
            created_at=unit.now,
        )

    # Idempotency: the first answer is stored with its work, and given again

    async def _stored_answer(self, connection: Any, work: Work, scope: Scope, key: str) -> Outcome | None:
        row = await connection.fetchrow(
            "select k.fingerprint, k.result::text as result, to_jsonb(l)::text as entry from idempotency_keys k"
            " left join action_logs l on l.tenant_id = k.tenant_id and l.id = k.log_id"
            " where k.tenant_id = $1 and k.actor_id = $2 and k.key = $3",
            scope.tenant_id,
            _actor_id(scope),
            key,
        )
        if row is None:
            return None
        if bytes(row["fingerprint"]) != _fingerprint(work):
            raise Problem.unprocessable(
                "The idempotency key was used for another request", "idempotency_key_reused"
            )
        entry = msgspec.json.decode(row["entry"], type=LogEntry) if row["entry"] else None
        return Outcome(Raw(row["result"].encode()), entry, replayed=True)

    async def _store_answer(
        self,
        connection: Any,
        work: Work,
        scope: Scope,
        key: str,
        now: datetime,
        entry: LogEntry | None,
        result: Any,
    ) -> None:
        if work.history_action == "redo" and entry is not None:
            result = result | {"undoToken": entry.undo_token}
        await connection.execute(
            "insert into idempotency_keys (tenant_id, actor_id, key, fingerprint, log_id, result, created_at)"
            " values ($1, $2, $3, $4, $5, $6::text::jsonb, $7)",
            scope.tenant_id,
            _actor_id(scope),
            key,
            _fingerprint(work),
            entry.id if entry else None,
            _encode(result).decode(),
            now,
        )


def authorize(kind: Definition, scope: Scope) -> None:
    """The gate that stands before every command, whichever way it comes. Raises Problem 403."""
    if kind.system_only and scope.actor.kind != "system":
        raise Problem.forbidden()
    if scope.missing(kind.features):
        raise Problem.forbidden(list(kind.features))


async def _nothing(unit: Unit) -> None:
    """Stands in until the real work is known."""


def _root(work: Work, changes: Sequence[Change]) -> Change:
    """The change that the log row is about: the resource's own row if there is one, else the first."""
    return next((c for c in changes if resource_of(c.t).kind == work.resource_kind), changes[0])


def _organization(change: Change, scope: Scope) -> UUID | None:
    """The organization of a changed row: the log row belongs where the row is, not where the actor is.

    A row that is in no organization is logged where the actor writes; an organization is not the place of its own log
    rows when there is another, because it may be gone when they are to be taken back.
    """
    if "organization_id" not in resource_of(change.t).table.columns:
        place = scope.selected_organization_id
        return scope.home_organization_id if str(place) == _text(change.k["id"]) else place
    for image in (change.a, change.b, change.u):
        value = image.get("organization_id") if image else None
        if value is not None and bytes(value) != b"null":
            return UUID(_text(value))
    return None


Reference = tuple[str | None, str | None]
_NOTHING: Reference = (None, None)


def _surroundings(change: Change | None) -> tuple[Reference, Reference]:
    """The kind and id of the record that a changed row belongs to, and of the one that it concerns."""
    if change is None:
        return _NOTHING, _NOTHING
    resource = resource_of(change.t)
    parent = _reference(change, resource.within)
    if resource.root is not None and parent == _NOTHING:
        parent = resource_of(resource.root).kind, change.r
    return parent, _reference(change, resource.related)


def _reference(change: Change, declared: tuple[str, str] | None) -> Reference:
    if declared is None:
        return _NOTHING
    kind, column = declared
    id = _value(change, column)
    named = _value(change, kind[1:]) if kind.startswith(".") else kind
    return (named, id) if named is not None and id is not None else _NOTHING


def _value(change: Change, column: str) -> str | None:
    """A column of a changed row as text, as the command left it (or found it, when the row is gone)."""
    for image in (change.a, change.b, change.u):
        if image is not None and column in image:
            value = msgspec.json.decode(image[column])
            return None if value is None else str(value)
    return None


def _text(value: Raw) -> str:
    return str(msgspec.json.decode(value))


def _actor_id(scope: Scope) -> UUID:
    return scope.actor.id or UUID(int=0)


def _fingerprint(work: Work) -> bytes:
    """What an idempotency key stands for: the command and its input, or the log row that is to be reversed."""
    subject = bytes(work.input) if work.input is not None else b""
    name = work.history_action or work.command_id
    return hashlib.sha256(name.encode() + b"\0" + subject).digest()


def _preview(work: Work, unit: Unit, result: Any) -> DryRun:
    root = _root(work, unit.changes) if unit.changes else None
    resource_id = (
        work.resource_id
        or (str(work.target) if work.target else None)
        or (_text(root.k["id"]) if root else None)
    )
    decoded = snapshots.decode(_encode(unit.changes))
    before, after = snapshots.snapshots(work.command_id, decoded, work.resource_kind, resource_id)
    changes = snapshots.field_changes(before, after)
    return DryRun(
        work.command_id, work.resource_kind, resource_id, before, after, changes, unit.changes, result
    )
