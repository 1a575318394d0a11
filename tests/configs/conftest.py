"""What the tests of the configuration share: an application with its own settings, and its routes as functions."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from app.database import Database, Target
from app.main import Application, create_app
from app.settings import Settings
from tests.conftest import Person, Tenant

CACHE = "/configs/cache"
STATUS = "/configs/system-status"
UPGRADES = "/configs/upgrade-actions"


class House:
    """A running process with settings of its own, on the database of the tests."""

    def __init__(self, application: Application, client: httpx.AsyncClient) -> None:
        self.application = application
        self.client = client

    async def get(self, path: str, by: Person, more: Any = None, **query: Any) -> httpx.Response:
        return await self.client.get(path, params=query, headers={**by.headers, **(more or {})})

    async def post(self, path: str, by: Person, body: Any = None, more: Any = None) -> httpx.Response:
        return await self.client.post(path, json=body, headers={**by.headers, **(more or {})})

    async def statistics(self, tenant: Tenant) -> Any:
        answer = await self.get(CACHE, tenant.admin)
        assert answer.status_code == 200, answer.text
        return answer.json()


Build = Callable[..., Awaitable[House]]


@pytest.fixture
async def build(settings: Settings, target: Target) -> AsyncIterator[Build]:
    """Makes processes with these settings in place of the tests' own."""
    async with AsyncExitStack() as stack:

        async def make(start: bool = False, **changed: Any) -> House:
            chosen = settings.model_copy(update=changed)
            running = Application(chosen, Database(target, 3, 3, 2))
            if start:
                await running.start()
                stack.push_async_callback(running.stop)
            else:
                stack.push_async_callback(running.database.close)
                stack.push_async_callback(running.cache.close)
            transport = httpx.ASGITransport(create_app(chosen, running))
            client = httpx.AsyncClient(transport=transport, base_url="http://backstep.test")
            await stack.enter_async_context(client)
            return House(running, client)

        yield make
