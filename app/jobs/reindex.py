"""Background jobs of the query index: rebuild, purge, recount, and what a new version made stale (query-index.md)."""

from time import monotonic
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from app.jobs.index_runs import Recorder, Subject
from app.jobs.queue import GiveUp, Interrupted, Run, enqueue, job
from domain.query_index import (
    COVERAGE_JOB,
    PURGE_JOB,
    REINDEX_JOB,
    UPGRADE_JOB,
    CoverageRequest,
    Purging,
    ReindexPart,
)
from projections.coverage import Coverage, keep, mend_counters, part_of, recount
from projections.gaps import note_unindexed
from projections.index import projections
from projections.parts import Part, Unbuildable, rebuilt, total_of
from projections.purge import documents_of, purged

if TYPE_CHECKING:
    from app.main import Application

_REPORT_SECONDS: Final = 0.5
_HOURS: Final = 6 * 3600.0

logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.index")


class _Replaced(Exception):
    """Another run has taken the place of this one."""


@job(REINDEX_JOB, payload=ReindexPart, concurrency=2, timeout=_HOURS)
async def reindex(run: Run, wanted: ReindexPart) -> None:
    """Rebuild one partition: goes on where it was interrupted, sets records aside that cannot be indexed."""
    part = _part(run, wanted)
    if part is None:
        return
    partitioned = wanted.partition_count > 1
    subject = Subject(
        part.tenant_id,
        wanted.entity_type,
        part.organization_id,
        part.index if partitioned else None,
        part.count if partitioned else None,
    )
    recorder = Recorder(run.app.database, subject, run.job_id, REINDEX_JOB)
    async with run.app.database.system() as connection:
        total = await total_of(connection, part)
    if not await recorder.claim("reindexing", total, force=wanted.force, requested_by=wanted.requested_by):
        await recorder.note("skipped: a run is under way", "warn")
        return
    if part.index == 0:
        await recorder.drop_other_layouts()
        if wanted.reset_coverage and wanted.force:
            await _reset_coverage(part, wanted, run)
    if not recorder.processed:
        await recorder.note("started", total=total, partitionIndex=part.index, partitionCount=part.count)
    try:
        await _rebuild(run, wanted, part, recorder)
    except _Replaced:
        logger.info("run replaced", entity_type=part.entity_type)
    except (Interrupted, GiveUp):
        raise
    except Exception as error:
        if run.attempt == run.last_attempt:
            await _failed(recorder, error)
        raise


async def _rebuild(run: Run, wanted: ReindexPart, part: Part, recorder: Recorder) -> None:
    database = run.app.database
    key = run.app.search_key(part.tenant_id)
    told, removed = monotonic(), 0
    try:
        async for step in rebuilt(database, key, part, after=recorder.reached, most=wanted.batch_size):
            recorder.processed += step.done
            recorder.failed += len(step.faults)
            removed += step.removed
            if step.done:
                recorder.reached = step.reached
            await recorder.faults(step.faults)
            stopping = run.stopping.is_set()
            if stopping or step.faults or monotonic() - told > _REPORT_SECONDS:
                told = monotonic()
                if not await recorder.beat():
                    raise _Replaced
            if stopping:
                raise Interrupted
    except Unbuildable as error:
        recorder.failed += len(error.faults)
        await recorder.faults(error.faults)
        await _failed(recorder, error)
        return
    await mend_counters(database, part.tenant_id, part.entity_type)
    async with database.system() as connection:
        await recount(connection, part.tenant_id, wanted.entity_type, wanted.organization_id)
    if not await recorder.finish("failed" if recorder.failed else "completed"):
        raise _Replaced
    await recorder.note(
        "failed: records were set aside" if recorder.failed else "completed",
        "warn" if recorder.failed else "info",
        processed=recorder.processed,
        failed=recorder.failed,
        removed=removed,
    )
    await recorder.prune()


async def _failed(recorder: Recorder, error: BaseException) -> None:
    await recorder.error(error)
    await recorder.finish("failed")
    await recorder.note("failed", "warn", reason=str(error))


def _part(run: Run, wanted: ReindexPart) -> Part | None:
    if run.tenant_id is None:
        return None
    whole = part_of(run.tenant_id, wanted.entity_type, wanted.organization_id)
    if whole is None:
        return None
    return msgspec.structs.replace(
        whole,
        index=wanted.partition_index or 0,
        count=wanted.partition_count,
        stale_only=wanted.stale_only,
    )


async def _reset_coverage(part: Part, wanted: ReindexPart, run: Run) -> None:
    """Say that nothing is known to be indexed, until the run has counted."""
    whole = msgspec.structs.replace(part, index=0, count=1)
    async with run.app.database.system() as connection:
        total = await total_of(connection, whole)
        await keep(connection, part.tenant_id, wanted.entity_type, wanted.organization_id, Coverage(total, 0))


@job(PURGE_JOB, payload=Purging, timeout=_HOURS)
async def purge(run: Run, wanted: Purging) -> None:
    """Take the documents of an entity type out of the index; the records stay."""
    if run.tenant_id is None:
        return
    part = part_of(run.tenant_id, wanted.entity_type, wanted.organization_id)
    if part is None:
        return
    subject = Subject(run.tenant_id, wanted.entity_type, wanted.organization_id)
    recorder = Recorder(run.app.database, subject, run.job_id, PURGE_JOB)
    await recorder.claim("purging", await documents_of(run.app.database, part), force=True)
    await recorder.drop_other_layouts()
    try:
        async for taken in purged(run.app.database, part):
            recorder.processed += taken
            if not await recorder.beat():
                return
            if run.stopping.is_set():
                raise Interrupted
    except Interrupted:
        raise
    except Exception as error:
        if run.attempt == run.last_attempt:
            await _failed(recorder, error)
        raise
    async with run.app.database.system() as connection:
        await recount(connection, run.tenant_id, wanted.entity_type, wanted.organization_id)
    await recorder.finish("completed")
    await recorder.note("completed", processed=recorder.processed)


@job(COVERAGE_JOB, payload=CoverageRequest, concurrency=4)
async def refresh_coverage(run: Run, wanted: CoverageRequest) -> None:
    """Count the records and documents of entity types, and keep the counts."""
    assert run.tenant_id is not None, "coverage is a tenant's"
    for entity_type in wanted.entity_types:
        async with run.app.database.system() as connection:
            await recount(connection, run.tenant_id, entity_type, wanted.organization_id)


@job(UPGRADE_JOB, concurrency=1)
async def look_for_stale(run: Run, _: object) -> None:
    """Have documents rebuilt that another version of their projection made, and note the gaps, in every tenant."""
    known = {one.entity_type: one.version for one in projections() if one.type_column is None}
    many = next((one.version for one in projections() if one.type_column is not None), 1)
    versions = " ".join(f"when '{name}' then {version}" for name, version in known.items())
    async with run.app.database.system() as connection:
        for projection in projections():
            await note_unindexed(connection, projection)
        rows = await connection.fetch(
            "select distinct tenant_id, entity_type from entity_index"
            f" where projection_version <> case entity_type {versions} else {many} end"
        )
        for row in rows:
            part = ReindexPart(row["entity_type"], None, stale_only=True)
            await enqueue(
                connection,
                REINDEX_JOB,
                part,
                tenant_id=row["tenant_id"],
                dedupe_key=f"{row['entity_type']}:stale",
            )
    if rows:
        run.app.jobs.wake()


async def look_for_stale_soon(application: "Application") -> None:
    """At the start of a process: its projections may be newer than the documents."""
    async with application.database.system() as connection:
        await enqueue(connection, UPGRADE_JOB, None, tenant_id=None, dedupe_key="start")
    application.jobs.wake()
