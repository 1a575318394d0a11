"""A client of the live stream that speaks ASGI, because ordinary test clients wait for the end of an answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from app.main import create_app


class Listener:
    """One open stream: its status, its headers, and the bytes so far."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.ended = False
        self._news = asyncio.Condition()
        self._gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        async with self._news:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {key.decode(): value.decode() for key, value in message["headers"]}
            else:
                self.body += message.get("body", b"")
                self.ended = not message.get("more_body", False)
            self._news.notify_all()

    def leave(self) -> None:
        """Close the connection."""
        self._gone.set()

    async def until(self, holds: Callable[["Listener"], Any], seconds: float = 10) -> None:
        """Wait for something to be true of what was received."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: holds(self))

    async def until_events(self, count: int) -> list[dict[str, Any]]:
        """Wait for that many messages, and give them all."""
        await self.until(lambda listener: len(listener.events) >= count)
        return self.events

    @property
    def blocks(self) -> list[dict[str, str]]:
        """The parts of the stream, each as its fields; a comment is the field with the empty name."""
        whole = self.body.decode().split("\n\n")[:-1]
        return [dict(_field(line) for line in block.split("\n")) for block in whole]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The messages; `place` is the id that one can resume after."""
        return [
            {**msgspec.json.decode(block["data"]), "place": int(block["id"])}
            for block in self.blocks
            if "data" in block and "event" not in block
        ]

    @property
    def place(self) -> int:
        """The last id that was sent."""
        return [int(block["id"]) for block in self.blocks if "id" in block][-1]


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.removeprefix(" ")


Listen = Callable[..., Any]


@pytest.fixture
def listen(application: Any, settings: Any) -> Listen:
    """Opens live streams: `async with listen(person) as listener`."""
    app = create_app(settings, application)

    @asynccontextmanager
    async def opened(
        person: Any, headers: dict[str, str] | None = None, **query: Any
    ) -> AsyncIterator[Listener]:
        await drained(application)
        listener = Listener()
        every = {**(person.headers if person else {}), **(headers or {})}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/events/stream",
            "raw_path": b"/events/stream",
            "root_path": "",
            "query_string": urlencode(query).encode(),
            "headers": [(key.encode(), value.encode()) for key, value in every.items()],
            "client": ("127.0.0.1", 1),
            "server": ("backstep.test", 80),
            "state": {},
        }
        running = asyncio.create_task(app(scope, listener.receive, listener.send))  # type: ignore[arg-type]
        try:
            await listener.until(lambda one: one.body or one.ended)
            if listener.status == 200:
                await listener.until(lambda one: any("id" in block for block in one.blocks) or one.ended)
            yield listener
        finally:
            listener.leave()
            async with asyncio.timeout(10):
                await running

    return opened


async def drained(application: Any) -> None:
    """Wait until everything that was committed is published, the making of a fresh tenant for one."""
    async with asyncio.timeout(10), application.database.system() as connection:
        while await connection.fetchval("select exists (select from outbox)"):
            await asyncio.sleep(0.01)


Publish = Callable[..., Awaitable[None]]


@pytest.fixture
def publish(application: Any) -> Publish:
    """Puts an event into the outbox, as a command does, and wakes the relay."""
    counter = iter(range(1_000_000_000, 2_000_000_000))

    async def put(
        tenant: Any, payload: dict[str, Any], event: str = "dictionaries.entry.updated", **more: Any
    ) -> None:
        entry = {"event": event, "organizationId": None, "payload": payload, **more}
        async with application.database.system() as connection:
            await connection.execute(
                "insert into outbox (tenant_id, log_id, events, created_at, seq)"
                " values ($1, gen_random_uuid(), $2::text::jsonb, now(), $3)",
                tenant.id,
                msgspec.json.encode([entry]).decode(),
                next(counter),
            )
        application.relay.wake()

    return put
