"""A tenant with encrypted fields, and what is needed to look at what is stored."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.database import Database
from tests.conftest import Tenant


@pytest.fixture
async def admin(client: httpx.AsyncClient, tenant: Tenant) -> httpx.AsyncClient:
    """A client signed in as the tenant's administrator."""
    client.headers.update(tenant.admin.headers)
    return client


@pytest.fixture
def secret() -> str:
    """A text that occurs nowhere else."""
    return f"Zq{uuid4().hex}"


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
