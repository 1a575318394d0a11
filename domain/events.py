"""The catalogue of declared events (contract: events.md section 5)."""

from typing import Literal

from msgspec import Struct

Category = Literal["crud", "lifecycle", "system", "custom"]


class Event(Struct, frozen=True):
    """One event that the server may publish; `broadcast` ones reach the live stream."""

    id: str
    label: str
    module: str
    entity: str | None = None
    category: Category | None = None
    broadcast: bool = False
    exclude_from_triggers: bool = False


_events: dict[str, Event] = {}


def declare_events(*events: Event) -> None:
    """Add events to the catalogue; the first declaration of an id wins."""
    for event in events:
        _events.setdefault(event.id, event)


def declared_events() -> list[Event]:
    """All declared events in the order of their declaration."""
    return list(_events.values())


def is_declared(event_id: str) -> bool:
    """Whether some module declared the event."""
    return event_id in _events


def broadcast(event_id: str) -> bool:
    """Whether the event may reach browsers."""
    event = _events.get(event_id)
    return event is not None and event.broadcast


def broadcast_events() -> list[str]:
    """The ids of all events that may reach browsers."""
    return [event.id for event in _events.values() if event.broadcast]
