"""How fast replay is here: `python -m tests.replay.measure [commands]`. Not a test; prints figures for docs/replay.md.

One client writes entries, edits them, and takes a part back; then the history is replayed both ways, and the rows that
it led to are copied out and in again, which is the floor that nothing can beat.
"""

import asyncio
import io
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import asyncpg
from msgspec.structs import replace

from app.database import Database, Target
from app.embedded import embedded
from app.main import make_bus
from app.migrate import migrate
from app.postgres_files import binaries
from app.replay.run import Run, Silent, Wanted
from app.seed import seed_demo
from app.settings import Settings
from commands.batch import Batch, Step
from commands.dictionaries import CreateDictionary, CreateEntry, DeleteEntry, UpdateEntry
from domain.resources import all_resources
from domain.scope import Scope, system_scope
from tests.heart.scenes import id_of, token_of


async def write(database: Database, settings: Settings, scope: Scope, commands: int) -> float:
    """Commands of one client, one after the other; returns the seconds."""
    bus = make_bus(database, settings)
    place = id_of(await bus.execute(CreateDictionary(key="measured", name="Measured"), scope))
    begun = time.perf_counter()
    for number in range(commands // 5):
        made = await bus.execute(CreateEntry(dictionary_id=place, value=f"value {number}"), scope)
        own = {"dictionary_id": place, "entry_id": id_of(made)}
        await bus.execute(UpdateEntry(**own, label=f"label {number}"), scope)
        last = await bus.execute(UpdateEntry(**own, color="#aabbcc", position=number), scope)
        if number % 2:
            await bus.undo(token_of(last), scope)
        else:
            await bus.execute(UpdateEntry(**own, icon="star"), scope)
        if number % 10 == 0:
            await bus.execute(DeleteEntry(**own), scope)
        else:
            await bus.execute(UpdateEntry(**own, position=number + 1), scope)
    return time.perf_counter() - begun


async def fill(database: Database, settings: Settings, scope: Scope, rows: int) -> None:
    """Batches of entries: many row changes in few log rows."""
    bus = make_bus(database, settings)
    place = id_of(await bus.execute(CreateDictionary(key="filled", name="Filled"), scope))
    for start in range(0, rows, 1_000):
        steps = [
            Step(
                command="dictionaries.entries.create", input={"dictionaryId": str(place), "value": f"row {n}"}
            )
            for n in range(start, start + 1_000)
        ]
        await bus.execute(Batch(commands=steps), scope)


async def copied(target: Target) -> tuple[int, float]:
    """The rows of the largest table, out by COPY and in again by COPY, index and constraints in place."""
    connection = await asyncpg.connect(target.admin_dsn)
    buffer = io.BytesIO()
    await connection.execute("create temp table again (like dictionary_entries including all)")
    begun = time.perf_counter()
    await connection.copy_from_table("dictionary_entries", output=buffer, format="binary")
    buffer.seek(0)
    done = await connection.copy_to_table("again", source=buffer, format="binary")
    seconds = time.perf_counter() - begun
    await connection.close()
    return int(done.rpartition(" ")[2]), seconds


async def restored(target: Target) -> float:
    """The tables of history, dumped by pg_dump and restored by pg_restore into a database of their own."""
    tables = [f"--table={resource.name}" for resource in all_resources() if resource.logged]
    programs = binaries()
    there = target.admin_dsn.replace("/backstep?", "/restored?")
    connection = await asyncpg.connect(target.admin_dsn)
    await connection.execute("create database restored")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dump"
        begun = time.perf_counter()
        for command in (
            [programs / "pg_dump", "-Fc", f"--file={file}", *tables, target.admin_dsn],
            [
                programs / "pg_restore",
                "--no-owner",
                f"--dbname={target.admin_dsn.replace('/backstep?', '/restored?')}",
                file,
            ],
        ):
            done = await asyncio.create_subprocess_exec(*map(str, command), stderr=asyncio.subprocess.DEVNULL)
            await done.wait()
        seconds = time.perf_counter() - begun
    other = await asyncpg.connect(there)
    assert await other.fetchval("select count(*) from dictionary_entries") > 0
    await other.close()
    await connection.execute("drop database restored")
    await connection.close()
    return seconds


async def measure(target: Target, settings: Settings, commands: int) -> None:
    """Print the figures."""
    await migrate(target.admin_dsn, embedded=True)
    database = Database(target)
    await seed_demo(database, settings)
    async with database.system() as connection:
        tenant = await connection.fetchrow("select tenant_id, id from organizations limit 1")
    scope: Any = system_scope(tenant["tenant_id"])
    scope = replace(scope, selected_organization_id=tenant["id"], home_organization_id=tenant["id"])
    seconds = await write(database, settings, scope, commands)
    print(f"written by one client: {commands} commands in {seconds:.1f} s, {commands / seconds:.0f}/s")
    begun = time.perf_counter()
    await fill(database, settings, scope, 50_000)
    filled = time.perf_counter() - begun
    print(f"50 batches of 1,000 commands in {filled:.1f} s: all in {seconds + filled:.1f} s")
    for mode in ("state", "commands"):
        run = Run(database, settings, Wanted(mode), Silent())
        async with run.finished() as finished:
            report = finished.report
            print(
                *report.lines(),
                f"copying {report.copying:.1f} s, comparing {report.comparing:.1f} s",
                sep="\n",
            )
            print(f"row changes a second: {report.row_changes / report.replaying:.0f}")
    seconds = await restored(target)
    print(f"pg_dump and pg_restore of the tables of history: {seconds:.2f} s")
    rows, seconds = await copied(target)
    print(f"COPY of {rows} rows out and in: {seconds:.2f} s, {rows / seconds:.0f}/s")
    await database.close()


def main() -> None:
    """Run on a server of its own."""
    data = Path(tempfile.mkdtemp(prefix="backstep-measure-"))
    commands = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    try:
        with embedded(data) as dsn:
            target = Target(dsn, "backstep_app", embedded=True)
            asyncio.run(measure(target, Settings.read(data=data), commands))
    finally:
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
