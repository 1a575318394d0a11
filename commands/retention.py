"""Commands on the retention of the log: policies, and a run now (decision 0033). Super admins only."""

from typing import Annotated, Any

from msgspec import Meta

from commands.registry import Command, command, definitions, guards, handles
from commands.unit import Unit
from domain.audit_logs import VIEW_TENANT
from domain.errors import Problem, issue
from domain.resources import all_resources
from domain.retention import (
    EVERYTHING_ELSE,
    LEAST_DAYS,
    MOST_DAYS,
    RETENTION_JOB,
    log_retention_policies,
)

Kind = Annotated[str, Meta(min_length=1, max_length=200)]


@command(
    "audit_logs.retention.set",
    resource="audit_logs.retention_policy",
    label="Set log retention",
    features=(VIEW_TENANT,),
)
class SetRetention(Command, frozen=True, kw_only=True, rename="camel"):
    """Keep actions on a kind of record for so many days; `*` is every kind without a policy of its own."""

    kind: Kind
    days: Annotated[int, Meta(ge=LEAST_DAYS, le=MOST_DAYS)]


@handles(SetRetention)
async def set_retention(command: SetRetention, unit: Unit) -> None:
    """Raises Problem 400 for a kind that nothing is logged for, and 403 for all but super admins."""
    _require_super_admin(unit)
    if command.kind != EVERYTHING_ELSE and command.kind not in logged_kinds():
        raise Problem.invalid([issue("Nothing is logged for this kind", ["kind"])])
    stored = await _stored(unit, command.kind)
    if stored is None:
        await unit.insert(log_retention_policies, {"kind": command.kind, "days": command.days})
    else:
        await unit.update(log_retention_policies, stored, {"days": command.days})


@command(
    "audit_logs.retention.clear",
    resource="audit_logs.retention_policy",
    label="Clear log retention",
    features=(VIEW_TENANT,),
)
class ClearRetention(Command, frozen=True, kw_only=True, rename="camel"):
    """Take the policy of a kind away: its actions are kept as `*` says, or for ever."""

    kind: Kind


@handles(ClearRetention)
async def clear_retention(command: ClearRetention, unit: Unit) -> None:
    """Does nothing when there is none. Raises Problem 403 for all but super admins."""
    _require_super_admin(unit)
    stored = await _stored(unit, command.kind)
    if stored is not None:
        await unit.delete(log_retention_policies, stored)


@command(
    "audit_logs.retention.run",
    resource="audit_logs.retention_policy",
    label="Remove old actions",
    features=(VIEW_TENANT,),
    undoable=False,
    why="What is removed from the log is gone; that it was removed stays in the log.",
)
class RunRetention(Command, frozen=True, kw_only=True, rename="camel"):
    """Have what is older than its policy removed from the log now."""


@handles(RunRetention)
async def run_retention(command: RunRetention, unit: Unit) -> dict[str, bool]:
    """A background job does it. Raises Problem 403 for all but super admins."""
    _require_super_admin(unit)
    unit.enqueue(RETENTION_JOB, None, dedupe_key="run")
    return {"ok": True}


@guards("log_retention_policies")
async def only_super_admins(unit: Unit) -> None:
    """By undo and redo, too. Raises Problem 403."""
    _require_super_admin(unit)


def logged_kinds() -> set[str]:
    """The kinds of records that actions are logged for."""
    declared = {resource.kind for resource in all_resources() if resource.kind is not None}
    return declared | {one.resource for one in definitions() if one.logged}


def _require_super_admin(unit: Unit) -> None:
    if not unit.scope.is_super_admin:
        raise Problem.forbidden(error="Only super admins may decide how long the log is kept")


async def _stored(unit: Unit, kind: str) -> Any:
    return await unit.fetchval(
        "select id from log_retention_policies where tenant_id = $1 and kind = $2", unit.scope.tenant_id, kind
    )
