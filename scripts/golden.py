"""Makes the golden log of a release: `python -m scripts.golden [FILE]` (docs/replay.md says when and why).

A server of its own, tenants of its own, random commands of all kinds by a seeded generator, one client. What is written
is only data: `make test` replays it with whatever handlers there are then.
"""

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from app import VERSION
from app.database import Database, Target
from app.embedded import embedded
from app.main import Application
from app.migrate import migrate
from app.replay import archive
from app.replay.copy import snapshot
from app.settings import Settings
from tests.conftest import SECRET, new_tenant
from tests.replay.storm import Storm

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "golden"
ACTIONS = 700
SEED = 20


async def make(target: Target, settings: Settings, path: Path) -> str:
    """Write the log; returns what it holds, in words."""
    await migrate(target.admin_dsn, embedded=True)
    database = Database(target)
    application = Application(settings, database)
    tenants = [await new_tenant(application) for _ in range(2)]
    storm = Storm(application.bus, database, tenants, SEED)
    await storm.begin()
    await storm.blow(ACTIONS, clients=1)
    async with snapshot(target) as connection:
        rows = await archive.save(connection, path, VERSION)
    await application.stop()
    return f"{rows} log rows of {len(storm.kinds)} kinds of commands"


def main() -> None:
    """Run on a server of its own."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER / f"{VERSION}.jsonl.gz"
    data = Path(tempfile.mkdtemp(prefix="backstep-golden-"))
    try:
        with embedded(data) as dsn:
            target = Target(dsn, "backstep_app", embedded=True)
            done = asyncio.run(make(target, Settings.read(data=data, secret=SECRET), path))
            print(f"{path.name}: {done}, {path.stat().st_size // 1024} KB")
    finally:
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
