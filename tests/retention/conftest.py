"""A tenant with an old history, and what removes it."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from app.database import Target
from app.main import Application
from app.retention import removed
from commands.retention import SetRetention
from tests.conftest import Tenant
from tests.heart.scenes import Scene, label, scene, token_of
from tests.replay.conftest import behind, replay, template  # noqa: F401
from tests.seals.conftest import Seal, Verify, seal, verify  # noqa: F401

Age = Callable[..., Awaitable[None]]
Remove = Callable[..., Awaitable[int]]


@pytest.fixture
async def place(application: Application, tenant: Tenant) -> Scene:
    """A dictionary with three entries and some history: edits, an undo and a redo."""
    scope, bus = tenant.admin.scope, application.bus
    made = await scene(bus, scope, "red", "green", "blue")
    outcome = await label(bus, scope, made, "Rot")
    await bus.undo(token_of(outcome), scope)
    assert outcome.log is not None
    await bus.redo(outcome.log.id, scope)
    await label(bus, scope, made, "Rouge", number=1)
    return made


@pytest.fixture
def age(target: Target, tenant: Tenant, seal: Seal, verify: Verify) -> Age:  # noqa: F811
    """Makes the tenant's history (up to a place) as old as if it had been recorded that many days ago; seals it."""

    async def run(days: int = 100, until: int = 1 << 60) -> None:
        async with behind(target, tenant.id) as connection:
            await connection.execute("delete from log_seals where tenant_id = $1", tenant.id)
            for table, column in (("action_logs", "recorded_at"), ("action_log_marks", "marked_at")):
                await connection.execute(
                    f"update {table} set {column} = {column} - make_interval(days => $2)"
                    " where tenant_id = $1 and seq <= $3",
                    tenant.id,
                    days,
                    until,
                )
        for _ in range(3):  # the server's own sealer may have been about to seal what was just changed
            await seal(tenant.id)
            if (await verify(tenant.id)).intact:
                return
            async with behind(target, tenant.id) as connection:
                await connection.execute("delete from log_seals where tenant_id = $1", tenant.id)
        raise AssertionError("the log cannot be sealed")

    return run


@pytest.fixture
def remove(application: Application, tenant: Tenant) -> Remove:
    """Removes what is due; answers how many rows of the log."""

    async def run(most: int = 100_000) -> int:
        steps = removed(application.database, application.settings, tenant.id, most)
        return sum([step.rows async for step in steps])

    return run


async def keep(application: Application, tenant: Tenant, kind: str = "*", days: int = 30) -> None:
    """Set a policy."""
    await application.bus.execute(SetRetention(kind=kind, days=days), tenant.superadmin.scope)


async def places(application: Application, tenant_id: UUID, kind: str | None = None) -> list[int]:
    """The places in history that are left."""
    async with application.database.system() as connection:
        rows: list[Any] = await connection.fetch(
            "select seq from action_logs where tenant_id = $1 and ($2::text is null or resource_kind = $2)"
            " order by seq",
            tenant_id,
            kind,
        )
    return [row["seq"] for row in rows]
