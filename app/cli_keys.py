"""The commands `backstep keys …`: keys of tenants and records, and what was sealed with them (0023, 0034)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import rich_click as click

from app.cli_shared import data_option, settings_of, with_database

if TYPE_CHECKING:
    from app.database import Database
    from app.encryption_check import Finding
    from app.reencryption import Progress
    from commands.erasure import Erased


@click.group()
def keys() -> None:
    """Keys of encrypted fields: list them, make new ones, seal stored values with the newest, erase a person."""


@keys.command("list")
@click.option("--tenant", metavar="ID", type=click.UUID, help="Only this tenant.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@data_option
def list_keys(tenant: UUID | None, as_json: bool, data: Path | None) -> None:
    """List data keys by tenant and number; the keys themselves are never shown."""
    import msgspec

    async def run(database: "Database") -> list[Any]:
        from queries.encryption import keys as known

        async with database.system() as connection:
            return list(await known(connection, tenant))

    found = with_database(settings_of(data), run)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    for one in found:
        mark = "current" if one.is_current else "older"
        click.echo(
            f"{one.tenant_id} key {one.number} {mark}, {one.wrapped_by}, {one.created_at:%Y-%m-%d %H:%M}"
        )
    click.echo(f"{len(found)} keys.")


@keys.command("rotate")
@click.option("--tenant", metavar="ID", type=click.UUID, required=True, help="Whose key.")
@data_option
def rotate_key(tenant: UUID, data: Path | None) -> None:
    """Seal with a new key from now on. What is stored keeps its own key until `keys reencrypt`."""
    settings = settings_of(data)

    async def run(database: "Database") -> int:
        from app.encryption import Encryption
        from app.main import make_bus
        from app.reencryption import rotated

        await _require(database, tenant)
        encryption = Encryption(database, settings)
        return await rotated(database, encryption, make_bus(database, settings, encryption), tenant)

    click.echo(f"Key {with_database(settings, run)} is the newest.")


@keys.command("reencrypt")
@click.option("--tenant", metavar="ID", type=click.UUID, required=True, help="Whose values.")
@click.option("--table", "tables", metavar="NAME", multiple=True, help="Only this table; may be repeated.")
@data_option
def reencrypt(tenant: UUID, tables: tuple[str, ...], data: Path | None) -> None:
    """Bring stored values to what the maps and the newest key ask for, beside a running server."""
    settings = settings_of(data)

    async def run(database: "Database") -> dict[str, "Progress"]:
        from app.cli import _progress
        from app.encryption import Encryption
        from app.main import make_bus
        from app.reencryption import reencrypted
        from app.settings import StartError
        from commands.encryption import sealable_tables

        await _require(database, tenant)
        encryption = Encryption(database, settings)
        bus = make_bus(database, settings, encryption)
        if unknown := set(tables) - set(sealable_tables()):
            known = ", ".join(sealable_tables())
            raise StartError(f"No encrypted fields in {', '.join(sorted(unknown))}. Known: {known}.")
        done: dict[str, Progress] = {}
        with _progress("Sealing") as show:
            async for step in reencrypted(database, bus, tenant, tables):
                done[step.table] = step
                show(step.table, step.done, step.total)
        return done

    done = with_database(settings, run)
    for step in done.values():
        if step.rewritten or step.unreadable:
            click.echo(
                f"{step.table}: {step.rewritten} of {step.done} rows rewritten, {step.unreadable} unreadable."
            )
    click.echo(f"{sum(step.rewritten for step in done.values())} rows rewritten.")


@keys.command("check")
@click.option("--tenant", metavar="ID", type=click.UUID, required=True, help="Whose values.")
@data_option
def check_values(tenant: UUID, data: Path | None) -> None:
    """Look for values that should be sealed and are not, or cannot be opened. Ends with 1 when there are any."""
    settings = settings_of(data)

    async def run(database: "Database") -> list["Finding"]:
        from app.encryption import Encryption
        from app.encryption_check import look
        from app.main import load_parts

        load_parts()
        await _require(database, tenant)
        return await look(database, Encryption(database, settings), tenant)

    found = with_database(settings, run)
    for one in found:
        if one.values or not one.ok:
            click.echo(
                f"{one.table}: {one.values} sealed values in {one.rows} rows, {one.older} with an older key,"
                f" {one.plain} rows to re-encrypt, {one.misplaced} misplaced, {one.unreadable} unreadable."
            )
    click.echo(f"{sum(one.values for one in found)} sealed values.")
    if not all(one.ok for one in found):
        raise SystemExit(1)


@keys.command("erase")
@click.argument("entity")
@click.argument("record", metavar="ID", type=click.UUID)
@click.option("--tenant", metavar="ID", type=click.UUID, required=True, help="Whose record.")
@click.option("--reason", metavar="TEXT", required=True, help="Kept with the action.")
@data_option
def erase_record(entity: str, record: UUID, tenant: UUID, reason: str, data: Path | None) -> None:
    """Destroy what the sealed values of one record are opened with, in its row and in all of history. Not to be undone.

    ENTITY is as in `auth:user`.
    """
    settings = settings_of(data)

    async def run(database: "Database") -> "Erased":
        from msgspec import ValidationError, convert

        from app.encryption import Encryption
        from app.main import make_bus
        from app.reencryption import erased
        from app.settings import StartError
        from commands.erasure import Erase
        from domain.errors import Problem

        await _require(database, tenant)
        encryption = Encryption(database, settings)
        bus = make_bus(database, settings, encryption)
        wanted = {"entityId": entity, "recordId": str(record), "reason": reason}
        try:
            return await erased(database, encryption, bus, tenant, convert(wanted, Erase))
        except (Problem, ValidationError) as problem:
            raise StartError(f"Not erased: {problem}.") from None

    done = with_database(settings, run)
    if not done.erased:
        click.echo("There was nothing left to erase.")
    else:
        click.echo(f"Erased. Emptied: {', '.join(done.fields) or 'nothing that was still there'}.")
    if done.older_actions:
        click.echo(
            f"{done.older_actions} older actions hold values that no erasure reaches (docs/encryption.md)."
        )


async def _require(database: "Database", tenant: UUID) -> None:
    from app.settings import StartError

    async with database.system() as connection:
        if not await connection.fetchval("select exists (select from tenants where id = $1)", tenant):
            raise StartError(f"There is no tenant {tenant}.")
