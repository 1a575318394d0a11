"""Sealing anew what a tenant has stored, in commands of a few hundred rows, and what else changes keys (0023, 0034)."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from msgspec import Struct

from app.database import Database
from app.encryption import Encryption
from app.jobs.relay import EVENTS_CHANNEL
from commands.bus import Bus
from commands.encryption import Reencrypt, RotateKey, sealable_tables
from commands.erasure import Erase, Erased
from domain.scope import Options, system_scope


class Progress(Struct, frozen=True, rename="camel"):
    """How far one table is; `unreadable` values stay as they are."""

    table: str
    done: int
    total: int
    rewritten: int
    unreadable: int


async def reencrypted(
    database: Database, bus: Bus, tenant_id: UUID, tables: Sequence[str] = ()
) -> AsyncIterator[Progress]:
    """Bring the rows of a tenant to what its maps and its newest key ask for; one report a step.

    It may be interrupted and begun again: what is done already is left alone.
    """
    scope = system_scope(tenant_id)
    for table in tables or sealable_tables():
        async with database.system() as connection:
            total = await connection.fetchval(f"select count(*) from {table} where tenant_id = $1", tenant_id)
        after: UUID | None = None
        done = rewritten = unreadable = 0
        while True:
            step = (await bus.execute(Reencrypt(table=table, after=after), scope)).result
            done, rewritten = done + step.seen, rewritten + step.rewritten
            unreadable += step.unreadable
            yield Progress(table, done, max(total, done), rewritten, unreadable)
            after = step.last
            if after is None:
                break


async def rotated(database: Database, encryption: Encryption, bus: Bus, tenant_id: UUID) -> int:
    """Give a tenant a new data key; returns its number. Raises Problem 409 when another rotation was faster."""
    key = await encryption.new_key(tenant_id)
    command = RotateKey(number=key.number, wrapped=key.wrapped, wrapped_by=key.wrapped_by)
    await bus.execute(command, system_scope(tenant_id))
    await _announce(database, encryption, tenant_id)
    return key.number


async def erased(
    database: Database, encryption: Encryption, bus: Bus, tenant_id: UUID, command: Erase
) -> Erased:
    """Erase a record beside a running server. Raises Problem as the command does."""
    options = Options(reason=command.reason)
    result: Erased = (await bus.execute(command, system_scope(tenant_id), options)).result
    await _announce(database, encryption, tenant_id)
    return result


async def _announce(database: Database, encryption: Encryption, tenant_id: UUID) -> None:
    """Have every process forget the keys of a tenant that it remembers."""
    encryption.forget(tenant_id)
    async with database.system() as connection:
        await connection.execute("select pg_notify($1, $2)", EVENTS_CHANNEL, f"cache:{tenant_id}:encryption")
