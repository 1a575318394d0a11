"""The commands `backstep jobs …`: background jobs of all tenants as an operator sees them (decision 0024)."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import rich_click as click

from app.cli_shared import data_option, settings_of, with_database

if TYPE_CHECKING:
    from app.database import Database

JOB_ID = click.IntRange(1, (1 << 63) - 1)
MOST_LISTED = 500


@click.group()
def jobs() -> None:
    """Background jobs that wait, run, or were given up."""


@jobs.command("list")
@click.option("--tenant", metavar="ID", type=click.UUID, help="Only this tenant.")
@click.option("--state", type=click.Choice(["waiting", "running", "failed"]), help="Only jobs in this state.")
@click.option("--name", metavar="NAME", help="Only jobs of this name.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@data_option
def list_jobs(
    tenant: UUID | None, state: str | None, name: str | None, as_json: bool, data: Path | None
) -> None:
    """List the newest 500 jobs; what is done is gone from here."""

    async def run(database: "Database") -> list[dict[str, Any]]:
        from domain.jobs import LIST

        owner = None if tenant is None else str(tenant)
        async with database.system() as connection:
            rows = await connection.fetch(LIST, owner, state, name, MOST_LISTED, 0)
        return [dict(row) for row in rows]

    found = with_database(settings_of(data), run)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False, default=str))
        return
    for row in found:
        error = f": {row['error']}" if row["error"] else ""
        told = f"{row['name']} {row['state']}, {row['attempts']} attempts{error}"
        click.echo(
            f"{row['id']} {row['created_at']:%Y-%m-%d %H:%M:%S} {row['tenant_id'] or 'installation'} {told}"
        )
    click.echo(f"{len(found)} jobs.")


@jobs.command("retry")
@click.argument("ids", nargs=-1, type=JOB_ID)
@click.option("--all", "everything", is_flag=True, help="All that have failed.")
@data_option
def retry_jobs(ids: tuple[int, ...], everything: bool, data: Path | None) -> None:
    """Let failed jobs wait again, as if they were new; a running server does them."""
    if everything == bool(ids):
        raise click.UsageError("Give either numbers or --all.")

    async def run(database: "Database") -> int:
        from app.jobs.queue import wake_workers
        from domain.jobs import RETRY

        async with database.system() as connection:
            found = await connection.fetch(RETRY, None if everything else list(ids))
            await wake_workers(connection)
        return len(found)

    click.echo(f"{with_database(settings_of(data), run)} jobs wait again.")


@jobs.command("delete")
@click.argument("ids", nargs=-1, type=JOB_ID)
@click.option("--failed", is_flag=True, help="All that have failed.")
@data_option
def delete_jobs(ids: tuple[int, ...], failed: bool, data: Path | None) -> None:
    """Delete jobs that wait or have failed; their work is not done. One that is under way is left alone."""
    if failed == bool(ids):
        raise click.UsageError("Give either numbers or --failed.")

    async def run(database: "Database") -> int:
        from domain.jobs import DELETE

        async with database.system() as connection:
            named = list(ids)
            if failed:
                rows = await connection.fetch("select id from jobs.pgqueuer where status = 'failed'")
                named = [row["id"] for row in rows]
            return len(await connection.fetch(DELETE, named))

    click.echo(f"{with_database(settings_of(data), run)} jobs deleted.")
