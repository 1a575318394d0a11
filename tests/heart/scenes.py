"""Small beginnings that the tests of the heart share."""

from typing import Any
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from commands.bus import Bus, Outcome
from commands.dictionaries import CreateDictionary, CreateEntry, UpdateEntry
from domain.scope import Options, Scope


class Scene(Struct, frozen=True):
    """A dictionary and its entries."""

    dictionary_id: UUID
    entry_ids: list[UUID]


async def scene(bus: Bus, scope: Scope, *values: str, key: str | None = None, name: str = "Colors") -> Scene:
    """A new dictionary with an entry of each value."""
    command = CreateDictionary(key=key or f"k{uuid4().hex[:12]}", name=name)
    dictionary_id = id_of(await bus.execute(command, scope))
    entries = [
        id_of(await bus.execute(CreateEntry(dictionary_id=dictionary_id, value=value), scope))
        for value in values
    ]
    return Scene(dictionary_id, entries)


def id_of(outcome: Outcome) -> UUID:
    """The id in the answer to a command."""
    return msgspec.json.decode(bytes(outcome.result["id"]), type=UUID)


def token_of(outcome: Outcome) -> str:
    """The undo token of a command."""
    assert outcome.log is not None and outcome.log.undo_token is not None
    return outcome.log.undo_token


async def label(bus: Bus, scope: Scope, place: Scene, text: str, number: int = 0, **options: Any) -> Outcome:
    """Give an entry another label."""
    command = UpdateEntry(dictionary_id=place.dictionary_id, entry_id=place.entry_ids[number], label=text)
    return await bus.execute(command, scope, Options(**options))
