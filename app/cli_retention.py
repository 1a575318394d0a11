"""The commands `backstep retention preview` and `backstep retention run` (decision 0033)."""

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import rich_click as click

from app.cli_shared import data_option, settings_of, with_database

if TYPE_CHECKING:
    from app.database import Database
    from queries.retention import Retention

_TENANTS = "select distinct tenant_id from log_retention_policies where $1::uuid is null or tenant_id = $1 order by 1"


@click.group()
def retention() -> None:
    """What is older than a tenant's policies say, and its removal from the log."""


@retention.command()
@click.option("--tenant", metavar="ID", type=click.UUID, help="Only this tenant.")
@data_option
def preview(tenant: UUID | None, data: Path | None) -> None:
    """Say what `run` would remove now, by kind; nothing is changed."""

    async def run(database: "Database") -> "list[tuple[UUID, Retention]]":
        from queries.retention import retention as read

        async with database.system() as connection:
            found = [row["tenant_id"] for row in await connection.fetch(_TENANTS, tenant)]
            return [(one, await read(connection, one)) for one in found]

    reports = with_database(settings_of(data), run)
    for one, report in reports:
        click.echo(f"{one}: {report.rows} rows, {report.bytes / 1e6:.1f} MB")
        for kind in report.going:
            span = f"{kind.oldest:%Y-%m-%d} to {kind.newest:%Y-%m-%d}"
            click.echo(f"  {kind.kind or '(no kind)'}: {kind.rows} rows, {kind.bytes / 1e6:.1f} MB, {span}")
    click.echo(f"{len(reports)} tenants with policies.")


@retention.command("run")
@click.option("--tenant", metavar="ID", type=click.UUID, help="Only this tenant.")
@data_option
def run_now(tenant: UUID | None, data: Path | None) -> None:
    """Remove what is due; a running server does it once a day. Ends with 1 when a log cannot be trusted."""
    settings = settings_of(data)

    async def run(database: "Database") -> list[str]:
        from app.main import load_parts
        from app.retention import Untrustworthy, removed

        load_parts()
        faults = []
        async with database.system() as connection:
            found = [row["tenant_id"] for row in await connection.fetch(_TENANTS, tenant)]
        for one in found:
            rows = 0
            try:
                async for step in removed(database, settings, one):
                    rows += step.rows
            except Untrustworthy as why:
                faults.append(str(why))
            click.echo(f"{one}: {rows} rows removed")
        return faults

    faults = with_database(settings, run)
    for fault in faults:
        click.echo(f"Stopped: {fault}", err=True)
    if faults:
        raise SystemExit(1)
