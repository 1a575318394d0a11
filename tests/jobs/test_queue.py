"""Background jobs: done once for a committed command, tried again, given up in the open."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from app.jobs.queue import enqueue
from app.jobs.worker import Worker
from app.main import Application
from tests.jobs.conftest import Note, Put, Told, state, until, until_async


async def test_a_job_is_done_once_and_is_gone(
    application: Application, owner: UUID, put: Put, told: Told, note: Note
) -> None:
    organization = uuid4()
    number = await put(owner, note, organization_id=organization)
    await until(lambda: told.attempts)
    await until_async(lambda: _gone(application, number))
    assert told.attempts == [1]
    run = told.runs[0]
    assert (run.tenant_id, run.organization_id, run.job_id) == (owner, organization, number)


async def test_given_a_transaction_that_is_rolled_back_then_the_job_is_never_done(
    application: Application, owner: UUID, put: Put, told: Told, note: Note
) -> None:
    transaction = await application.database.begin(owner, "tests")
    await enqueue(transaction.connection, "tests.note", note, tenant_id=owner)
    await transaction.rollback()
    await put(owner, Note("marker"))
    async with application.database.system() as connection:
        await until_async(lambda: _none(connection, owner))
    assert told.attempts == []


async def test_given_two_failures_then_it_runs_three_times_with_growing_waits(
    application: Application, owner: UUID, put: Put, told: Told, note: Note
) -> None:
    told.fail = 2
    started = asyncio.get_running_loop().time()
    number = await put(owner, note)
    await until(lambda: len(told.attempts) == 3)
    assert told.attempts == [1, 2, 3]
    assert asyncio.get_running_loop().time() - started > 3.0
    await until_async(lambda: _gone(application, number))


async def test_given_an_exhausted_job_then_it_is_kept_as_failed_with_its_error(
    application: Application, owner: UUID, put: Put, told: Told, note: Note
) -> None:
    told.fail = 1
    number = await put(owner, note, "tests.once")
    await until_async(lambda: _is(application, number, "failed"))
    assert told.attempts == [1]
    note.for_good = True
    other = await put(owner, note)
    await until_async(lambda: _is(application, other, "failed"))
    assert told.attempts == [1, 1]


async def test_given_a_dedupe_key_then_no_second_job_waits_and_another_tenants_does(
    application: Application, owner: UUID, told: Told, note: Note
) -> None:
    async with application.database.system() as connection:
        key = uuid4().hex
        first = await enqueue(connection, "tests.note", note, tenant_id=owner, dedupe_key=key, delay=600)
        again = await enqueue(connection, "tests.note", note, tenant_id=owner, dedupe_key=key)
        other = await enqueue(connection, "tests.note", note, tenant_id=uuid4(), dedupe_key=key, delay=600)
        assert first is not None and other is not None and again is None
        await connection.execute("delete from jobs.pgqueuer where id = any($1)", [first, other])


async def test_given_a_limit_of_one_then_jobs_run_one_after_another(
    application: Application, owner: UUID, put: Put, told: Told, note: Note
) -> None:
    told.hold = 0.05
    for _ in range(4):
        await put(owner, note, "tests.alone")
    await until(lambda: len(told.attempts) == 4 and not told.running)
    assert told.most == 1


async def test_a_delayed_job_waits(
    application: Application, owner: UUID, put: Put, told: Told, note: Note
) -> None:
    started = asyncio.get_running_loop().time()
    await put(owner, note, delay=1.2)
    await until(lambda: told.attempts)
    assert asyncio.get_running_loop().time() - started >= 1.2


async def test_an_undeclared_job_is_refused(application: Application, owner: UUID) -> None:
    async with application.database.system() as connection:
        with pytest.raises(KeyError):
            await enqueue(connection, "tests.unknown", None, tenant_id=owner)


async def test_given_a_job_that_killed_its_processes_then_it_is_kept_as_failed(
    application: Application, owner: UUID, told: Told, note: Note
) -> None:
    """The library gives a job of a dead worker to the next one without counting; the log of its picks counts."""
    async with application.database.system() as connection:
        number = await enqueue(connection, "tests.note", note, tenant_id=owner, delay=600)
        await connection.execute(
            "insert into jobs.pgqueuer_log (job_id, status, priority, entrypoint)"
            " select $1, 'picked', 0, 'tests.note' from generate_series(1, 3)",
            number,
        )
        await connection.execute(
            "update jobs.pgqueuer set status = 'picked', execute_after = now(), heartbeat = $2,"
            " queue_manager_id = gen_random_uuid() where id = $1",
            number,
            (await connection.fetchval("select now()")) - timedelta(minutes=5),
        )
    application.jobs.wake()
    await until_async(lambda: _is(application, number, "failed"))
    assert told.attempts == []


async def test_given_a_lost_connection_then_the_worker_is_started_anew_and_nothing_is_lost(
    application: Application, owner: UUID, put: Put, told: Told, note: Note
) -> None:
    told.hold = 0.3
    first = await put(owner, note)
    await until(lambda: told.running)
    async with application.database.system() as connection:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and query like '%jobs.pgqueuer%' and pid <> pg_backend_pid()"
        )
    await until_async(lambda: _gone(application, first))
    second = await put(owner, note)
    await until_async(lambda: _gone(application, second), 40)
    assert told.attempts == [1, 1]


async def test_given_a_stop_then_a_job_under_way_is_given_back_without_counting_its_attempt(
    application: Application, owner: UUID, told: Told, note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.jobs.worker._GRACE_SECONDS", 0.1)
    await application.jobs.stop()
    worker = Worker(application)
    await worker.start()
    told.hold = 60
    async with application.database.system() as connection:
        number = await enqueue(connection, "tests.note", note, tenant_id=owner)
    worker.wake()
    await until(lambda: told.running)
    await worker.stop()
    assert await state(application, number) == "queued"
    told.hold = 0
    await application.jobs.start()
    await until_async(lambda: _gone(application, number))
    assert told.attempts == [1, 1]


async def _gone(application: Application, number: int | None) -> bool:
    return await state(application, number) is None


async def _is(application: Application, number: int | None, wanted: str) -> bool:
    return await state(application, number) == wanted


async def _none(connection: object, owner: UUID) -> bool:
    found = await connection.fetchval(  # type: ignore[attr-defined]
        "select exists (select from jobs.pgqueuer where headers ->> 'tenant' = $1)", str(owner)
    )
    return not found
