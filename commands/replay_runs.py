"""Asking for a replay over the API (beyond the contract; design.md section 11)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from commands.registry import Command, command, handles
from commands.unit import Unit
from domain.audit_logs import UNDO_TENANT
from domain.errors import Problem, issue
from domain.replay import REPLAY_JOB, Mode, ReplayRequest, replay_runs


class StartedReplay(Struct, frozen=True):
    """The run that will be done."""

    id: UUID


@command(
    "replay.runs.start",
    resource="replay.run",
    label="Start replay",
    features=(UNDO_TENANT,),
    undoable=False,
    logged=False,
    why="It only looks: what it builds is thrown away, and its report is no part of history.",
)
class StartReplay(Command, frozen=True, kw_only=True, rename="camel"):
    """Replay the history of the actor's tenant, up to an action (its id) or a time (ISO 8601)."""

    mode: Mode = "state"
    until: Annotated[str, Meta(min_length=1, max_length=100, extra={"trim": True})] | None = None


@handles(StartReplay)
async def start_replay(command: StartReplay, unit: Unit) -> StartedReplay:
    """A background job does it. Raises Problem 403 for all but super admins, 400 for a moment that is none, and 409
    while another replay of the tenant waits or runs.
    """
    if not unit.scope.is_super_admin:
        raise Problem.forbidden([UNDO_TENANT])
    if command.until is not None and not _is_moment(command.until):
        raise Problem.invalid([issue("Neither the id of an action nor a time", ["until"])])
    busy = "select exists (select from replay_runs where tenant_id = $1 and state in ('waiting', 'running'))"
    if await unit.fetchval(busy, unit.scope.tenant_id):
        raise Problem.conflict("A replay is under way", "replay_under_way")
    image = await unit.insert(
        replay_runs, {"mode": command.mode, "until": command.until, "requested_by": unit.scope.actor.id}
    )
    assert image is not None, "an unconditional insert gives its row"
    unit.enqueue(REPLAY_JOB, ReplayRequest(image.id), dedupe_key="replay")
    return StartedReplay(image.id)


def _is_moment(text: str) -> bool:
    for read in (UUID, datetime.fromisoformat):
        try:
            read(text)
        except ValueError:
            continue
        return True
    return False
