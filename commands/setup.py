"""Commands that set an installation up."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from commands.registry import Command, Outcome, command, handles, revives
from commands.unit import Image, Unit
from domain.auth import DEFAULT_ROLES, role_acls, roles, user_roles, users
from domain.custom_fields.declared import declared_rows
from domain.directory import organizations, slug_of, tenants
from domain.entities import declared as _declared  # noqa: F401  # the fields that a tenant starts with
from domain.entities import field_definitions
from domain.errors import Problem
from domain.features import default_grants


class FirstUser(Struct, frozen=True, rename="camel"):
    """A user of a new tenant; the hashes are made before the command, so that it never sees a password."""

    email: str
    email_hash: str
    password_hash: str
    role: str
    name: str | None = None


class Installed(Struct, frozen=True, rename="camel"):
    """The ids of what was made; `users` by e-mail address."""

    tenant_id: UUID
    organization_id: UUID
    users: dict[str, UUID]


@command(
    "setup.tenants.install",
    resource="directory.tenant",
    label="Install tenant",
    undoable=False,
    why="Without the tenant there is nobody left to see that it was taken back; delete it instead.",
    system_only=True,
)
class InstallTenant(Command, frozen=True, rename="camel"):
    """Make the tenant of the scope, with its first organization, the default roles, users and custom fields."""

    name: str
    organization_name: str
    users: Annotated[tuple[FirstUser, ...], Meta(extra={"secret": True})]
    grants: dict[str, list[str]] | None = None
    """What the default roles grant, by name; None: what the modules of this version say."""


@revives(InstallTenant)
def installed_users(recorded: dict[str, Any], left: Sequence[Outcome]) -> dict[str, Any]:
    """The first users, as their rows and role links say, and what the roles of that version granted."""
    names = {one.row["id"]: one.row["name"] for one in left if one.table == roles.name}
    given = {one.row["user_id"]: names[one.row["role_id"]] for one in left if one.table == user_roles.name}
    made = [one.row for one in left if one.table == users.name]
    kept = {"email": "email", "emailHash": "email_hash", "passwordHash": "password_hash", "name": "name"}
    people = [{key: row[column] for key, column in kept.items()} | {"role": given[row["id"]]} for row in made]
    acls = [one.row for one in left if one.table == role_acls.name]
    return recorded | {"users": people, "grants": {names[row["role_id"]]: row["features"] for row in acls}}


@handles(InstallTenant)
async def install_tenant(command: InstallTenant, unit: Unit) -> Installed:
    """Insert it all. Raises Problem 409 when the tenant exists."""
    tenant_id = unit.scope.tenant_id
    if await unit.get(tenants, tenant_id) is not None:
        raise Problem.conflict("The tenant exists already")
    await unit.insert(tenants, {"id": tenant_id, "name": command.name})
    organization_id = await _first_organization(command, unit)
    role_ids = await _default_roles(unit, command.grants)
    made = await unit.insert_many(users, [_user(user, organization_id) for user in command.users])
    pairs = list(zip(command.users, made, strict=True))
    links = [{"user_id": image.id, "role_id": role_ids[user.role]} for user, image in pairs]
    await unit.insert_many(user_roles, links)
    await unit.insert_many(field_definitions, declared_rows())
    return Installed(tenant_id, organization_id, {user.email: image.id for user, image in pairs})


async def _first_organization(command: InstallTenant, unit: Unit) -> UUID:
    id = unit.new_id()  # it is the id
    path = {"root_id": id, "tree_path": str(id)}
    name = command.organization_name
    await unit.insert(organizations, {"id": id, "name": name, "slug": slug_of(name), **path})
    return id


async def _default_roles(unit: Unit, grants: dict[str, list[str]] | None) -> dict[str, UUID]:
    """The default roles with their grants; returns their ids by name."""
    made: list[Image] = await unit.insert_many(roles, [{"name": name} for name in DEFAULT_ROLES])
    ids = {image.value("name"): image.id for image in made}
    await unit.insert_many(
        role_acls,
        [
            {
                "role_id": ids[name],
                "features": default_grants(name) if grants is None else grants[name],
                "is_super_admin": name == "superadmin",
            }
            for name in DEFAULT_ROLES
        ],
    )
    return ids


def _user(user: FirstUser, organization_id: UUID) -> dict[str, Any]:
    return {
        "organization_id": organization_id,
        "email": user.email,
        "email_hash": user.email_hash,
        "name": user.name,
        "password_hash": user.password_hash,
    }
