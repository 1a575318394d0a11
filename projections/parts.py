"""Rebuilding a part of the index beside live traffic: which records, in which batches, at which pace (decision 0025).

A batch is one short transaction under the tenant's lock, so a document is never older than its row, and each document
is replaced in the moment of the commit: a list sees the old one or the new one, never none and never both. A batch that
fails is halved until the record that cannot be indexed is found; that one is set aside, its old document is kept.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from time import perf_counter
from typing import Any, Final, Protocol
from uuid import UUID

import asyncpg
from msgspec import Struct

from projections.index import EntityProjection, Touched, refresh_sql

DEFAULT_BATCH: Final = 500
START: Final = UUID(int=0)
"""Comes before every id."""

MOST_FAULTS: Final = 1_000
"""A part with more records that cannot be indexed is given up."""

_SMALLEST: Final = 20
_ALONE_SECONDS: Final = 0.1
_CONTENDED_SECONDS: Final = 0.004
_CONTENDED_FOR: Final = 5.0
_FEW: Final = 20
_UNPOISONED: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
    asyncpg.SyntaxOrAccessError,
)
"""Errors that are not the fault of a record."""


class Transaction(Protocol):
    """A write transaction of one tenant."""

    connection: Any

    @property
    def waiting(self) -> int:
        """How many others want to write in the tenant."""
        ...

    async def commit(self, *, durable: bool = True) -> None:
        """End it; not `durable`: without waiting for the disk."""
        ...

    async def rollback(self) -> None:
        """Take it back."""
        ...


class Database(Protocol):
    """Where connections come from."""

    async def begin(self, tenant_id: UUID, command_id: str) -> Transaction:
        """Open a write transaction under the tenant's lock."""
        ...

    def system(self) -> AbstractAsyncContextManager[Any]:
        """A connection that sees all tenants."""
        ...


class Part(Struct, frozen=True):
    """Which documents: of one tenant and entity type, perhaps of one organization, perhaps one partition of several.

    An organization's documents are its own and those that belong to no organization. `index` counts from 0.
    `stale_only`: only documents that another version of the projection made.
    """

    tenant_id: UUID
    entity_type: str
    projection: EntityProjection
    organization_id: UUID | None = None
    index: int = 0
    count: int = 1
    stale_only: bool = False

    @property
    def arguments(self) -> tuple[UUID, str, UUID | None]:
        """The parameters $1 to $3 of the statements below."""
        return self.tenant_id, self.entity_type, self.organization_id

    @property
    def records(self) -> str:
        """SQL of the records: id, deleted_at."""
        where = f"t.tenant_id = $1 and {self.projection.of_type}{self._share('t.id')}"
        return f"select d.id, d.deleted_at from ({self.projection.select} where {where}) d where {self._place('d')}"

    @property
    def documents(self) -> str:
        """SQL condition over the index as `e`."""
        return f"e.tenant_id = $1 and e.entity_type = $2 and {self._place('e')}{self._share('e.entity_id')}"

    def _place(self, alias: str) -> str:
        if self.organization_id is None:
            return "$3::uuid is null"
        return f"({alias}.organization_id = $3::uuid or {alias}.organization_id is null)"

    def _share(self, id: str) -> str:
        if self.count == 1:
            return ""
        return f" and (uuid_hash_extended({id}, 0) & 9223372036854775807) % {self.count} = {self.index}"


class Fault(Struct, frozen=True):
    """A record that cannot be indexed, and why."""

    id: UUID
    reason: str


class Step(Struct, frozen=True):
    """What was done since the last step: how many records, up to which id, which of them in vain, how many orphans."""

    done: int
    reached: UUID
    faults: tuple[Fault, ...] = ()
    removed: int = 0


class Unbuildable(Exception):
    """Nothing of a whole batch, or too little altogether, could be indexed; the faults tell of the last records."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(f"records cannot be indexed: {faults[-1].reason}")
        self.faults = faults


class Pace:
    """How large the next batch may be: small and far between while others write, larger when nobody does."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = float(min(100, most))
        self._contended_until = 0.0

    @property
    def size(self) -> int:
        """Records of the next batch."""
        return max(1, round(self._size))

    def learn(self, records: int, held: float, waiting: bool) -> float:
        """Take in how a batch went (seconds), and whether others waited; answers how long to let them now."""
        now = perf_counter()
        if waiting:
            self._contended_until = now + _CONTENDED_FOR
        contended = now < self._contended_until
        wanted = _CONTENDED_SECONDS if contended else _ALONE_SECONDS
        fitting = records * wanted / max(held, 0.0001)
        self._size = min(max(fitting, _SMALLEST), self._size * 1.5 + 1, self._most)
        return held if contended else 0.0


async def total_of(connection: Any, part: Part) -> int:
    """How many records the part has."""
    if part.stale_only:
        return int(await connection.fetchval(f"select count(*) from ({_stale(part)}) d", *part.arguments))
    return int(await connection.fetchval(f"select count(*) from ({part.records}) d", *part.arguments))


async def rebuilt(
    database: Database, key: bytes, part: Part, *, after: UUID = START, most: int = DEFAULT_BATCH
) -> AsyncIterator[Step]:
    """Bring the documents of a part up to date, in the order of their ids, from the one `after`.

    `most` is the largest batch. At last orphans are removed: documents without a record. Raises Unbuildable.
    """
    pace = Pace(most)
    source = _stale(part) if part.stale_only else part.records
    sql = f"select d.id from ({source}) d where d.id > $4 order by d.id limit $5"
    failed = 0
    while True:
        async with database.system() as connection:
            rows = await connection.fetch(sql, *part.arguments, after, 10 * most)
        ids = [row["id"] for row in rows]
        async for step in _through(database, key, part, ids, pace):
            failed += len(step.faults)
            if failed > MOST_FAULTS or (len(step.faults) == step.done >= _FEW):
                raise Unbuildable(step.faults)
            yield step
        if len(ids) < 10 * most:
            break
        after = ids[-1]
    async with database.system() as connection:
        orphans = [row["id"] for row in await connection.fetch(_orphans(part), *part.arguments)]
    async for step in _through(database, key, part, orphans, pace, gone=True):
        yield Step(0, START, step.faults, step.done - len(step.faults))


async def _through(
    database: Database, key: bytes, part: Part, ids: list[UUID], pace: Pace, *, gone: bool = False
) -> AsyncIterator[Step]:
    place = 0
    while place < len(ids):
        some = ids[place : place + pace.size]
        place += len(some)
        faults = await _written(database, key, part, some, pace, gone)
        yield Step(len(some), some[-1], tuple(faults))


async def _written(
    database: Database, key: bytes, part: Part, ids: list[UUID], pace: Pace, gone: bool
) -> list[Fault]:
    """Write documents; of a batch that fails, its halves, until the records at fault are found."""
    try:
        pause = await _batch(database, key, part, ids, pace, gone)
    except asyncpg.PostgresError as error:
        if isinstance(error, _UNPOISONED):
            raise
        if len(ids) == 1:
            return [Fault(ids[0], f"{error} ({error.sqlstate})")]
        middle = len(ids) // 2
        first = await _written(database, key, part, ids[:middle], pace, gone)
        return first + await _written(database, key, part, ids[middle:], pace, gone)
    if pause:
        await asyncio.sleep(pause)
    return []


async def _batch(
    database: Database, key: bytes, part: Part, ids: list[UUID], pace: Pace, gone: bool
) -> float:
    transaction = await database.begin(part.tenant_id, "query_index.rebuild")
    locked = perf_counter()
    try:
        elsewhere = await transaction.connection.fetchval(
            _statement(part.projection.entity_type, gone),
            part.tenant_id,
            ids,
            key,
            part.entity_type,
            *_lock_of(part.tenant_id),
        )
        waiting = elsewhere or transaction.waiting > 0
        await transaction.commit(durable=False)
    except BaseException:
        await transaction.rollback()
        raise
    return pace.learn(len(ids), perf_counter() - locked, waiting)


def _lock_of(tenant_id: UUID) -> tuple[int, int]:
    """The halves of the number of the tenant's advisory lock (app.database), as pg_locks shows them."""
    key = int.from_bytes(tenant_id.bytes[8:], "big")
    return key >> 32, key & 0xFFFFFFFF


def _statement(projection: str, gone: bool) -> str:
    """Writes documents (or, of records that are `gone`, removes them); tells whether another process waits."""
    ids = "$2::uuid[]"
    touched = Touched(ids, ids, "$3::bytea", "$1::uuid", "$4::text", gone=gone, sparing=True)
    return (
        f"with {refresh_sql(projection, '0', touched)} select exists (select from pg_locks k"
        " where k.locktype = 'advisory' and not k.granted and k.classid = $5::oid and k.objid = $6::oid"
        " and k.database = (select oid from pg_database where datname = current_database()))"
        " from (select count(*) from p_0) done"
    )


def _stale(part: Part) -> str:
    """SQL of the records whose documents another version made, or that have none."""
    version = part.projection.version
    return (
        f"select r.id, r.deleted_at from ({part.records}) r where not exists (select from entity_index e"
        f" where e.tenant_id = $1 and e.entity_type = $2 and e.entity_id = r.id and e.projection_version = {version})"
    )


def _orphans(part: Part) -> str:
    """SQL of the ids that something in the index stands for, but no record of the part."""
    kept = f"select 1 from ({part.records}) r where r.id ="
    found = f"select e.entity_id as id from entity_index e where {part.documents} and not exists ({kept} e.entity_id)"
    if part.organization_id is not None:
        return found
    lost = (
        f"select x.entity_id from (select entity_id from entity_search where tenant_id = $1 and entity_type = $2 union"
        f" select entity_id from entity_values where tenant_id = $1 and entity_type = $2) x"
        f" where not exists ({kept} x.entity_id){part._share('x.entity_id')}"
    )
    return f"{found} union {lost}"
