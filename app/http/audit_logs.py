"""Audit logs: who read what, what every command did, and taking it back (contract: audit-logs.md)."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, Any
from weakref import WeakKeyDictionary

import msgspec
from litestar import Response
from litestar.response import Stream
from msgspec import Meta, Struct

from app.http.answers import Answer, InvalidView
from app.http.audit_filters import (
    ACCESS_PARAMETERS,
    ACTION_PARAMETERS,
    EXPORT_PARAMETERS,
    INVALID,
    MAX_EXPORT,
    access_filter,
    access_window,
    action_filter,
    action_window,
    uuid_of,
    whole,
)
from app.http.call import Call
from app.http.exports import Column, csv_rows
from app.http.opening import opened_rows
from app.http.operation import operation
from app.http.platform import scope_of_action, scope_of_token
from app.http.trace import trace_of
from domain.audit_logs import REDO_SELF, UNDO_SELF, VIEW_SELF
from domain.errors import Problem
from domain.snapshots import action_type
from domain.wire import iso_ms
from queries.audit_logs import (
    AccessPage,
    ActionPage,
    ExportEntry,
    Totals,
    access_logs,
    action_export,
    action_logs,
)

TAG = "Audit & Action Logs"
_BATCH = 100
_COLUMNS = [
    Column(name, name) for name in ("When", "User", "Action", "Field", "Old Value", "New Value", "Source")
]
_encoder = msgspec.json.Encoder(decimal_format="number")
_totals: WeakKeyDictionary[Any, Totals] = WeakKeyDictionary()


class UndoRequest(Struct, frozen=True, rename="camel"):
    """Which action to take back."""

    undo_token: Annotated[str, Meta(min_length=1, extra={"trim": True})]


class RedoRequest(Struct, frozen=True, rename="camel"):
    """Which undone action to put forward again."""

    log_id: Annotated[str, Meta(min_length=1, extra={"trim": True})]


class UndoView(Struct, frozen=True, rename="camel"):
    """What was taken back: the id of the action's log row."""

    ok: bool
    log_id: str


class RedoView(Struct, frozen=True, rename="camel"):
    """The new log row, and the token that undoes it again."""

    ok: bool
    log_id: str | None
    undo_token: str | None


@operation(
    "GET",
    "/audit_logs/audit-logs/access",
    tag=TAG,
    summary="Retrieve access logs",
    description="The reads of the caller; who may view the tenant's logs can ask for another actor's.",
    features=[VIEW_SELF],
    query=ACCESS_PARAMETERS,
    answers={
        200: Answer(AccessPage, "Access logs returned successfully"),
        400: Answer(InvalidView, "Invalid filters supplied"),
    },
    invalid=INVALID,
)
async def access(call: Call[None]) -> Response[Any]:
    """A page of the access log."""
    wanted, window = access_filter(call), access_window(call)
    async with call.app.database.read(call.scope.tenant_id) as connection:
        found = await access_logs(connection, call.scope, wanted, window)
    return call.json(_encoder.encode(found))


@operation(
    "GET",
    "/audit_logs/audit-logs/actions",
    tag=TAG,
    summary="Fetch action logs",
    description="What commands did, newest first. Who may view the tenant's logs sees everybody's actions.",
    features=[VIEW_SELF],
    query=ACTION_PARAMETERS,
    answers={
        200: Answer(ActionPage, "Action logs retrieved successfully"),
        400: Answer(InvalidView, "Invalid filter values"),
    },
    invalid=INVALID,
)
async def actions(call: Call[None]) -> Response[Any]:
    """A page of the action log."""
    wanted, window = action_filter(call), action_window(call)
    database = call.app.database
    totals = _totals.setdefault(database, Totals())
    async with database.read(call.scope.tenant_id) as connection:
        found = await action_logs(connection, call.scope, wanted, window, totals)
    return call.json(_encoder.encode(found))


@operation(
    "GET",
    "/audit_logs/audit-logs/actions/export",
    tag=TAG,
    summary="Export action logs as CSV",
    description="One line for each changed field of the actions that the filters leave.",
    features=[VIEW_SELF],
    query=EXPORT_PARAMETERS,
    answers={
        200: Answer(
            str,
            "CSV export generated successfully",
            "text/csv",
            "When,User,Action,Field,Old Value,New Value,Source",
        ),
        400: Answer(InvalidView, "Invalid filter values"),
    },
    invalid=INVALID,
)
async def export(call: Call[None]) -> Response[Any]:
    """The action log as a CSV attachment."""
    limit = whole(call, "limit", 1, MAX_EXPORT) or MAX_EXPORT
    wanted = action_filter(call)
    async with call.app.database.read(call.scope.tenant_id) as connection:
        entries = await action_export(connection, call.scope, wanted, limit)
    return Stream(
        csv_rows(_COLUMNS, opened_rows(_export_batches(entries))),
        media_type="text/csv",
        headers={"content-disposition": 'attachment; filename="changelog-export.csv"'},
    )


@operation(
    "POST",
    "/audit_logs/audit-logs/actions/undo",
    tag=TAG,
    no_command="the bus reverses the command that the token stands for",
    summary="Undo action by token",
    description="Takes back the newest undoable action that the caller has access to. A token works once.",
    features=[UNDO_SELF],
    body=UndoRequest,
    answers={
        200: Answer(UndoView, "Undo applied successfully"),
        400: Answer(InvalidView, "Invalid or unavailable undo token"),
    },
    invalid="Invalid undo token",
)
async def undo(call: Call[UndoRequest]) -> Response[Any]:
    """Take an action back."""
    scope = await scope_of_token(call, call.body.undo_token)
    outcome = await call.app.bus.undo(call.body.undo_token, scope, call.options)
    _trace(call, outcome)
    return call.answer(outcome)


@operation(
    "POST",
    "/audit_logs/audit-logs/actions/redo",
    tag=TAG,
    no_command="the bus puts the command forward again",
    summary="Redo by action log id",
    description="Puts the action that was undone last forward again, with the same ids.",
    features=[REDO_SELF],
    body=RedoRequest,
    answers={
        200: Answer(RedoView, "Redo executed successfully"),
        400: Answer(InvalidView, "Log not eligible for redo"),
    },
    invalid="Invalid log id",
)
async def redo(call: Call[RedoRequest]) -> Response[Any]:
    """Put an undone action forward again."""
    log_id = uuid_of(call.body.log_id)
    if log_id is None:
        raise Problem.bad_request("Redo target not available", "not_available")
    outcome = await call.app.bus.redo(log_id, await scope_of_action(call, log_id), call.options)
    _trace(call, outcome)
    return call.answer(outcome)


def _trace(call: Call[Any], outcome: Any) -> None:
    if outcome.log is not None:
        trace_of(call.request.scope).command_id = outcome.log.command_id


async def _export_batches(entries: Sequence[ExportEntry]) -> AsyncIterator[list[dict[str, Any]]]:
    for start in range(0, len(entries), _BATCH):
        yield [line for entry in entries[start : start + _BATCH] for line in _export_lines(entry)]


def _export_lines(entry: ExportEntry) -> Iterator[dict[str, Any]]:
    kind = action_type(entry.command_id, entry.action_label)
    line = {
        "When": iso_ms(entry.created_at),
        "User": entry.user or "System",
        "Action": kind.capitalize() if kind != "system" else entry.action_label or "System",
        "Source": entry.source.upper(),
    }
    for field, change in sorted(entry.changes.items()):
        old = change["from"] if "from" in change else _at(entry.before, field)
        yield {**line, "Field": field, "Old Value": old, "New Value": change.get("to")}
    if not entry.changes:
        yield line


def _at(record: Any, path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    for part in path.split("."):
        record = record.get(part) if isinstance(record, dict) else None
    return record
