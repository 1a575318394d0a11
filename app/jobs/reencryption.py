"""The background job after a change of an encryption map or an encrypted field: stored values follow."""

import structlog

from app.jobs.queue import Interrupted, Run, job
from app.reencryption import reencrypted
from domain.encryption.jobs import REENCRYPT_JOB, ReencryptRequest

logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.encryption")


@job(REENCRYPT_JOB, payload=ReencryptRequest, concurrency=1, timeout=6 * 3600.0)
async def reencrypt(run: Run, wanted: ReencryptRequest) -> None:
    """Step by step; interrupted between two steps when the process stops."""
    assert run.tenant_id is not None, "keys are a tenant's"
    rewritten = unreadable = 0
    last: dict[str, tuple[int, int]] = {}
    async for step in reencrypted(run.app.database, run.app.bus, run.tenant_id, wanted.tables):
        last[step.table] = step.rewritten, step.unreadable
        if run.stopping.is_set():
            raise Interrupted
    for one, other in last.values():
        rewritten, unreadable = rewritten + one, unreadable + other
    logger.info(
        "stored values re-encrypted",
        tenant=str(run.tenant_id),
        tables=list(last),
        rewritten=rewritten,
        unreadable=unreadable,
    )
