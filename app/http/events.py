"""Events: the catalogue, and the live stream (contract: events.md 1 and 2)."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from time import time
from typing import Any

from litestar import Response
from litestar.response import Stream
from msgspec import Struct

from app.http.answers import Answer
from app.http.call import Call
from app.http.opening import opened_part
from app.http.operation import Parameter, operation
from app.jobs.hub import Hub, Subscription
from domain.errors import Problem
from domain.scope import Scope
from queries.events import EventView, Published, event_catalogue

TAG = "Events"
MAX_MISSED = 1_000
"""Events that a client may catch up on; one that missed more is told to load its data anew."""

_HEADERS = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache, no-transform",
    "connection": "keep-alive",
    "x-accel-buffering": "no",
}
_CHECK_SECONDS = 30.0


class Catalogue(Struct, frozen=True):
    """The declared events; `total` is their number."""

    data: list[EventView]
    total: int


@operation(
    "GET",
    "/events",
    tag=TAG,
    summary="List declared events",
    description="Every event that the server may publish, the same for everybody.",
    query=[
        Parameter("category", "Only this category: `crud`, `lifecycle`, `system` or `custom`"),
        Parameter("module", "Only the events of this module", example="dictionaries"),
        Parameter(
            "excludeTriggerExcluded",
            "`false` also lists events that triggers cannot use",
            {"type": "string", "enum": ["true", "false"], "default": "true"},
        ),
    ],
    answers={200: Answer(Catalogue, "Declared events")},
)
async def catalogue(call: Call[None]) -> Response[Any]:
    """The catalogue of events."""
    triggers_only = call.first("excludeTriggerExcluded") != "false"
    found = event_catalogue(call.first("category"), call.first("module"), triggers_only)
    return call.json(Catalogue(found, len(found)))


@operation(
    "GET",
    "/events/stream",
    tag=TAG,
    summary="Live events",
    description=(
        "Server-sent events that reach the caller. Each message is `{id, payload, timestamp, organizationId}`. Resumes"
        " after `Last-Event-ID`; the event `reset` says that too much was missed, the event `heartbeat` that the"
        " stream is alive."
    ),
    query=[
        Parameter(
            "lastEventId",
            "Resume after this event, where the header `Last-Event-ID` cannot be sent",
            {"type": "integer", "minimum": 0},
        )
    ],
    answers={
        200: Answer(
            str,
            "The stream",
            "text/event-stream",
            ': connected\n\nid: 7\ndata: {"id":"dictionaries.entry.created","payload":{},"timestamp":0,'
            '"organizationId":""}\n\n',
        )
    },
    operation_id="events_stream",
)
async def stream(call: Call[None]) -> Response[Any]:
    """The live stream of the caller; it ends when their rights end, when they are too slow, and at shutdown."""
    if call.scope.actor.id is None:
        return Response(b"Unauthorized", status_code=401, media_type="text/plain")
    last = _number(call.request.headers.get("last-event-id")) or _number(call.first("lastEventId"))
    return Stream(_events(call, last), headers=_HEADERS, media_type="text/event-stream")


async def _events(call: Call[None], last: int | None) -> AsyncGenerator[bytes, None]:
    hub: Hub = call.app.relay.hub
    hub.end_with(call.app.closing)
    subscription, position = await hub.open(call.scope)
    try:
        yield b": connected\n\n"
        async for part in _start(hub, call.scope, last, position):
            yield await opened_part(part)
        async for part in _live(call, subscription):
            yield await opened_part(part)
    finally:
        hub.leave(subscription)


async def _start(hub: Hub, scope: Scope, last: int | None, position: int) -> AsyncGenerator[bytes, None]:
    """What the client missed; then where it stands, so that it can resume before its first event."""
    if last is not None and last != position:
        missed = await hub.missed(scope, last, position, MAX_MISSED)
        if missed is None:
            yield b'event: reset\ndata: {"reason":"missed"}\n\n'
        elif missed:
            yield _messages(missed)
    yield b"id: %d\n\n" % position


async def _live(call: Call[None], subscription: Subscription) -> AsyncGenerator[bytes, None]:
    beat = call.app.settings.stream_heartbeat_seconds
    clock = asyncio.get_running_loop().time
    checked = shown = clock()
    while not subscription.ended():
        events = await subscription.take(max(0.0, shown + beat - clock()))
        if clock() - checked >= min(beat, _CHECK_SECONDS):
            if not await _still_welcome(call, subscription):
                return
            checked = clock()
        if subscription.ended():
            return
        if events:
            yield _messages(events)
        if clock() - shown >= beat:
            shown = clock()
            yield b':heartbeat\n\nevent: heartbeat\ndata: {"timestamp":%d}\n\n' % int(time() * 1000)


async def _still_welcome(call: Call[None], subscription: Subscription) -> bool:
    """Whether the session is still good; the stream goes on with the rights of now."""
    try:
        scope = await call.app.identity.resolve(call.request)
    except Problem as problem:
        return problem.status == 503  # the database is away: nothing is known against the session
    same = (scope.tenant_id, scope.actor.id) == (subscription.scope.tenant_id, subscription.scope.actor.id)
    if same:
        subscription.scope = scope
    return same


def _messages(events: Iterable[Published]) -> bytes:
    return b"".join(b"id: %d\ndata: %s\n\n" % (event.id, event.message) for event in events if event.message)


def _number(text: str | None) -> int | None:
    with suppress(ValueError):
        number = int(text or "")
        return number if 0 <= number < 1 << 63 else None
    return None
