"""Removes from the log what is older than its policy, so that what stays can still be proven and replayed (0033)."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from app.jobs.sealer import seal_keys
from app.settings import Settings
from commands.replay import replay_state
from commands.retention_base import begins_after, chunks
from domain.ids import random_id
from domain.resources import all_resources
from domain.retention import GOING, GOING_MARKS
from domain.seals import (
    BASE_COLUMNS,
    ITEMS,
    NOTHING,
    SEAL_COLUMNS,
    Base,
    Item,
    Seal,
    Tombstone,
    base_digest,
    base_signature,
    forgery,
    removed_places,
    seal_of,
    tombstone,
    unpacked,
)
from queries.seals import tombstones

if TYPE_CHECKING:
    from app.database import Database

AT_ONCE: Final = 100_000
"""Rows of the log that one base is made for."""
_SEALS: Final = (
    f"select {SEAL_COLUMNS} from log_seals where tenant_id = $1 and last_seq >= $2 order by number limit 1"
)
_BASE: Final = f"insert into log_bases ({BASE_COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7)"
_CHUNK: Final = (
    "insert into log_base_rows (tenant_id, base_seq, chunk, table_name, row_count, schema_rev, body)"
    " values ($1, $2, $3, $4, $5, $6, $7)"
)
_STONE: Final = (
    "insert into log_tombstones (tenant_id, id, seal_number, removed, row_count, mac, removed_at)"
    " values ($1, $2, $3, $4, $5, $6, $7)"
)
_REMOVE: Final = "select retention_remove($1, $2, $3, $4)"
_PREVIOUS: Final = "select coalesce(max(last_seq), 0) from log_seals where tenant_id = $1 and number < $2"


class Untrustworthy(Exception):
    """The log of a tenant is not what was sealed, or contradicts itself: nothing more is removed from it."""


class Removed(Struct, frozen=True):
    """What one step removed: rows of the log, and marks."""

    tenant_id: UUID
    rows: int
    marks: int


async def removed(
    database: "Database", settings: Settings, tenant_id: UUID, most: int = AT_ONCE
) -> AsyncIterator[Removed]:
    """Remove what is due in a tenant, a seal at a time, each in a transaction of its own under the tenant's lock.

    What was done before an interruption stays done. Raises Untrustworthy.
    """
    key = seal_keys(settings)(tenant_id)
    async with database.system() as connection:
        while True:
            rows = await connection.fetch(GOING, tenant_id, most)
            marks = [
                row["seq"] for row in await connection.fetch(GOING_MARKS, tenant_id, [r["id"] for r in rows])
            ]
            if rows:
                await _advance_base(connection, key, tenant_id, rows[-1]["seq"])
            logs = [row["seq"] for row in rows]
            position = 0
            places = sorted([*((seq, "l") for seq in logs), *((seq, "m") for seq in marks)])
            while position < len(places):
                seal = seal_of(await connection.fetchrow(_SEALS, tenant_id, places[position][0]))
                start = position
                while position < len(places) and places[position][0] <= seal.last_seq:
                    position += 1
                yield await _remove(connection, key, seal, places[start:position])
            if len(rows) < most:
                break
        await connection.execute("select retention_drop_bases($1)", tenant_id)


async def _advance_base(connection: Any, key: bytes, tenant_id: UUID, seq: int) -> None:
    """Keep what the tables held at a place, before anything up to it goes. Raises Untrustworthy."""
    if await begins_after(connection, tenant_id) >= seq:
        return
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        state, broken = await replay_state(connection, tenant_id, seq)
        at = await connection.fetchval(
            "select max(recorded_at) from action_logs where tenant_id = $1 and seq <= $2", tenant_id, seq
        )
    if broken:
        raise Untrustworthy(
            f"the history of {tenant_id} contradicts itself at {broken[0].log_id}: {broken[0].why}"
        )
    made = list(chunks(state))
    digest = base_digest(
        (c.number, c.table, c.rows, c.schema_rev, hashlib.sha256(c.body).digest()) for c in made
    )
    count = sum(chunk.rows for chunk in made)
    base = Base(tenant_id, seq, at, count, digest, NOTHING, datetime.now(UTC))
    base = msgspec.structs.replace(base, mac=base_signature(key, base))
    async with connection.transaction():
        await connection.execute(_BASE, *msgspec.structs.astuple(base))
        await connection.executemany(
            _CHUNK, [(tenant_id, seq, c.number, c.table, c.rows, c.schema_rev, c.body) for c in made]
        )


async def _remove(connection: Any, key: bytes, seal: Seal, places: Sequence[tuple[int, str]]) -> Removed:
    """Remove rows under one seal, and note it; never from under a seal that they do not fit."""
    tenant_id = seal.tenant_id
    async with connection.transaction():
        lock = int.from_bytes(tenant_id.bytes[8:], "big", signed=True)
        await connection.execute("select pg_advisory_xact_lock($1)", lock)
        expected, due = await _expected(connection, key, seal), set(places)
        wanted = [place for place, item in expected.items() if (item.seq, item.kind) in due]
        if len(wanted) != len(places):
            raise Untrustworthy(f"rows that are due are not under seal {seal.number} of {tenant_id}")
        stone = tombstone(key, seal, random_id(), wanted, datetime.now(UTC))
        logs = [seq for seq, kind in places if kind == "l"]
        marks = [seq for seq, kind in places if kind == "m"]
        tables = [resource.name for resource in all_resources()]
        await connection.execute(_STONE, *_values(stone))
        await connection.fetchval(_REMOVE, tenant_id, logs, marks, tables)
    return Removed(tenant_id, len(logs), len(marks))


async def _expected(connection: Any, key: bytes, seal: Seal) -> dict[int, Item]:
    """The items under a seal that were not removed yet, by their places. Raises Untrustworthy when they differ."""
    why = forgery(key, seal)
    gone: set[int] = set()
    for stone in (await tombstones(connection, [seal])).get(seal.number, []):
        found = removed_places(key, seal, stone)
        why = why or ("a note of what was removed is forged" if found is None else None)
        gone |= found or set()
    expected = {place: item for place, item in enumerate(unpacked(seal.items)) if place not in gone}
    previous = await connection.fetchval(_PREVIOUS, seal.tenant_id, seal.number)
    actual = [
        Item(*row)
        for row in await connection.fetch(ITEMS, seal.tenant_id, previous, seal.last_seq, seal.row_count + 1)
    ]
    if why is None and actual != list(expected.values()):
        why = "the rows under it are not what was sealed"
    if why is not None:
        raise Untrustworthy(f"seal {seal.number} of {seal.tenant_id}: {why}; see `backstep verify --log`")
    return expected


def _values(stone: Tombstone) -> tuple[Any, ...]:
    return (
        stone.tenant_id,
        stone.id,
        stone.seal_number,
        stone.removed,
        stone.row_count,
        stone.mac,
        stone.removed_at,
    )
