"""The commands `backstep entities …`: the custom fields that the product brings along (decision 0021)."""

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import rich_click as click

from app.cli_shared import data_option, settings_of, with_database

if TYPE_CHECKING:
    from app.database import Database


@click.group()
def entities() -> None:
    """Custom fields of the product's own entities."""


@entities.command("install")
@click.option("--tenant", metavar="ID", type=click.UUID, help="Only this tenant.")
@data_option
def install_fields(tenant: UUID | None, data: Path | None) -> None:
    """Give every tenant the declared fields that it lacks; what exists, deleted or not, is left alone."""
    settings = settings_of(data)

    async def run(database: "Database") -> tuple[int, int]:
        from app.main import make_bus
        from commands.entities.install import InstallDefinitions
        from domain.scope import system_scope

        bus = make_bus(database, settings)
        async with database.system() as connection:
            found = await connection.fetch(
                "select id from tenants where deleted_at is null and ($1::uuid is null or id = $1) order by id",
                tenant,
            )
        added = 0
        for row in found:
            outcome = await bus.execute(InstallDefinitions(), system_scope(row["id"]))
            added += outcome.result["installed"]
        return len(found), added

    tenants, added = with_database(settings, run)
    click.echo(f"{added} fields added in {tenants} tenants.")
