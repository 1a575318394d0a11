"""The outbox of mail as an operator sees it: what waits, what was given up, and trying again."""

from typing import Any, Final
from uuid import UUID

from app.database import Database
from app.settings import Settings, master_key
from domain.keys import derived_key
from domain.mail import opened_letter, opened_request

_LIST: Final = (
    "select tenant_id, id, kind, sealed, state, attempts, due_at, expires_at, last_error, created_at from mail_outbox"
    " order by created_at desc, id limit 500"
)
_REVIVE: Final = (
    "update mail_outbox set state = 'waiting', attempts = 0, due_at = now(), updated_at = now()"
    " where state = 'dead' and expires_at > now() and ($1::uuid[] is null or id = any($1))"
)


def mail_key(master: bytes) -> bytes:
    """The key that letters are sealed with."""
    return derived_key(master, "mail")


async def listing(database: Database, settings: Settings) -> list[dict[str, Any]]:
    """The newest 500 rows as plain values, with the recipient but never the link."""
    key = mail_key(master_key(settings))
    async with database.system() as connection:
        rows = await connection.fetch(_LIST)
    return [_shown(row, key) for row in rows]


async def revive(database: Database, ids: list[UUID] | None) -> int:
    """Let dead letters (None: all) be tried again, as far as their links are still good; answers how many."""
    async with database.system() as connection:
        done = await connection.execute(_REVIVE, ids)
    return int(str(done).rpartition(" ")[2])


def _shown(row: Any, key: bytes) -> dict[str, Any]:
    try:
        if row["kind"] == "reset_request":
            to: str | None = opened_request(key, row["sealed"]).email
        else:
            to = opened_letter(key, row["tenant_id"], row["sealed"]).to
    except ValueError:  # of another key: the letter is lost, the row is not
        to = None
    return {
        "id": str(row["id"]),
        "kind": row["kind"],
        "to": to,
        "state": row["state"],
        "attempts": row["attempts"],
        "createdAt": row["created_at"].isoformat(timespec="seconds"),
        "dueAt": row["due_at"].isoformat(timespec="seconds"),
        "expiresAt": row["expires_at"].isoformat(timespec="seconds"),
        "lastError": row["last_error"],
    }
