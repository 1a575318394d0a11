"""The log of jobs does not grow for ever, and what belongs to a job that is still there is kept."""

from datetime import timedelta
from uuid import UUID

from app.jobs.queue import enqueue
from app.jobs.sweep import sweep
from app.main import Application
from tests.jobs.conftest import Note


async def test_old_rows_of_jobs_that_are_gone_are_forgotten(
    application: Application, owner: UUID, note: Note
) -> None:
    async with application.database.system() as connection:
        kept = await enqueue(connection, "tests.note", note, tenant_id=owner, delay=3600)
        numbers = [-1, -2, kept]
        await connection.execute("delete from jobs.pgqueuer_log where job_id = any($1::bigint[])", numbers)
        await connection.execute(
            "insert into jobs.pgqueuer_log (job_id, status, priority, entrypoint, created)"
            " select n, 'picked', 0, 'tests.note', now() - $2::interval from unnest($1::bigint[]) n",
            [-1, kept],
            timedelta(days=8),
        )
        await connection.execute(
            "insert into jobs.pgqueuer_log (job_id, status, priority, entrypoint)"
            " values (-2, 'picked', 0, 'tests.note')"
        )
    await sweep(application)
    async with application.database.system() as connection:
        rows = await connection.fetch(
            "delete from jobs.pgqueuer_log where job_id = any($1::bigint[]) returning job_id", numbers
        )
        await connection.execute("delete from jobs.pgqueuer where id = $1", kept)
    assert sorted(row["job_id"] for row in rows) == sorted([-2, kept])
