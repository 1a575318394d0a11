"""Going back: a record as it was at a moment, as a command that can itself be undone (design.md section 5)."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Raw

from commands.history import ChangedSince, blocked, settle
from commands.registry import Command, command, definition, handles
from commands.unit import Unit
from domain.audit_logs import UNDO_SELF, UNDO_TENANT
from domain.errors import Problem
from domain.moments import TOUCHED, PastRow, Subject, moment_of, rows_at, subject_args
from domain.resources import Resource, Row, resource_of_kind

_SINCE = f"""
select l.command_id, case when l.command_id = 'backstep.batch' then l.input -> 'features' else l.context -> 'features'
       end::text as features, bool_and(l.actor_user_id is not distinct from $6::uuid) as own
  from ({TOUCHED}) h join action_logs l on l.tenant_id = $1 and l.id = h.log_id
 where h.seq > $5 group by 1, 2
"""


@command("backstep.records.restore", resource="backstep.record", label="Restore record", target="resource_id")
class RestoreRecord(Command, frozen=True, kw_only=True, rename="camel"):
    """Make a record what it was at a moment: an ISO time, or the id of an action."""

    resource_kind: Annotated[str, Meta(min_length=1, max_length=200)]
    resource_id: UUID
    at: Annotated[str, Meta(min_length=1, max_length=100, extra={"trim": True})]

    def about(self) -> str:
        """It is logged as an action on the record."""
        return self.resource_kind


@handles(RestoreRecord)
async def restore_record(command: RestoreRecord, unit: Unit) -> dict[str, Any]:
    """How many rows were written.

    Raises Problem 404 for an unknown kind, record or action, 400 for a moment that is none or a record that does not go
    together with what others are now, and 403 when the caller could not have done, or could not undo, what was done
    since.
    """
    resource = resource_of_kind(command.resource_kind)
    if resource is None or not resource.logged:
        raise Problem.not_found("No such kind of record")
    subject = Subject(resource, command.resource_id)
    moment = await moment_of(unit.connection, unit.scope.tenant_id, command.at)
    await _require_rights(unit, subject, moment.seq)
    rows = await rows_at(unit.connection, unit.scope.tenant_id, subject, moment.seq)
    if not rows:
        raise Problem.not_found("No such record")
    _require_places(unit, rows)
    await unit.connection.execute("set constraints all deferred")
    for one in _by_table(rows, backwards=True):
        await unit.delete_many(one[0].resource.table, [row.id for row in one if row.then is None])
    for one in _by_table(rows):
        await _write(unit, one[0].resource, one)
    await unit.connection.execute("set constraints all immediate")
    try:
        await settle(unit, unit.changes)
    except ChangedSince as error:
        raise await blocked(unit.connection, error, unit.scope.tenant_id, moment.seq) from error
    return {"ok": True, "rows": len(unit.changes)}


async def _require_rights(unit: Unit, subject: Subject, seq: int) -> None:
    """What was done since is what going back undoes: its features are needed, and the right to undo it."""
    args = subject_args(unit.scope.tenant_id, subject)
    found = await unit.fetch(_SINCE, *args, seq, unit.scope.actor.id)
    needed = [UNDO_SELF if all(row["own"] for row in found) else UNDO_TENANT]
    for row in found:
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


def _require_places(unit: Unit, rows: Sequence[PastRow]) -> None:
    """Neither where the record is now nor where it was may be beyond the caller's reach."""
    for row in rows:
        for image in (row.then, row.now):
            place = image.get(row.resource.place) if image is not None else None
            if place is not None and not unit.scope.may_touch(msgspec.json.decode(place, type=UUID | None)):
                raise Problem.not_found("No such record")


def _by_table(rows: Sequence[PastRow], backwards: bool = False) -> list[list[PastRow]]:
    groups: dict[str, list[PastRow]] = {}
    for row in rows:
        groups.setdefault(row.resource.name, []).append(row)
    return list(groups.values())[:: -1 if backwards else 1]


async def _write(unit: Unit, resource: Resource, rows: Sequence[PastRow]) -> None:
    """Bring back rows that are gone, and set back those that differ."""
    lost = [_whole(resource, row.then) for row in rows if row.then is not None and row.now is None]
    await unit.insert_many(resource.table, lost)
    changed = [
        {"id": row.id, **difference}
        for row in rows
        if row.then is not None and row.now is not None and (difference := _difference(resource, row))
    ]
    await unit.update_many(resource.table, changed)


def _whole(resource: Resource, row: Row) -> dict[str, Raw]:
    """All of a row but its stamps, which are made anew."""
    known = frozenset(resource.columns) - resource.volatile
    return {column: value for column, value in row.items() if column in known}


def _difference(resource: Resource, row: PastRow) -> dict[str, Raw]:
    """The columns to set, among those that a reversal would set: no stamps, nothing computed, no secrets."""
    then, now = row.then or {}, row.now or {}
    left = resource.volatile | resource.computed | resource.secret | {"tenant_id", "id", "created_at"}
    known = frozenset(resource.columns) - left
    return {column: value for column, value in then.items() if column in known and now.get(column) != value}
