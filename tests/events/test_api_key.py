"""The live stream of a program: what is for the tenant, and nothing that is for a person (events.md 8)."""

from typing import Any
from uuid import uuid4

import httpx
from msgspec import Struct

from tests.conftest import Tenant
from tests.events.conftest import Listen, Publish


class Program(Struct):
    """Who signs in by an API key."""

    headers: dict[str, str]


async def test_an_api_key_hears_the_tenant_and_nothing_for_people(
    client: httpx.AsyncClient, listen: Listen, publish: Publish, tenant: Tenant
) -> None:
    body = {"name": f"key {uuid4().hex[:8]}", "organizationId": None, "roles": ["admin"]}
    made = await client.post("/api_keys/keys", json=body, headers=tenant.admin.headers)
    assert made.status_code == 201, made.text
    program: Any = Program({"x-api-key": made.json()["secret"]})
    async with listen(program) as listener:
        assert listener.status == 200
        await publish(tenant, {"id": "for one", "recipientUserId": str(tenant.admin.id)})
        await publish(tenant, {"id": "for all"})
        await listener.until(lambda one: any(event["payload"]["id"] == "for all" for event in one.events))
        assert [event["payload"]["id"] for event in listener.events if event["id"].startswith("dict")] == [
            "for all"
        ]
