"""Reading events: the catalogue of declared ones, and what was published (contract: events.md 1 and 2)."""

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Raw, Struct

from domain.audience import Audience, audience_of
from domain.events import declared_events

MAX_MESSAGE_BYTES = 4096
"""The longest message; a longer one loses its payload."""


class EventView(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One declared event; what it does not declare is absent."""

    id: str
    label: str
    entity: str | None = None
    category: str | None = None
    exclude_from_triggers: bool | None = None
    client_broadcast: bool | None = None
    module: str | None = None


class Published(Struct, frozen=True):
    """One event of the stream: its place, whose it is, whom it reaches, and its message as JSON.

    `message` is None for an event that cannot be sent: too long even without its payload, or unreadable.
    """

    id: int
    tenant_id: UUID
    event: str
    audience: Audience
    message: bytes | None


class _Message(Struct):
    """What a stream sends for an event; `timestamp` in milliseconds."""

    id: str
    payload: Any
    timestamp: int
    organization_id: str = msgspec.field(name="organizationId")


_encode = msgspec.json.Encoder().encode
_object = msgspec.json.Decoder(dict[str, Raw])


def event_catalogue(category: str | None, module: str | None, triggers_only: bool) -> list[EventView]:
    """The declared events in order; an empty filter counts as none, `triggers_only` hides those kept from triggers."""
    return [
        EventView(
            id=event.id,
            label=event.label,
            entity=event.entity,
            category=event.category,
            exclude_from_triggers=event.exclude_from_triggers or None,
            client_broadcast=event.broadcast or None,
            module=event.module,
        )
        for event in declared_events()
        if (not category or event.category == category)
        and (not module or event.module == module)
        and not (triggers_only and event.exclude_from_triggers)
    ]


async def published_after(
    connection: asyncpg.Connection, last: int, limit: int, tenant_id: UUID | None = None
) -> list[Published]:
    """At most `limit` events after the one with the id `last`, in order; those of one tenant, or of all."""
    tenant = "" if tenant_id is None else " and tenant_id = $3"
    rows = await connection.fetch(
        "select id, tenant_id, event, organization_id, payload::text as payload, audience::text as audience,"
        f" created_at from event_stream where id > $1{tenant} order by id limit $2",
        last,
        limit,
        *(() if tenant_id is None else (tenant_id,)),
    )
    return [_published(row) for row in rows]


async def stream_bounds(connection: asyncpg.Connection) -> tuple[int | None, int]:
    """The id of the oldest event that is still kept (None: none is) and of the newest (0: none)."""
    row = await connection.fetchrow(
        "select min(id) as oldest, coalesce(max(id), 0) as newest from event_stream"
    )
    return row["oldest"], row["newest"]


def message(event: str, payload: str, at: datetime, organizations: tuple[str, ...]) -> bytes | None:
    """The JSON that a stream sends; of a payload that is too long only its ids are left. None when even that is."""
    place = organizations[0] if organizations else ""
    stamp = int(at.timestamp() * 1000)
    compact = Raw(msgspec.json.format(payload, indent=-1))
    whole = _encode(_Message(event, compact, stamp, place))
    if len(whole) <= MAX_MESSAGE_BYTES:
        return whole
    fields = _object.decode(payload)
    kept = {
        name: fields[name]
        for name in ("id", "entityId", "entityType")
        if bytes(fields.get(name, b""))[:1] == b'"'
    }
    short = _encode(_Message(event, {"truncated": True, **kept}, stamp, place))
    return short if len(short) <= MAX_MESSAGE_BYTES else None


def _published(row: asyncpg.Record) -> Published:
    try:
        audience = audience_of(row["organization_id"], row["payload"], row["audience"])
        text = message(row["event"], row["payload"], row["created_at"], audience.organizations)
    except msgspec.DecodeError:  # one unreadable row must not stop those behind it
        audience, text = Audience(), None
    return Published(row["id"], row["tenant_id"], row["event"], audience, text)
