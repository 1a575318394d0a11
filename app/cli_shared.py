"""What the groups of the command line share: the option for the data directory, and the way to the database."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

if TYPE_CHECKING:
    from app.database import Database
    from app.settings import Settings

T = TypeVar("T")


def data_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """The option that all commands share. DATABASE_URL, when set, says where the database is."""
    return click.option(
        "--data",
        type=click.Path(path_type=Path),
        help="Data directory (BACKSTEP_DATA, else ./var). DATABASE_URL points to a PostgreSQL of your own instead.",
    )(function)


def settings_of(data: Path | None) -> "Settings":
    """The settings from the environment, and from `--data`."""
    from app.settings import Settings

    return Settings.read(data=data)


def with_database(settings: "Settings", work: "Callable[[Database], Awaitable[T]]") -> T:
    """Run `work` on the migrated database of the settings, which another process may be serving meanwhile."""
    from app.database import Database
    from app.embedded import opened
    from app.migrate import migrate as bring_up_to_date

    with opened(settings) as target:

        async def run() -> T:
            await bring_up_to_date(target.admin_dsn, embedded=target.embedded)
            database = Database(target)
            try:
                return await work(database)
            finally:
                await database.close()

        return asyncio.run(run())
