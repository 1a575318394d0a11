"""Reads the seals of the log, and says whether they and the rows under them are what was sealed (decision 0032)."""

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from domain.seals import (
    BASE_COLUMNS,
    BASE_PARTS,
    ITEMS,
    NOTHING,
    SEAL_COLUMNS,
    Base,
    Head,
    Item,
    Seal,
    Tombstone,
    base_digest,
    base_signature,
    forgery,
    head_of,
    removed_places,
    seal_of,
    unpacked,
)

MOST_BREAKS: Final = 20
"""Breaks that a verification tells; it ends with the last of them."""
_PAGE: Final = 16
_LIMIT: Final = 1 << 40
_SEALS: Final = (
    f"select {SEAL_COLUMNS} from log_seals where tenant_id = $1 and number > $2 order by number limit {_PAGE}"
)
_STONES: Final = (
    f"select {', '.join(field.name for field in msgspec.structs.fields(Tombstone))} from log_tombstones"
    " where tenant_id = $1 and seal_number between $2 and $3"
)
_PLACE: Final = "select seq from action_logs where tenant_id = $1 and id = $2"
_STRAY_REVERSALS: Final = """
select v.log_id, v.reversed_by from action_log_reversals v
 where v.tenant_id = $1
   and not exists (select from action_logs l
                    where l.tenant_id = v.tenant_id and l.id = v.reversed_by and l.reverses = v.log_id)
 limit 20
"""

BreakKind = Literal[
    "changed",
    "missing",
    "inserted",
    "reordered",
    "seal_missing",
    "seal_forged",
    "key_wrong",
    "cut_off",
    "other_history",
    "tombstone_forged",
    "base_missing",
    "base_forged",
]

Show = Callable[[int], None]
"""Told after each step how many rows were checked in it."""


class Break(Struct, frozen=True, rename="camel"):
    """A place where the log is not what was sealed: seal, place in history, action, and what is wrong."""

    kind: BreakKind
    seal: int | None
    seq: int | None
    log_id: UUID | None
    why: str


class Verification(Struct, frozen=True, rename="camel"):
    """What a verification of one tenant's log found; intact when there are no breaks. `rows` were checked against
    their seals, `removed` were removed by retention, `unsealed` are newer than the last seal.
    """

    tenant_id: UUID
    intact: bool
    seals: int
    rows: int
    removed: int
    unsealed: int
    last_seq: int
    breaks: list[Break]
    seconds: float


class _Found(Struct):
    """What a verification has come to so far."""

    seals: int = 0
    rows: int = 0
    removed: int = 0
    breaks: list[Break] = []
    last: Seal | None = None
    expected: int = 1

    @property
    def full(self) -> bool:
        return len(self.breaks) >= MOST_BREAKS

    def add(self, kind: BreakKind, why: str, seal: int | None = None, item: Item | None = None) -> None:
        """Note a break."""
        seq, log_id = (None, None) if item is None else (item.seq, item.id)
        if not self.full:
            self.breaks.append(Break(kind, seal, seq, log_id, why))


async def verification(
    connection: Any, tenant_id: UUID, key: bytes, head: Head | None = None, show: Show | None = None
) -> Verification:
    """Check all seals of a tenant and the rows under them, and that its history still leads to `head`.

    The connection sees the tenant's rows; each step reads in a snapshot of its own. What is recorded or sealed
    meanwhile is left for the next time.
    """
    begun = time.perf_counter()
    found = _Found()
    end = await connection.fetchval(
        "select coalesce(max(number), 0) from log_seals where tenant_id = $1", tenant_id
    )
    number = 0
    while number < end and not found.full:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            seals = [seal_of(row) for row in await connection.fetch(_SEALS, tenant_id, number)]
            if not seals:
                break
            rows = found.rows
            if not await _check_seals(connection, key, seals, found, head):
                break
        number = seals[-1].number
        if show is not None:
            show(found.rows - rows)
    last_seq = 0 if found.last is None else found.last.last_seq
    await _check_around(connection, tenant_id, key, found)
    if head is not None and not found.full:
        _check_head(head, end, found)
    unsealed = await connection.fetchval(
        "select count(*) from action_logs where tenant_id = $1 and seq > $2", tenant_id, last_seq
    )
    took = round(time.perf_counter() - begun, 3)
    intact = not found.breaks
    return Verification(
        tenant_id, intact, found.seals, found.rows, found.removed, unsealed, last_seq, found.breaks, took
    )


async def _check_seals(
    connection: Any, key: bytes, seals: Sequence[Seal], found: _Found, head: Head | None
) -> bool:
    """Check some seals in a row, and what is under them; False when there is no sense in going on."""
    after = found.last.last_seq if found.last is not None else 0
    actual = [
        Item(*row)
        for row in await connection.fetch(ITEMS, seals[0].tenant_id, after, seals[-1].last_seq, _LIMIT)
    ]
    places = [item.seq for item in actual]
    stones = await tombstones(connection, seals)
    for seal in seals:
        found.seals += 1
        why = forgery(key, seal)
        if why == "key":
            text = "The seal was made with another key than this installation has"
            found.add("key_wrong", text, seal.number)
            return False
        is_next = seal.number == found.expected
        why = why or _misfit(seal, found, head)
        if why is None:
            first = after + 1 if is_next else seal.first_seq
            under = actual[bisect_left(places, first) : bisect_right(places, seal.last_seq)]
            gone = _gone(key, seal, stones.get(seal.number, ()), found)
            await _compare(connection, seal, gone, under, found)
        else:
            found.add("seal_forged", f"The seal is not genuine: {why}", seal.number)
        found.expected = seal.number + 1
        found.last, after = seal, seal.last_seq
    return True


def _misfit(seal: Seal, found: _Found, head: Head | None) -> str | None:
    """Why a genuine seal does not belong where it stands; notes seals that are gone before it, and another head."""
    if head is not None and head.seal == seal.number and head.mac != seal.mac.hex():
        found.add("other_history", "Another seal of this number was exported as the head", seal.number)
    if seal.number != found.expected:
        found.add("seal_missing", f"Seal {found.expected} is gone", found.expected)
        return None
    last = NOTHING if found.last is None else found.last.mac
    return None if seal.previous == last else "it does not name the seal before it"


async def tombstones(connection: Any, seals: Sequence[Seal]) -> dict[int, list[Tombstone]]:
    """What retention removed of these seals of one tenant, by their numbers."""
    rows = await connection.fetch(_STONES, seals[0].tenant_id, seals[0].number, seals[-1].number)
    stones: dict[int, list[Tombstone]] = {}
    for row in rows:
        stones.setdefault(row["seal_number"], []).append(Tombstone(**dict(row)))
    return stones


def _gone(key: bytes, seal: Seal, stones: Sequence[Tombstone], found: _Found) -> set[int]:
    """The places of items that retention removed."""
    gone: set[int] = set()
    for stone in stones:
        places = removed_places(key, seal, stone)
        if places is None:
            found.add("tombstone_forged", "A note that retention removed rows is not genuine", seal.number)
        else:
            gone |= places
    found.removed += len(gone)
    return gone


async def _compare(
    connection: Any, seal: Seal, gone: set[int], actual: Sequence[Item], found: _Found
) -> None:
    """Hold the rows that are there against those that were sealed."""
    expected = {
        (item.kind, item.seq): item for place, item in enumerate(unpacked(seal.items)) if place not in gone
    }
    found.rows += len(expected)
    there = {(item.kind, item.seq): item for item in actual}
    if len(there) == len(actual) and there == expected:
        return
    logs = {item.id for item in expected.values() if item.kind == "l"}
    for place in sorted(expected.keys() | there.keys(), key=lambda one: one[1]):
        was, now = expected.get(place), there.get(place)
        if was == now:
            continue
        if was is not None and now is not None and was.id == now.id:
            found.add("changed", "The row is not what was sealed", seal.number, was)
        elif was is not None:
            await _misplaced(connection, seal, was, now, found)
        elif now is not None and not (now.kind == "l" and now.id in logs):
            found.add("inserted", "The row was put in after its place was sealed", seal.number, now)


async def _misplaced(connection: Any, seal: Seal, was: Item, now: Item | None, found: _Found) -> None:
    """A sealed row is not at its place: it is at another one, or nowhere."""
    elsewhere = await connection.fetchval(_PLACE, seal.tenant_id, was.id) if was.kind == "l" else None
    if elsewhere is not None:
        found.add("reordered", f"The row stands at place {elsewhere} now", seal.number, was)
    else:
        other = "" if now is None else f"; the row {now.id} is in its place"
        found.add("missing", f"The row is gone{other}", seal.number, was)


async def _check_around(connection: Any, tenant_id: UUID, key: bytes, found: _Found) -> None:
    """Reversals that no row of the log made, and the base from which history is told after retention."""
    for row in await connection.fetch(_STRAY_REVERSALS, tenant_id):
        why = f"A reversal by {row['reversed_by']} was put in, which the log knows nothing of"
        seq = await connection.fetchval(_PLACE, tenant_id, row["log_id"])
        if not found.full:
            found.breaks.append(Break("inserted", None, seq, row["log_id"], why))
    if found.removed:
        await _check_base(connection, tenant_id, key, found)


async def _check_base(connection: Any, tenant_id: UUID, key: bytes, found: _Found) -> None:
    """The rows that history begins with are what was kept when those before were removed."""
    row = await connection.fetchrow(
        f"select {BASE_COLUMNS} from log_bases where tenant_id = $1 order by seq desc limit 1", tenant_id
    )
    if row is None:
        found.add("base_missing", "The tables as of the removed history are gone")
        return
    base = Base(**dict(row))
    parts = await connection.fetch(BASE_PARTS, tenant_id, base.seq)
    if base.mac != base_signature(key, base) or base.digest != base_digest(tuple(part) for part in parts):
        found.add("base_forged", "The tables as of the removed history are not what was kept")


def _check_head(head: Head, end: int, found: _Found) -> None:
    """Whether history reaches as far as it did when the head was exported."""
    if any(one.kind == "key_wrong" for one in found.breaks) or head.seal < found.expected:
        return
    why = f"Seal {head.seal} was exported as the head, and there are {end} seals: the end was cut off"
    found.breaks.append(Break("cut_off", head.seal, head.last_seq, None, why))


# What is known without looking at the rows


class LastSeal(Struct, frozen=True, rename="camel"):
    """The newest seal of a tenant."""

    number: int
    last_seq: int
    rows: int
    sealed_at: datetime


class PastVerification(Struct, frozen=True, rename="camel"):
    """A verification that was made, or is under way: `state` is running, intact, broken or failed."""

    id: UUID
    state: str
    seals: int
    rows: int
    breaks: Raw
    requested_by: UUID | None
    started_at: datetime
    finished_at: datetime | None


class Integrity(Struct, frozen=True, rename="camel"):
    """The seals of a tenant: `state` is empty, sealing (rows wait for a seal) or sealed.

    `begins_after` is the place in history before which rows were removed by retention; 0: it is whole.
    """

    state: str
    last_seal: LastSeal | None
    sealed_rows: int
    removed_rows: int
    unsealed_rows: int
    oldest_unsealed_at: datetime | None
    begins_after: int
    last_verification: PastVerification | None


_INTEGRITY: Final = """
select s.number, s.last_seq, s.row_count, s.sealed_at,
       coalesce((select sum(row_count) from log_seals where tenant_id = $1), 0)::bigint as sealed,
       coalesce((select sum(row_count) from log_tombstones where tenant_id = $1), 0)::bigint as removed,
       coalesce((select max(seq) from log_bases where tenant_id = $1), 0) as base,
       u.n as unsealed, u.oldest
  from (select 1) one
  left join lateral (select number, last_seq, row_count, sealed_at from log_seals where tenant_id = $1
                      order by number desc limit 1) s on true
  left join lateral (select count(*) as n, min(recorded_at) as oldest from action_logs
                      where tenant_id = $1 and seq > coalesce(s.last_seq, 0)) u on true
"""
_LAST_VERIFICATION: Final = """
select id, state, seals, checked_rows as rows, breaks::text as breaks, requested_by, started_at, finished_at
  from log_verifications where tenant_id = $1 order by started_at desc, id desc limit 1
"""


async def integrity(connection: Any, tenant_id: UUID) -> Integrity:
    """How far the log of a tenant is sealed, and what the last verification said."""
    row = await connection.fetchrow(_INTEGRITY, tenant_id)
    last = None
    if row["number"] is not None:
        last = LastSeal(row["number"], row["last_seq"], row["row_count"], row["sealed_at"])
    state = "sealing" if row["unsealed"] else "sealed" if last is not None else "empty"
    return Integrity(
        state,
        last,
        row["sealed"],
        row["removed"],
        row["unsealed"],
        row["oldest"],
        row["base"],
        await last_verification(connection, tenant_id),
    )


async def last_verification(connection: Any, tenant_id: UUID) -> PastVerification | None:
    """The newest verification of a tenant's log; None when there was none."""
    row = await connection.fetchrow(_LAST_VERIFICATION, tenant_id)
    return None if row is None else PastVerification(**{**row, "breaks": Raw(row["breaks"].encode())})


async def newest_head(connection: Any, tenant_id: UUID) -> Head | None:
    """The head of a tenant's seals; None when nothing is sealed."""
    row = await connection.fetchrow(
        f"select {SEAL_COLUMNS} from log_seals where tenant_id = $1 order by number desc limit 1", tenant_id
    )
    return None if row is None else head_of(seal_of(row))
