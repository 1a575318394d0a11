"""Commands of saved sidebar layouts, of which a person may have several and use one."""

from typing import Annotated, Any
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from commands.auth.sidebar import person
from commands.registry import Command, command, handles
from commands.unit import Image, Unit
from domain.auth import SIDEBAR_MANAGE, sidebar_variants
from domain.errors import Problem
from domain.sidebar import DEFAULT_NAME, SidebarSettings, home_of_preferences

VariantName = Annotated[str, Meta(min_length=1, max_length=120, extra={"trim": True})]


@command(
    "auth.sidebar_variants.create",
    resource="auth.sidebar_variant",
    label="Create sidebar variant",
    features=(SIDEBAR_MANAGE,),
)
class CreateVariant(Command, frozen=True, rename="camel"):
    """Save a layout of the actor; without a name it gets the first free number of the usual one."""

    name: VariantName | UnsetType = UNSET
    settings: SidebarSettings = SidebarSettings()
    is_active: bool = False


@handles(CreateVariant)
async def create_variant(command: CreateVariant, unit: Unit) -> dict[str, Any]:
    """Raises Problem 409 for a name that the actor uses already, 403 for a key without a person."""
    user_id = await person(unit)
    name = await _free_name(unit, user_id) if command.name is UNSET else str(command.name).strip()
    await _require_free(unit, user_id, name, None)
    if command.is_active:
        await _deactivate_others(unit, user_id, None)
    image = await unit.insert(
        sidebar_variants,
        {
            "user_id": user_id,
            "organization_id": home_of_preferences(unit.scope),
            "locale": unit.scope.locale,
            "name": name,
            "settings": command.settings.tidy().stored(),
            "is_active": command.is_active,
        },
    )
    assert image is not None, "an insert without a condition inserts"
    return _answer(unit, image)


@command(
    "auth.sidebar_variants.update",
    resource="auth.sidebar_variant",
    label="Update sidebar variant",
    features=(SIDEBAR_MANAGE,),
    target="id",
)
class UpdateVariant(Command, frozen=True, rename="camel"):
    """Rename a layout, replace its settings, use it or stop using it; what is not given stays."""

    id: UUID
    name: VariantName | UnsetType = UNSET
    settings: SidebarSettings | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


@handles(UpdateVariant)
async def update_variant(command: UpdateVariant, unit: Unit) -> dict[str, Any]:
    """Raises Problem 404 for a layout that is not the actor's, 409 for a name that is taken."""
    user_id = await person(unit)
    await _own_variant(unit, user_id, command.id)
    values: dict[str, Any] = {}
    if command.name is not UNSET:
        values["name"] = str(command.name).strip()
        await _require_free(unit, user_id, values["name"], command.id)
    if not isinstance(command.settings, UnsetType):
        values["settings"] = command.settings.tidy().stored()
    if command.is_active is not UNSET:
        values["is_active"] = command.is_active
        if command.is_active:
            await _deactivate_others(unit, user_id, command.id)
    image = await unit.update(sidebar_variants, command.id, values)
    assert image is not None, "it was there a moment ago, and nobody else writes meanwhile"
    return _answer(unit, image)


@command(
    "auth.sidebar_variants.delete",
    resource="auth.sidebar_variant",
    label="Delete sidebar variant",
    features=(SIDEBAR_MANAGE,),
    target="id",
)
class DeleteVariant(Command, frozen=True, rename="camel"):
    """Put a saved layout away."""

    id: UUID


@handles(DeleteVariant)
async def delete_variant(command: DeleteVariant, unit: Unit) -> dict[str, Any]:
    """Raises Problem 404 for a layout that is not the actor's."""
    await _own_variant(unit, await person(unit), command.id)
    await unit.update(sidebar_variants, command.id, {"deleted_at": unit.now, "is_active": False})
    return {"ok": True}


def _answer(unit: Unit, image: Image) -> dict[str, Any]:
    wire = image.wire()
    shown = ("id", "name", "isActive", "settings", "createdAt", "updatedAt")
    return {"locale": unit.scope.locale, "variant": {key: wire[key] for key in shown}}


async def _own_variant(unit: Unit, user_id: UUID, id: UUID) -> None:
    row = await unit.get(sidebar_variants, id)
    if row is None or row["user_id"] != user_id or row["deleted_at"] is not None:
        raise Problem.not_found("Variant not found")


async def _names(unit: Unit, user_id: UUID, but: UUID | None) -> set[str]:
    rows = await unit.fetch(
        "select name from sidebar_variants where user_id = $1 and deleted_at is null and id is distinct from $2::uuid",
        user_id,
        but,
    )
    return {row["name"] for row in rows}


async def _free_name(unit: Unit, user_id: UUID) -> str:
    taken = await _names(unit, user_id, None)
    numbered = (f"{DEFAULT_NAME} {number}" for number in range(2, len(taken) + 3))
    return next(name for name in (DEFAULT_NAME, *numbered) if name not in taken)


async def _require_free(unit: Unit, user_id: UUID, name: str, but: UUID | None) -> None:
    if not name:
        raise Problem.bad_request("A variant needs a name")
    if name in await _names(unit, user_id, but):
        raise Problem.conflict("A variant with this name already exists", "duplicate_name")


async def _deactivate_others(unit: Unit, user_id: UUID, but: UUID | None) -> None:
    rows = await unit.fetch(
        "select id from sidebar_variants where user_id = $1 and is_active and deleted_at is null"
        " and id is distinct from $2::uuid",
        user_id,
        but,
    )
    await unit.update_many(sidebar_variants, [{"id": row["id"], "is_active": False} for row in rows])
