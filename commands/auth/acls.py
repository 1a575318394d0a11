"""Commands on grants: of a role, and of one user in place of its roles' (contract: auth.md 7.14 and 8.5)."""

from typing import Annotated, Any
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from commands.auth.guards import require_grantable, require_role_target, require_user_target
from commands.auth.roles import live_role
from commands.auth.users import live_user
from commands.registry import Command, command, handles
from commands.unit import Unit
from domain.auth import ACL_MANAGE, role_acls, user_acls
from domain.privileges import EVERYTHING, Grants, normalized_list

Names = Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=2_000)]

_ROW = "select * from {table} where tenant_id = $1 and {column} = $2"


class Saved(Struct, frozen=True):
    """Done; `sanitized` when fewer grants were stored than were asked for."""

    ok: bool = True
    sanitized: bool = False


@command(
    "auth.role_acls.update", resource="auth.role_acl", label="Update role grants", features=(ACL_MANAGE,)
)
class UpdateRoleAcl(Command, frozen=True, kw_only=True, rename="camel"):
    """Change what a role grants; what is absent stays. `organizations` null: all of the tenant."""

    role_id: UUID
    is_super_admin: bool | UnsetType = UNSET
    features: Names | UnsetType = UNSET
    organizations: Names | UnsetType | None = UNSET


@handles(UpdateRoleAcl)
async def update_role_acl(command: UpdateRoleAcl, unit: Unit) -> Saved:
    """Raises Problem 404, and 403 where what results is more than the actor may give."""
    await live_role(unit, command.role_id)
    await require_role_target(unit, command.role_id)
    values: dict[str, Any] = {}
    if command.is_super_admin is not UNSET:
        values["is_super_admin"] = command.is_super_admin
    if command.features is not UNSET:
        values["features"] = normalized_list(command.features)
    if command.organizations is not UNSET:
        values["organizations"] = _places(command.organizations)
    stored = await _stored(unit, "role_acls", "role_id", command.role_id)
    if stored is None:
        await unit.insert(role_acls, {"role_id": command.role_id, **values})
    else:
        await unit.update(role_acls, stored["id"], values)
        require_grantable(unit.scope, [_resulting(stored, values)])
    return Saved()


@command(
    "auth.user_acls.update", resource="auth.user_acl", label="Update user grants", features=(ACL_MANAGE,)
)
class UpdateUserAcl(Command, frozen=True, kw_only=True, rename="camel"):
    """Replace a user's own grants; with neither flag nor features the user falls back to those of its roles."""

    user_id: UUID
    is_super_admin: bool = False
    features: Names = []
    organizations: Names | None = None


@handles(UpdateUserAcl)
async def update_user_acl(command: UpdateUserAcl, unit: Unit) -> Saved:
    """Raises Problem 404, and 403 for a target or for grants that are not the actor's to change or give."""
    await live_user(unit, command.user_id)
    await require_user_target(unit, command.user_id)
    asked = normalized_list(command.features)
    features = asked if unit.scope.is_super_admin else [one for one in asked if not _is_withheld(one)]
    places = _places(command.organizations)
    values = {"is_super_admin": command.is_super_admin, "features": features, "organizations": places}
    stored = await _stored(unit, "user_acls", "user_id", command.user_id)
    if features or command.is_super_admin:
        if stored is None:
            await unit.insert(user_acls, {"user_id": command.user_id, **values})
        else:
            await unit.update(user_acls, stored["id"], values)
    elif stored is not None:
        await unit.delete(user_acls, stored["id"])
    require_grantable(unit.scope, [Grants.of(asked, command.is_super_admin, places if features else ())])
    before = list(stored["features"]) if stored is not None else []
    return Saved(sanitized=len(features) < len(asked) and features != before)


def _is_withheld(feature: str) -> bool:
    """Whether only a super admin hands this out to single users: everything, and the management of tenants."""
    return feature in (EVERYTHING, "directory.*") or feature.startswith("directory.tenants")


def _places(organizations: list[str] | None) -> list[str] | None:
    return None if organizations is None else normalized_list(organizations)


def _resulting(stored: Any, values: dict[str, Any]) -> Grants:
    row = {name: values.get(name, stored[name]) for name in ("features", "is_super_admin", "organizations")}
    return Grants.of(row["features"], row["is_super_admin"], row["organizations"])


async def _stored(unit: Unit, table: str, column: str, id: UUID) -> Any:
    return await unit.fetchrow(_ROW.format(table=table, column=column), unit.scope.tenant_id, id)
