"""Where history begins: what a tenant's tables held at the place up to which retention removed (decision 0033).

A base is kept as the insertions that lead to it, so it is read like the log itself, upcasters included.
"""

import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from commands import history
from commands.unit import Change
from domain.resources import Row
from domain.retention import BEGINS_AFTER
from domain.upcasters import SCHEMA_REVISION, current

_CHUNK: Final = 1_000
"""Rows of one chunk at most."""
_encode = msgspec.json.Encoder().encode

State = dict[str, dict[str, Row]]
"""Table, then id, then the row."""


class Chunk(Struct, frozen=True):
    """Some rows of one table, packed."""

    number: int
    table: str
    rows: int
    schema_rev: int
    body: bytes


async def begins_after(connection: Any, tenant_id: UUID) -> int:
    """The place in a tenant's history after which it is whole; 0 when nothing was removed."""
    return int(await connection.fetchval(BEGINS_AFTER, tenant_id))


async def base_changes(connection: Any, tenant_id: UUID) -> AsyncIterator[list[Change]]:
    """The insertions that lead from empty tables to what they held where the tenant's history begins."""
    last = -1
    while True:
        row = await connection.fetchrow(
            "select chunk, schema_rev, body from log_base_rows where tenant_id = $1 and chunk > $2"
            " and base_seq = (select max(seq) from log_bases where tenant_id = $1) order by chunk limit 1",
            tenant_id,
            last,
        )
        if row is None:
            return
        yield unpacked(row["body"], row["schema_rev"])
        last = row["chunk"]


def unpacked(body: bytes, schema_rev: int) -> list[Change]:
    """The insertions of a chunk, in the form of today's tables."""
    return history.decode(current(zlib.decompress(body).decode(), schema_rev))


def chunks(state: State) -> Iterator[Chunk]:
    """A state, packed."""
    number = 0
    for table, rows in state.items():
        listed = list(rows.items())
        for start in range(0, len(listed), _CHUNK):
            part = [
                Change(0, table, "i", {"id": Raw(_encode(id))}, a=row)
                for id, row in listed[start : start + _CHUNK]
            ]
            yield Chunk(number, table, len(part), SCHEMA_REVISION, zlib.compress(_encode(part), 6))
            number += 1
