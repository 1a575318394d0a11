"""Commands on tenants (contract: directory.md 4.7 to 4.9 and 7).

Each works in the transaction of the tenant that it is about, so the scope's tenant must be that one.
"""

from typing import Annotated, Any
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from commands.custom_fields import CustomValues, custom_column, place_of
from commands.registry import Command, command, handles
from commands.unit import Unit
from domain.auth import sessions
from domain.custom_fields.declared import declared_rows
from domain.directory import TENANTS_MANAGE, tenants
from domain.entities import declared as _declared  # noqa: F401  # the fields that a tenant starts with
from domain.entities import field_definitions
from domain.errors import Problem

Name = Annotated[str, Meta(min_length=1, max_length=200)]
ENTITY = "directory:tenant"

_WHY = "A tenant is managed from outside of it, and sessions that ended with it cannot come back; change it again."


@command(
    "directory.tenants.create",
    resource="directory.tenant",
    label="Create tenant",
    features=(TENANTS_MANAGE,),
    undoable=False,
    why=_WHY,
)
class CreateTenant(Command, frozen=True, kw_only=True, rename="camel"):
    """Make the tenant of the scope, with the custom fields that modules declare and no organization, role or user."""

    name: Name
    is_active: bool = True
    custom_fields: CustomValues | UnsetType = UNSET


@handles(CreateTenant)
async def create_tenant(command: CreateTenant, unit: Unit) -> dict[str, UUID]:
    """The id of the scope's tenant becomes the new one's. Raises Problem 409 when that exists."""
    _require_super_admin(unit)
    made = unit.scope.tenant_id
    if await unit.get(tenants, made) is not None:
        raise Problem.conflict("The tenant exists already")
    custom = await custom_column(unit, ENTITY, command.custom_fields, place_of(unit.scope))
    await unit.insert(tenants, custom | {"id": made, "name": command.name, "is_active": command.is_active})
    await unit.insert_many(field_definitions, declared_rows())
    return {"id": made}


@command(
    "directory.tenants.update",
    resource="directory.tenant",
    label="Update tenant",
    features=(TENANTS_MANAGE,),
    target="id",
    undoable=False,
    why=_WHY,
)
class UpdateTenant(Command, frozen=True, kw_only=True, rename="camel"):
    """Change a tenant's name, or whether its people may sign in."""

    id: UUID
    name: Name | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    custom_fields: CustomValues | UnsetType = UNSET


@handles(UpdateTenant)
async def update_tenant(command: UpdateTenant, unit: Unit) -> dict[str, bool]:
    """Deactivating a tenant ends all sessions of its users; the caller's own cannot be deactivated (400)."""
    _require_super_admin(unit)
    stored = await _stored(unit, command.id)
    if command.is_active is False:
        _require_other(unit, command.id, "You cannot deactivate your own tenant")
        await _end_sessions(unit)
    values: dict[str, Any] = {
        name: getattr(command, name) for name in ("name", "is_active") if getattr(command, name) is not UNSET
    }
    place = place_of(unit.scope)
    values |= await custom_column(unit, ENTITY, command.custom_fields, place, stored["custom_fields"])
    await unit.update(tenants, command.id, values)
    return {"ok": True}


@command(
    "directory.tenants.delete",
    resource="directory.tenant",
    label="Delete tenant",
    features=(TENANTS_MANAGE,),
    target="id",
    undoable=False,
    why=_WHY,
)
class DeleteTenant(Command, frozen=True, kw_only=True, rename="camel"):
    """Delete a tenant softly: what is in it stays, but nobody can use it."""

    id: UUID


@handles(DeleteTenant)
async def delete_tenant(command: DeleteTenant, unit: Unit) -> dict[str, bool]:
    """All sessions of its users end; the caller's own tenant cannot be deleted (400)."""
    _require_super_admin(unit)
    await _stored(unit, command.id)
    _require_other(unit, command.id, "You cannot delete your own tenant")
    await unit.update(tenants, command.id, {"deleted_at": unit.now})
    await _end_sessions(unit)
    return {"ok": True}


def _require_super_admin(unit: Unit) -> None:
    """The features alone are not enough: a tenant's own people do not manage tenants (directory.md W8)."""
    if not unit.scope.is_super_admin:
        raise Problem.forbidden([TENANTS_MANAGE])


def _require_other(unit: Unit, id: UUID, refusal: str) -> None:
    if id == unit.scope.actor_tenant_id:
        raise Problem.bad_request(refusal, "own_tenant")


async def _stored(unit: Unit, id: UUID) -> Any:
    """The live tenant; one that is not the scope's does not exist here. Raises Problem 404."""
    stored = await unit.get(tenants, id)
    if stored is None or stored["deleted_at"] is not None:
        raise Problem.not_found("Tenant not found")
    return stored


async def _end_sessions(unit: Unit) -> None:
    found = await unit.fetch("select id from sessions where tenant_id = $1", unit.scope.tenant_id)
    await unit.delete_many(sessions, [row["id"] for row in found])
