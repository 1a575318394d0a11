"""The history of one record: its actions, its state at a moment, and what differs between two (beyond the contract)."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Response
from msgspec import Struct

from app.http.answers import NOT_FOUND, Answer, InvalidView, refused
from app.http.audit_filters import whole
from app.http.call import Call
from app.http.operation import Parameter, operation
from commands.restore import RestoreRecord
from domain.audit_logs import UNDO_SELF, VIEW_SELF
from domain.errors import Problem, issue
from queries.audit_logs import (
    Comparison,
    HistoryPage,
    State,
    Window,
    record_comparison,
    record_history,
    record_state,
    subject_of,
)

TAG = "Audit & Action Logs"
PATH = "/audit_logs/audit-logs/history/{resourceKind}/{resourceId}"

_MOMENT = "An ISO-8601 time, or the id of an action (the record right after it)"
_INVALID = Answer(InvalidView, "The moment is neither a time nor the id of an action")
_FORBIDDEN = refused("The features of the record itself are missing")
_encoder = msgspec.json.Encoder(decimal_format="number")


class RestoredView(Struct, frozen=True, rename="camel"):
    """The record is as it was; `restored` False: it was so already, and nothing was written."""

    ok: bool
    restored: bool
    log_id: UUID | None
    undo_token: str | None


@operation(
    "GET",
    PATH,
    tag=TAG,
    summary="History of a record",
    description="Every action that touched the record, its parts or its links, newest first, and what it changed.",
    features=[VIEW_SELF],
    query=[
        Parameter("page", "Page number (default 1)", {"type": "integer", "minimum": 1, "default": 1}),
        Parameter(
            "pageSize", "Page size (default 50, max 200)", {"type": "integer", "minimum": 1, "maximum": 200}
        ),
    ],
    answers={200: Answer(HistoryPage, "The history of the record"), 403: _FORBIDDEN, 404: NOT_FOUND},
)
async def history(call: Call[None]) -> Response[Any]:
    """A page of the history; who may not view the tenant's logs sees their own actions."""
    page, size = whole(call, "page", 1, 1_000_000) or 1, whole(call, "pageSize", 1, 200) or 50
    async with call.app.database.read(call.scope.tenant_id) as connection:
        subject = await subject_of(connection, call.scope, *_named(call))
        found = await record_history(connection, call.scope, subject, Window((page - 1) * size, size, page))
    return call.json(_encoder.encode(found))


@operation(
    "GET",
    f"{PATH}/state",
    tag=TAG,
    summary="A record as of a moment",
    description="The record with its parts, as it was. `exists` is false when it was not there.",
    features=["audit_logs.view_tenant"],
    query=[Parameter("at", _MOMENT, required=True)],
    answers={200: Answer(State, "The record then"), 400: _INVALID, 403: _FORBIDDEN, 404: NOT_FOUND},
)
async def state(call: Call[None]) -> Response[Any]:
    """The state at `at`."""
    at = _given(call, "at")
    async with call.app.database.read(call.scope.tenant_id) as connection:
        subject = await subject_of(connection, call.scope, *_named(call))
        found = await record_state(connection, call.scope, subject, at)
    return call.json(_encoder.encode(found))


@operation(
    "GET",
    f"{PATH}/compare",
    tag=TAG,
    summary="A record at two moments",
    description="The fields that differ between two moments, and the actions that made them differ.",
    features=["audit_logs.view_tenant"],
    query=[Parameter("from", _MOMENT, required=True), Parameter("to", _MOMENT, required=True)],
    answers={200: Answer(Comparison, "What differs"), 400: _INVALID, 403: _FORBIDDEN, 404: NOT_FOUND},
)
async def compare(call: Call[None]) -> Response[Any]:
    """`changes` lead from the record at `from` to the record at `to`, also when that is the way back."""
    start, end = _given(call, "from"), _given(call, "to")
    async with call.app.database.read(call.scope.tenant_id) as connection:
        subject = await subject_of(connection, call.scope, *_named(call))
        found = await record_comparison(connection, call.scope, subject, start, end)
    return call.json(_encoder.encode(found))


@operation(
    "POST",
    f"{PATH}/restore",
    tag=TAG,
    summary="Restore a record to a moment",
    description=(
        "Makes the record what it was, with its parts: a new action, which can be undone. Whoever does it must be able"
        " to do, and to undo, all that was done to it since. Secrets, such as passwords, stay as they are."
    ),
    features=[UNDO_SELF],
    body=RestoreRecord,
    example={"at": "2026-01-31T12:00:00.000Z"},
    answers={
        200: Answer(RestoredView, "The record is as it was"),
        400: Answer(InvalidView, "Not a moment, or something stands in the way"),
        403: _FORBIDDEN,
        404: NOT_FOUND,
    },
)
async def restore(call: Call[RestoreRecord]) -> Response[Any]:
    """Go back; the header `x-backstep-dry-run: true` shows what would change."""
    async with call.app.database.read(call.scope.tenant_id) as connection:
        await subject_of(connection, call.scope, *_named(call))
    outcome = await call.execute(call.body)
    log = outcome.log
    view = RestoredView(True, log is not None, log.id if log else None, log.undo_token if log else None)
    return call.answer(outcome, body=view)


def _named(call: Call[Any]) -> tuple[str, str]:
    return call.path["resourceKind"], call.path["resourceId"]


def _given(call: Call[None], name: str) -> str:
    value = (call.first(name) or "").strip()
    if not value:
        raise Problem.invalid([issue("Required", [name])])
    return value
