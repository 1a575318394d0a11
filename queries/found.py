"""What lists of documents answer with, for every module."""

from collections.abc import Sequence
from typing import Any, Self
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
    gap: bool = False
    """Whether some records have no document in the index."""

    @classmethod
    def of(cls, rows: Sequence[Any], gap: bool = False) -> Self:
        """The page of rows with id, document and total, of which the first stands there even when nothing is found."""
        return cls([Found(row["id"], row["document"]) for row in rows if row["id"]], rows[0]["total"], gap)
