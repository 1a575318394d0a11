"""The commands `backstep seal`, `backstep head export`, and what `backstep verify --log` does (decision 0032)."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import rich_click as click

from app.cli_shared import data_option, settings_of, with_database

if TYPE_CHECKING:
    from app.database import Database
    from app.settings import Settings
    from domain.seals import Head
    from queries.seals import Verification

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--tenant", metavar="ID", type=click.UUID, help="Only this tenant.")
@data_option
def seal(tenant: UUID | None, data: Path | None) -> None:
    """Seal what the log has unsealed; a running server does it by itself."""
    settings = settings_of(data)

    async def run(database: "Database") -> tuple[int, int]:
        from app.jobs.sealer import TENANTS, seal_keys, sealed

        seals = rows = 0
        async with database.system() as connection:
            found = [row["id"] for row in await connection.fetch(TENANTS)]
            wanted = found if tenant is None else [tenant]
            async for step in sealed(connection, seal_keys(settings), wanted):
                seals, rows = seals + step.seals, rows + step.rows
        return seals, rows

    seals, rows = with_database(settings, run)
    click.echo(f"{rows} rows sealed with {seals} seals.")


@click.group()
def head() -> None:
    """The newest seal of each tenant, to be kept where nobody who can change the log can change it."""


@head.command("export")
@click.option("--output", type=FILE, required=True, help="File to write.")
@click.option("--tenant", metavar="ID", type=click.UUID, help="Only this tenant.")
@data_option
def export_head(output: Path, tenant: UUID | None, data: Path | None) -> None:
    """Write the heads of all tenants to a file, signed; `backstep verify --log --head FILE` looks for them later."""
    settings = settings_of(data)

    async def run(database: "Database") -> "list[Head]":
        from app.jobs.sealer import TENANTS
        from queries.seals import newest_head

        async with database.system() as connection:
            found = [row["id"] for row in await connection.fetch(TENANTS)]
            wanted = [one for one in found if tenant in (None, one)]
            heads = [await newest_head(connection, one) for one in wanted]
        return [one for one in heads if one is not None]

    heads = with_database(settings, run)

    import msgspec

    from app.settings import master_key
    from domain.seals import heads as signed

    document = signed(master_key(settings), heads, datetime.now(UTC))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    click.echo(f"{len(heads)} heads exported to {output}.")


def verify_log(tenant: UUID | None, file: Path | None, as_json: bool, data: Path | None) -> None:
    """Check the seals of one tenant or all, and the rows under them; ends with 1 when one is broken."""
    settings = settings_of(data)
    heads = {} if file is None else _heads(file, settings)

    async def run(database: "Database") -> "list[Verification]":
        from app.jobs.sealer import TENANTS, seal_keys
        from queries.seals import verification

        key = seal_keys(settings)
        reports: list[Verification] = []
        async with database.system() as connection:
            found = {row["id"] for row in await connection.fetch(TENANTS)}
            found |= {row["tenant_id"] for row in await connection.fetch(_SEALED_TENANTS)} | heads.keys()
            for one in sorted(found):
                if tenant not in (None, one):
                    continue
                reports.append(await verification(connection, one, key(one), heads.get(one)))
                if not as_json:
                    click.echo(verdict(reports[-1]))
        return reports

    reports = with_database(settings, run)
    intact = all(report.intact for report in reports)
    if as_json:
        import msgspec

        text = msgspec.json.encode({"ok": intact, "tenants": reports})
        click.echo(msgspec.json.format(text, indent=2).decode())
    else:
        click.echo(
            f"{len(reports)} tenants checked: {'all intact' if intact else 'the log was tampered with'}."
        )
    if not intact:
        raise SystemExit(1)


_SEALED_TENANTS = "select distinct tenant_id from log_seals where number = 1"


def verdict(report: "Verification") -> str:
    """What a verification found, as text: a line, and another one for each break."""
    if report.intact:
        rate = report.rows / report.seconds if report.seconds else 0
        removed = f", {report.removed} removed by retention" if report.removed else ""
        text = f"{report.rows} rows under {report.seals} seals{removed}, {report.unsealed} not sealed yet"
        return f"{report.tenant_id}: intact, {text} ({rate:,.0f} rows/s)"
    lines = [f"{report.tenant_id}: BROKEN"]
    for one in report.breaks:
        places = (("seal", one.seal), ("seq", one.seq), ("log row", one.log_id))
        named = ", ".join(f"{name} {place}" for name, place in places if place is not None)
        lines.append(f"  {one.kind} at {named or 'no place'}: {one.why}")
    return "\n".join(lines)


def _heads(file: Path, settings: "Settings") -> "dict[UUID, Head]":
    """The heads of a file by tenant. Raises StartError for a file that holds none, or that was changed."""
    import msgspec

    from app.settings import StartError, master_key
    from domain.seals import Heads, are_genuine

    try:
        given = msgspec.json.decode(file.read_bytes(), type=Heads)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StartError(f"The file {file} has no exported heads: {error}.") from None
    if not are_genuine(master_key(settings), given):
        raise StartError(
            f"The heads in {file} are not signed by this installation: they were changed, or its key is another one."
        )
    return {one.tenant_id: one for one in given.heads}
