"""How fast the index is rebuilt, against one bare INSERT … SELECT of the same rows, and what writers feel of it.

`python -m tests.bench.rebuild` runs it alone; in the bench it is the part `rebuild`.
"""

import argparse
import asyncio
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from uuid import UUID

import asyncpg
from msgspec import Struct

from app.database import Database, Target
from app.embedded import embedded
from app.main import make_bus
from app.migrate import migrate
from app.settings import Settings, master_key
from commands.bus import Bus
from commands.dictionaries import UpdateEntry
from domain.keys import tenant_key
from domain.scope import Actor, Scope
from projections.index import projection_of
from projections.parts import Part, rebuilt
from projections.purge import purged
from tests.bench.dataset import ENTRY_TYPE, Loader
from tests.bench.scripts import Subject

RECORDS = 100_000
ROUNDS = 2
WRITERS = 4
"""People who write in the tenant, each as soon as the last answer is there."""

_COLUMNS = (
    "tenant_id, entity_type, entity_id, organization_id, parent_id, doc, position, name_lc, created_at, updated_at,"
    " deleted_at, projection_version"
)


class Found(Struct):
    """Records a second, and latencies of writers in milliseconds."""

    bare: float
    into_nothing: float
    of_stale: float
    of_same: float
    p95_alone: float
    p95_beside: float
    p50_alone: float
    p50_beside: float
    beside: float

    @property
    def ratio(self) -> float:
        """The slower of the two ways that write documents, of the bare statement."""
        return min(self.into_nothing, self.of_stale) / self.bare

    @property
    def slowdown(self) -> float:
        """The 95th percentile of writers while the index is rebuilt, of that without."""
        return self.p95_beside / self.p95_alone

    def lines(self) -> list[str]:
        """What was found, to read."""
        rates = (
            f"rebuild into nothing: {self.into_nothing:,.0f}/s, of stale documents: {self.of_stale:,.0f}/s"
            f" ({self.ratio:.2f} of bare), of documents that are right: {self.of_same:,.0f}/s,"
            f" beside writers: {self.beside:,.0f}/s"
        )
        writers = (
            f"{WRITERS} writers: p50 {self.p50_alone:.1f} ms, p95 {self.p95_alone:.1f} ms alone;"
            f" p50 {self.p50_beside:.1f} ms, p95 {self.p95_beside:.1f} ms during a rebuild ({self.slowdown:.2f})"
        )
        return [f"bare INSERT … SELECT of the same rows: {self.bare:,.0f} records/s", rates, writers]


async def measure(settings: Settings, target: Target, records: int = RECORDS) -> Found:
    """Load the records if need be, and measure; medians of some rounds."""
    subject = (await Loader(settings, target).load({f"rebuild{records}": records}))[f"rebuild{records}"]
    database = Database(target)
    projection = projection_of(ENTRY_TYPE)
    assert projection is not None, "the module declares it"
    part = Part(UUID(subject.tenant), ENTRY_TYPE, projection)
    key = tenant_key(master_key(settings), part.tenant_id, "search")
    admin = await asyncpg.connect(target.admin_dsn, timeout=15)
    try:
        samples: dict[str, list[float]] = {"bare": [], "nothing": [], "stale": [], "same": []}
        for _ in range(ROUNDS):
            samples["bare"].append(records / await _bare(admin, part, key))
            async for _taken in purged(database, part):
                pass
            await admin.execute("vacuum entity_index, entity_search")
            samples["nothing"].append(records / await _rebuild(database, key, part))
            await admin.execute("set app.command_id = 'bench'")
            await admin.execute(
                "update entity_index set projection_version = 0 where tenant_id = $1", part.tenant_id
            )
            await admin.execute("vacuum entity_index, entity_search")
            samples["stale"].append(records / await _rebuild(database, key, part))
            samples["same"].append(records / await _rebuild(database, key, part))
        bus = make_bus(database, settings)
        alone = await _latencies(bus, subject, 4.0)
        beside, rate = await _while_rebuilding(bus, subject, database, key, part, admin)
    finally:
        await admin.close()
        await database.close()
    middle = {name: statistics.median(values) for name, values in samples.items()}
    return Found(
        bare=middle["bare"],
        into_nothing=middle["nothing"],
        of_stale=middle["stale"],
        of_same=middle["same"],
        p95_alone=_percentile(alone, 95),
        p95_beside=_percentile(beside, 95),
        p50_alone=_percentile(alone, 50),
        p50_beside=_percentile(beside, 50),
        beside=rate,
    )


async def _bare(admin: asyncpg.Connection, part: Part, key: bytes) -> float:
    """Seconds of one transaction that writes documents and tokens of all records into tables like the real ones."""
    for table in ("entity_index", "entity_search"):
        await admin.execute(f"drop table if exists bare_{table}")
        await admin.execute(f"create table bare_{table} (like {table} including all)")
    select = f"{part.projection.select} where t.tenant_id = $1"
    started = perf_counter()
    async with admin.transaction():
        await admin.execute(
            f"insert into bare_entity_index ({_COLUMNS})"
            f" select $1, '{ENTRY_TYPE}', d.id, d.organization_id, d.parent_id, d.doc,"
            " d.position, d.name_lc, d.created_at, d.updated_at, d.deleted_at, 1"
            f" from ({select}) d",
            part.tenant_id,
        )
        await admin.execute(
            "insert into bare_entity_search (tenant_id, entity_type, entity_id, grams)"
            f" select $1, '{ENTRY_TYPE}', d.id, search_grams(d.search, $2) from ({select}) d",
            part.tenant_id,
            key,
        )
    return perf_counter() - started


async def _rebuild(database: Database, key: bytes, part: Part) -> float:
    started = perf_counter()
    async for step in rebuilt(database, key, part, most=2_000):
        assert not step.faults
    return perf_counter() - started


async def _while_rebuilding(
    bus: Bus, subject: Subject, database: Database, key: bytes, part: Part, admin: asyncpg.Connection
) -> tuple[list[float], float]:
    """Latencies of writers while stale documents are rebuilt, and how many a second that were."""
    await admin.execute("update entity_index set projection_version = 0 where tenant_id = $1", part.tenant_id)
    rebuilding = asyncio.create_task(_endless(database, key, part))
    await asyncio.sleep(0.5)
    found = await _latencies(bus, subject, 4.0)
    rebuilding.cancel()
    await asyncio.gather(rebuilding, return_exceptions=True)
    done = await admin.fetchval(
        "select count(*) from entity_index where tenant_id = $1 and projection_version = 1", part.tenant_id
    )
    return found, done / 4.5


async def _endless(database: Database, key: bytes, part: Part) -> None:
    while True:
        await _rebuild(database, key, part)


async def _latencies(bus: Bus, subject: Subject, seconds: float) -> list[float]:
    """What writers waited for each update of one field, in milliseconds."""
    scope = Scope(
        tenant_id=UUID(subject.tenant),
        actor=Actor(UUID(subject.actor), "user", "bench@example.com", None),
        home_organization_id=UUID(subject.organization),
        selected_organization_id=UUID(subject.organization),
        features=("dictionaries.*",),
    )
    found: list[float] = []
    end = perf_counter() + seconds

    async def write(number: int) -> None:
        turn = 0
        while perf_counter() < end:
            turn += 1
            entry = UUID(subject.entries[(number + turn * WRITERS) % len(subject.entries)])
            command = UpdateEntry(
                dictionary_id=UUID(subject.dictionary), entry_id=entry, color=f"#{turn % 0xFFFFFF:06x}"
            )
            started = perf_counter()
            await bus.execute(command, scope)
            found.append((perf_counter() - started) * 1000)

    await asyncio.gather(*(write(number) for number in range(WRITERS)))
    return found


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def main() -> None:
    """Run it on a database of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--data", type=Path, help="keep and use this data directory")
    given = parser.parse_args()
    data = given.data or Path(tempfile.mkdtemp(prefix="backstep-rebuild-"))
    data.mkdir(parents=True, exist_ok=True)
    data.chmod(0o755)  # the database may run as another user
    try:
        with embedded(data) as dsn:
            asyncio.run(migrate(dsn, embedded=True))
            target = Target(dsn, "backstep_app", embedded=True)
            found = asyncio.run(measure(Settings.read(data=data), target, given.records))
        print("\n".join(found.lines()))
    finally:
        if given.data is None:
            shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
