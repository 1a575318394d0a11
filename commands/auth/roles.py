"""Commands on roles (contract: auth.md 7.10 to 7.12 and 9)."""

from typing import Annotated, Any
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from commands.auth.guards import require_role_target
from commands.custom_fields import CustomValues, custom_column, place_of
from commands.registry import Command, command, handles
from commands.unit import Unit
from domain.auth import RESERVED_ROLES, ROLES_MANAGE, role_acls, role_sidebar_preferences, roles
from domain.errors import Problem, issue

RoleName = Annotated[str, Meta(min_length=2, max_length=100)]
ROLE_ENTITY = "auth:role"

_LINKED = "select exists (select from user_roles where tenant_id = $1 and role_id = $2)"
_TAKEN = "select exists (select from roles where tenant_id = $1 and name = $2 and deleted_at is null)"


@command("auth.roles.create", resource="auth.role", label="Create role", features=(ROLES_MANAGE,))
class CreateRole(Command, frozen=True, kw_only=True, rename="camel"):
    """Add a role to the tenant of the scope; it grants nothing yet."""

    name: RoleName
    custom_fields: CustomValues | UnsetType = UNSET


@handles(CreateRole)
async def create_role(command: CreateRole, unit: Unit) -> dict[str, UUID]:
    """The id. Raises Problem 400 for a reserved or taken name."""
    await _require_free_name(unit, command.name)
    custom = await custom_column(unit, ROLE_ENTITY, command.custom_fields, place_of(unit.scope))
    image = await unit.insert(roles, custom | {"name": command.name})
    assert image is not None, "an unconditional insert gives its row"
    return {"id": image.id}


@command(
    "auth.roles.update", resource="auth.role", label="Update role", features=(ROLES_MANAGE,), target="id"
)
class UpdateRole(Command, frozen=True, kw_only=True, rename="camel"):
    """Rename a role, as long as nobody has it, or set its custom fields."""

    id: UUID
    name: RoleName | UnsetType = UNSET
    custom_fields: CustomValues | UnsetType = UNSET


@handles(UpdateRole)
async def update_role(command: UpdateRole, unit: Unit) -> dict[str, bool]:
    """Raises Problem 404; 403 for a role that makes super admins; 400 for a bad name, or while somebody has it."""
    stored = await live_role(unit, command.id)
    await require_role_target(unit, command.id)
    values: dict[str, Any] = {}
    if command.name is not UNSET and command.name != stored["name"]:
        if await unit.fetchval(_LINKED, unit.scope.tenant_id, command.id):
            raise Problem.bad_request("A role that somebody has cannot be renamed", "role_assigned")
        await _require_free_name(unit, command.name)
        values["name"] = command.name
    place = place_of(unit.scope)
    values |= await custom_column(unit, ROLE_ENTITY, command.custom_fields, place, stored["custom_fields"])
    await unit.update(roles, command.id, values)
    return {"ok": True}


@command(
    "auth.roles.delete", resource="auth.role", label="Delete role", features=(ROLES_MANAGE,), target="id"
)
class DeleteRole(Command, frozen=True, kw_only=True, rename="camel"):
    """Delete a role that nobody has, with its grants."""

    id: UUID


@handles(DeleteRole)
async def delete_role(command: DeleteRole, unit: Unit) -> dict[str, bool]:
    """Raises Problem 404; 403 for a role that makes super admins; 400 where somebody has the role."""
    await live_role(unit, command.id)
    await require_role_target(unit, command.id)
    if await unit.fetchval(_LINKED, unit.scope.tenant_id, command.id):
        raise Problem.bad_request("The role is still assigned to users", "role_assigned")
    for table in (role_acls, role_sidebar_preferences):
        rows = await unit.fetch(
            f"select id from {table.name} where tenant_id = $1 and role_id = $2",
            unit.scope.tenant_id,
            command.id,
        )
        await unit.delete_many(table, [row["id"] for row in rows])
    await unit.delete(roles, command.id)
    return {"ok": True}


async def live_role(unit: Unit, role_id: UUID) -> Any:
    """The role's row. Raises Problem 404."""
    stored = await unit.get(roles, role_id)
    if stored is None or stored["deleted_at"] is not None:
        raise Problem.not_found("Role not found")
    return stored


async def _require_free_name(unit: Unit, name: str) -> None:
    """Raises Problem 400 with an issue on `name` when it is reserved, or another role has it."""
    if name.strip().lower() in RESERVED_ROLES:
        raise Problem.invalid([issue("This role name is reserved", ["name"])], "This role name is reserved")
    if await unit.fetchval(_TAKEN, unit.scope.tenant_id, name):
        text = "A role with this name already exists"
        raise Problem.invalid([issue(text, ["name"], "duplicate")], text)
