"""May this be taken back, or put forward again? The rules of the contract (audit-logs.md sections 7 and 8)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.audit_logs import TAKEN_BACK
from domain.errors import Problem
from domain.scope import Scope
from domain.upcasters import current

UNAVAILABLE = {"undo": "Undo token not available", "redo": "Redo target not available"}


class Source(Struct, frozen=True):
    """The log row to reverse, as far as the bus needs it."""

    log_id: UUID
    seq: int
    command_id: str
    label: str | None
    resource_kind: str | None
    resource_id: str | None
    context: dict[str, Any] | None
    changes: str | None
    """None: too many to be handed over at once (`commands.history.reverse_large`)."""
    reverses: UUID
    """The row whose changes are reversed: the command itself for an undo, its undo row for a redo."""
    features: tuple[str, ...] = ()
    """Besides those of the command: of a batch those of all its commands, of a restoration those of what it undid."""


# The newest action that the caller could undo: of the same record, where the action is about one. Two selects, because
# the narrower one must be found by the record's index, however long the log is.
_NEWEST = """(select n.id from action_logs n
         where n.tenant_id = l.tenant_id{same} and n.undo_token is not null
           and n.actor_user_id is not distinct from case when $4 then l.actor_user_id else $3::uuid end
           and n.organization_id is not distinct from l.organization_id
           and not exists (select from action_log_reversals r where r.tenant_id = n.tenant_id and r.log_id = n.id)
           and not {taken}
         order by n.seq desc limit 1)"""
_TAKEN = TAKEN_BACK.format("n")
_OF_RECORD = _NEWEST.format(
    taken=_TAKEN, same=" and n.resource_kind = l.resource_kind and n.resource_id = l.resource_id"
)

LARGE = 5_000
"""Row changes from which on they are reversed piece by piece."""
_MODEST = f"case when jsonb_array_length({{0}}.changes) <= {LARGE} then {{0}}.changes::text end"

_UNDO = f"""
select l.id, l.seq, l.command_id, l.action_label, l.resource_kind, l.resource_id, l.organization_id, l.actor_user_id,
       l.context::text as context, {_MODEST.format("l")} as changes, l.schema_rev, l.created_at,
       case when l.command_id = 'backstep.batch' then l.input else l.context end -> 'features' as features,
       exists (select from action_log_reversals r where r.tenant_id = l.tenant_id and r.log_id = l.id)
         or {TAKEN_BACK.format("l")} as reversed,
       case when l.resource_kind is null or l.resource_id is null then {_NEWEST.format(taken=_TAKEN, same="")}
            else {_OF_RECORD} end as latest
  from action_logs l where l.tenant_id = $1 and l.undo_token = $2
"""

_REDO = f"""
select l.id, u.seq, l.command_id, l.action_label, l.resource_kind, l.resource_id, l.organization_id, l.actor_user_id,
       l.context::text as context, {_MODEST.format("u")} as changes, u.schema_rev, u.id as undo_id,
       case when l.command_id = 'backstep.batch' then l.input else l.context end -> 'features' as features,
       r.reversed_by is not null and u.history_action = 'undo' and not exists
         (select from action_log_reversals again where again.tenant_id = u.tenant_id and again.log_id = u.id) as undone,
       (select n.source_log_id from action_logs n
          join action_logs s on s.tenant_id = n.tenant_id and s.id = n.source_log_id
         where n.tenant_id = l.tenant_id and n.history_action = 'undo'
           and s.actor_user_id is not distinct from case when $4 then l.actor_user_id else $3::uuid end
           and s.organization_id is not distinct from l.organization_id
           and not exists
             (select from action_log_reversals again where again.tenant_id = n.tenant_id and again.log_id = n.id)
         order by n.seq desc limit 1) as latest
  from action_logs l
  left join action_log_reversals r on r.tenant_id = l.tenant_id and r.log_id = l.id
  left join action_logs u on u.tenant_id = r.tenant_id and u.id = r.reversed_by
 where l.tenant_id = $1 and l.id = $2
"""


async def for_undo(connection: Any, token: str, scope: Scope, max_age: timedelta | None) -> Source:
    """The row that `token` may take back. Raises Problem 400; its code says why, where that leaks nothing."""
    wide = scope.can("audit_logs.undo_tenant")
    row = await connection.fetchrow(_UNDO, scope.tenant_id, token, scope.actor.id, wide)
    _may_see(row, scope, wide, "undo")
    if row["reversed"]:
        raise Problem.bad_request(UNAVAILABLE["undo"], "already_undone")
    if max_age is not None and datetime.now(UTC) - row["created_at"] > max_age:
        raise Problem.bad_request(UNAVAILABLE["undo"], "expired")
    if row["latest"] != row["id"]:
        raise Problem.bad_request("A later action must be undone first", "not_latest")
    return _source(row, row["id"])


async def for_redo(connection: Any, log_id: UUID, scope: Scope) -> Source:
    """The row `log_id` when it is the latest undone one. Raises Problem 400."""
    wide = scope.can("audit_logs.redo_tenant")
    row = await connection.fetchrow(_REDO, scope.tenant_id, log_id, scope.actor.id, wide)
    _may_see(row, scope, wide, "redo")
    if not row["undone"]:
        raise Problem.bad_request(UNAVAILABLE["redo"], "not_undone")
    if row["latest"] != row["id"]:
        raise Problem.bad_request("A later undo must be redone first", "not_latest")
    return _source(row, row["undo_id"])


def _may_see(row: Any, scope: Scope, wide: bool, action: str) -> None:
    unavailable = Problem.bad_request(UNAVAILABLE[action], "not_available")
    if row is None or not (wide or row["actor_user_id"] == scope.actor.id):
        raise unavailable
    organization = row["organization_id"]
    if organization is None:
        return
    here = scope.feature_organization_id
    if not wide and here is None:
        here = scope.home_organization_id
    if here != organization and not (wide and here is None):
        raise unavailable
    if not scope.may_touch(organization):
        raise unavailable


def _source(row: Any, reverses: UUID) -> Source:
    return Source(
        log_id=row["id"],
        seq=row["seq"],
        command_id=row["command_id"],
        label=row["action_label"],
        resource_kind=row["resource_kind"],
        resource_id=row["resource_id"],
        context=msgspec.json.decode(row["context"]) if row["context"] else None,
        changes=None if row["changes"] is None else current(row["changes"], row["schema_rev"]),
        reverses=reverses,
        features=tuple(msgspec.json.decode(row["features"], type=list[str])) if row["features"] else (),
    )
