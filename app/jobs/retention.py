"""Removes old actions from the log when somebody asks, and once a day where there is a policy (decision 0033)."""

from typing import TYPE_CHECKING, Final

import structlog

from app.jobs.queue import GiveUp, Interrupted, Run, at, enqueue, job
from app.retention import Untrustworthy, removed
from domain.retention import RETENTION_JOB

if TYPE_CHECKING:
    from app.main import Application

_HOURS: Final = 6 * 3600.0
_SETTLED: Final = """
select tenant_id from log_retention_policies
 group by tenant_id having max(updated_at) < now() - interval '24 hours'
"""
"""Tenants whose policies stand for a day: who mistypes a number has so long to take it back."""

logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.retention")


@job(RETENTION_JOB, concurrency=1, timeout=_HOURS)
async def retention(run: Run, _: object) -> None:
    """Remove what is due in a tenant; interrupted between two seals when the process stops."""
    assert run.tenant_id is not None, "a log is a tenant's"
    rows = 0
    try:
        async for step in removed(run.app.database, run.app.settings, run.tenant_id):
            rows += step.rows
            if run.stopping.is_set():
                raise Interrupted
    except Untrustworthy as why:
        raise GiveUp(str(why)) from why
    logger.info("old actions removed", tenant=str(run.tenant_id), rows=rows)


@at("41 3 * * *", "audit_logs.retention.daily")
async def daily(application: "Application") -> None:
    """A job for each tenant that has policies."""
    async with application.database.system() as connection:
        for row in await connection.fetch(_SETTLED):
            await enqueue(connection, RETENTION_JOB, None, tenant_id=row["tenant_id"], dedupe_key="run")
    application.jobs.wake()
