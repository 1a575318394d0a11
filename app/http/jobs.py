"""Background jobs: what waits, runs and was given up. Ours: the documented API has nothing like it."""

from typing import Any

from litestar import Response
from msgspec import Struct

from app.http.answers import NOT_FOUND, OK, Answer, refused
from app.http.call import Call
from app.http.operation import Parameter, operation
from app.http.pagination import PAGE, PAGE_SIZE, clamped_page
from commands.jobs import DeleteJob, RetryAllJobs, RetryJob
from domain.errors import Problem
from domain.jobs import STATES
from domain.query_index import PURGE, REINDEX, VIEW
from queries.jobs import JobItem, job_page

TAG = "Jobs"
_LARGEST = (1 << 63) - 1


class Jobs(Struct, frozen=True, rename="camel"):
    """Jobs of the tenant, newest first; `counts` tells how many there are in each state."""

    items: list[JobItem]
    counts: dict[str, int]
    page: int
    page_size: int


class Retried(Struct, frozen=True):
    """Done; how many jobs wait again."""

    ok: bool
    retried: int


@operation(
    "GET",
    "/jobs",
    tag=TAG,
    summary="List background jobs",
    description="Jobs of the tenant that wait, run or were given up. What is done is gone from here.",
    features=(VIEW,),
    query=[
        Parameter("state", "Only jobs in this state", {"type": "string", "enum": list(STATES)}),
        Parameter("name", "Only jobs of this name", example="query_index.reindex"),
        PAGE,
        PAGE_SIZE,
    ],
    answers={200: Answer(Jobs, "The jobs")},
)
async def list_jobs(call: Call[None]) -> Response[Any]:
    """200 with a page; an unknown state has no jobs."""
    page = clamped_page(call.query)
    state = call.first("state") or None
    async with call.app.database.read(call.scope.tenant_id) as connection:
        found = await job_page(
            connection,
            call.scope,
            state if state in STATES else None,
            call.first("name") or None,
            page.size,
            page.offset,
        )
    items = found.items if state is None or state in STATES else []
    return call.json(Jobs(items, found.counts, page.number, page.size))


@operation(
    "POST",
    "/jobs/retry",
    tag=TAG,
    summary="Retry all failed background jobs",
    features=(REINDEX,),
    raw_body=True,
    commands=("jobs.jobs.retry_all",),
    answers={200: Answer(Retried, "They wait again", example={"ok": True, "retried": 3})},
)
async def retry_all(call: Call[None]) -> Response[Any]:
    """200 with their number."""
    outcome = await call.execute(RetryAllJobs())
    return call.answer(outcome, body={"ok": True, "retried": outcome.result})


@operation(
    "POST",
    "/jobs/{id}/retry",
    tag=TAG,
    summary="Retry background job",
    description="A failed job waits again, as if it were new.",
    features=(REINDEX,),
    raw_body=True,
    commands=("jobs.job.retry",),
    answers={200: OK, 400: refused("The number is none"), 404: NOT_FOUND},
)
async def retry(call: Call[None]) -> Response[Any]:
    """200 when it waits again."""
    return call.answer(await call.execute(RetryJob(id=_number(call))), body={"ok": True})


@operation(
    "DELETE",
    "/jobs/{id}",
    tag=TAG,
    summary="Delete background job",
    description="A job that waits or has failed is deleted; its work is not done.",
    features=(PURGE,),
    raw_body=True,
    commands=("jobs.job.delete",),
    answers={
        200: OK,
        400: refused("The number is none"),
        404: NOT_FOUND,
        409: refused("The job is under way"),
    },
)
async def delete(call: Call[None]) -> Response[Any]:
    """200 when it is gone."""
    return call.answer(await call.execute(DeleteJob(id=_number(call))), body={"ok": True})


def _number(call: Call[None]) -> int:
    text = call.path["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and 0 < int(text) <= _LARGEST):
        raise Problem.bad_request("Not the number of a job")
    return int(text)
