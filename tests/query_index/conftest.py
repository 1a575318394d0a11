"""An administrator at the query index, and the tools to see and to disturb its jobs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

from app.main import Application
from projections import index
from tests.conftest import Person, Tenant

Json = dict[str, Any]
DICTIONARY = "dictionaries:dictionary"
ENTRY = "dictionaries:dictionary_entry"


class Operator:
    """One person at the index."""

    def __init__(self, client: httpx.AsyncClient, person: Person) -> None:
        self.client = client
        self.person = person
        self.organization: str | None = None

    async def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Any request."""
        sent = dict(self.person.headers)
        if self.organization is not None:
            sent["cookie"] = f"om_selected_org={self.organization}"
        return await self.client.request(method, path, json=body, headers=sent)

    async def post(self, path: str, body: Any, status: int = 200) -> Json:
        """The JSON answer to a POST request that must have this status."""
        answer = await self.ask("POST", f"/query_index/{path}", body)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    async def status(self, query: str = "") -> Json:
        """The status of the index; `partial` is the header that warns, decoded."""
        answer = await self.ask("GET", f"/query_index/status{query}")
        assert answer.status_code == 200, answer.text
        warning = answer.headers.get("x-om-partial-index")
        return {**answer.json(), "partial": msgspec.json.decode(warning) if warning else None}

    async def item(self, entity: str, query: str = "") -> Json:
        """One entity of the status, from all that have documents."""
        found = (await self.status(query))["indexed"]
        return next(item for item in found if item["entityId"] == entity)

    async def field(self, entity: str, key: str = "mark") -> None:
        """Give an entity a custom field, so that the status lists it."""
        body = {"entityId": entity, "key": key, "kind": "text", "configJson": {"label": "Mark"}}
        answer = await self.ask("POST", "/entities/definitions", body)
        assert answer.status_code in (200, 201), answer.text


@pytest.fixture
def operator(client: httpx.AsyncClient, tenant: Tenant) -> Operator:
    """The tenant's administrator."""
    return Operator(client, tenant.admin)


@pytest.fixture
async def paused(application: Application) -> AsyncIterator[Application]:
    """The application does no background jobs meanwhile."""
    await application.jobs.stop()
    yield application
    async with application.database.system() as connection:
        await connection.execute("delete from jobs.pgqueuer")
    await application.jobs.start()


async def queued(application: Application, tenant: Tenant, name: str) -> list[Json]:
    """The payloads of a tenant's waiting jobs of a name, in order."""
    async with application.database.system() as connection:
        rows = await connection.fetch(
            "select payload from jobs.pgqueuer where headers ->> 'tenant' = $1 and entrypoint = $2 order by id",
            str(tenant.id),
            name,
        )
    return [msgspec.json.decode(row["payload"]) for row in rows]


async def idle(application: Application, tenant_id: UUID, seconds: float = 60) -> None:
    """Wait until no job of a tenant waits or runs."""
    async with asyncio.timeout(seconds), application.database.system() as connection:
        while await connection.fetchval(
            "select exists (select from jobs.pgqueuer where headers ->> 'tenant' = $1 and status <> 'failed')",
            str(tenant_id),
        ):
            await asyncio.sleep(0.02)


Pretend = Callable[..., None]


@pytest.fixture
def pretend() -> Iterator[Pretend]:
    """Changes a projection for the rest of the test, as a newer version of the program would."""
    before = dict(index._projections)

    def forget() -> None:
        index.refresh_sql.cache_clear()
        index._closing_part.cache_clear()

    def change(entity_type: str, old: str = "", new: str = "", **more: Any) -> None:
        one = index._projections[entity_type]
        assert old in one.select
        index._projections[entity_type] = msgspec.structs.replace(
            one, select=one.select.replace(old, new), **more
        )
        forget()

    yield change
    index._projections.update(before)
    forget()
