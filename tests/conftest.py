"""Fixtures of all tests: a real PostgreSQL, a migrated database for each test process, the real application."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from litestar import Litestar, Request
from msgspec import Struct

from app.database import Database, Target
from app.embedded import embedded, plain_dsn
from app.main import Application, create_app
from app.migrate import migrate
from app.settings import Settings, master_key
from app.sign_in import sign_in_keys
from commands.auth import OpenSession
from commands.setup import FirstUser, InstallTenant
from domain.credentials import sign_access_token
from domain.scope import Scope, system_scope
from tests.replay.finale import replay_what_was_written

SECRET = "a master key for tests, long enough to be one"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Administrator's DSN of a PostgreSQL server: DATABASE_URL, or an embedded one shared by all test processes."""
    given = os.environ.get("DATABASE_URL")
    if given:
        yield plain_dsn(given)
        return
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    folder = (
        Path(tempfile.gettempdir()) / f"backstep-tests-{run}"
    )  # pytest closes its own folder to PostgreSQL's account
    with embedded(folder) as dsn:
        yield dsn
    if not (folder / "postgres" / "postmaster.pid").exists():  # another test process may still use the server
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
async def target(postgres: str, worker_id: str) -> AsyncIterator[Target]:
    """A database of this test process, migrated."""
    name = f"backstep_test_{worker_id}_{os.getpid()}"
    admin = await asyncpg.connect(postgres)
    await admin.execute(f"create database {name}")
    dsn = _named(postgres, name)
    external = bool(os.environ.get("DATABASE_URL"))
    await migrate(dsn, embedded=not external)
    yield Target(dsn, None if external else "backstep_app", embedded=not external)
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


def _named(dsn: str, database: str) -> str:
    head, mark, query = dsn.partition("?")
    return head.rpartition("/")[0] + "/" + database + mark + query


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the application under test; sign-in is not rate limited."""
    data: Path = tmp_path_factory.mktemp("data")
    return Settings.read(
        data=data, secret=SECRET, rate_limit_enabled=False, log_level="info", access_log_blocking=True
    )


@pytest.fixture(scope="session")
async def application(target: Target, settings: Settings) -> AsyncIterator[Application]:
    """The application's parts, running."""
    running = Application(settings, Database(target))
    await running.start()
    yield running
    try:
        await replay_what_was_written(running)
    finally:
        await running.stop()


@pytest.fixture(scope="session")
def database(application: Application) -> Database:
    """The application's connections."""
    return application.database


@pytest.fixture(scope="session")
def asgi(application: Application, settings: Settings) -> Litestar:
    """The ASGI application, made once: it keeps nothing of a request."""
    return create_app(settings, application)


@pytest.fixture
async def client(asgi: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application over ASGI, signed in as nobody."""
    transport = httpx.ASGITransport(asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://backstep.test") as made:
        yield made


class Person(Struct):
    """Somebody who may sign in: the scope of their requests, and the header that proves it."""

    id: UUID
    email: str
    scope: Scope
    headers: dict[str, str]


class Tenant(Struct):
    """A tenant of its own for one test: one organization, and a person of each default role."""

    id: UUID
    organization_id: UUID
    superadmin: Person
    admin: Person
    employee: Person


MakeTenant = Callable[[], Awaitable[Tenant]]


@pytest.fixture
def make_tenant(application: Application) -> MakeTenant:
    """Makes fresh tenants."""
    return lambda: new_tenant(application)


@pytest.fixture
async def tenant(application: Application) -> Tenant:
    """A fresh tenant."""
    return await new_tenant(application)


async def new_tenant(application: Application) -> Tenant:
    """Installs a tenant as the product does, and opens a session for each of its people."""
    tenant_id = uuid4()
    keys = sign_in_keys(application.settings, master_key(application.settings))
    emails = {
        role: f"{role}.{tenant_id.hex[:12]}@example.com" for role in ("superadmin", "admin", "employee")
    }
    command = InstallTenant(
        name=f"Tenant {tenant_id.hex[:6]}",
        organization_name=f"Organization {tenant_id.hex[:6]}",
        users=tuple(
            FirstUser(email, keys.email_hash(email), "no password", role, role.capitalize())
            for role, email in emails.items()
        ),
    )
    installed = (await application.bus.execute(command, system_scope(tenant_id))).result
    people = {
        role: await sign_in(application, tenant_id, installed.organization_id, installed.users[email], email)
        for role, email in emails.items()
    }
    return Tenant(tenant_id, installed.organization_id, **people)


async def sign_in(
    application: Application, tenant_id: UUID, organization_id: UUID, user_id: UUID, email: str
) -> Person:
    """Open a session for a user without the cost of a password, and resolve its scope as a request does."""
    keys = sign_in_keys(application.settings, master_key(application.settings))
    opening = OpenSession(user_id, uuid4().hex, 3600)
    session_id = (await application.bus.execute(opening, system_scope(tenant_id))).result.session_id
    token = sign_access_token(
        keys.jwt,
        user_id=user_id,
        session_id=session_id,
        tenant_id=tenant_id,
        organization_id=organization_id,
        email=email,
        roles=[],
        now=datetime.now(UTC),
    )
    headers = {"authorization": f"Bearer {token}"}
    request: Any = Request(
        {"type": "http", "headers": [(k.encode(), v.encode()) for k, v in headers.items()]}
    )
    return Person(user_id, email, await application.identity.resolve(request), headers)
