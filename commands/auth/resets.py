"""Commands around links that let somebody choose a password: forgotten ones, and the first one of invited people.

A link's secret and the hash of a password are made before the command, so that no command ever sees either; what is
mailed is handed over sealed.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from msgspec import Meta, Struct

from commands.auth.sessions import end_sessions_of, who
from commands.registry import Command, Outcome, command, handles, revives
from commands.unit import Unit
from domain.auth import USERS_CREATE, password_resets, users
from domain.errors import Problem
from domain.mail import Kind, mail_outbox

RESET_LIFE: Final = timedelta(minutes=60)
INVITATION_LIFE: Final = timedelta(hours=48)
MOST_LINKS: Final = 5
"""Good links that a user can have at a time: nobody's mailbox is to be filled by asking again and again."""
BAD_LINK: Final = "Invalid or expired token"

Secret = Annotated[str, Meta(extra={"secret": True})]


class Told(Struct, frozen=True):
    """Whether a letter was written down; not when the user is gone."""

    told: bool


@command(
    "auth.password_resets.request",
    resource="auth.password_reset",
    label="Request password reset",
    target="user_id",
    undoable=False,
    why="It sends a letter, and what was sent cannot be taken back; the link ends by itself.",
    system_only=True,
)
class RequestPasswordReset(Command, frozen=True, rename="camel"):
    """Mail a user a link to choose a new password. `letter` is sealed, `token_hash` the keyed hash of the secret."""

    user_id: UUID
    token_hash: Secret
    letter: Secret


@handles(RequestPasswordReset)
async def request_password_reset(command: RequestPasswordReset, unit: Unit) -> Told:
    """Links that were mailed before stay good, so that nobody can spoil somebody's link by asking again."""
    user = await _live_user(unit, command.user_id)
    if user is None:
        return Told(False)
    await _sweep(unit, command.user_id)
    sql = "select count(*) from password_resets where user_id = $1 and used_at is null"
    if await unit.fetchval(sql, command.user_id) >= MOST_LINKS:
        return Told(False)
    await _add_link(unit, command.user_id, command.token_hash, command.letter, "password_reset", RESET_LIFE)
    place = user["organization_id"]
    unit.emit("auth.password.reset.requested", who(unit, command.user_id, place), place)
    return Told(True)


@command(
    "auth.invitations.send",
    resource="auth.user",
    label="Send invitation",
    features=(USERS_CREATE,),
    target="user_id",
    undoable=False,
    why="It sends a letter, and what was sent cannot be taken back; the next invitation makes this one void.",
)
class SendInvitation(Command, frozen=True, rename="camel"):
    """Mail a user a link to choose the first password; earlier links are void."""

    user_id: UUID
    token_hash: Secret
    letter: Secret


@handles(SendInvitation)
async def send_invitation(command: SendInvitation, unit: Unit) -> Told:
    """Raises Problem 404 for a user who is gone."""
    user = await _live_user(unit, command.user_id)
    if user is None:
        raise Problem.not_found("User not found")
    await void_links(unit, command.user_id)
    await _add_link(unit, command.user_id, command.token_hash, command.letter, "invitation", INVITATION_LIFE)
    return Told(True)


@command(
    "auth.password_resets.confirm",
    resource="auth.user",
    label="Reset password",
    target="user_id",
    undoable=False,
    why="Somebody else may know the old password: taking this back would let them in again.",
    system_only=True,
)
class ConfirmPasswordReset(Command, frozen=True, rename="camel"):
    """Use a link: the user gets the password whose sealed hash is given."""

    user_id: UUID
    token_hash: Secret
    password_hash: Secret


@revives(ConfirmPasswordReset)
def no_confirmation(recorded: dict[str, Any], left: Sequence[Outcome]) -> str:
    """It cannot be done again."""
    return "it needs the link that was mailed, which is not part of history"


@handles(ConfirmPasswordReset)
async def confirm_password_reset(command: ConfirmPasswordReset, unit: Unit) -> None:
    """Every session of the user ends, every other link is void. Raises Problem 400 when the link is no longer good."""
    user = await _live_user(unit, command.user_id)
    link = await unit.fetchval(
        "select id from password_resets where user_id = $1 and token_hash = $2",
        command.user_id,
        command.token_hash,
    )
    good = "t.used_at is null and t.expires_at > $4"
    if user is None or link is None:
        raise refused()
    if await unit.update(password_resets, link, {"used_at": unit.now}, where=good, args=(unit.now,)) is None:
        raise refused()
    await unit.update(users, command.user_id, {"password_hash": command.password_hash})
    await end_sessions_of(unit, command.user_id)
    await void_links(unit, command.user_id)
    place = user["organization_id"]
    unit.emit("auth.password.reset.completed", who(unit, command.user_id, place), place)


def refused() -> Problem:
    """The one answer to every link that does not work, whatever is wrong with it."""
    return Problem(400, {"ok": False, "error": BAD_LINK})


async def void_links(unit: Unit, user_id: UUID) -> None:
    """Make every unused link of a user worthless: part of every command that changes a password."""
    found = await unit.fetch("select id from password_resets where user_id = $1 and used_at is null", user_id)
    await unit.update_many(password_resets, [{"id": row["id"], "used_at": unit.now} for row in found])


async def password_changed(
    unit: Unit, user_id: UUID, organization_id: UUID | None, *, but: UUID | None = None
) -> None:
    """What goes with a new password: sessions end (all `but` one), links are void, and the event tells of it."""
    await end_sessions_of(unit, user_id, but=but)
    await void_links(unit, user_id)
    unit.emit("auth.password.changed", who(unit, user_id, organization_id), organization_id)


async def _live_user(unit: Unit, user_id: UUID) -> Any:
    user = await unit.get(users, user_id)
    return user if user is not None and user["deleted_at"] is None else None


async def _sweep(unit: Unit, user_id: UUID) -> None:
    """Delete what is left of links whose time is over."""
    old = await unit.fetch(
        "select id from password_resets where user_id = $1 and expires_at < $2", user_id, unit.now
    )
    await unit.delete_many(password_resets, [row["id"] for row in old])


async def _add_link(
    unit: Unit, user_id: UUID, token_hash: str, letter: str, kind: Kind, life: timedelta
) -> None:
    ends = unit.now + life
    await unit.insert(password_resets, {"user_id": user_id, "token_hash": token_hash, "expires_at": ends})
    await unit.insert(mail_outbox, {"kind": kind, "sealed": letter, "due_at": unit.now, "expires_at": ends})
