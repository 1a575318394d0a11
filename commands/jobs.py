"""Commands on background jobs that were given up, or that nobody wants any more (decision 0024)."""

from typing import Annotated

from msgspec import Meta

from commands.registry import Command, command, handles
from commands.unit import Unit
from domain import jobs
from domain.errors import Problem
from domain.query_index import PURGE, REINDEX

_WHY = "A job is work under way, not data: what it did is taken back through the commands that it ran."

JobId = Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]


@command(
    "jobs.job.retry",
    resource="jobs.job",
    label="Retry background job",
    features=(REINDEX,),
    undoable=False,
    why=_WHY,
    target="id",
)
class RetryJob(Command, frozen=True, rename="camel"):
    """Let a failed job be tried again."""

    id: JobId


@handles(RetryJob)
async def retry_job(command: RetryJob, unit: Unit) -> None:
    """It waits as if new. Raises Problem 404 when no failed job of the tenant has the number."""
    if not await unit.fetch(jobs.RETRY, [command.id]):
        raise Problem.not_found("No failed job has this number")
    unit.touch(jobs.JOB_TABLE)


@command(
    "jobs.jobs.retry_all",
    resource="jobs.job",
    label="Retry all failed background jobs",
    features=(REINDEX,),
    undoable=False,
    why=_WHY,
)
class RetryAllJobs(Command, frozen=True, rename="camel"):
    """Let every failed job of the tenant be tried again."""


@handles(RetryAllJobs)
async def retry_all_jobs(command: RetryAllJobs, unit: Unit) -> int:
    """They wait as if new; answers how many."""
    found = await unit.fetch(jobs.RETRY, None)
    if found:
        unit.touch(jobs.JOB_TABLE)
    return len(found)


@command(
    "jobs.job.delete",
    resource="jobs.job",
    label="Delete background job",
    features=(PURGE,),
    undoable=False,
    why=_WHY,
    target="id",
)
class DeleteJob(Command, frozen=True, rename="camel"):
    """Delete a job that waits or has failed."""

    id: JobId


@handles(DeleteJob)
async def delete_job(command: DeleteJob, unit: Unit) -> None:
    """It is gone. Raises Problem 404 when the tenant has no such job, 409 while it is under way."""
    if await unit.fetch(jobs.DELETE, [command.id]):
        unit.touch(jobs.JOB_TABLE)
    elif await unit.fetchval("select exists (select from jobs.pgqueuer where id = $1)", command.id):
        raise Problem.conflict("The job is under way", "job_running")
    else:
        raise Problem.not_found("Job not found")
