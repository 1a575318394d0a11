"""What the tests of replay share: running one in the process, and changing things behind the product's back."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.database import Target
from app.main import Application
from app.replay import scratch
from app.replay.compare import Focus
from app.replay.copy import Span
from app.replay.report import Report
from app.replay.run import Mode, Progress, Run, Silent, Wanted
from tests.replay.finale import spoil

Replay = Callable[..., Awaitable[Report]]


_templates: set[str] = set()
"""Templates of this process: each folder that imports the fixture has one of its own."""


@pytest.fixture(scope="session")
async def template(target: Target) -> AsyncIterator[str]:
    """An empty scratch database, to copy: making one anew for each test takes seconds."""
    made = await scratch.create(target, "template")
    await scratch.keep(target, made)
    _templates.add(made.name)
    yield made.name
    await scratch.drop(target, made.name)


@pytest.fixture
def replay(application: Application, template: str) -> Replay:
    """Replays the history of a tenant and answers with the report."""

    async def run(tenant_id: UUID | None, mode: Mode = "state", **more: Any) -> Report:
        progress: Progress = more.pop("progress", Silent())
        span = Span(tenant_id, until_log=more.pop("until_log", None), until_time=more.pop("until_time", None))
        focus = Focus.parse(more.pop("focus")) if "focus" in more else None
        wanted = Wanted(mode, span, focus, **more)
        doing = Run(application.database, application.settings, wanted, progress, template)
        async with doing.finished() as finished:
            return finished.report

    return run


@asynccontextmanager
async def behind(target: Target, tenant_id: UUID) -> AsyncIterator[Any]:
    """The owner's connection: changes a tenant's tables without a command, as no part of the product can."""
    spoil(tenant_id)
    connection = await asyncpg.connect(target.admin_dsn)
    try:
        async with connection.transaction():
            await connection.execute("set local app.command_id = 'behind the back'")
            yield connection
    finally:
        await connection.close()


async def scratch_databases(target: Target, but: str) -> list[str]:
    """The names of scratch databases of the live one, `but` the template."""
    connection = await asyncpg.connect(target.admin_dsn)
    try:
        of = await connection.fetchval("select current_database()")
        rows = await connection.fetch(
            "select datname from pg_database where datname like $1", f"{of[:40]}_replay_%"
        )
        return [row["datname"] for row in rows if row["datname"] not in _templates | {but}]
    finally:
        await connection.close()
