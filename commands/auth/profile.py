"""What people change about their own account. The rights of an administrator are not needed for it."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from commands.auth.resets import password_changed, void_links
from commands.auth.users import hashes_of
from commands.registry import Command, Outcome, command, handles, revives
from commands.unit import Unit
from domain.auth import users
from domain.emails import duplicate_email
from domain.errors import Problem


class ProfileUpdated(Struct, frozen=True):
    """The e-mail address as it is now."""

    email: str


@command("auth.users.update_profile", resource="auth.user", label="Update user")
class UpdateProfile(Command, frozen=True, rename="camel"):
    """Change the actor's own e-mail address or password; what is not given stays.

    `email_hash` goes with `email`; `password_hash` is sealed. Whoever gives the command has checked the old password.
    """

    email: str | UnsetType = UNSET
    email_hash: Annotated[str, Meta(extra={"secret": True})] | UnsetType = UNSET
    password_hash: Annotated[str, Meta(extra={"secret": True})] | UnsetType = UNSET


@revives(UpdateProfile)
def whole_profile(recorded: dict[str, Any], left: Sequence[Outcome]) -> dict[str, Any]:
    """The hashes that go with a recorded change of the address, and with one of the password."""
    return recorded | hashes_of(recorded, left)


@handles(UpdateProfile)
async def update_profile(command: UpdateProfile, unit: Unit) -> ProfileUpdated:
    """A new password ends every session but the one that it was set in.

    Raises Problem 404 when the actor is no user any more, and 400 when somebody else in the tenant has the address.
    """
    actor = unit.scope.actor
    user = await unit.get(users, actor.user_id) if actor.user_id is not None else None
    if user is None or user["deleted_at"] is not None:
        raise Problem.not_found("User not found")
    values: dict[str, Any] = {}
    if command.email is not UNSET:
        if await _taken(unit, user["id"], str(command.email_hash)):
            raise duplicate_email()
        values |= {"email": command.email, "email_hash": command.email_hash}
    if command.password_hash is not UNSET:
        values["password_hash"] = command.password_hash
    await unit.update(users, user["id"], values)
    if command.password_hash is not UNSET:
        await password_changed(unit, user["id"], user["organization_id"], but=actor.session_id)
    elif values.get("email_hash", user["email_hash"]) != user["email_hash"]:
        await void_links(unit, user["id"])  # they were mailed to the old address
    return ProfileUpdated(user["email"] if command.email is UNSET else command.email)


async def _taken(unit: Unit, user_id: UUID, email_hash: str) -> bool:
    return bool(
        await unit.fetchval(
            "select exists (select from users where email_hash = $1 and id <> $2 and deleted_at is null)",
            email_hash,
            user_id,
        )
    )
