"""Routes of custom entities (contract: entities.md sections 4 and 10)."""

from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from litestar import Response
from msgspec import UNSET, Meta, Struct, UnsetType

from app.http.answers import Answer
from app.http.call import Call
from app.http.entities.shared import (
    NO_ENTITY_ID,
    REFUSED,
    STALE,
    TAG,
    Refused,
    body_of,
    done,
    named,
    require_place,
)
from app.http.identity import require_valid_selection
from app.http.kit import Done
from app.http.operation import operation
from commands.entities.custom_entities import DeleteEntity, UpdateEntitySettings, UpsertEntity
from domain.entities import MANAGE, VIEW
from queries import entities as queries


class Entities(Struct):
    """The entities of the product, then the custom ones."""

    items: list[queries.EntityItem]


class EntityName(Struct, rename="camel"):
    """The entity that is meant."""

    entity_id: Annotated[str, Meta(min_length=1)]


class SavedEntity(Struct, rename="camel"):
    """A custom entity as it was saved."""

    id: UUID
    entity_id: str
    label: str
    description: str | UnsetType = UNSET


class Saved(Struct):
    """What was saved."""

    ok: bool
    item: SavedEntity


class SidebarEntity(Struct, rename="camel"):
    """A place in the navigation."""

    entity_id: str
    label: str
    href: str


class SidebarEntities(Struct):
    """Custom entities by label."""

    items: list[SidebarEntity]


class EntitySettings(Struct, rename="camel"):
    """What the tenant settled about new entities."""

    new_entities_restricted_by_default: bool


class SettingsSaved(Struct, rename="camel"):
    """What holds now."""

    ok: bool
    new_entities_restricted_by_default: bool


@operation(
    "GET",
    "/entities/entities",
    tag=TAG,
    summary="List available entities",
    description="The entities that can have custom fields, with the number of their fields.",
    answers={200: Answer(Entities, "List of entities")},
)
async def list_entities(call: Call[None]) -> Response[Any]:
    """200 with all of them; nothing is paged."""
    require_place(call.scope)
    async with call.app.database.read(call.scope.tenant_id, one_plan=True) as connection:
        return call.json(Entities(await queries.entities(connection, call.scope)))


@operation(
    "POST",
    "/entities/entities",
    tag=TAG,
    summary="Upsert custom entity",
    description="Registers a custom entity in the current organization, or changes it.",
    features=(MANAGE,),
    body=UpsertEntity,
    raw_body=True,
    example={"entityId": "user:thing", "label": "Things", "showInSidebar": True},
    answers={200: done(Saved, "Entity saved"), 400: REFUSED, 409: STALE},
)
async def upsert_entity(call: Call[None]) -> Response[Any]:
    """200 with the entity, made or changed."""
    require_valid_selection(call.scope)
    return call.answer(await call.execute(body_of(call, UpsertEntity)))


@operation(
    "DELETE",
    "/entities/entities",
    tag=TAG,
    summary="Soft delete custom entity",
    description="Takes the entity off the lists; its definitions and records stay.",
    features=(MANAGE,),
    body=EntityName,
    raw_body=True,
    commands=("entities.entities.delete",),
    example={"entityId": "user:thing"},
    answers={
        200: done(Done, "Entity deleted"),
        400: NO_ENTITY_ID,
        404: Answer(Refused, "Entity not found in scope"),
    },
)
async def delete_entity(call: Call[None]) -> Response[Any]:
    """200 `{"ok": true}`."""
    require_valid_selection(call.scope)
    return call.answer(await call.execute(DeleteEntity(entity_id=named(call, "entityId")[0])))


@operation(
    "GET",
    "/entities/sidebar-entities",
    tag=TAG,
    summary="Get sidebar entities",
    description="The custom entities with a place in the navigation of the caller.",
    answers={200: Answer(SidebarEntities, "Sidebar entities for navigation")},
)
async def list_sidebar_entities(call: Call[None]) -> Response[Any]:
    """200 by label."""
    require_place(call.scope)
    async with call.app.database.read(call.scope.tenant_id, one_plan=True) as connection:
        found = await queries.sidebar_entities(connection, call.scope)
    items = [SidebarEntity(one.entity_id, one.label, records_page(one.entity_id)) for one in found]
    return call.json(SidebarEntities(items))


def records_page(entity_id: str) -> str:
    """The page of an entity's records."""
    return f"/backend/entities/user/{quote(entity_id, safe='')}/records"


@operation(
    "GET",
    "/entities/entity-settings",
    tag=TAG,
    summary="Get entity settings",
    description="Whether new custom entities of the tenant are restricted.",
    features=(VIEW,),
    answers={200: Answer(EntitySettings, "The settings")},
)
async def get_settings(call: Call[None]) -> Response[Any]:
    """200 with the settings."""
    async with call.app.database.read(call.scope.tenant_id, one_plan=True) as connection:
        restricted = await queries.new_entities_restricted(connection, call.scope.tenant_id)
    return call.json(EntitySettings(restricted))


@operation(
    "PUT",
    "/entities/entity-settings",
    tag=TAG,
    summary="Update entity settings",
    description="Settles whether new custom entities of the tenant are restricted.",
    features=(MANAGE,),
    body=UpdateEntitySettings,
    raw_body=True,
    example={"newEntitiesRestrictedByDefault": True},
    answers={200: done(SettingsSaved, "Settings saved"), 400: REFUSED, 409: STALE},
)
async def update_settings(call: Call[None]) -> Response[Any]:
    """200 with the settings."""
    return call.answer(await call.execute(body_of(call, UpdateEntitySettings)))
