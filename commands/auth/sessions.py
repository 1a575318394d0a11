"""Commands of signing in and out.

Sessions are not part of history: nothing of a session can be explained, undone or replayed without the secret that
it stands for, and they change without anybody deciding anything about the tenant's data.
"""

from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from commands.registry import Command, command, handles
from commands.unit import Unit
from domain.auth import sessions, user_activity, users

_WHY = "A session stands for a secret that is kept nowhere: it can be ended, but not explained, undone or replayed."


class SessionOpened(Struct, frozen=True, rename="camel"):
    """The id of the new session."""

    session_id: UUID


@command(
    "auth.sessions.login",
    resource="auth.session",
    label="Sign in",
    undoable=False,
    logged=False,
    why=_WHY,
    system_only=True,
)
class OpenSession(Command, frozen=True, rename="camel"):
    """Let a user in whose password was right. `token_hash` is the keyed hash of the session token."""

    user_id: UUID
    token_hash: Annotated[str, Meta(extra={"secret": True})]
    lifetime_seconds: int
    user_agent: str | None = None
    """The program that signed in, as it calls itself."""


@handles(OpenSession)
async def open_session(command: OpenSession, unit: Unit) -> SessionOpened:
    """Store the session, note the time, and sweep out what is left of the user's old ones."""
    expired = await unit.fetch(
        "select id from sessions where user_id = $1 and expires_at < $2", command.user_id, unit.now
    )
    await unit.delete_many(sessions, [row["id"] for row in expired])
    session_id = unit.new_id()
    await unit.insert(
        sessions,
        {
            "id": session_id,
            "user_id": command.user_id,
            "token_hash": command.token_hash,
            "expires_at": unit.now + timedelta(seconds=command.lifetime_seconds),
            "user_agent": command.user_agent,
        },
    )
    seen = {"last_login_at": unit.now}
    if await unit.update(user_activity, command.user_id, seen) is None:
        await unit.insert(user_activity, {"id": command.user_id, **seen})
    user = await unit.get(users, command.user_id)
    if user is not None:
        place = user["organization_id"]
        unit.emit("auth.login.success", {**who(unit, command.user_id, place), "email": user["email"]}, place)
    return SessionOpened(session_id)


@command(
    "auth.sessions.logout",
    resource="auth.session",
    label="Sign out",
    undoable=False,
    logged=False,
    why=_WHY,
    system_only=True,
)
class EndSessions(Command, frozen=True, rename="camel"):
    """End sessions of the tenant; those that are gone already do not matter."""

    session_ids: tuple[UUID, ...]


@handles(EndSessions)
async def end_sessions(command: EndSessions, unit: Unit) -> None:
    """Delete the rows: every access token bound to them is dead at once."""
    ended = await unit.delete_many(sessions, command.session_ids)
    people = list({UUID(image.value("user_id")) for image in ended})
    if not people:
        return
    for row in await unit.fetch("select id, organization_id from users where id = any($1::uuid[])", people):
        place = row["organization_id"]
        unit.emit("auth.logout", who(unit, row["id"], place), place)


@command(
    "auth.sessions.refuse",
    resource="auth.session",
    label="Refuse sign-in",
    undoable=False,
    logged=False,
    why=_WHY,
    system_only=True,
)
class RefuseSignIn(Command, frozen=True, rename="camel"):
    """Tell that somebody tried the account of `email` in vain."""

    email: str
    reason: Literal["invalid_password", "invalid_credentials"]


@handles(RefuseSignIn)
async def refuse_sign_in(command: RefuseSignIn, unit: Unit) -> None:
    """Nothing is stored."""
    unit.emit("auth.login.failed", {"email": command.email, "reason": command.reason})


async def end_sessions_of(unit: Unit, user_id: UUID, *, but: UUID | None = None) -> None:
    """End all sessions of a user, or all but one: part of every command that changes a password."""
    found = await unit.fetch(
        "select id from sessions where user_id = $1 and id is distinct from $2::uuid", user_id, but
    )
    await unit.delete_many(sessions, [row["id"] for row in found])


def who(unit: Unit, user_id: UUID, organization_id: UUID | None) -> dict[str, UUID | None]:
    """The payload of events about a user (auth.md section 10)."""
    return {"id": user_id, "tenantId": unit.scope.tenant_id, "organizationId": organization_id}
