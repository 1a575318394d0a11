"""The relay: one holder, everything once and in order, taken over when it dies, and the streams end at shutdown."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from app.database import Database
from app.jobs.relay import Relay
from tests.events.conftest import Listen, Publish, drained


class Process:
    """A second process of the installation, as far as events go."""

    def __init__(self, target: Any, settings: Any) -> None:
        self.forgotten: list[UUID] = []
        self.database = Database(target)
        self.relay = Relay(self.database, settings, forget=self.forgotten.append)

    async def stop(self) -> None:
        await self.relay.stop()
        await self.database.close()


@pytest.fixture
async def second(application: Any, target: Any, settings: Any) -> AsyncIterator[Process]:
    """The second process, standing by."""
    await until(lambda: application.relay.holds)
    process = Process(target, settings)
    await process.relay.start()
    await until(lambda: process.relay.seconds_since_heard() is not None)
    yield process
    await process.stop()


async def until(holds: Any, seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


async def stream_of(database: Database, tenant: Any) -> list[Any]:
    async with database.read(tenant.id) as connection:
        return list(
            await connection.fetchval(
                "select coalesce(array_agg((payload ->> 'n')::int order by id), '{}') from event_stream"
                " where payload ? 'n'"
            )
        )


async def test_one_relay_holds_and_both_hear(
    application: Any, second: Process, publish: Publish, tenant: Any
) -> None:
    assert application.relay.holds and not second.relay.holds
    await drained(application)
    here, _ = await application.relay.hub.open(tenant.admin.scope)
    there, _ = await second.relay.hub.open(tenant.admin.scope)
    await publish(tenant, {"n": 1})
    for subscription in (here, there):
        assert [event.event for event in await subscription.take(5)] == ["dictionaries.entry.updated"]
        assert await subscription.take(0.2) == []
    application.relay.hub.leave(here)


async def test_a_commit_in_another_process_wakes_the_holder(
    application: Any, second: Process, publish: Publish, tenant: Any
) -> None:
    await drained(application)
    here, _ = await application.relay.hub.open(tenant.admin.scope)
    await asyncio.sleep(0.1)  # the holder is idle
    started = asyncio.get_running_loop().time()
    async with second.database.system() as connection:
        await connection.execute(
            "insert into outbox (tenant_id, log_id, events, created_at, seq) values ($1, gen_random_uuid(),"
            ' \'[{"event":"dictionaries.entry.updated","payload":{"n":1}}]\', now(), 1)',
            tenant.id,
        )
    second.relay.wake()
    assert len(await here.take(5)) == 1
    assert asyncio.get_running_loop().time() - started < 1.5, "sooner than the poll"
    application.relay.hub.leave(here)


async def test_everything_is_published_once_and_in_order(
    application: Any, second: Process, tenant: Any
) -> None:
    count = 1_200
    async with application.database.system() as connection:
        await connection.execute(
            "insert into outbox (tenant_id, log_id, events, created_at, seq)"
            " select $1, gen_random_uuid(), jsonb_build_array("
            " jsonb_build_object('event', 'dictionaries.entry.updated', 'payload', jsonb_build_object('n', 2 * n)),"
            " jsonb_build_object('event', 'tests.unheard', 'payload', '{}'::jsonb),"
            " jsonb_build_object('event', 'dictionaries.entry.updated', 'payload', jsonb_build_object('n', 2 * n + 1))"
            "), now(), n from generate_series(0, $2::int - 1) n",
            tenant.id,
            count,
        )
    application.relay.wake()
    second.relay.wake()
    async with asyncio.timeout(20):
        while len(await stream_of(application.database, tenant)) < 2 * count:
            await asyncio.sleep(0.05)
    assert await stream_of(application.database, tenant) == list(range(2 * count))
    async with application.database.system() as connection:
        assert await connection.fetchval("select count(*) from outbox where tenant_id = $1", tenant.id) == 0


async def test_another_process_takes_over(
    application: Any, second: Process, publish: Publish, tenant: Any
) -> None:
    await drained(application)
    there, _ = await second.relay.hub.open(tenant.admin.scope)
    await application.relay.stop()
    try:
        await publish(tenant, {"n": 1})
        await until(lambda: second.relay.holds)
        assert len(await there.take(5)) == 1
    finally:
        await second.stop()
        await application.relay.start()
    await until(lambda: application.relay.holds)


async def test_a_killed_connection_is_opened_again(
    application: Any, listen: Listen, publish: Publish, tenant: Any
) -> None:
    await until(lambda: application.relay.holds)
    async with listen(tenant.admin) as listener:
        async with application.database.system() as connection:
            killed = await connection.fetchval(
                "select count(pg_terminate_backend(l.pid)) from pg_locks l"
                " where l.locktype = 'advisory' and l.classid = 30577 and l.objid = 1 and l.granted"
                " and l.database = (select oid from pg_database where datname = current_database())"
            )
        assert killed == 1
        await publish(tenant, {"n": 1})
        await listener.until_events(1)
    await until(lambda: application.relay.holds)


async def test_changed_accounts_are_told_to_every_process(
    application: Any, second: Process, tenant: Any
) -> None:
    application.relay.announce_accounts(tenant.id)
    await until(lambda: tenant.id in second.forgotten)


async def test_old_events_are_pruned(
    target: Any, settings: Any, application: Any, publish: Publish, tenant: Any
) -> None:
    await publish(tenant, {"n": 1})
    async with asyncio.timeout(10):
        while not await stream_of(application.database, tenant):
            await asyncio.sleep(0.01)
    async with application.database.system() as connection:
        await connection.execute(
            "update event_stream set created_at = now() - interval '25 hours' where tenant_id = $1", tenant.id
        )
    application.relay._pruned = None
    application.relay.wake()
    async with asyncio.timeout(10):
        while await stream_of(application.database, tenant):
            await asyncio.sleep(0.01)


async def test_streams_end_when_the_process_closes(application: Any, listen: Listen, tenant: Any) -> None:
    async with listen(tenant.admin) as listener:
        application.closing.set()
        await listener.until(lambda one: one.ended, 2)
    async with listen(tenant.admin) as late:
        await late.until(lambda one: one.ended, 2)
    application.closing.clear()
    await application.relay.stop()
    await application.relay.start()
