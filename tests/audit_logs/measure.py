"""What taking back many actions costs: `python -m tests.audit_logs.measure [actions]`. Not a test; prints figures for
docs/decisions/0031.

Half of the actions make entries, the other half edit them. While all of them are taken back by one request, three
clients go on writing: into the same tenant, at both processes of the server, and into another tenant.
"""

import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from msgspec.structs import replace

from app.database import Database, Target
from app.embedded import embedded
from app.main import make_bus
from app.migrate import migrate
from app.settings import Settings
from commands.dictionaries import CreateDictionary, CreateEntry, UpdateEntry
from domain.scope import Options, system_scope
from tests.bench.dataset import Loader
from tests.bench.processes import Server, ours
from tests.bench.scripts import Subject
from tests.heart.scenes import id_of

PATH = "/audit_logs/audit-logs/actions/undo-many"
_PAUSE = 0.1


class Waits:
    """What one client met: how long each write took, and which were refused."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.refused: list[int] = []

    def __str__(self) -> str:
        found = sorted(self.seconds)
        middle = found[len(found) // 2] if found else 0.0
        refused = f", {len(self.refused)} refused {sorted(set(self.refused))}" if self.refused else ""
        return f"{len(found)} writes, median {middle:.3f} s, longest {max(found, default=0.0):.2f} s{refused}"


async def written(target: Target, settings: Settings, subject: Subject, actions: int) -> float:
    """The actions, by one client; returns the seconds."""
    database = Database(target)
    bus = make_bus(database, settings)
    place = UUID(subject.organization)
    scope = replace(
        system_scope(UUID(subject.tenant)), selected_organization_id=place, home_organization_id=place
    )
    dictionary = id_of(await bus.execute(CreateDictionary(key="imported", name="Imported"), scope))
    options = Options(correlation_id="import")
    begun = time.perf_counter()
    for number in range(actions // 2):
        made = await bus.execute(
            CreateEntry(dictionary_id=dictionary, value=f"value {number}"), scope, options
        )
        edit = UpdateEntry(dictionary_id=dictionary, entry_id=id_of(made), label=f"label {number}")
        await bus.execute(edit, scope, options)
    seconds = time.perf_counter() - begun
    await database.close()
    return seconds


async def writing(server: Server, subject: Subject, waits: Waits, name: str, over: asyncio.Event) -> None:
    """Make entries, one after the other, until it is over."""
    headers = {"authorization": f"Bearer {subject.token}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=300) as client:
        while not over.is_set():
            begun = time.perf_counter()
            answer = await client.post(
                f"/dictionaries/{subject.dictionary}/entries",
                json={"value": f"{name} {uuid4().hex}"},
                headers=headers,
            )
            waits.seconds.append(time.perf_counter() - begun)
            if answer.status_code != 201:
                waits.refused.append(answer.status_code)
            await asyncio.sleep(_PAUSE)


async def watching(
    server: Server, subject: Subject, seen: dict[str, list[float]], over: asyncio.Event
) -> None:
    """When each phase was seen first and last, by polling as the page does."""
    headers = {"authorization": f"Bearer {subject.token}"}
    begun = time.perf_counter()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=300) as client:
        while not over.is_set():
            for run in (await client.get(PATH, headers=headers)).json()["items"]:
                now = time.perf_counter() - begun
                seen.setdefault(run["phase"], [now, now, 0])[1:] = [now, run["done"]]
            await asyncio.sleep(0.25)


async def sampling(server: Server, peak: list[float], over: asyncio.Event) -> None:
    """The most memory that a process of the server has held."""
    while not over.is_set():
        peak[0] = max(peak[0], server.resident_mib())
        await asyncio.sleep(0.05)


async def asked(
    server: Server, subject: Subject, other: Subject, path: str, body: Any, dry: bool = False
) -> None:
    """One request, with everybody else at work; prints the figures."""
    over, peak, seen = asyncio.Event(), [server.resident_mib()], {}
    waits = {name: Waits() for name in ("same tenant", "same tenant, again", "other tenant")}
    before = peak[0]
    tasks = [
        *(
            asyncio.create_task(writing(server, other if "other" in name else subject, one, name, over))
            for name, one in waits.items()
        ),
        asyncio.create_task(watching(server, subject, seen, over)),
        asyncio.create_task(sampling(server, peak, over)),
    ]
    await asyncio.sleep(1)
    headers = {"authorization": f"Bearer {subject.token}"} | ({"x-backstep-dry-run": "true"} if dry else {})
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=900) as client:
        begun = time.perf_counter()
        answer = await client.post(path, json=body, headers=headers)
        seconds = time.perf_counter() - begun
    await asyncio.sleep(1)
    over.set()
    await asyncio.gather(*tasks)
    found = answer.json()
    told = {key: found[key] for key in ("total", "rows", "error", "code") if key in found}
    print(
        f"{path.rpartition('/')[2]}{' (dry run)' if dry else ''}: {answer.status_code} {told} in {seconds:.1f} s"
    )
    print(f"  memory of the largest process: {before:.0f} MiB before, {peak[0]:.0f} MiB at most")
    for name, one in waits.items():
        print(f"  {name}: {one}")
    for phase, (first, last, done) in seen.items():
        print(f"  seen {first:5.1f} s to {last:5.1f} s: {phase} ({done:.0f})", flush=True)
    if "undoToken" in found:
        asked.token = found["undoToken"]  # type: ignore[attr-defined]  # for the next question


async def measure(target: Target, settings: Settings, data: Path, actions: int) -> None:
    """Print the figures."""
    await migrate(target.admin_dsn, embedded=True)
    subjects = await Loader(settings, target).load({"one": 10, "two": 10})
    one, two = subjects["one"], subjects["two"]
    seconds = await written(target, settings, one, actions)
    print(f"{actions} actions written by one client in {seconds:.1f} s", flush=True)
    server = ours(data, 2)
    try:
        server.wait()
        body = {"filter": {"correlationId": "import"}}
        await asked(server, one, two, PATH, body, dry=True)
        await asked(server, one, two, PATH, body)
        await asked(
            server,
            one,
            two,
            PATH.replace("undo-many", "undo"),
            {"undoToken": asked.token},  # type: ignore[attr-defined]
        )
    finally:
        server.stop()


def main() -> None:
    """Run on a server of its own."""
    data = Path(tempfile.mkdtemp(prefix="backstep-measure-"))
    data.chmod(0o755)  # the database may run as another user
    actions = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    try:
        with embedded(data) as dsn:
            target = Target(dsn, "backstep_app", embedded=True)
            asyncio.run(measure(target, Settings.read(data=data), data, actions))
    finally:
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
