"""The first tenant of an installation (contract: auth.md section 12)."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest

from app.database import Database, Target
from app.main import Application, create_app
from app.migrate import migrate
from app.seed import first_start, seed_admin, seed_demo
from app.settings import Settings, StartError

SECRET = "another master key, long enough as well"


@pytest.fixture
async def empty(postgres: str) -> AsyncIterator[Database]:
    """A migrated database without any tenant."""
    name = f"backstep_seed_{uuid4().hex[:12]}"
    admin = await asyncpg.connect(postgres)
    await admin.execute(f"create database {name}")
    head, mark, query = postgres.partition("?")
    dsn = f"{head.rpartition('/')[0]}/{name}{mark}{query}"
    external = bool(os.environ.get("DATABASE_URL"))
    await migrate(dsn, embedded=not external)
    database = Database(Target(dsn, None if external else "backstep_app", embedded=not external))
    yield database
    await database.close()
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


def settings(tmp_path: Path, **given: object) -> Settings:
    return Settings.read(data=tmp_path, secret=SECRET, rate_limit_enabled=False, log_level="error", **given)


async def tenants(database: Database) -> int:
    async with database.system() as connection:
        return await connection.fetchval("select count(*) from tenants")


async def sign_in(database: Database, chosen: Settings, email: str, password: str) -> httpx.Response:
    application = Application(chosen, database)
    transport = httpx.ASGITransport(create_app(chosen, application))
    async with httpx.AsyncClient(transport=transport, base_url="http://backstep.test") as client:
        return await client.post("/auth/login", data={"email": email, "password": password})


async def test_the_demo(empty: Database, tmp_path: Path) -> None:
    chosen = settings(tmp_path, demo=True)
    reports = await asyncio.gather(*(first_start(empty, chosen) for _ in range(3)))

    assert sorted(report is not None and report.created for report in reports) == [False, False, True]
    assert all(report is not None and "superadmin@acme.com" in report.text() for report in reports)
    assert await tenants(empty) == 1
    for role in ("superadmin", "admin", "employee"):
        response = await sign_in(empty, chosen, f"{role}@acme.com", "secret")
        assert response.status_code == 200
    async with empty.system() as connection:
        place = await connection.fetchrow(
            "select t.name, o.slug, o.depth, o.root_id = o.id as root from tenants t, organizations o"
        )
        found = dict(
            await connection.fetch(
                "select d.key, count(*) from dictionaries d, dictionary_entries e"
                " where e.dictionary_id = d.id group by 1"
            )
        )
        logged = await connection.fetch("select to_jsonb(l)::text as row from action_logs l")
    assert tuple(place) == ("Acme Corp", "acme-corp", 0, True)
    assert found["currency"] > 150
    assert found["order-status"] == 10
    assert not any('"secret"' in row["row"] or "$argon2" in row["row"] for row in logged)


async def test_a_killed_seeding_is_finished(empty: Database, tmp_path: Path) -> None:
    chosen = settings(tmp_path, demo=True)
    await first_start(empty, chosen)
    async with empty.system() as connection, connection.transaction():
        await connection.execute("set local app.command_id = 'tests.prepare'")
        await connection.execute("delete from dictionary_entries; delete from dictionaries")

    again = await first_start(empty, chosen)
    assert again is not None
    assert not again.created
    async with empty.system() as connection:
        assert await connection.fetchval("select count(*) from dictionaries") == 5


async def test_outside_the_demo_nobody_can_sign_in(empty: Database, tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    report = await first_start(empty, chosen)

    assert report is not None
    assert "seed --admin" in report.text()
    assert await tenants(empty) == 0
    assert (await sign_in(empty, chosen, "superadmin@acme.com", "secret")).status_code == 401


async def test_the_first_administrator(empty: Database, tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    for email, password in (("no address", "Str0ng!Pass"), ("ann@example.com", "weak")):
        with pytest.raises(StartError):
            await seed_admin(empty, chosen, email, password)

    report = await seed_admin(empty, chosen, "ann@example.com", None)
    password = next(line.removeprefix("Password: ") for line in report.lines if line.startswith("Password: "))
    response = await sign_in(empty, chosen, "ann@example.com", password)
    assert response.status_code == 200
    with pytest.raises(StartError, match="already"):
        await seed_admin(empty, chosen, "bob@example.com", "Str0ng!Pass")
    assert await first_start(empty, chosen) is None
    assert await first_start(empty, chosen, demo=True) is None
    assert await tenants(empty) == 1


async def test_a_given_password_is_not_repeated(empty: Database, tmp_path: Path) -> None:
    report = await seed_admin(empty, settings(tmp_path), "ann@example.com", "Str0ng!Pass")

    assert "Str0ng!Pass" not in report.text()


async def test_no_demo_in_production(empty: Database, tmp_path: Path) -> None:
    with pytest.raises(StartError, match="production"):
        await seed_demo(empty, settings(tmp_path, environment="production"))
    assert await tenants(empty) == 0
