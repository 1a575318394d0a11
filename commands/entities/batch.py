"""Saving many definitions, and the fieldsets, of one entity at once (contract: entities.md 2.4)."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from commands.entities.definitions import EntityId, Key, check_config, require_possible
from commands.entities.place import Found, deleted_at, organization_of, require_definable, version
from commands.registry import Command, command, handles
from commands.unit import Unit
from domain.custom_fields import Kind
from domain.custom_fields.configuration import BatchConfig, Config, normalized
from domain.custom_fields.fieldsets import Fieldset
from domain.entities import DEFINITION_KIND, MANAGE, field_definitions, fieldset_configs
from domain.wire import iso_ms_or_none

MOST_DEFINITIONS = 1000
MOST_FIELDSETS = 20

_ROWS = """
select id, key, kind, config::text as config, deleted_at, organization_id from field_definitions
 where tenant_id = $1 and entity_id = $2 and key = any($3::text[]) and (organization_id is null or organization_id = $4)
"""
_FIELDSETS = """
select id, config::text as config, organization_id from fieldset_configs
 where tenant_id = $1 and entity_id = $2 and (organization_id is null or organization_id = $3)
 order by organization_id is null limit 1
"""
_config = msgspec.json.Decoder(dict[str, Any])


class DefinitionEntry(Struct, frozen=True, kw_only=True, rename="camel"):
    """One definition of a batch; its place in the list is its priority, unless it says another."""

    key: Key
    kind: Kind
    config_json: dict[str, Any] | UnsetType | None = UNSET
    is_active: bool = True
    priority: int | float | UnsetType = UNSET


@command(
    "entities.definitions.upsert_batch",
    resource=DEFINITION_KIND,
    label="Save field definitions",
    features=(MANAGE,),
    target="entity_id",
)
class UpsertDefinitions(Command, frozen=True, kw_only=True, rename="camel"):
    """Save definitions in their order, and the fieldsets where they are given; what is not named stays as it is."""

    entity_id: EntityId
    definitions: Annotated[list[DefinitionEntry], Meta(max_length=MOST_DEFINITIONS)]
    fieldsets: Annotated[list[Fieldset], Meta(max_length=MOST_FIELDSETS)] | UnsetType = UNSET
    single_fieldset_per_record: bool | UnsetType = UNSET


@handles(UpsertDefinitions)
async def upsert_definitions(command: UpsertDefinitions, unit: Unit) -> dict[str, Any]:
    """Two statements however many there are. The lock is on the version of all definitions (1.7)."""
    organization = organization_of(unit)
    require_definable(command.entity_id)
    unit.check_version(DEFINITION_KIND, await version(unit, command.entity_id, organization))
    wanted = {entry.key: (index, entry) for index, entry in enumerate(command.definitions)}
    for _, entry in wanted.values():
        check_config(entry.config_json or {}, BatchConfig, "definitions")
        if entry.is_active:
            await require_possible(unit, organization, entry.kind, entry.config_json or {})
    rows = await unit.fetch(_ROWS, unit.scope.tenant_id, command.entity_id, list(wanted), organization)
    own = {row["key"]: row for row in rows if row["organization_id"] is not None}
    inherited = {row["key"]: row for row in rows if row["organization_id"] is None}
    place = {"organization_id": organization, "entity_id": command.entity_id}
    made, changed = [], []
    for key, (index, entry) in wanted.items():
        row = own.get(key)
        values = _values(unit, entry, index, row, inherited.get(key))
        if row is None:
            made.append({**place, "key": key, **values})
        else:
            changed.append({"id": row["id"], **values})
    await unit.update_many(field_definitions, changed)
    await unit.insert_many(field_definitions, made)
    await _save_fieldsets(unit, command, organization)
    return {"ok": True, "version": iso_ms_or_none(await version(unit, command.entity_id, organization))}


def _values(
    unit: Unit, entry: DefinitionEntry, index: int, own: Found | None, inherited: Found | None
) -> dict[str, Any]:
    """The columns of one definition; a deleted one without a configuration keeps that of the row that it had."""
    config: Config = entry.config_json or {}
    priority = index if entry.priority is UNSET else entry.priority
    source = own or inherited
    if not entry.is_active and not config and source is not None:
        config = _config.decode(source["config"])
    return {
        "kind": entry.kind,
        "config": {**normalized(entry.key, entry.kind, config), "priority": priority},
        "is_active": entry.is_active,
        "deleted_at": deleted_at(unit, entry.is_active, own),
    }


async def _save_fieldsets(unit: Unit, command: UpsertDefinitions, organization: UUID) -> None:
    """Write the fieldsets' row when anything of it was sent; the half that was not sent keeps its value."""
    given: dict[str, Any] = {}
    if command.fieldsets is not UNSET:
        given["fieldsets"] = msgspec.to_builtins(command.fieldsets)
    if command.single_fieldset_per_record is not UNSET:
        given["singleFieldsetPerRecord"] = command.single_fieldset_per_record
    if not given:
        return
    row = await unit.fetchrow(_FIELDSETS, unit.scope.tenant_id, command.entity_id, organization)
    config = {**(_config.decode(row["config"]) if row is not None else {}), **given}
    if row is not None and row["organization_id"] is not None:
        await unit.update(fieldset_configs, row["id"], {"config": config})
    else:
        place = {"organization_id": organization, "entity_id": command.entity_id}
        await unit.insert(fieldset_configs, {**place, "config": config})
