"""GET /events (events.md 1, 8)."""

from typing import Any

import httpx


async def events(client: httpx.AsyncClient, person: Any, **query: str) -> dict[str, Any]:
    answer = await client.get("/events", params=query, headers=person.headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_everybody_gets_the_catalogue(client: httpx.AsyncClient, tenant: Any) -> None:
    found = await events(client, tenant.employee)
    assert found["total"] == len(found["data"]) > 0
    entry = next(one for one in found["data"] if one["id"] == "dictionaries.entry.created")
    assert entry == {
        "id": "dictionaries.entry.created",
        "label": "Dictionary Entry Created",
        "entity": "entry",
        "category": "crud",
        "clientBroadcast": True,
        "module": "dictionaries",
    }


async def test_filters(client: httpx.AsyncClient, tenant: Any) -> None:
    accounts = await events(client, tenant.admin, category="crud", module="auth")
    assert [one["id"] for one in accounts["data"]] == [
        f"auth.{entity}.{verb}" for entity in ("user", "role") for verb in ("created", "updated", "deleted")
    ]
    assert await events(client, tenant.admin, category="bogus") == {"data": [], "total": 0}
    assert await events(client, tenant.admin, module="bogus") == {"data": [], "total": 0}
    assert await events(client, tenant.admin, category="", module="") == await events(client, tenant.admin)


async def test_events_kept_from_triggers_are_hidden_by_default(
    client: httpx.AsyncClient, tenant: Any
) -> None:
    hidden = "audit_logs.action.recorded"
    for query, shown in (
        ({}, False),
        ({"excludeTriggerExcluded": "0"}, False),
        ({"excludeTriggerExcluded": "false"}, True),
    ):
        found = await events(client, tenant.admin, **query)
        assert (hidden in {one["id"] for one in found["data"]}) is shown


async def test_nobody_is_unauthorized(client: httpx.AsyncClient) -> None:
    for path in ("/events", "/events/stream"):
        answer = await client.get(path)
        assert answer.status_code == 401 and answer.json() == {"error": "Unauthorized"}
