"""Sealing and verifying one tenant in a test, and a history to seal."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from app.jobs.sealer import seal_keys, sealed
from app.main import Application
from domain.seals import Head
from queries.seals import Verification, verification
from tests.conftest import Tenant
from tests.heart.scenes import Scene, label, scene, token_of

Seal = Callable[[UUID], Awaitable[int]]
Verify = Callable[..., Awaitable[Verification]]


@pytest.fixture
def seal(application: Application) -> Seal:
    """Seals a tenant, waiting for transactions of other tests on the server; answers how many rows were sealed."""

    async def run(tenant_id: UUID) -> int:
        keys, rows = seal_keys(application.settings), 0
        async with application.database.system() as link:
            for _ in range(600):
                rows += sum([step.rows async for step in sealed(link, keys, [tenant_id])])
                if (await verification(link, tenant_id, keys(tenant_id), None)).unsealed == 0:
                    break
                await asyncio.sleep(0.1)
        return rows

    return run


@pytest.fixture
def verify(application: Application) -> Verify:
    """Verifies a tenant, perhaps against a head."""

    async def run(tenant_id: UUID, head: Head | None = None, key: bytes | None = None) -> Verification:
        own = seal_keys(application.settings)(tenant_id)
        async with application.database.system() as link:
            return await verification(link, tenant_id, key or own, head)

    return run


@pytest.fixture
async def place(application: Application, tenant: Tenant) -> Scene:
    """A dictionary with some history: edits, undo, redo, and an undo of many that was itself undone."""
    from commands.undo_many import UndoFilter, UndoMany

    scope, bus = tenant.admin.scope, application.bus
    made = await scene(bus, scope, "red", "green", "blue")
    outcome = await label(bus, scope, made, "Rot")
    await bus.undo(token_of(outcome), scope)
    await label(bus, scope, made, "Rouge", number=1)
    await label(bus, scope, made, "Rosso", number=2)
    many = UndoMany(
        filter=UndoFilter(resource_kind="dictionaries.entry", command_id="dictionaries.entries.update")
    )
    step = await bus.execute(many, scope)
    await bus.undo(token_of(step), scope)
    return made


async def rows_of(connection: Any, tenant_id: UUID) -> list[Any]:
    """The log of a tenant in the order of history."""
    rows: list[Any] = await connection.fetch(
        "select * from action_logs where tenant_id = $1 order by seq", tenant_id
    )
    return rows
