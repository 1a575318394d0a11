"""Whom a forgotten password belongs to, and whom a link was mailed to. Asked by the installation's own role."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from queries.auth.identity import LIVE_TENANT, Connection


class Addressee(Struct, frozen=True):
    """A user who may be sent a link."""

    tenant_id: UUID
    id: UUID
    email: str
    tenant_name: str
    has_password: bool


class Link(Struct, frozen=True):
    """An unused link that is still good."""

    tenant_id: UUID
    user_id: UUID


_ADDRESSEE = (
    "select u.tenant_id, u.id, u.email, t.name as tenant_name, u.password_hash is not null as has_password"
    f" from users u{LIVE_TENANT} where u.deleted_at is null and"
)


async def addressees_of(connection: Connection, email_hash: str) -> list[Addressee]:
    """Every live user with this e-mail address, in all tenants."""
    rows = await connection.fetch(f"{_ADDRESSEE} u.email_hash = $1 order by u.tenant_id", email_hash)
    return [Addressee(**row) for row in rows]


async def addressee(connection: Connection, tenant_id: UUID, user_id: UUID) -> Addressee | None:
    """One live user."""
    row = await connection.fetchrow(f"{_ADDRESSEE} u.tenant_id = $1 and u.id = $2", tenant_id, user_id)
    return None if row is None else Addressee(**row)


async def link_of(connection: Connection, token_hash: str, now: datetime) -> Link | None:
    """The link whose secret has this hash, when it can still be used."""
    row = await connection.fetchrow(
        "select r.tenant_id, r.user_id from password_resets r"
        " join users u on u.tenant_id = r.tenant_id and u.id = r.user_id and u.deleted_at is null"
        f"{LIVE_TENANT} where r.token_hash = $1 and r.used_at is null and r.expires_at > $2",
        token_hash,
        now,
    )
    return None if row is None else Link(**row)
