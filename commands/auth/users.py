"""Commands on users (contract: auth.md 8.2 to 8.4 and 9).

Hashes of passwords and of e-mail addresses are made before the command, by whoever holds the keys.
"""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from commands.auth.guards import require_user_target
from commands.auth.resets import password_changed, void_links
from commands.auth.sessions import end_sessions_of, who
from commands.custom_fields import CustomValues, custom_column
from commands.history import settles
from commands.registry import Command, Outcome, command, handles, revives
from commands.unit import Unit
from domain.auth import (
    USERS_CREATE,
    USERS_DELETE,
    USERS_EDIT,
    password_resets,
    sidebar_variants,
    user_acls,
    user_roles,
    user_sidebar_preferences,
    users,
)
from domain.emails import Email, duplicate_email
from domain.errors import Problem

DisplayName = Annotated[str, Meta(max_length=120, extra={"trim": True})]
RoleToken = Annotated[str, Meta(min_length=1, max_length=200)]
RoleTokens = Annotated[list[RoleToken], Meta(max_length=200)]
Secret = Annotated[str, Meta(extra={"secret": True})]
USER_ENTITY = "auth:user"

_ROLES = (
    "select id, name from roles where tenant_id = $1 and deleted_at is null"
    " and (id::text = any($2::text[]) or name = any($3::text[]))"
)
_TAKEN = (
    "select exists (select from users where tenant_id = $1 and email_hash = $2 and deleted_at is null"
    " and id is distinct from $3::uuid)"
)
_ORGANIZATION = (
    "select exists (select from organizations where tenant_id = $1 and id = $2 and deleted_at is null)"
)


@command("auth.users.create", resource="auth.user", label="Create user", features=(USERS_CREATE,))
class CreateUser(Command, frozen=True, kw_only=True, rename="camel"):
    """Add a user to an organization of the scope's tenant. Without a password hash the user must be invited.

    `email_hash` is the keyed hash that the address is found by; `roles` are ids or names.
    """

    email: Email
    email_hash: Secret
    organization_id: UUID
    name: DisplayName | None = None
    password_hash: Secret | None = None
    roles: RoleTokens = []
    custom_fields: CustomValues | UnsetType = UNSET


@handles(CreateUser)
async def create_user(command: CreateUser, unit: Unit) -> dict[str, UUID]:
    """The id. Raises Problem 400 for unknown roles, an unknown organization or a taken address, 403 by the guards."""
    role_ids = await roles_of_tokens(unit, command.roles)
    await _require_organization(unit, command.organization_id)
    await require_free_email(unit, command.email_hash)
    custom = await custom_column(unit, USER_ENTITY, command.custom_fields, command.organization_id)
    image = await unit.insert(
        users,
        custom
        | {
            "organization_id": command.organization_id,
            "email": command.email,
            "email_hash": command.email_hash,
            "name": command.name or None,
            "password_hash": command.password_hash,
        },
    )
    assert image is not None, "an unconditional insert gives its row"
    await unit.insert_many(user_roles, [{"user_id": image.id, "role_id": role_id} for role_id in role_ids])
    return {"id": image.id}


@command("auth.users.update", resource="auth.user", label="Update user", features=(USERS_EDIT,), target="id")
class UpdateUser(Command, frozen=True, kw_only=True, rename="camel"):
    """Change a user; what is absent stays. `roles` replaces them all; `email` comes with its hash."""

    id: UUID
    email: Email | UnsetType = UNSET
    email_hash: Secret | UnsetType = UNSET
    name: DisplayName | UnsetType | None = UNSET
    password_hash: Secret | UnsetType = UNSET
    organization_id: UUID | UnsetType = UNSET
    roles: RoleTokens | UnsetType = UNSET
    custom_fields: CustomValues | UnsetType = UNSET


@revives(UpdateUser)
def whole_update(recorded: dict[str, Any], left: Sequence[Outcome]) -> dict[str, Any]:
    """The hashes that go with a recorded change of the address, and with one of the password."""
    return recorded | hashes_of(recorded, left)


@handles(UpdateUser)
async def update_user(command: UpdateUser, unit: Unit) -> dict[str, bool]:
    """A new password ends the user's sessions, but not the one that it is changed from."""
    stored = await live_user(unit, command.id)
    await require_user_target(unit, command.id)
    wanted = None if command.roles is UNSET else await roles_of_tokens(unit, command.roles)
    values: dict[str, Any] = {}
    if command.organization_id is not UNSET and command.organization_id != stored["organization_id"]:
        await _require_organization(unit, command.organization_id)
        values["organization_id"] = command.organization_id
    if command.email is not UNSET and command.email_hash is not UNSET:
        await require_free_email(unit, command.email_hash, command.id)
        values |= {"email": command.email, "email_hash": command.email_hash}
    if command.name is not UNSET:
        values["name"] = command.name or None
    if command.password_hash is not UNSET:
        values["password_hash"] = command.password_hash
    place = values.get("organization_id", stored["organization_id"])
    values |= await custom_column(unit, USER_ENTITY, command.custom_fields, place, stored["custom_fields"])
    relinked = wanted is not None and await _relink(unit, command.id, wanted)
    changes = len(unit.changes)
    await unit.update(users, command.id, values)
    if relinked and len(unit.changes) == changes:
        unit.emit("auth.user.updated", who(unit, command.id, place), place)
    if command.password_hash is not UNSET:
        await password_changed(unit, command.id, place, but=unit.scope.actor.session_id)
    elif values.get("email_hash", stored["email_hash"]) != stored["email_hash"]:
        await void_links(unit, command.id)
    return {"ok": True}


@command(
    "auth.users.delete", resource="auth.user", label="Delete user", features=(USERS_DELETE,), target="id"
)
class DeleteUser(Command, frozen=True, kw_only=True, rename="camel"):
    """Delete a user with its grants, role links and layouts; undo brings them back, but no session."""

    id: UUID


@handles(DeleteUser)
async def delete_user(command: DeleteUser, unit: Unit) -> dict[str, bool]:
    """Raises Problem 404, 403 by the guards, and 400 for one's own account."""
    await live_user(unit, command.id)
    await require_user_target(unit, command.id)
    if command.id == unit.scope.actor.user_id:
        raise Problem.bad_request("You cannot delete your own account", "own_account")
    for table in (user_acls, user_roles, user_sidebar_preferences, sidebar_variants, password_resets):
        rows = await unit.fetch(
            f"select id from {table.name} where tenant_id = $1 and user_id = $2",
            unit.scope.tenant_id,
            command.id,
        )
        await unit.delete_many(table, [row["id"] for row in rows])
    await end_sessions_of(unit, command.id)
    await unit.delete(users, command.id)
    return {"ok": True}


@settles("users")
async def end_what_rested_on_it(unit: Unit) -> None:
    """Undo and redo end the sessions of users who are gone or have another password, and void their links.

    So a user who comes back later finds no session alive.
    """
    for change in [change for change in unit.changes if change.t == "users"]:
        user_id = UUID(bytes(change.k["id"])[1:-1].decode())
        if change.o == "d" or (change.a is not None and "password_hash" in change.a and change.o == "u"):
            await end_sessions_of(unit, user_id, but=unit.scope.actor.session_id if change.o == "u" else None)
            await void_links(unit, user_id)
        elif change.a is not None and "email_hash" in change.a:
            await void_links(unit, user_id)


def hashes_of(recorded: dict[str, Any], left: Sequence[Outcome]) -> dict[str, Any]:
    """The secret input of a change to a user: the hash of the address if that was given, that of a new password."""
    row = next((one for one in left if one.table == users.name), None)
    found: dict[str, Any] = {}
    if row is not None and "email" in recorded:
        found["emailHash"] = row.row["email_hash"]
    if row is not None and "password_hash" in row.changed:
        found["passwordHash"] = row.row["password_hash"]
    return found


async def live_user(unit: Unit, user_id: UUID) -> Any:
    """The user's row. Raises Problem 404."""
    stored = await unit.get(users, user_id)
    if stored is None or stored["deleted_at"] is not None:
        raise Problem.not_found("User not found")
    return stored


async def require_free_email(unit: Unit, email_hash: str, but: UUID | None = None) -> None:
    """Raises Problem 400 in the form of auth.md 7.8 when another user of the tenant has the address."""
    if await unit.fetchval(_TAKEN, unit.scope.tenant_id, email_hash, but):
        raise duplicate_email()


async def roles_of_tokens(unit: Unit, tokens: Sequence[str]) -> dict[UUID, str]:
    """The roles (id to name) that ids or names stand for, in their order. Raises Problem 400 for unknown ones (5.6)."""
    wanted = list(dict.fromkeys(stripped for token in tokens if (stripped := token.strip())))
    if not wanted:
        return {}
    rows = await unit.fetch(_ROLES, unit.scope.tenant_id, [token.lower() for token in wanted], wanted)
    known = {str(row["id"]): row for row in rows} | {row["name"]: row for row in rows}
    found = {token: known.get(token) or known.get(token.lower()) for token in wanted}
    missing = [token for token, row in found.items() if row is None]
    if missing:
        raise Problem.bad_request(f"Role(s) not found: {', '.join(missing)}")
    return {row["id"]: row["name"] for row in found.values() if row is not None}


async def _require_organization(unit: Unit, organization_id: UUID) -> None:
    if not await unit.fetchval(_ORGANIZATION, unit.scope.tenant_id, organization_id):
        raise Problem.bad_request("Organization not found")


async def _relink(unit: Unit, user_id: UUID, wanted: Sequence[UUID] | dict[UUID, str]) -> bool:
    """Make the user's roles those `wanted`, leaving links that stay alone; whether any had to be changed."""
    rows = await unit.fetch(
        "select id, role_id from user_roles where tenant_id = $1 and user_id = $2",
        unit.scope.tenant_id,
        user_id,
    )
    linked = {row["role_id"]: row["id"] for row in rows}
    await unit.delete_many(user_roles, [id for role_id, id in linked.items() if role_id not in wanted])
    fresh = [role_id for role_id in wanted if role_id not in linked]
    await unit.insert_many(user_roles, [{"user_id": user_id, "role_id": role_id} for role_id in fresh])
    return bool(fresh) or any(role_id not in wanted for role_id in linked)
