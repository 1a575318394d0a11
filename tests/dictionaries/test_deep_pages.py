"""Pages far down a long list: found from remembered places, and right whatever happens in between."""

import random
from typing import Any

import httpx

from app.main import Application
from commands.batch import Batch, Step
from tests.conftest import Tenant

COUNT, SIZE = 1_300, 100


async def page(client: httpx.AsyncClient, tenant: Tenant, path: str, **query: Any) -> list[str]:
    given = {"pageSize": SIZE, **query}
    answer = await client.get(path, params=given, headers=tenant.admin.headers)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["items"]]


async def whole(client: httpx.AsyncClient, tenant: Tenant, path: str, **query: Any) -> list[str]:
    """The list as its first pages and an unpaged answer tell it."""
    answer = await client.get(path, params=query, headers=tenant.admin.headers)
    return [one["id"] for one in answer.json()["items"]]


ORDERS = [
    {"sortField": field, "sortDir": way}
    for field in ("position", "label", "createdAt")
    for way in ("asc", "desc")
]


async def test_every_page_shows_what_stands_there(
    client: httpx.AsyncClient, application: Application, tenant: Tenant
) -> None:
    body = {"key": "long", "name": "Long"}
    made = await client.post("/dictionaries", json=body, headers=tenant.admin.headers)
    dictionary = made.json()["id"]
    numbers = list(range(COUNT))
    random.Random(7).shuffle(numbers)
    for start in range(0, COUNT, 650):
        steps = [
            Step(
                command="dictionaries.entries.create",
                input={"dictionaryId": dictionary, "value": f"v{n}", "label": f"label {n % 400}"},
            )
            for n in numbers[start : start + 650]
        ]
        await application.bus.execute(Batch(commands=steps), tenant.admin.scope)
    path = f"/dictionaries/{dictionary}/entries"
    expected = [await whole(client, tenant, path, **order) for order in ORDERS]
    assert {len(set(ids)) for ids in expected} == {COUNT}
    assert len({ids[0] for ids in expected}) > 2
    await _walk(client, tenant, path, expected)
    gone = expected[0][0]
    await client.delete(f"{path}/{gone}", headers=tenant.admin.headers)
    await _walk(client, tenant, path, [[id for id in ids if id != gone] for ids in expected])


async def _walk(client: httpx.AsyncClient, tenant: Tenant, path: str, expected: list[list[str]]) -> None:
    """Pages in a mixed order, some more than once."""
    for order, ids in zip(ORDERS, expected, strict=True):
        for number in (7, 7, 8, 13, 9, 14, 12, 6, 7):
            start = (number - 1) * SIZE
            assert await page(client, tenant, path, page=number, **order) == ids[start : start + SIZE]
