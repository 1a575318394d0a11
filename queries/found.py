"""What lists of documents answer with, for every module."""

from uuid import UUID

from msgspec import Struct


class Found(Struct, frozen=True):
    """One record of a list: its id, and the JSON text that the list shows."""

    id: UUID
    document: str


class FoundPage(Struct, frozen=True):
    """A page of a list, and how many records there are in all."""

    items: list[Found]
    total: int
