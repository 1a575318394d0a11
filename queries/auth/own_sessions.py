"""Where somebody is signed in."""

from uuid import UUID

from msgspec import Struct

from domain.scope import Scope
from domain.wire import iso_ms
from queries.auth.identity import Connection


class SessionItem(Struct, frozen=True, rename="camel"):
    """One live session; `current` is the one that the request came with, `user_agent` the program that opened it."""

    id: UUID
    user_agent: str | None
    current: bool
    created_at: str
    expires_at: str


async def own_sessions(connection: Connection, scope: Scope) -> list[SessionItem]:
    """The live sessions of the person who acts, newest first."""
    rows = await connection.fetch(
        "select id, user_agent, created_at, expires_at from sessions"
        " where tenant_id = $1 and user_id = $2 and expires_at > now() order by created_at desc, id desc",
        scope.actor_tenant_id or scope.tenant_id,
        scope.actor.user_id,
    )
    return [
        SessionItem(
            row["id"],
            row["user_agent"],
            row["id"] == scope.actor.session_id,
            iso_ms(row["created_at"]),
            iso_ms(row["expires_at"]),
        )
        for row in rows
    ]
