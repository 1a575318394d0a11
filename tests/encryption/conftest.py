"""A tenant with encrypted fields, and what is needed to look at what is stored."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.database import Database, Target
from app.main import Application
from app.settings import Settings
from tests.conftest import Tenant
from tests.heart.test_round_trips import statements  # noqa: F401  # a fixture
from tests.replay.conftest import replay, template  # noqa: F401  # fixtures


@pytest.fixture
async def admin(client: httpx.AsyncClient, tenant: Tenant) -> httpx.AsyncClient:
    """A client signed in as the tenant's administrator."""
    client.headers.update(tenant.admin.headers)
    return client


@pytest.fixture
def secret() -> str:
    """A text that occurs nowhere else."""
    return f"Zq{uuid4().hex}"


@pytest.fixture
async def elsewhere(target: Target, settings: Settings) -> AsyncIterator[Application]:
    """The parts of another process."""
    running = Application(settings, Database(target))
    await running.start()
    yield running
    await running.stop()


async def save_map(client: httpx.AsyncClient, entity: str, *fields: str, **more: Any) -> dict[str, Any]:
    """Have fields of an entity sealed from now on."""
    body = {"entityId": entity, "fields": [{"field": name} for name in fields], **more}
    answer = await client.post("/entities/encryption", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def define(client: httpx.AsyncClient, entity: str, key: str, kind: str = "text", **config: Any) -> None:
    """Define a custom field."""
    body = {"entityId": entity, "key": key, "kind": kind, "configJson": config}
    answer = await client.post("/entities/definitions", json=body)
    assert answer.status_code == 200, answer.text


async def stored(database: Database, tenant: Tenant, table: str, column: str, id: str) -> Any:
    """One value as it stands in the table."""
    async with database.system() as connection:
        return await connection.fetchval(
            f"select {column} from {table} where tenant_id = $1 and id = $2::uuid", tenant.id, id
        )
