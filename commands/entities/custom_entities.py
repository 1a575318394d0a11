"""Commands on custom entities, and what a tenant settles about new ones (contract: entities.md 4.2, 4.3 and 10)."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from commands.entities.definitions import AnyText, EntityId
from commands.entities.place import organization_of, require_definable
from commands.registry import Command, command, handles
from commands.unit import Image, Unit
from domain.custom_fields import Editor
from domain.entities import ENTITY_KIND, MANAGE, custom_entities, entity_settings
from domain.entities.code import is_code_entity
from domain.errors import Problem

Label = Annotated[str, Meta(min_length=1, max_length=200)]
Description = Annotated[str, Meta(max_length=2000)]
LabelField = Annotated[str, Meta(min_length=1, max_length=100, pattern="^[a-zA-Z_][a-zA-Z0-9_]*$")]

_OWN = """
select id, is_active, deleted_at, access_restricted from custom_entities
 where tenant_id = $1 and entity_id = $2 and organization_id = $3
"""
_RESTRICTED = "select new_entities_restricted from entity_settings where tenant_id = $1"


@command("entities.entities.upsert", resource=ENTITY_KIND, label="Save custom entity", features=(MANAGE,))
class UpsertEntity(Command, frozen=True, kw_only=True, rename="camel"):
    """Register a custom entity in the caller's organization, or change it; one that was deleted comes back.

    What is absent stays, but for the description (none) and the sidebar (not shown).
    """

    entity_id: EntityId
    label: Label
    description: Description | None = None
    label_field: LabelField | UnsetType = UNSET
    default_editor: Editor | UnsetType = UNSET
    show_in_sidebar: bool = False
    access_restricted: bool | UnsetType = UNSET
    is_active: bool = True


@handles(UpsertEntity)
async def upsert_entity(command: UpsertEntity, unit: Unit) -> dict[str, Any]:
    """An entity of the product cannot be registered (400). A new one is restricted when the tenant settled so."""
    organization = organization_of(unit)
    if is_code_entity(command.entity_id):
        text = "Records of this entity are managed by its own pages"
        raise Problem.bad_request(text, "system_entity_records_blocked", entityId=command.entity_id)
    require_definable(command.entity_id)
    tenant = unit.scope.tenant_id
    own = await unit.fetchrow(_OWN, tenant, command.entity_id, organization)
    values: dict[str, Any] = {
        "label": command.label,
        "description": command.description,
        "show_in_sidebar": command.show_in_sidebar,
        "is_active": command.is_active,
    }
    for name in ("label_field", "default_editor", "access_restricted"):
        if getattr(command, name) is not UNSET:
            values[name] = getattr(command, name)
    image: Image | None
    if own is None:
        if command.access_restricted is UNSET:
            values["access_restricted"] = bool(await unit.fetchval(_RESTRICTED, tenant))
        place = {"organization_id": organization, "entity_id": command.entity_id}
        image = await unit.insert(custom_entities, {**place, **values})
    else:
        revived = {"deleted_at": None} if command.is_active else {}
        image = await unit.update(custom_entities, own["id"], {**values, **revived})
    assert image is not None, "the row was read under the lock"
    shown = {"id": image.id, "entityId": command.entity_id, "label": command.label}
    described = {} if command.description is None else {"description": command.description}
    return {"ok": True, "item": {**shown, **described}}


@command("entities.entities.delete", resource=ENTITY_KIND, label="Delete custom entity", features=(MANAGE,))
class DeleteEntity(Command, frozen=True, kw_only=True, rename="camel"):
    """Take a custom entity off the lists; its definitions and records stay."""

    entity_id: AnyText


@handles(DeleteEntity)
async def delete_entity(command: DeleteEntity, unit: Unit) -> dict[str, bool]:
    """The row of exactly this organization, deleted already or not. Raises Problem 404 when there is none."""
    unit.ignore_version()
    own = await unit.fetchrow(_OWN, unit.scope.tenant_id, command.entity_id, organization_of(unit))
    if own is None:
        raise Problem.not_found("Entity not found")
    mark = {"is_active": False, "deleted_at": own["deleted_at"] or unit.now}
    await unit.update(custom_entities, own["id"], mark)
    return {"ok": True}


@command(
    "entities.settings.update",
    resource="entities.settings",
    label="Update entity settings",
    features=(MANAGE,),
)
class UpdateEntitySettings(Command, frozen=True, kw_only=True, rename="camel"):
    """Settle whether new custom entities are restricted."""

    new_entities_restricted_by_default: bool


@handles(UpdateEntitySettings)
async def update_settings(command: UpdateEntitySettings, unit: Unit) -> dict[str, bool]:
    """One row for the whole tenant."""
    restricted = command.new_entities_restricted_by_default
    id = await unit.fetchval("select id from entity_settings where tenant_id = $1", unit.scope.tenant_id)
    if id is None:
        await unit.insert(entity_settings, {"new_entities_restricted": restricted})
    else:
        await unit.update(entity_settings, id, {"new_entities_restricted": restricted})
    return {"ok": True, "newEntitiesRestrictedByDefault": restricted}
