"""Commands of the feature toggles (contract: feature-toggles.md).

A toggle's own commands work in the tenant that its row is filed under, so the scope's tenant must be that one; an
override belongs to the tenant of the scope, whoever made the toggle.
"""

from typing import Annotated, Any
from uuid import UUID

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from commands.registry import Command, command, guards, handles
from commands.unit import Unit
from domain.errors import Problem
from domain.feature_toggles import (
    DEFAULTS,
    IDENTIFIER_PATTERN,
    MANAGE,
    MAX_IDENTIFIER,
    ToggleType,
    feature_toggle_overrides,
    feature_toggles,
)

Identifier = Annotated[str, Meta(min_length=1, max_length=MAX_IDENTIFIER, pattern=IDENTIFIER_PATTERN)]
Name = Annotated[str, Meta(min_length=1)]

TAKEN = "A feature toggle with this identifier exists already"
NOT_FOUND = "Feature toggle not found"


class ToggleId(Struct, frozen=True):
    """The toggle that was written."""

    id: UUID


class OverrideId(Struct, frozen=True, rename="camel"):
    """The tenant's override as it stands now; None when it inherits the default."""

    override_toggle_id: UUID | None
    ok: bool = True


@command(
    "feature_toggles.global.create",
    resource="feature_toggles.global",
    label="Create feature toggle",
    features=(MANAGE,),
)
class CreateToggle(Command, frozen=True, kw_only=True, rename="camel"):
    """Define a toggle for the whole platform. Whether the default is of the type is not asked."""

    identifier: Identifier
    name: Name
    description: str | None = None
    category: str | None = None
    type: ToggleType
    default_value: Any = None


@handles(CreateToggle)
async def create_toggle(command: CreateToggle, unit: Unit) -> ToggleId:
    """Raises Problem 403 for all but super admins, 400 when the identifier is, or was, another toggle's."""
    require_super_admin(unit)
    await _require_free(unit, command.identifier, None)
    image = await unit.insert(
        feature_toggles,
        {
            "identifier": command.identifier,
            "name": command.name,
            "description": command.description,
            "category": command.category,
            "type": command.type,
            "default_value": command.default_value,
        },
    )
    assert image is not None, "an unconditional insert gives its row"
    return ToggleId(image.id)


@command(
    "feature_toggles.global.update",
    resource="feature_toggles.global",
    label="Update feature toggle",
    features=(MANAGE,),
    target="id",
)
class UpdateToggle(Command, frozen=True, kw_only=True, rename="camel"):
    """Change a toggle; what is absent stays, null clears. Values and overrides are not converted to a new type."""

    id: UUID
    identifier: Identifier | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    category: str | UnsetType | None = UNSET
    type: ToggleType | UnsetType = UNSET
    default_value: Any | UnsetType = UNSET


@handles(UpdateToggle)
async def update_toggle(command: UpdateToggle, unit: Unit) -> ToggleId:
    """Raises Problem 403 for all but super admins, 404, and 400 when the identifier is another toggle's."""
    require_super_admin(unit)
    stored = await _live_toggle(unit, command.id)
    names = ("identifier", "name", "description", "category", "type", "default_value")
    values = {name: given for name in names if (given := getattr(command, name)) is not UNSET}
    if values.get("identifier", stored["identifier"]) != stored["identifier"]:
        await _require_free(unit, values["identifier"], command.id)
    await unit.update(feature_toggles, command.id, values)
    return ToggleId(command.id)


@command(
    "feature_toggles.global.delete",
    resource="feature_toggles.global",
    label="Delete feature toggle",
    features=(MANAGE,),
    target="id",
)
class DeleteToggle(Command, frozen=True, kw_only=True, rename="camel"):
    """Delete a toggle softly: overrides stay without effect, and nobody else gets its identifier."""

    id: UUID


@handles(DeleteToggle)
async def delete_toggle(command: DeleteToggle, unit: Unit) -> ToggleId:
    """Raises Problem 403 for all but super admins, and 404."""
    require_super_admin(unit)
    await _live_toggle(unit, command.id)
    await unit.update(feature_toggles, command.id, {"deleted_at": unit.now})
    return ToggleId(command.id)


@command(
    "feature_toggles.overrides.changeState",
    resource="feature_toggles.overrides",
    label="Change feature toggle override",
    features=(MANAGE,),
)
class ChangeOverride(Command, frozen=True, kw_only=True, rename="camel"):
    """Give the tenant a value of its own for a toggle, or let it inherit the default again."""

    toggle_id: UUID
    is_override: bool
    override_value: Any | UnsetType = UNSET


@handles(ChangeOverride)
async def change_override(command: ChangeOverride, unit: Unit) -> OverrideId:
    """Without a value, the override keeps the one it has, or begins with the default. Raises Problem 404."""
    row = await unit.fetchrow(
        "select t.default_value::text as default_value, o.id as override_id from feature_toggles_everywhere() t"
        " left join feature_toggle_overrides o on o.tenant_id = $1 and o.toggle_id = t.id"
        " where t.id = $2 and t.deleted_at is null",
        unit.scope.tenant_id,
        command.toggle_id,
    )
    if row is None:
        raise Problem.not_found(NOT_FOUND)
    override_id: UUID | None = row["override_id"]
    if not command.is_override:
        if override_id is not None:
            await unit.delete(feature_toggle_overrides, override_id)
        return OverrideId(None)
    given = command.override_value
    if override_id is not None:
        values = {} if given is UNSET else {"value": given}
        await unit.update(feature_toggle_overrides, override_id, values)
        return OverrideId(override_id)
    value = Raw(row["default_value"] or b"null") if given is UNSET else given
    image = await unit.insert(feature_toggle_overrides, {"toggle_id": command.toggle_id, "value": value})
    assert image is not None, "an unconditional insert gives its row"
    return OverrideId(image.id)


@command(
    "feature_toggles.global.seed",
    resource="feature_toggles.global",
    label="Seed feature toggles",
    undoable=False,
    why="the installation's own set-up; delete the toggles instead",
    system_only=True,
)
class SeedToggles(Command, frozen=True, kw_only=True, rename="camel"):
    """Make sure that the toggles of a fresh installation exist; what exists, or was deleted, is left alone."""


@handles(SeedToggles)
async def seed_toggles(command: SeedToggles, unit: Unit) -> int:
    """Insert the missing ones; how many there were."""
    missing = [
        one
        for one in DEFAULTS
        if not await unit.fetchval("select feature_toggle_taken($1, null)", one.identifier)
    ]
    rows = [{name: getattr(one, name) for name in one.__struct_fields__} for one in missing]
    await unit.insert_many(feature_toggles, rows)
    return len(rows)


@guards("feature_toggles")
async def only_super_admins(unit: Unit) -> None:
    """Whatever changes toggles, undo and redo too, is for super admins (feature-toggles.md W10). Raises Problem 403."""
    require_super_admin(unit)


def require_super_admin(unit: Unit) -> None:
    """Raise Problem 403 for all but super admins and the system itself."""
    if not unit.scope.is_super_admin:
        raise Problem.forbidden(error="Only super admins may change feature toggles")


async def _require_free(unit: Unit, identifier: str, own: UUID | None) -> None:
    """Raise Problem 400 when another toggle has the identifier; nobody can take it until the command ends."""
    if await unit.fetchval("select feature_toggle_taken($1, $2)", identifier, own):
        raise Problem.bad_request(TAKEN, "identifier_taken")


async def _live_toggle(unit: Unit, id: UUID) -> Any:
    """The toggle as it is stored in the scope's tenant. Raises Problem 404."""
    stored = await unit.get(feature_toggles, id)
    if stored is None or stored["deleted_at"] is not None:
        raise Problem.not_found(NOT_FOUND)
    return stored
