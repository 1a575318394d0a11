"""Verification of a tenant's log for its administrators: at once when it is small, as a background job when it is not.

What was found is kept, so that it can be shown later (decision 0032).
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from app.jobs.queue import Run, enqueue, job
from app.jobs.sealer import seal_keys
from domain.ids import random_id
from domain.seals import Head
from queries.seals import PastVerification, Verification, last_verification, verification

if TYPE_CHECKING:
    from app.main import Application

JOB: Final = "audit_logs.verify"
AT_ONCE_ROWS: Final = 20_000
"""Sealed rows up to which a verification is not worth a job: about half a second."""
_KEPT: Final = 100
_HOURS: Final = 6 * 3600.0

_BEGIN: Final = """
insert into log_verifications (tenant_id, id, requested_by, state, started_at) values ($1, $2, $3, 'running', $4)
"""
_END: Final = """
update log_verifications set state = $3, seals = $4, checked_rows = $5, breaks = $6::text::jsonb, finished_at = $7
 where tenant_id = $1 and id = $2
"""
_FORGET: Final = f"""
delete from log_verifications where tenant_id = $1 and started_at < (
  select started_at from log_verifications where tenant_id = $1 order by started_at desc offset {_KEPT} limit 1)
"""
_UNDER_WAY: Final = """
select exists (select from log_verifications
                where tenant_id = $1 and state = 'running' and started_at > now() - interval '6 hours')
"""
_SEALED_ROWS: Final = "select coalesce(sum(row_count), 0) from log_seals where tenant_id = $1"


class Wanted(Struct, frozen=True):
    """The payload of the job: which verification it is, and the head that history must lead to."""

    id: UUID
    head: Head | None = None


async def verify_soon(
    app: "Application", tenant_id: UUID, actor_id: UUID | None, head: Head | None
) -> PastVerification:
    """Verify a tenant's log now, or have it verified soon; one that is under way is not begun a second time."""
    async with app.database.system() as connection:
        if await connection.fetchval(_UNDER_WAY, tenant_id):
            return await _newest(connection, tenant_id)
        wanted = Wanted(random_id(), head)
        rows = await connection.fetchval(_SEALED_ROWS, tenant_id)
        async with connection.transaction():
            await connection.execute(_BEGIN, tenant_id, wanted.id, actor_id, datetime.now(UTC))
            await connection.execute(_FORGET, tenant_id)
            if rows > AT_ONCE_ROWS:
                await enqueue(connection, JOB, wanted, tenant_id=tenant_id)
        if rows > AT_ONCE_ROWS:
            app.jobs.wake()
        else:
            await _verify(app, connection, tenant_id, wanted)
        return await _newest(connection, tenant_id)


@job(JOB, payload=Wanted, attempts=2, concurrency=2, timeout=_HOURS)
async def verify(run: Run, wanted: Wanted) -> None:
    """Verify a large log."""
    assert run.tenant_id is not None, "a log is a tenant's"
    async with run.app.database.system() as connection:
        await _verify(run.app, connection, run.tenant_id, wanted)


async def _verify(app: "Application", connection: Any, tenant_id: UUID, wanted: Wanted) -> None:
    """Verify, and keep what was found."""
    key = seal_keys(app.settings)(tenant_id)
    try:
        found = await verification(connection, tenant_id, key, wanted.head)
    except BaseException:
        await connection.execute(_END, tenant_id, wanted.id, "failed", 0, 0, "[]", datetime.now(UTC))
        raise
    await connection.execute(_END, tenant_id, wanted.id, *_kept(found), datetime.now(UTC))


def _kept(found: Verification) -> tuple[str, int, int, str]:
    breaks = msgspec.json.encode(found.breaks).decode()
    return "intact" if found.intact else "broken", found.seals, found.rows, breaks


async def _newest(connection: Any, tenant_id: UUID) -> PastVerification:
    found = await last_verification(connection, tenant_id)
    assert found is not None, "it was begun"
    return found
