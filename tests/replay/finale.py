"""At the end of a test session, what its tests made the product do is done again by command replay.

`REPLAY_ROWS` bounds the log rows that are replayed (0: none); of more than that, whole tenants are picked at random.
"""

import os
import random
from uuid import UUID

from app.main import Application
from app.replay.copy import Span
from app.replay.run import Run, Silent, Wanted
from commands.replay.rerun import Diverged
from tests import generators

MOST = int(os.environ.get("REPLAY_ROWS", "2500"))
LEAST = 300
"""Log rows below which it is not worth the seconds: somebody runs a few tests."""

OF_TESTS = "tests."
"""What tests call the work that they give the bus without a command, to bring tables into a state."""

_spoiled: set[UUID] = set()


def spoil(tenant_id: UUID) -> None:
    """Say that a test changes the tables or the log of its tenant behind the product's back."""
    _spoiled.add(tenant_id)


def _of_test(one: Diverged) -> bool:
    """Whether the command, or what it is about, was declared by a test and is gone with it."""
    return one.command.command.startswith(OF_TESTS) or f":{OF_TESTS}" in (one.command.resource or "")


async def replay_what_was_written(application: Application) -> None:
    """Fails when a handler does something else, on the same history, than it did in its test."""
    async with application.database.system() as connection:
        rows = await connection.fetch(
            "select tenant_id, count(*) as n from action_logs group by 1 order by 1"
        )
    sizes = {row["tenant_id"]: row["n"] for row in rows if row["tenant_id"] not in _spoiled}
    if not MOST or sum(sizes.values()) < LEAST:
        return
    chosen: list[UUID] = []
    left = MOST
    for tenant_id in random.sample(sorted(sizes), len(sizes)):
        if sizes[tenant_id] <= left:
            chosen.append(tenant_id)
            left -= sizes[tenant_id]
    generators.load()
    wanted = Wanted("commands", Span(among=tuple(chosen)))
    async with Run(application.database, application.settings, wanted, Silent()).finished() as finished:
        report = finished.report
    print(f"\nReplayed: {report.lines()[-1]}")
    unexpected = [one for one in report.diverged if not _of_test(one)]
    assert unexpected == [], "\n".join(line for one in unexpected[:50] for line in one.lines())
    assert report.broken == [], "\n".join(report.lines())
