"""Replays over HTTP: a super admin has the own tenant's history done again. Ours: the documented API has none."""

from typing import Any
from uuid import UUID

from litestar import Response
from msgspec import Struct

from app.http.answers import NOT_FOUND, Answer, InvalidView, refused
from app.http.call import Call
from app.http.operation import operation
from commands.replay_runs import StartReplay
from domain.audit_logs import UNDO_TENANT
from domain.errors import Problem
from queries import replays as queries

TAG = "Replay"
_SHOWN = 20


class Replays(Struct):
    """The newest replays of the tenant."""

    items: list[queries.ReplayItem]


class Started(Struct):
    """The run that will be done."""

    id: UUID


@operation(
    "POST",
    "/replays",
    tag=TAG,
    summary="Start replay",
    description=(
        "Does the history of the tenant again in a scratch database, in the background: `state` applies the recorded"
        " row changes and compares with the live tables, `commands` executes the recorded inputs with today's handlers"
        " and compares what they change. `until` is the id of an action, or a time. For super admins."
    ),
    features=(UNDO_TENANT,),
    body=StartReplay,
    example={"mode": "state"},
    answers={
        202: Answer(Started, "It will be done"),
        400: Answer(InvalidView, "`until` is neither an action nor a time"),
        409: refused("A replay of the tenant is under way"),
    },
)
async def start(call: Call[StartReplay]) -> Response[Any]:
    """202 with its id."""
    return call.answer(await call.execute(call.body), status=202)


@operation(
    "GET",
    "/replays",
    tag=TAG,
    summary="List replays",
    description="The newest 20 replays of the tenant, how far they are and what came of them. For super admins.",
    features=(UNDO_TENANT,),
    answers={200: Answer(Replays, "The replays")},
)
async def list_replays(call: Call[None]) -> Response[Any]:
    """200, newest first."""
    _require_super_admin(call)
    async with call.app.database.read(call.scope.tenant_id) as connection:
        return call.json(Replays(await queries.replays(connection, call.scope, _SHOWN)))


@operation(
    "GET",
    "/replays/{id}",
    tag=TAG,
    summary="Get replay",
    description="One replay with its report: every finding, values of hidden columns left out. For super admins.",
    features=(UNDO_TENANT,),
    answers={200: Answer(queries.ReplayDetail, "The replay"), 404: NOT_FOUND},
)
async def get_replay(call: Call[None]) -> Response[Any]:
    """200; 404 for one that is not of the tenant."""
    _require_super_admin(call)
    async with call.app.database.read(call.scope.tenant_id) as connection:
        found = await queries.replay(connection, call.scope, call.uuid("id"))
    if found is None:
        raise Problem.not_found("Replay not found")
    return call.json(found)


def _require_super_admin(call: Call[None]) -> None:
    if not call.scope.is_super_admin:
        raise Problem.forbidden([UNDO_TENANT])
