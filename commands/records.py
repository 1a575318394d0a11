"""Commands of the records of custom entities (contract: entities.md section 3)."""

from typing import Annotated, Any
from uuid import UUID
from weakref import WeakKeyDictionary

import msgspec
from msgspec import Meta, Raw

from commands.custom_fields import checked
from commands.registry import Command, command, guards, handles
from commands.unit import Unit
from domain.entities import RECORDS_MANAGE, record_feature
from domain.errors import Problem
from domain.records import (
    RECORD_KIND,
    admit,
    bare_values,
    classify,
    entity_records,
    own_organization,
    usable_record_id,
)

Word = Annotated[str, Meta(min_length=1)]
Answer = dict[str, Any]

_values = msgspec.json.Decoder(dict[str, Raw])
_admitted: WeakKeyDictionary[Unit, set[str]] = WeakKeyDictionary()
"""The entities whose rights the handler of a unit has checked."""

_FIND = (
    "select id, deleted_at, custom_fields::text as custom_fields from entity_records"
    " where tenant_id = $1 and entity_type = $2 and record_id = $3 and organization_id = $4"
)


@command("entities.records.create", resource=RECORD_KIND, label="Create record", features=(RECORDS_MANAGE,))
class CreateRecord(Command, frozen=True, kw_only=True, rename="camel"):
    """Add a record of a custom entity; with the id of an existing record, that one is overwritten."""

    entity_id: Word
    record_id: Word | None = None
    values: dict[str, Any] = {}


@handles(CreateRecord)
async def create_record(command: CreateRecord, unit: Unit) -> Answer:
    """Everything that an existing record held is replaced; a deleted one lives again."""
    organization = await _admit(unit, command.entity_id)
    values = await _checked(unit, command.entity_id, command.values, organization)
    record_id = usable_record_id(command.record_id)
    stored = await _find(unit, command.entity_id, record_id, organization)
    if stored is None:
        return await _insert(unit, command.entity_id, record_id, organization, values)
    await unit.update(entity_records, stored["id"], {"custom_fields": values, "deleted_at": None})
    return _answer(command.entity_id, record_id)


@command("entities.records.update", resource=RECORD_KIND, label="Update record", features=(RECORDS_MANAGE,))
class UpdateRecord(Command, frozen=True, kw_only=True, rename="camel"):
    """Set values of a record. One that does not exist is created; `values` that are no object are none."""

    entity_id: Word
    record_id: Word
    values: Any = {}


@handles(UpdateRecord)
async def update_record(command: UpdateRecord, unit: Unit) -> Answer:
    """Values that are not sent stay as they are, a null is kept as such, and a deleted record lives again.

    What the record holds is read and written under the tenant's lock, so that no edit of another is lost.
    """
    organization = await _admit(unit, command.entity_id)
    sent = command.values if isinstance(command.values, dict) else {}
    values = await _checked(unit, command.entity_id, sent, organization)
    record_id = usable_record_id(command.record_id)
    stored = await _find(unit, command.entity_id, record_id, organization)
    if stored is None:
        return await _insert(unit, command.entity_id, record_id, organization, values)
    merged: dict[str, Any] = {**_values.decode(stored["custom_fields"]), **values}
    await unit.update(entity_records, stored["id"], {"custom_fields": merged, "deleted_at": None})
    return _answer(command.entity_id, record_id)


@command("entities.records.delete", resource=RECORD_KIND, label="Delete record", features=(RECORDS_MANAGE,))
class DeleteRecord(Command, frozen=True, kw_only=True, rename="camel"):
    """Delete a record softly: its values stay, and undo or an update brings it back."""

    entity_id: Word
    record_id: Word


@handles(DeleteRecord)
async def delete_record(command: DeleteRecord, unit: Unit) -> Answer:
    """A record that does not exist, or is deleted already, is not found (404)."""
    organization = await _admit(unit, command.entity_id)
    record_id = usable_record_id(command.record_id)
    stored = await _find(unit, command.entity_id, record_id, organization)
    if stored is None or stored["deleted_at"] is not None:
        raise Problem.not_found("Record not found")
    await unit.update(entity_records, stored["id"], {"deleted_at": unit.now})
    return {"ok": True}


@guards("entity_records", piecewise=True)
async def keep_out(unit: Unit) -> None:
    """Undo and redo of changes of a restricted entity's records need the right to it, as the changes did."""
    types = {
        msgspec.json.decode(image["entity_type"], type=str)
        for change in unit.changes
        if change.t == "entity_records" and (image := change.u if change.o == "u" else change.a or change.b)
    }
    for entity_id in sorted(types - _admitted.get(unit, set())):
        found = await classify(unit.connection, unit.scope, entity_id)
        if found.restricted and not unit.scope.can(record_feature(entity_id, "manage")):
            raise Problem.forbidden()


async def _admit(unit: Unit, entity_id: str) -> UUID:
    """Check the right to change the entity's records, and answer with the organization that they are changed in."""
    await admit(unit.connection, unit.scope, entity_id, "manage")
    _admitted.setdefault(unit, set()).add(entity_id)
    organization = own_organization(unit.scope)
    if organization is None:
        raise Problem.bad_request("Organization context is required")
    if not unit.scope.may_touch(organization):
        raise Problem.forbidden()
    return organization


async def _checked(unit: Unit, entity_id: str, sent: dict[str, Any], organization: UUID) -> dict[str, Any]:
    return await checked(unit, entity_id, bare_values(sent), organization, undeclared="refuse")


async def _find(unit: Unit, entity_id: str, record_id: UUID | None, organization: UUID) -> Any:
    if record_id is None:
        return None
    return await unit.fetchrow(_FIND, unit.scope.tenant_id, entity_id, record_id, organization)


async def _insert(
    unit: Unit, entity_id: str, record_id: UUID | None, organization: UUID, values: dict[str, Any]
) -> Answer:
    """The row has the record's id, unless another entity or organization has a record of that id."""
    row_id = record_id or unit.new_id()
    if record_id is not None and await unit.get(entity_records, record_id) is not None:
        row_id = unit.new_id()
    await unit.insert(
        entity_records,
        {
            "id": row_id,
            "organization_id": organization,
            "entity_type": entity_id,
            "record_id": record_id or row_id,
            "custom_fields": values,
        },
    )
    return _answer(entity_id, record_id or row_id)


def _answer(entity_id: str, record_id: UUID | None) -> Answer:
    return {"ok": True, "item": {"entityId": entity_id, "recordId": str(record_id)}}
