"""Taking back many actions in one step (beyond the contract; design.md section 5)."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Response
from msgspec import Raw, Struct

from app.http.answers import Answer, InvalidView, refused
from app.http.call import Call
from app.http.operation import operation
from app.undo_progress import told
from commands.undo_many import SHOWN, Obstacle, UndoMany, UndoneAction
from commands.unit import Change
from domain.audit_logs import UNDO_SELF
from domain.errors import Problem
from domain.resources import resource_of
from domain.snapshots import decode, encode, field_changes, record
from queries.undo_runs import UndoRun, undo_runs

TAG = "Audit & Action Logs"
PATH = "/audit_logs/audit-logs/actions/undo-many"
BLOCKED = "undo_many_blocked"

_encode = msgspec.json.Encoder().encode


class RecordChange(Struct, frozen=True, rename="camel"):
    """What would become of one row: `change` is create, edit or delete; the snapshots are the row before and after."""

    resource_kind: str | None
    resource_id: str
    change: str
    snapshot_before: Raw | None
    snapshot_after: Raw | None
    changes: Raw | None


class UndoManyPlan(Struct, frozen=True, rename="camel"):
    """What a dry run found: the actions, newest first, what would change, and what stands in the way.

    `ok` False: it would be refused. Lists hold the first 200; `total`, `rows` and `blocked_total` count them all.
    """

    dry_run: bool
    ok: bool
    total: int
    rows: int
    left_out: int
    actions: list[UndoneAction]
    changes: list[RecordChange]
    blocked: list[Obstacle]
    blocked_total: int


class UndoManyView(Struct, frozen=True, rename="camel"):
    """It was taken back; `undo_token` takes that back again."""

    ok: bool
    total: int
    rows: int
    left_out: int
    actions: list[UndoneAction]
    log_id: UUID | None
    undo_token: str | None


class BlockedView(Struct, frozen=True, rename="camel"):
    """What stands in the way; nothing was taken back."""

    error: str
    code: str
    blocked: list[Obstacle] = []
    blocked_total: int = 0


class UndoRuns(Struct, frozen=True):
    """What is under way at this moment, oldest first."""

    items: list[UndoRun]


@operation(
    "GET",
    PATH,
    tag=TAG,
    summary="Undo many actions: progress",
    description=(
        "The takings back of many actions that are under way in the tenant, by whichever process: what each does"
        " (`waiting` for its turn, `choosing`, `comparing`, `going_back`, `checking`, `recording`), and how much"
        " of that is done. Those of others are shown to who may undo them. What takes less than half a second never"
        " appears."
    ),
    features=[UNDO_SELF],
    answers={200: Answer(UndoRuns, "What is under way")},
)
async def running(call: Call[None]) -> Response[Any]:
    """Read from outside of the transactions that do the work."""
    async with call.app.database.read(call.scope.tenant_id) as connection:
        return call.json(UndoRuns(await undo_runs(connection, call.scope)))


@operation(
    "POST",
    PATH,
    tag=TAG,
    summary="Undo many actions",
    description=(
        "Takes back all actions that a filter finds, or those named, in one step: all of them, or none. The step is"
        " one action of the log with a token of its own. With the header `x-backstep-dry-run: true` it answers with"
        " the plan and what stands in the way, and changes nothing."
    ),
    features=[UNDO_SELF],
    body=UndoMany,
    example={"filter": {"correlationId": "import-2026-01-31"}},
    answers={
        200: Answer(UndoManyView, "The actions are taken back (or, of a dry run, the plan)"),
        400: Answer(InvalidView, "Nothing to take back, or not a filter"),
        403: refused("Features of the actions are missing"),
        409: Answer(BlockedView, "Records were changed since; nothing was taken back"),
    },
)
async def undo_many(call: Call[UndoMany]) -> Response[Any]:
    """All or nothing."""
    try:
        async with told(call.app.database, call.scope, dry_run=call.options.dry_run):
            outcome = await call.execute(call.body)
    except Problem as problem:
        if not (call.options.dry_run and problem.code == BLOCKED):
            raise
        blocked = msgspec.convert(problem.body["blocked"], list[Obstacle], str_keys=True)
        count = problem.body["blockedTotal"]
        return call.json(UndoManyPlan(True, False, 0, 0, 0, [], [], blocked, count))
    if outcome.dry_run is not None:
        found = outcome.dry_run.result
        changes = [_change(change) for change in outcome.dry_run.rows[:SHOWN]]
        plan = UndoManyPlan(
            True, True, found.total, found.rows, found.left_out, found.actions, changes, [], 0
        )
        return call.json(plan)
    if outcome.replayed:
        return call.answer(outcome)
    log, found = outcome.log, outcome.result
    assert log is not None, "what was taken back is logged"
    view = UndoManyView(True, found.total, found.rows, found.left_out, found.actions, log.id, log.undo_token)
    return call.answer(outcome, body=view)


def _change(change: Change) -> RecordChange:
    kind, id = resource_of(change.t).kind, bytes(change.k["id"])[1:-1].decode()
    before, after = record(decode(b"[" + _encode(change) + b"]"), kind, id)
    verb = {"i": "create", "u": "edit", "d": "delete"}[change.o]
    return RecordChange(kind, id, verb, _raw(before), _raw(after), _raw(field_changes(before, after)))


def _raw(value: dict[str, Any] | None) -> Raw | None:
    return None if value is None else Raw(encode(value))
