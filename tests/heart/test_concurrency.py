"""Whatever happens at once, the outcome is that of some order: one winner, no fault, nothing half done."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack
from uuid import UUID, uuid4

import httpx
import pytest
from msgspec import Struct

from app.database import Database, Target
from app.main import Application, create_app, make_bus
from app.settings import Settings
from commands.bus import Bus, Outcome
from commands.dictionaries import (
    CreateEntry,
    DeleteEntry,
    EntryPosition,
    ReorderEntries,
    SetDefaultEntry,
    UpdateEntry,
)
from commands.registry import Command
from domain.errors import Problem
from tests.conftest import MakeTenant, Tenant
from tests.heart.proofs import assert_proven
from tests.heart.scenes import Scene, label, scene, token_of

AT_ONCE = 16


class Processes(Struct):
    """The buses of two server processes over one database: tenants' writers meet in PostgreSQL, not in memory."""

    buses: tuple[Bus, Bus]
    databases: tuple[Database, Database]

    def bus(self, number: int) -> Bus:
        return self.buses[number % 2]


@pytest.fixture
async def processes(application: Application, settings: Settings, target: Target) -> AsyncIterator[Processes]:
    other = Database(target)
    yield Processes((application.bus, make_bus(other, settings)), (application.database, other))
    await other.close()


async def outcomes(work: list[Awaitable[Outcome]]) -> tuple[list[Outcome], list[Problem]]:
    """What came of work done at once: successes and refusals; anything else is a fault."""
    done = await asyncio.gather(*work, return_exceptions=True)
    faults = [each for each in done if isinstance(each, BaseException) and not isinstance(each, Problem)]
    assert faults == []
    return [o for o in done if isinstance(o, Outcome)], [p for p in done if isinstance(p, Problem)]


async def test_given_one_token_when_many_undo_it_at_once_then_one_wins(
    processes: Processes, application: Application, tenant: Tenant
) -> None:
    scope = tenant.admin.scope
    place = await scene(processes.bus(0), scope, "red")
    for turn in range(8):
        token = token_of(await label(processes.bus(0), scope, place, f"label {turn}"))
        won, lost = await outcomes([processes.bus(n).undo(token, scope) for n in range(AT_ONCE)])
        assert len(won) == 1
        assert {(p.status, p.code) for p in lost} == {(400, "already_undone")}
    await assert_proven(application, tenant.id)


async def test_given_an_undone_action_when_many_redo_it_at_once_then_one_wins(
    processes: Processes, application: Application, tenant: Tenant
) -> None:
    scope = tenant.admin.scope
    place = await scene(processes.bus(0), scope, "red")
    for turn in range(6):
        outcome = await label(processes.bus(0), scope, place, f"label {turn}")
        assert outcome.log is not None
        await processes.bus(0).undo(token_of(outcome), scope)
        won, lost = await outcomes([processes.bus(n).redo(outcome.log.id, scope) for n in range(AT_ONCE)])
        assert len(won) == 1
        assert {(p.status, p.code) for p in lost} == {(400, "not_undone")}
    await assert_proven(application, tenant.id)


def busy_commands(place: Scene, writer: int, chance: random.Random) -> Iterator[Command]:
    """What one writer does to rows that all the others write too."""
    for turn in range(8):
        entry = chance.choice(place.entry_ids)
        where = {"dictionary_id": place.dictionary_id}
        positions = [EntryPosition(id=id, position=chance.randrange(5)) for id in place.entry_ids]
        yield chance.choice(
            (
                UpdateEntry(**where, entry_id=entry, label=f"{writer}.{turn}"),
                UpdateEntry(**where, entry_id=entry, value=f"v{chance.randrange(6)}", position=turn),
                UpdateEntry(**where, entry_id=entry, is_default=chance.random() < 0.7),
                SetDefaultEntry(**where, entry_id=entry),
                ReorderEntries(**where, entries=positions),
                CreateEntry(**where, value=f"v{chance.randrange(6)}"),
                DeleteEntry(**where, entry_id=chance.choice(place.entry_ids[2:])),
            )
        )


async def test_given_many_writers_of_the_same_rows_then_no_fault_and_every_rule_holds(
    processes: Processes, application: Application, tenant: Tenant
) -> None:
    place = await scene(processes.bus(0), tenant.admin.scope, "a", "b", "c", "d", "e", "f")

    async def writer(number: int) -> Counter[int]:
        chance, scope = random.Random(number), (tenant.admin.scope, tenant.superadmin.scope)[number % 2]
        bus, seen = processes.bus(number // 2), Counter[int]()
        for command in busy_commands(place, number, chance):
            try:
                outcome = await bus.execute(command, scope)
                seen[200] += 1
                if outcome.log is not None and chance.random() < 0.3:
                    await bus.undo(token_of(outcome), scope)
            except Problem as problem:
                seen[problem.status] += 1
        return seen

    total = sum(await asyncio.gather(*(writer(n) for n in range(AT_ONCE))), Counter[int]())
    assert set(total) <= {200, 400, 404, 409} and total[200] > AT_ONCE
    await assert_rules(application.database, place)
    await assert_proven(application, tenant.id)


async def assert_rules(database: Database, place: Scene) -> None:
    """At most one default, and no value twice."""
    async with database.system() as connection:
        rows = await connection.fetch(
            "select normalized_value, is_default from dictionary_entries where dictionary_id = $1",
            place.dictionary_id,
        )
    assert sum(row["is_default"] for row in rows) <= 1
    assert len({row["normalized_value"] for row in rows}) == len(rows)


async def test_given_many_requests_for_the_same_new_value_then_one_creates_it(
    application: Application, settings: Settings, tenant: Tenant
) -> None:
    place = await scene(application.bus, tenant.admin.scope)
    transport = httpx.ASGITransport(create_app(settings, application))
    async with httpx.AsyncClient(transport=transport, base_url="http://backstep.test") as client:
        url = f"/dictionaries/{place.dictionary_id}/entries"
        answers = await asyncio.gather(
            *(client.post(url, json={"value": "red"}, headers=tenant.admin.headers) for _ in range(AT_ONCE))
        )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: AT_ONCE - 1}
    await assert_proven(application, tenant.id)


async def test_given_many_requests_with_one_idempotency_key_then_it_happens_once(
    processes: Processes, application: Application, tenant: Tenant
) -> None:
    place = await scene(processes.bus(0), tenant.admin.scope, "red")
    key = uuid4().hex
    won, lost = await outcomes(
        [
            label(processes.bus(n), tenant.admin.scope, place, "once", idempotency_key=key)
            for n in range(AT_ONCE)
        ]
    )
    assert lost == [] and [o.replayed for o in won].count(False) == 1
    assert len({o.log.id for o in won if o.log is not None}) == 1
    await assert_proven(application, tenant.id)


async def test_given_a_busy_tenant_then_others_and_readers_do_not_wait(
    application: Application, make_tenant: MakeTenant
) -> None:
    busy, other = await make_tenant(), await make_tenant()
    here = await scene(application.bus, busy.admin.scope, "red")
    there = await scene(application.bus, other.admin.scope, "red")
    held = await application.database.begin(busy.id, "test.hold")
    try:
        waiting = [
            asyncio.create_task(label(application.bus, busy.admin.scope, here, f"late {n}"))
            for n in range(40)
        ]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(5):
            for n in range(10):
                await label(application.bus, other.admin.scope, there, f"label {n}")
            async with application.database.read(busy.id) as connection:
                assert await connection.fetchval("select count(*) from dictionary_entries") == 1
        assert not any(task.done() for task in waiting)
    finally:
        await held.rollback()
    await asyncio.wait_for(asyncio.gather(*waiting), 30)
    await assert_proven(application, busy.id)


async def test_given_requests_cancelled_at_any_moment_then_nothing_is_half_done_and_all_goes_on(
    processes: Processes, application: Application, tenant: Tenant
) -> None:
    scope, chance = tenant.admin.scope, random.Random(7)
    place = await scene(processes.bus(0), scope, "red", "blue")

    async def cancelled(number: int) -> None:
        command = SetDefaultEntry(dictionary_id=place.dictionary_id, entry_id=place.entry_ids[number % 2])
        task = asyncio.create_task(processes.bus(number).execute(command, scope))
        await asyncio.sleep(chance.random() * 0.03)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    for _ in range(6):
        await asyncio.gather(*(cancelled(n) for n in range(AT_ONCE)))
    for n in range(2):
        async with asyncio.timeout(5):
            await label(processes.bus(n), scope, place, f"after {n}")
    for database in processes.databases:
        await assert_pool_is_whole(database)
    await assert_rules(application.database, place)
    await assert_proven(application, tenant.id)


async def test_given_a_request_cancelled_while_it_waits_for_the_lock_then_its_connection_is_good(
    processes: Processes, application: Application, tenant: Tenant
) -> None:
    place = await scene(processes.bus(0), tenant.admin.scope, "red")
    held = await processes.databases[0].begin(tenant.id, "test.hold")
    for _ in range(3):
        task = asyncio.create_task(label(processes.bus(1), tenant.admin.scope, place, "never"))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await held.rollback()
    async with asyncio.timeout(5):
        await label(processes.bus(1), tenant.admin.scope, place, "later")
        await label(processes.bus(0), tenant.admin.scope, place, "still later")
    await assert_pool_is_whole(processes.databases[1])
    await assert_proven(application, tenant.id)


async def assert_pool_is_whole(database: Database, size: int = 8) -> None:
    """Every place of the writers' pool can be taken, by a connection that works."""
    async with AsyncExitStack() as stack, asyncio.timeout(10):
        for _ in range(size):
            transaction = await database.begin(UUID(bytes=uuid4().bytes), "test.probe")
            stack.push_async_callback(transaction.rollback)
            assert await transaction.connection.fetchval("select 1") == 1


async def test_given_a_connection_that_breaks_inside_a_command_then_the_next_one_works(
    application: Application, tenant: Tenant
) -> None:
    place = await scene(application.bus, tenant.admin.scope, "red")
    transaction = await application.database.begin(tenant.id, "test.break")
    async with application.database.system() as connection:
        await connection.execute("select 1")
    transaction.connection.terminate()
    await transaction.rollback()
    await label(application.bus, tenant.admin.scope, place, "fine")
    await assert_pool_is_whole(application.database)
    await assert_proven(application, tenant.id)
