"""Erasing a person: the secret of a record's sealed values is destroyed (decision 0034)."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final
from uuid import UUID

from msgspec import Meta, Raw, Struct

from commands.encryption import MANAGE, sealable_columns
from commands.registry import Command, command, definitions, handles
from commands.sealing import Seals
from commands.unit import Unit
from domain import snapshots
from domain.custom_fields import ENTITY_ID
from domain.encryption.plan import CUSTOM, RECORDS, resource_of_entity
from domain.encryption.subjects import destroy_secrets
from domain.encryption.tables import subject_keys
from domain.encryption.tokens import head_of, is_token, marked_texts, subjects_in
from domain.errors import Problem
from domain.images import camel
from domain.records import admit, own_organization
from domain.resources import Resource

NEUTRAL: Final = "Erased"
"""What stands in a column that may not be null."""

_LAST = """
select l.organization_id, l.parent_resource_id from action_log_rows r
  join action_logs l on l.tenant_id = r.tenant_id and l.id = r.log_id
 where r.tenant_id = $1 and r.table_name = $2 and r.row_id = $3 order by r.seq desc limit 1
"""
_OLDER = """
select count(distinct l.id) from action_log_rows r
  join action_logs l on l.tenant_id = r.tenant_id and l.id = r.log_id, jsonb_array_elements(l.changes) c
 where r.tenant_id = $1 and r.table_name = $2 and r.row_id = $3
   and c ->> 't' = $2 and c -> 'k' ->> 'id' = $3::text and c::text ~ 'bse1:[0-9]{1,9}:[0-9a-f]{32}:[A-Za-z0-9_-]'
"""


class Erased(Struct, frozen=True, rename="camel"):
    """What an erasure did. `erased` is false when there was nothing (left) to erase; `fields` were emptied just now.

    `olderActions`: how many actions of history hold values of the record in the form without a secret of its own, which
    no erasure reaches.
    """

    ok: bool
    erased: bool
    fields: list[str]
    older_actions: int


@command(
    "entities.encryption.erase",
    resource="entities.erasure",
    label="Erase record",
    features=(MANAGE,),
    undoable=False,
    why="The secret that opened the values is gone.",
    target="record_id",
)
class Erase(Command, frozen=True, kw_only=True, rename="camel"):
    """Make the sealed values of a record unreadable for good, in its row and in all of history."""

    entity_id: Annotated[str, Meta(max_length=200, pattern=ENTITY_ID)]
    record_id: UUID
    reason: Annotated[str, Meta(min_length=1, max_length=1000, extra={"trim": True})]

    def about(self) -> str | None:
        """It is logged as an action on the record."""
        resource = resource_of_entity(self.entity_id)
        return None if resource is None else resource.kind


@handles(Erase)
async def erase(command: Erase, unit: Unit) -> Erased:
    """A record that is deleted already can be erased too. Once more is harmless.

    Raises Problem 400 for an entity without encrypted fields, 403 for one whose records the caller may not delete, and
    404 for a record that there never was or that belongs to an organization beyond the caller's reach.
    """
    resource = resource_of_entity(command.entity_id)
    if resource is None or not resource.logged or not sealable_columns(resource):
        raise Problem.bad_request("This entity has no encrypted fields", "not_encryptable")
    await _require_right(unit, resource, command.entity_id)
    row = await _live(unit, resource, command)
    if row is None:
        await _require_past(unit, resource, command)
    row_id = command.record_id if row is None else UUID(row["id"])
    place = (unit.scope.tenant_id, resource.name, row_id)
    seals = unit.seals
    if seals is not None:
        await seals.learn(unit.connection, subjects_in("\n".join(marked_texts(row)).encode()))
    gone: list[UUID] = []
    if seals is None or not seals.repeats:
        gone = await destroy_secrets(unit.connection, *place, unit.now)
    if gone:
        unit.touch(subject_keys.name)
    fields: list[str] = []
    if seals is not None and row is not None:
        seals.erased(gone)
        fields = await _empty(unit, seals, resource, row)
    older = await unit.fetchval(_OLDER, *place)
    return Erased(True, bool(gone or fields), fields, older)


async def _require_right(unit: Unit, resource: Resource, entity_id: str) -> None:
    """Who erases a record takes more from it than who deletes it, and needs the right to that. Raises Problem 403."""
    if resource.name == RECORDS:
        await admit(unit.connection, unit.scope, entity_id, "manage")
    rights = [
        one.features for one in definitions() if one.resource == resource.kind and one.id.endswith(".delete")
    ]
    if rights and all(unit.scope.missing(features) for features in rights):
        raise Problem.forbidden(list(rights[0]))


async def _live(unit: Unit, resource: Resource, command: Erase) -> dict[str, Any] | None:
    """The record's row; of several organizations' records with one id, the own one's before others'."""
    if resource.name != RECORDS:
        found = await unit.fetch(_row_sql(resource, "t.id = $2"), unit.scope.tenant_id, command.record_id)
    else:
        sql = _row_sql(resource, "t.record_id = $2 and t.entity_type = $3")
        found = await unit.fetch(sql, unit.scope.tenant_id, command.record_id, command.entity_id)
    rows = [snapshots.decode(record["row"]) for record in found]
    mine = [row for row in rows if unit.scope.may_touch(_organization(row.get(resource.place)))]
    if rows and not mine:
        raise Problem.not_found("No such record")
    own = str(own_organization(unit.scope))
    return min(mine, key=lambda row: (row.get(resource.place) != own, row["id"]), default=None)


def _row_sql(resource: Resource, condition: str) -> str:
    return f"select to_jsonb(t)::text as row from {resource.name} t where t.tenant_id = $1 and {condition}"


def _organization(value: Any) -> UUID | None:
    return None if value is None else UUID(value)


async def _require_past(unit: Unit, resource: Resource, command: Erase) -> None:
    """Raises Problem 404 unless history knows the record, within the caller's reach."""
    last = await unit.fetchrow(_LAST, unit.scope.tenant_id, resource.name, command.record_id)
    if (
        last is None
        or not unit.scope.may_touch(last["organization_id"])
        or (resource.name == RECORDS and last["parent_resource_id"] != command.entity_id)
    ):
        raise Problem.not_found("No such record")


async def _empty(unit: Unit, seals: Seals, resource: Resource, row: dict[str, Any]) -> list[str]:
    """Empty the sealed fields of the live row; returns their names. What they held is not written down once more."""
    designated = seals.designated(resource, row)
    columns = [
        name
        for name in sorted(resource.encryptable)
        if row[name] is not None
        and (name in designated.columns or is_token(row[name]))
        and row[name] != NEUTRAL
    ]
    custom: dict[str, Any] = row.get(CUSTOM) or {}
    sealed = designated.custom | set(designated.hashes.values())
    keys = [
        key for key, value in custom.items() if value is not None and (key in sealed or any(_tokens([value])))
    ]
    nullable = resource.table.columns
    patch: dict[str, Any] = {name: None if nullable[name].nullable else NEUTRAL for name in columns}
    if keys:
        patch[CUSTOM] = Raw(snapshots.encode(custom | dict.fromkeys(keys)))
    if not patch:
        return []
    await unit.update(resource.table, UUID(row["id"]), patch)
    told = {name for name in columns if _tells(seals, [row[name]])}
    if _tells(seals, [custom[key] for key in keys]):
        told.add(CUSTOM)
    for change in unit.changes:
        change.b = {name: value for name, value in (change.b or {}).items() if name not in told}
    return [*map(camel, columns), *(f"cf_{key}" for key in keys)]


def _tells(seals: Seals, values: Iterable[Any]) -> bool:
    """Whether anything in these values can still be read, be it plain or by the keys that are left."""
    for value in values:
        inner = value if isinstance(value, list) else [value]
        for one in inner:
            head = head_of(one) if is_token(one) else None
            subject = None if head is None or head.subject is None else seals.subjects.get(head.subject)
            if one is not None and (subject is None or subject.secret is not None):
                return True
    return False


def _tokens(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, list):
            yield from _tokens(value)
        elif is_token(value):
            yield value
