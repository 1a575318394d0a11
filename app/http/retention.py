"""How long the log is kept: policies, what would go, and a run now (decision 0033; beyond the contract)."""

from typing import Any

from litestar import Response

from app.http.answers import OK, Answer, InvalidView, refused
from app.http.call import Call
from app.http.operation import operation
from commands.retention import ClearRetention, RunRetention, SetRetention, logged_kinds
from domain.audit_logs import VIEW_TENANT
from domain.retention import EVERYTHING_ELSE, LEAST_DAYS
from queries.retention import Retention, retention

TAG = "Audit & Action Logs"
PATH = "/audit_logs/audit-logs/retention"

_ONLY_SUPER = refused("Only super admins may")


class RetentionView(Retention, frozen=True, rename="camel"):
    """The policies, what would go now, `kinds` that a policy can name, and whether the caller may change any."""

    kinds: list[str] = []
    least_days: int = LEAST_DAYS
    may_change: bool = False


@operation(
    "GET",
    PATH,
    tag=TAG,
    summary="Retention of the log",
    description="Without a policy, actions are kept for ever. `going` is what the next run would remove, by kind.",
    features=[VIEW_TENANT],
    answers={200: Answer(RetentionView, "Policies and preview")},
)
async def state(call: Call[None]) -> Response[Any]:
    """Policies and preview."""
    async with call.app.database.read(call.scope.tenant_id) as connection:
        found = await retention(connection, call.scope.tenant_id)
    return call.json(
        RetentionView(
            found.policies,
            found.going,
            found.rows,
            found.bytes,
            found.history_begins_at,
            [EVERYTHING_ELSE, *sorted(logged_kinds())],
            LEAST_DAYS,
            call.scope.is_super_admin,
        )
    )


@operation(
    "POST",
    f"{PATH}/set",
    tag=TAG,
    summary="Set how long actions are kept",
    description="`kind` is a resource kind, or `*` for all that have no policy of their own.",
    features=[VIEW_TENANT],
    body=SetRetention,
    example={"kind": "dictionaries.entry", "days": 365},
    answers={200: OK, 400: Answer(InvalidView, "No such kind, or not so many days"), 403: _ONLY_SUPER},
)
async def set_policy(call: Call[SetRetention]) -> Response[Any]:
    """200 when it holds."""
    return call.answer(await call.execute(call.body), body={"ok": True})


@operation(
    "POST",
    f"{PATH}/clear",
    tag=TAG,
    summary="Keep actions for ever again",
    features=[VIEW_TENANT],
    body=ClearRetention,
    example={"kind": "dictionaries.entry"},
    answers={200: OK, 403: _ONLY_SUPER},
)
async def clear_policy(call: Call[ClearRetention]) -> Response[Any]:
    """200 when there is no policy for the kind."""
    return call.answer(await call.execute(call.body), body={"ok": True})


@operation(
    "POST",
    f"{PATH}/run",
    tag=TAG,
    summary="Remove old actions now",
    description="A background job removes what is older than its policy; otherwise that is done once a day.",
    features=[VIEW_TENANT],
    body=RunRetention,
    example={},
    answers={200: OK, 403: _ONLY_SUPER},
)
async def run(call: Call[RunRetention]) -> Response[Any]:
    """200 when the job is written down."""
    return call.answer(await call.execute(call.body), body={"ok": True})
