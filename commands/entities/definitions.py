"""Commands on single field definitions (contract: entities.md 2.2, 2.3 and 2.6)."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from commands.entities.place import (
    Found,
    deleted_at,
    invalid,
    organization_of,
    require_definable,
    version,
)
from commands.registry import Command, command, handles
from commands.unit import Image, Unit
from domain.custom_fields import ENTITY_ID, FIELD_KEY, Kind
from domain.custom_fields.configuration import Config, FieldConfig, normalized, obstacle
from domain.entities import DEFINITION_KIND, MANAGE, field_definitions
from domain.errors import Problem
from domain.wire import iso_ms_or_none

EntityId = Annotated[str, Meta(max_length=200, pattern=ENTITY_ID)]
Key = Annotated[str, Meta(min_length=1, max_length=100, pattern=FIELD_KEY)]
AnyText = Annotated[str, Meta(min_length=1, max_length=1000)]

_OWN = """
select id, kind, config::text as config, deleted_at, organization_id, is_active from field_definitions
 where tenant_id = $1 and entity_id = $2 and key = $3 and (organization_id is null or organization_id = $4)
 order by organization_id is null
"""

_ENTRY = """
select exists (select from dictionary_entries e
                 join dictionaries d on d.tenant_id = e.tenant_id and d.id = e.dictionary_id
                where e.tenant_id = $1 and d.id = $2 and d.deleted_at is null and e.value = $3
                  and (d.organization_id = $4
                       or d.organization_id in (select unnest(o.ancestor_ids) from organizations o
                                                 where o.tenant_id = $1 and o.id = $4)))
"""


@command(
    "entities.definitions.upsert",
    resource=DEFINITION_KIND,
    label="Save field definition",
    features=(MANAGE,),
)
class UpsertDefinition(Command, frozen=True, kw_only=True, rename="camel"):
    """Define a field of an entity in the caller's organization, or define it anew; one that was deleted comes back."""

    entity_id: EntityId
    key: Key
    kind: Kind
    config_json: dict[str, Any] | UnsetType = UNSET
    is_active: bool = True


@handles(UpsertDefinition)
async def upsert_definition(command: UpsertDefinition, unit: Unit) -> dict[str, Any]:
    """The row of exactly this organization; the kind may change. Not active means deleted."""
    unit.ignore_version()
    organization = organization_of(unit)
    config = {} if command.config_json is UNSET else command.config_json
    check_config(config, FieldConfig, "configJson")
    require_definable(command.entity_id)
    await require_possible(unit, organization, command.kind, config)
    own = next((row for row in await _rows(unit, command, organization) if row["organization_id"]), None)
    values = {
        "kind": command.kind,
        "config": normalized(command.key, command.kind, config),
        "is_active": command.is_active,
        "deleted_at": deleted_at(unit, command.is_active, own),
    }
    image: Image | None
    if own is None:
        place = {"organization_id": organization, "entity_id": command.entity_id, "key": command.key}
        image = await unit.insert(field_definitions, {**place, **values})
    else:
        image = await unit.update(field_definitions, own["id"], values)
    assert image is not None, "the row was read under the lock"
    shown = {name: image.row[name] for name in ("id", "key", "kind")}
    return {
        "ok": True,
        "item": {**shown, "configJson": image.row["config"], "isActive": image.row["is_active"]},
    }


@command(
    "entities.definitions.delete",
    resource=DEFINITION_KIND,
    label="Delete field definition",
    features=(MANAGE,),
)
class DeleteDefinition(Command, frozen=True, kw_only=True, rename="camel"):
    """Take a field away from the caller's organization; what it inherits stays for the others."""

    entity_id: AnyText
    key: AnyText


@handles(DeleteDefinition)
async def delete_definition(command: DeleteDefinition, unit: Unit) -> dict[str, Any]:
    """Marks the own row, or makes one that hides the inherited field. Raises Problem 404 when there is neither."""
    unit.ignore_version()
    organization = organization_of(unit)
    rows = await _rows(unit, command, organization)
    nearest = rows[0] if rows else None
    if nearest is None or (nearest["organization_id"] is None and not _active(nearest)):
        raise Problem.not_found("Definition not found")
    if nearest["organization_id"] is not None:
        mark = {"is_active": False, "deleted_at": nearest["deleted_at"] or unit.now}
        await unit.update(field_definitions, nearest["id"], mark)
    else:
        await unit.insert(field_definitions, tombstone(unit, organization, command, nearest))
    return {"ok": True, "version": iso_ms_or_none(await version(unit, command.entity_id, organization))}


@command(
    "entities.definitions.restore",
    resource=DEFINITION_KIND,
    label="Restore field definition",
    features=(MANAGE,),
)
class RestoreDefinition(Command, frozen=True, kw_only=True, rename="camel"):
    """Bring the organization's own row of a field back."""

    entity_id: AnyText
    key: AnyText


@handles(RestoreDefinition)
async def restore_definition(command: RestoreDefinition, unit: Unit) -> dict[str, bool]:
    """A row that hid an inherited field becomes a field of its own. Raises Problem 404 when there is no row."""
    unit.ignore_version()
    rows = await _rows(unit, command, organization_of(unit))
    if not rows or rows[0]["organization_id"] is None:
        raise Problem.not_found("Definition not found")
    await unit.update(field_definitions, rows[0]["id"], {"is_active": True, "deleted_at": None})
    return {"ok": True}


def tombstone(unit: Unit, organization: UUID, command: DeleteDefinition, inherited: Found) -> dict[str, Any]:
    """A row that hides an inherited field, with its kind and configuration."""
    return {
        "organization_id": organization,
        "entity_id": command.entity_id,
        "key": command.key,
        "kind": inherited["kind"],
        "config": msgspec.Raw(inherited["config"].encode()),
        "is_active": False,
        "deleted_at": unit.now,
    }


def check_config(config: Config, form: type[Any], field: str) -> None:
    """Raises Problem 400, with the fault under `field`, for a configuration that does not have the documented form."""
    try:
        msgspec.convert(config, form)
    except msgspec.ValidationError as error:
        raise invalid({field: [str(error)]}) from None


async def require_possible(unit: Unit, organization: UUID, kind: Kind, config: Config) -> None:
    """Raises Problem 400 for a configuration that a field of this kind cannot have (1.3)."""
    text = obstacle(kind, config)
    if text is None and kind == "dictionary" and config.get("defaultValue") is not None:
        text = await _missing_entry(unit, organization, config)
    if text is not None:
        raise Problem.bad_request(text)


async def _missing_entry(unit: Unit, organization: UUID, config: Config) -> str | None:
    text = "The default value is no entry of the dictionary"
    try:
        dictionary = UUID(str(config["dictionaryId"]).strip())
    except ValueError:
        return text
    known = await unit.fetchval(
        _ENTRY, unit.scope.tenant_id, dictionary, config["defaultValue"], organization
    )
    return None if known else text


def _active(row: Found) -> bool:
    return bool(row["is_active"]) and row["deleted_at"] is None


async def _rows(
    unit: Unit, command: UpsertDefinition | DeleteDefinition | RestoreDefinition, organization: UUID
) -> list[Found]:
    """The organization's own row of a key, then the tenant's."""
    return await unit.fetch(_OWN, unit.scope.tenant_id, command.entity_id, command.key, organization)
