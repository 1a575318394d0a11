"""Subscribers: what the server itself does because of an event, apart from the command that caused it (events.md 3).

Each event is delivered to each of its subscribers by a background job of its own, which is tried again on its own. The
relay writes these jobs down in the transaction that takes the event from the outbox: no event of a committed command is
lost, and none of a command that was taken back is ever delivered. A delivery may come twice; it has the same key then.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Raw, Struct

from app.jobs.queue import DEFAULT_ATTEMPTS, Run, enqueue_all, job
from domain.events import declared_events
from domain.jobs import JobRequest

if TYPE_CHECKING:
    from app.main import Application

PREFIX: Final = "events."
"""Begins the names of the jobs; the id of the subscriber follows."""


class Delivery(Struct, frozen=True):
    """One event for one subscriber."""

    app: "Application"
    key: str
    """The same whenever this event is delivered to this subscriber: what a handler remembers to do a thing once."""
    event: str
    payload: dict[str, Any]
    tenant_id: UUID
    organization_id: UUID | None
    log_id: UUID
    """The log row of the command (or the id that its row would have had)."""
    occurred_at: datetime
    attempt: int


class _Message(Struct, rename="camel"):
    """A delivery as it is written down."""

    key: str
    event: str
    payload: Raw
    log_id: UUID
    occurred_at: datetime
    organization_id: UUID | None = None


Subscriber = Callable[[Delivery], Awaitable[None]]


class Subscription(Struct, frozen=True):
    """A declared subscriber: its id, and the pattern of the events it hears."""

    id: str
    pattern: str

    @property
    def job(self) -> str:
        """The name of its jobs."""
        return PREFIX + self.id


_subscriptions: dict[str, Subscription] = {}


def subscriber(
    pattern: str, *, id: str, attempts: int = DEFAULT_ATTEMPTS, concurrency: int = 0
) -> Callable[[Subscriber], Subscriber]:
    """Declare the decorated `async def handler(delivery)` as a subscriber of the events that `pattern` matches.

    `pattern` is the id of an event, or `*` for all; a `*` inside stands for exactly one part between dots. `id` must
    stay the same: deliveries that wait are found by it. Attempts and concurrency as of any job.
    """

    def register(handler: Subscriber) -> Subscriber:
        if id in _subscriptions:
            raise ValueError(f"the subscriber {id} is declared twice")
        subscription = Subscription(id, pattern)

        async def deliver(run: Run, message: _Message) -> None:
            await handler(_delivery(run, message))

        job(subscription.job, payload=_Message, attempts=attempts, concurrency=concurrency)(deliver)
        _subscriptions[id] = subscription
        return handler

    return register


def matches(pattern: str, event: str) -> bool:
    """Whether an event is of a pattern (events.md 3)."""
    if pattern == "*":
        return True
    wanted, found = pattern.split("."), event.split(".")
    return len(wanted) == len(found) and all(
        one in ("*", other) for one, other in zip(wanted, found, strict=True)
    )


def subscribed_events() -> list[str]:
    """The declared events that have a subscriber."""
    patterns = [one.pattern for one in _subscriptions.values()]
    return [one.id for one in declared_events() if any(matches(pattern, one.id) for pattern in patterns)]


class Taken(Struct, frozen=True, rename="camel"):
    """One event that was taken from the outbox; `place` is its number among those of its command."""

    tenant_id: UUID
    log_id: UUID
    place: int
    event: str
    payload: Raw
    organization_id: UUID | None
    occurred_at: datetime


async def deliver_later(connection: asyncpg.Connection, taken: str | None) -> int:
    """Write down a job for each event and subscriber, in the connection's transaction; answers how many.

    `taken` is a JSON array of `Taken`; None: there are none.
    """
    if taken is None:
        return 0
    events = msgspec.json.decode(taken, type=list[Taken])
    written = 0
    for tenant_id in dict.fromkeys(one.tenant_id for one in events):
        requests = [
            _request(one, subscription)
            for one in events
            if one.tenant_id == tenant_id
            for subscription in _subscriptions.values()
            if matches(subscription.pattern, one.event)
        ]
        await enqueue_all(connection, tenant_id, requests)
        written += len(requests)
    return written


def _request(taken: Taken, subscription: Subscription) -> JobRequest:
    key = f"{taken.log_id}:{taken.place}:{subscription.id}"
    message = _Message(
        key, taken.event, taken.payload, taken.log_id, taken.occurred_at, taken.organization_id
    )
    return JobRequest(subscription.job, msgspec.json.encode(message), key, 0.0, taken.organization_id)


def _delivery(run: Run, message: _Message) -> Delivery:
    assert run.tenant_id is not None, "events belong to tenants"
    return Delivery(
        app=run.app,
        key=message.key,
        event=message.event,
        payload=msgspec.json.decode(message.payload, type=dict[str, Any]),
        tenant_id=run.tenant_id,
        organization_id=message.organization_id,
        log_id=message.log_id,
        occurred_at=message.occurred_at,
        attempt=run.attempt,
    )
