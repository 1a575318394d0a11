"""Whether the log is what was written: seals, verification, heads (decision 0032; beyond the contract)."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from litestar import Response
from msgspec import UNSET, Struct, UnsetType

from app.http.answers import NOT_FOUND, Answer, InvalidView
from app.http.call import Call
from app.http.operation import operation
from app.jobs.verification import verify_soon
from domain.audit_logs import VIEW_TENANT
from domain.errors import Problem
from domain.seals import Head, Heads, are_genuine, heads
from queries.seals import Break, Integrity, PastVerification, integrity, newest_head

TAG = "Audit & Action Logs"
PATH = "/audit_logs/audit-logs/integrity"


class VerifyLog(Struct, frozen=True, rename="camel"):
    """What to verify besides the seals: that history still leads to an exported head."""

    head: Heads | UnsetType | None = UNSET


class VerificationView(Struct, frozen=True, rename="camel"):
    """A verification: `state` is running, intact, broken or failed; `breaks` names at most 20 places."""

    id: UUID
    state: str
    seals: int
    rows: int
    breaks: list[Break]
    requested_by: UUID | None
    started_at: datetime
    finished_at: datetime | None


class IntegrityView(Integrity, frozen=True, rename="camel"):
    """The seals of the tenant's log; `state` is empty, sealing or sealed."""

    last_verification: VerificationView | None  # type: ignore[assignment]  # the same, its breaks as they look


@operation(
    "GET",
    PATH,
    tag=TAG,
    summary="Integrity of the log",
    description="How far the log is sealed, how many rows wait for a seal, and what the last verification found.",
    features=[VIEW_TENANT],
    answers={200: Answer(IntegrityView, "The state of the seals")},
)
async def state(call: Call[None]) -> Response[Any]:
    """Reads no row of the log."""
    async with call.app.database.read(call.scope.tenant_id) as connection:
        found = await integrity(connection, call.scope.tenant_id)
    return call.json(found)


@operation(
    "POST",
    f"{PATH}/verify",
    tag=TAG,
    summary="Verify the log",
    description=(
        "Checks every seal of the tenant and every row under it, and names the first broken places. With `head`, an"
        " exported one, it also finds out whether the end of the log was cut off. A large log is verified in the"
        " background: the answer is 202, and `GET /audit_logs/audit-logs/integrity` tells the outcome."
    ),
    features=[VIEW_TENANT],
    body=VerifyLog,
    example={},
    no_command="It only reads; what it found is a note about the log, not a part of it.",
    answers={
        200: Answer(VerificationView, "The log was verified"),
        202: Answer(VerificationView, "It is being verified"),
        400: Answer(InvalidView, "The head is not one that this installation exported for this tenant"),
    },
)
async def verify(call: Call[VerifyLog]) -> Response[Any]:
    """One verification at a time."""
    scope = call.scope
    head = None if call.body.head is UNSET or call.body.head is None else _own(call, call.body.head)
    found: PastVerification = await verify_soon(call.app, scope.tenant_id, scope.actor.id, head)
    return call.json(found, 202 if found.state == "running" else 200)


@operation(
    "GET",
    f"{PATH}/head",
    tag=TAG,
    summary="Export the head of the log",
    description=(
        "The newest seal, signed: to be kept where nobody who can change the log can change it. Whoever cuts off the"
        " end of the log later is found out by it."
    ),
    features=[VIEW_TENANT],
    answers={200: Answer(Heads, "The head"), 404: NOT_FOUND},
)
async def head(call: Call[None]) -> Response[Any]:
    """404 while nothing is sealed."""
    async with call.app.database.read(call.scope.tenant_id) as connection:
        found = await newest_head(connection, call.scope.tenant_id)
    if found is None:
        raise Problem.not_found("Nothing is sealed yet")
    return call.json(heads(call.app.master_key, [found], datetime.now(UTC)))


def _own(call: Call[Any], given: Heads) -> Head:
    """The tenant's own head among those given. Raises Problem 400."""
    if not are_genuine(call.app.master_key, given):
        raise Problem.bad_request(
            "This installation did not export this head, or it was changed", "head_forged"
        )
    own = next((one for one in given.heads if one.tenant_id == call.scope.tenant_id), None)
    if own is None:
        raise Problem.bad_request("The file has no head of this tenant", "head_of_others")
    return own
