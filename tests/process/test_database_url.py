"""A PostgreSQL of one's own: roles, migrations and isolation are the same as with the embedded one."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from app.embedded import embedded, plain_dsn
from app.migrate import check_version, head, migrate
from app.settings import StartError
from tests.process.conftest import Serve, command


@pytest.fixture(scope="module")
def owner_dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server elsewhere, with a database whose owner may make roles and is no superuser."""

    async def prepare(admin: str) -> None:
        connection = await asyncpg.connect(admin)
        try:
            await connection.execute("create role shop login createrole nosuperuser")
            await connection.execute("create database shop owner shop")
        finally:
            await connection.close()

    with embedded(tmp_path_factory.mktemp("elsewhere")) as admin:
        asyncio.run(prepare(admin))
        yield admin.replace("postgres@/backstep", "shop@/shop")


def test_serves_from_a_database_whose_owner_is_no_superuser(
    serve: Serve, owner_dsn: str, tmp_path: Path
) -> None:
    server = serve(tmp_path, "--demo", DATABASE_URL=owner_dsn.replace("postgresql://", "postgres://"))
    server.wait_ready()
    assert server.login("admin@acme.com", "secret")[0] == 200
    assert not (tmp_path / "postgres").exists()
    done = command("migrate", "--data", str(tmp_path), DATABASE_URL=owner_dsn)
    assert done.returncode == 0, done.stderr
    assert "Nothing to do" in done.stdout


async def test_processes_that_migrate_at_the_same_time_do_it_once(owner_dsn: str) -> None:
    done = await asyncio.gather(*(migrate(owner_dsn, embedded=False) for _ in range(4)))
    assert {migration.after for migration in done} == {head()}
    assert sum(migration.changed for migration in done) <= 1


async def test_the_application_roles_have_no_power_of_their_own(owner_dsn: str) -> None:
    await migrate(owner_dsn, embedded=False)
    connection = await asyncpg.connect(owner_dsn, server_settings={"role": "backstep_app"})
    try:
        assert await connection.fetchval("select current_user") == "backstep_app"
        mighty = await connection.fetch(
            "select rolname from pg_roles where rolname in ('backstep_app', 'backstep_system')"
            " and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolcanlogin)"
        )
        owned = await connection.fetch(
            "select relname from pg_class c join pg_roles r on r.oid = c.relowner"
            " where r.rolname in ('backstep_app', 'backstep_system')"
        )
        assert mighty == []
        assert owned == []
    finally:
        await connection.close()


async def test_a_database_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    with embedded(tmp_path) as dsn:
        connection = await asyncpg.connect(dsn)
        await connection.execute(
            "create table alembic_version (version_num text); insert into alembic_version values ('9999_later')"
        )
        await connection.close()
        with pytest.raises(StartError, match="9999_later, which this program does not know"):
            await migrate(dsn, embedded=True)


@pytest.mark.parametrize(("number", "shown"), [(170_006, "17.6"), (160_000, "16.0"), (90_624, "9")])
def test_an_older_server_is_refused_with_both_versions(number: int, shown: str) -> None:
    with pytest.raises(StartError, match=re.escape(f"PostgreSQL {shown}, but Backstep needs 18 or newer")):
        check_version(number)


@pytest.mark.parametrize("number", [180_000, 180_004, 190_001])
def test_newer_servers_are_taken(number: int) -> None:
    check_version(number)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_usual_scheme_is_understood(scheme: str) -> None:
    assert (
        plain_dsn(f"{scheme}://u:p@h:5432/d?sslmode=require") == "postgresql://u:p@h:5432/d?sslmode=require"
    )
