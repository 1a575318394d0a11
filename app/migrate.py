"""Brings a database to the schema of this program: server version, roles, Alembic migrations.

Safe when several processes start together: all of it happens under one advisory lock.
"""

import asyncio
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import asyncpg
from msgspec import Struct

from app.settings import StartError

OLDEST_SERVER: Final = 180_000
"""PostgreSQL 18 as `server_version_num` counts: `RETURNING old, new` came with it."""

ROLES: Final = ("backstep_app", "backstep_system")
_LOCK: Final = 7_305_804_385_120_513_281
_FOLDER: Final = Path(__file__).resolve().parent.parent / "migrations"


class Migration(Struct, frozen=True):
    """What `migrate` did: the revision found (`None` = empty database) and the one reached."""

    before: str | None
    after: str

    @property
    def changed(self) -> bool:
        """Whether any migration ran."""
        return self.before != self.after


def check_version(number: int) -> None:
    """Refuse a server older than PostgreSQL 18; `number` is its `server_version_num`. Raises `StartError`."""
    if number < OLDEST_SERVER:
        found = f"{number // 10_000}.{number % 10_000}" if number >= 100_000 else f"{number // 10_000}"
        raise StartError(
            f"The database server is PostgreSQL {found}, but Backstep needs {OLDEST_SERVER // 10_000} or newer. "
            "Point DATABASE_URL to a newer server, or leave it out to use the embedded one."
        )


@cache
def _links() -> Mapping[str, str | None]:
    """Each revision of the program with the one before it, read from the migration files without running them."""
    found: dict[str, str | None] = {}
    for path in sorted((_FOLDER / "versions").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        revision = re.search(r'^revision\b.*?=\s*["\']([^"\']+)', text, re.MULTILINE)
        if revision is not None:
            before = re.search(r'^down_revision\b.*?=\s*["\']([^"\']+)', text, re.MULTILINE)
            found[revision[1]] = before[1] if before else None
    return found


@cache
def head() -> str:
    """The newest revision that this program knows. Raises `StartError` when the files do not form one chain."""
    links = _links()
    heads = sorted(set(links) - set(links.values()))
    if len(heads) != 1:
        raise StartError(f"The migrations must end in one revision, not in {len(heads)}: {', '.join(heads)}.")
    return heads[0]


async def current(connection: asyncpg.Connection) -> str | None:
    """The revision of the database, or `None` when it has none yet; both application roles may ask."""
    if await connection.fetchval("select to_regclass('public.alembic_version') is null"):
        return None
    revision: str | None = await connection.fetchval("select version_num from public.alembic_version")
    return revision


async def migrate(dsn: str, *, embedded: bool) -> Migration:
    """Check the server, make the roles and run what is missing, as the owner of the tables (`dsn`).

    In the embedded server the roles may sign in; elsewhere the DSN's user takes them on. Raises `StartError` when
    the server is too old or out of reach, or rights are missing, or the database is newer than the program.
    """
    connection = await _connect(dsn)
    try:
        check_version(int(await connection.fetchval("show server_version_num")))
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        await _make_roles(connection, embedded=embedded)
        before = await current(connection)
        if before is not None and before not in _links():
            raise StartError(
                f"The database has revision {before}, which this program does not know: it was used by a newer version."
            )
        if before != head():
            await _upgrade(dsn)
            await connection.execute(f"grant select on public.alembic_version to {', '.join(ROLES)}")
        return Migration(before, head())
    except asyncpg.InsufficientPrivilegeError as error:
        raise StartError(f"The user of DATABASE_URL lacks a right that migrations need: {error}.") from None
    finally:
        await connection.close()


async def _connect(dsn: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(
            dsn, timeout=15, server_settings={"application_name": "backstep migrate"}
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise StartError(f"The database cannot be reached: {reason.rstrip('.')}.") from None


async def _make_roles(connection: asyncpg.Connection, *, embedded: bool) -> None:
    """Make the two roles of the application: neither superuser nor owner, and bound by row level security."""
    present = {row["rolname"]: row for row in await connection.fetch(
        "select rolname, rolsuper or rolbypassrls as mighty, rolcanlogin,"
        " pg_has_role(current_user, oid, 'set') as usable from pg_roles where rolname = any($1)", list(ROLES),
    )}  # fmt: skip
    for role in ROLES:
        found = present.get(role)
        if found is not None and found["mighty"]:
            raise StartError(
                f"The role {role} must be neither a superuser nor exempt from row level security."
            )
        if found is None:
            # Roles belong to the whole server: another database's migration may make them at the same moment.
            login = "login" if embedded else "nologin"
            try:
                await connection.execute(
                    f"create role {role} {login} nosuperuser nocreatedb nocreaterole nobypassrls noinherit"
                )
            except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
                pass
        elif embedded and not found["rolcanlogin"]:
            await connection.execute(f"alter role {role} login")
        if not embedded and (found is None or not found["usable"]):
            await _retried(connection, f"grant {role} to current_user with set true, inherit false")


async def _retried(connection: asyncpg.Connection, statement: str) -> None:
    """Catalogue changes made twice at the same moment fail with an internal error; the next try succeeds."""
    for attempt in range(5):
        try:
            await connection.execute(statement)
            return
        except (asyncpg.InternalServerError, asyncpg.UniqueViolationError):
            if attempt == 4:
                raise
            await asyncio.sleep(0.05 * (attempt + 1))


async def _upgrade(dsn: str) -> None:
    """Run Alembic up to the newest revision on a connection of its own."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import Connection, pool
    from sqlalchemy.ext.asyncio import create_async_engine

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")

    def run(connection: Connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: asyncpg.connect(dsn, timeout=15),
        poolclass=pool.NullPool,
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
            await connection.commit()
    finally:
        await engine.dispose()
