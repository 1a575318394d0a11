"""Taking back many commands in one step: all that a filter finds, or those named (design.md section 5).

What the commands did to a row is put together first, into one step from what the row must be now to what it was
before them all. So the work follows the number of rows, however often they were changed, and one statement goes back
for up to CHUNK rows of a table.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from commands.history import CHANGED, HistoryAction, reverses, shown_fields
from commands.progress import tell
from commands.registry import Command, command, definition, handles, prepares
from commands.undo_net import Stuck, broken_rows, compose, go_back
from commands.unit import Unit
from domain.audit_logs import TAKEN_BACK, UNDO_SELF, UNDO_TENANT
from domain.errors import Problem, issue
from domain.resources import resource_of
from domain.wire import iso_ms

MOST = 100_000
"""Commands that one step takes back at most: its log row holds all their rows."""
SHOWN = 200
"""Actions, and obstacles, that an answer names."""

Word = Annotated[str, Meta(min_length=1, max_length=200, extra={"trim": True})]


class UndoFilter(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which actions to take back: those to which all of it applies."""

    actor_user_id: UUID | UnsetType = UNSET
    api_key_id: UUID | UnsetType = UNSET
    correlation_id: Word | UnsetType = UNSET
    resource_kind: Word | UnsetType = UNSET
    resource_id: Word | UnsetType = UNSET
    command_id: Word | UnsetType = UNSET
    after: datetime | UnsetType = UNSET
    """Those recorded at this time or later."""
    before: datetime | UnsetType = UNSET
    """Those recorded before this time."""


class UndoneAction(Struct, frozen=True, rename="camel"):
    """One action of the plan."""

    log_id: UUID
    command_id: str
    action_label: str | None
    resource_kind: str | None
    resource_id: str | None
    actor_user_id: UUID | None
    created_at: str


class Obstacle(Struct, frozen=True, rename="camel"):
    """What stands in the way: a record that is not what the actions left, and the later action that made it so."""

    resource_kind: str | None
    resource_id: str
    why: str
    changed_by: UndoneAction | None = None
    changed_fields: list[str] = []
    """What of it the actions left otherwise, as far as that is known and not hidden."""


class UndoneMany(Struct, frozen=True, rename="camel"):
    """What was taken back (or, of a dry run, would be): how many actions, of how many rows, newest first.

    `left_out`: actions that the filter found and that cannot be undone by their nature.
    """

    ok: bool
    total: int
    rows: int
    left_out: int
    actions: list[UndoneAction]


@command("backstep.undo_many", resource="backstep.undo_many", label="Undo many")
class UndoMany(Command, frozen=True, kw_only=True, rename="camel"):
    """Take back all actions that `filter` finds, or those of `log_ids`: all of them, or none."""

    filter: UndoFilter | UnsetType = UNSET
    log_ids: Annotated[list[UUID], Meta(min_length=1, max_length=MOST)] | UnsetType = UNSET


@reverses("backstep.undo_many")
async def mark_again(unit: Unit, log_id: UUID, action: HistoryAction) -> None:
    """With the step taken back, its actions stand again and their tokens work; with its redo they do not."""
    await unit.connection.execute(_MARKED_ANEW, unit.scope.tenant_id, log_id, unit.now, action == "redo")


@prepares(UndoMany)
async def prepare(wanted: UndoMany, unit: Unit) -> None:
    """Work out what the actions did while others write: a log row never changes. Which actions count is asked again
    under the lock.
    """
    tell("choosing")
    try:
        total = await _select(wanted, unit)
    except Problem:
        return  # the handler says why
    tell("comparing", 0, total)
    await unit.connection.execute("delete from undo_set where not undoable")
    await compose(unit)
    await unit.connection.execute(_PREPARED)
    tell("waiting", 0, total)


@handles(UndoMany)
async def undo_many(wanted: UndoMany, unit: Unit) -> UndoneMany:
    """Raises Problem 400 without anything to take back, 403 for actions that are not the caller's to undo, and 409
    with everything that stands in the way.
    """
    total = await _select(wanted, unit)
    await _require_rights(unit)
    left_out = await unit.fetchval("select count(*) from undo_set where not undoable")
    if left_out:
        if wanted.log_ids is not UNSET:
            raise Problem.bad_request("One of the actions cannot be undone", "not_available")
        await unit.connection.execute("delete from undo_set where not undoable")
    if total == left_out:
        raise Problem.bad_request("There is nothing to take back", "nothing_to_undo")
    if not await _is_prepared(unit):
        tell("comparing", 0, total - left_out)
        await compose(unit)
    stuck = await broken_rows(unit) or await go_back(unit)
    if stuck:
        raise await _blocked(unit, stuck)
    if not unit.changes:
        text = "These actions cancel each other out: there is nothing to take back"
        raise Problem.bad_request(text, "nothing_to_undo")
    rows = unit.put_down + len(unit.changes)
    tell("recording", rows, rows)
    await unit.connection.execute(_MARKED, unit.scope.tenant_id, unit.log_id, unit.now)
    actions = [_action(row) for row in await unit.fetch(_PLAN, unit.scope.tenant_id, SHOWN)]
    return UndoneMany(True, total - left_out, rows, left_out, actions)


async def _is_prepared(unit: Unit) -> bool:
    """Whether what was prepared is of the same actions."""
    if await unit.fetchval("select to_regclass('pg_temp.undo_prepared') is null"):
        return False
    return bool(await unit.fetchval(_SAME))


_PREPARED = "create temp table undo_prepared on commit drop as select id from undo_set"
_SAME = """
select not exists (select id from undo_prepared except select id from undo_set)
   and not exists (select id from undo_set except select id from undo_prepared)
"""

_SET = """
drop table if exists pg_temp.undo_set;
create temp table undo_set (seq bigint, id uuid, command_id text, own boolean, features jsonb, undoable boolean)
  on commit drop;
"""

_SELECT = f"""
insert into undo_set
select l.seq, l.id, l.command_id, l.actor_user_id is not distinct from $2::uuid,
       case when l.command_id = 'backstep.batch' then l.input else l.context end -> 'features',
       l.undo_token is not null
  from action_logs l
 where l.tenant_id = $1 and l.history_action is distinct from 'undo'
   and not exists (select from action_log_reversals v where v.tenant_id = l.tenant_id and v.log_id = l.id)
   and not {TAKEN_BACK.format("l")}
"""

_MARKED = """
insert into action_log_marks (tenant_id, log_id, origin, undone, marked_at) select $1, id, $2, true, $3 from undo_set
"""
_MARKED_ANEW = """
insert into action_log_marks (tenant_id, log_id, origin, undone, marked_at)
select $1, log_id, $2, $4, $3 from action_log_marks where tenant_id = $1 and origin = $2 group by log_id
"""

_ACTION = "l.id, l.command_id, l.action_label, l.resource_kind, l.resource_id, l.actor_user_id, l.created_at"

_PLAN = f"""
select {_ACTION} from undo_set s join action_logs l on l.tenant_id = $1 and l.id = s.id order by s.seq desc limit $2
"""

_OTHERS = f"""
select x.t, x.id as row_id, {_ACTION}
  from unnest($2::text[], $3::uuid[], $4::text[]) x (t, id, fields)
  left join lateral (
    select l.* from action_log_rows r join action_logs l on l.tenant_id = r.tenant_id and l.id = r.log_id
     where r.tenant_id = $1 and r.table_name = x.t and r.row_id = x.id
       and r.seq > (select min(s.seq) from undo_set s)
       and not exists (select from undo_set s where s.id = r.log_id)
       and {CHANGED}
     order by r.seq desc limit 1) l on true
"""


async def _select(wanted: UndoMany, unit: Unit) -> int:
    """Put the actions into undo_set. Raises Problem 400 for a request that names nothing, too much, or what is gone."""
    await unit.connection.execute(_SET)
    scope = unit.scope
    args: list[Any] = [scope.tenant_id, scope.actor.id]
    sql = _SELECT
    if wanted.log_ids is not UNSET and wanted.filter is UNSET:
        args.append(list(dict.fromkeys(wanted.log_ids)))
        sql += " and l.id = any($3::uuid[])"
    elif wanted.filter is not UNSET and wanted.log_ids is UNSET and _conditions(wanted.filter):
        for condition, value in _conditions(wanted.filter):
            args.append(value)
            sql += f" and {condition.format(len(args))}"
    else:
        text = "Give `filter` with at least one condition, or `logIds`"
        raise Problem.invalid([issue(text, ["filter"])])
    if scope.allowed_ids is not None:
        args.append(list(scope.allowed_ids))
        sql += f" and (l.organization_id is null or l.organization_id = any(${len(args)}::uuid[]))"
    if not scope.can(UNDO_TENANT):
        sql += " and l.actor_user_id = $2"
    done = await unit.connection.execute(f"{sql} order by l.seq desc limit {MOST + 1}", *args)
    total = int(done.rpartition(" ")[2])
    if total > MOST:
        raise Problem.bad_request(f"These are more than {MOST} actions; narrow the filter", "too_many")
    if wanted.log_ids is not UNSET and total < len(args[2]):
        raise Problem.bad_request("One of the actions cannot be undone", "not_available")
    return total


def _conditions(wanted: UndoFilter) -> list[tuple[str, Any]]:
    """SQL conditions, with `{}` for the number of the argument, and their values."""
    by_name: dict[str, str] = {
        "actor_user_id": "l.actor_user_id = ${}::uuid",
        "api_key_id": "l.actor_kind = 'api_key' and l.actor_user_id = ${}::uuid",
        "correlation_id": "l.correlation_id = ${}",
        "resource_kind": "l.resource_kind = ${}",
        "resource_id": "l.resource_id = ${}",
        "command_id": "l.command_id = ${}",
        "after": "l.recorded_at >= ${}::timestamptz",
        "before": "l.recorded_at < ${}::timestamptz",
    }
    given = ((sql, getattr(wanted, name)) for name, sql in by_name.items())
    return [(sql, value) for sql, value in given if value is not UNSET]


async def _require_rights(unit: Unit) -> None:
    """Undo asks for the features of every command again. Raises Problem 403."""
    rows = await unit.fetch(
        "select command_id, features::text as features, bool_and(own) as own from undo_set group by 1, 2"
    )
    needed = [UNDO_SELF if all(row["own"] for row in rows) else UNDO_TENANT]
    for row in rows:
        kind = definition(row["command_id"])
        if kind is None:
            raise Problem.bad_request(
                f"What was done by {row['command_id']} cannot be undone", "not_available"
            )
        recorded = msgspec.json.decode(row["features"], type=list[str]) if row["features"] else []
        needed += [*kind.features, *recorded]
    needed = list(dict.fromkeys(needed))
    missing = unit.scope.missing(needed)
    if missing:
        raise Problem.forbidden(missing)
    unit.context["features"] = [one for one in needed if one not in (UNDO_SELF, UNDO_TENANT)]


async def _blocked(unit: Unit, stuck: Stuck) -> Problem:
    """The answer that names what stands in the way."""
    shown = list(stuck)[:SHOWN]
    others = await unit.fetch(
        _OTHERS,
        unit.scope.tenant_id,
        [table for table, _ in shown],
        [UUID(id) for _, id in shown],
        [msgspec.json.encode(stuck[row]).decode() for row in shown],
    )
    obstacles = [
        Obstacle(
            resource_of(row["t"]).kind,
            str(row["row_id"]),
            "It was changed since by an action that is not among these",
            None if row["id"] is None else _action(row),
            shown_fields(row["t"], stuck[row["t"], str(row["row_id"])]),
        )
        for row in others
    ]
    return Problem.conflict(
        "Some records were changed since; nothing was taken back",
        "undo_many_blocked",
        blocked=msgspec.to_builtins(obstacles),
        blockedTotal=len(stuck),
    )


def _action(row: Any) -> UndoneAction:
    return UndoneAction(
        row["id"],
        row["command_id"],
        row["action_label"],
        row["resource_kind"],
        row["resource_id"],
        row["actor_user_id"],
        iso_ms(row["created_at"]),
    )
