"""The rows that tell what the jobs of the index do: the run itself, notes, errors (query-index.md 6 and 7)."""

import traceback
from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from app.database import Database
from projections.parts import START, Fault

SOURCE: Final = "query_index"
_KEPT: Final = 10_000

_CLAIM = """
insert into entity_index_jobs as j (tenant_id, id, organization_id, entity_type, partition_index, partition_count,
  run_id, status, total_count, requested_by, heartbeat_at, started_at)
values ($1, gen_random_uuid(), $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp(), clock_timestamp())
on conflict (tenant_id, entity_type, organization_id, partition_index, partition_count) do update
   set run_id = excluded.run_id, status = excluded.status, total_count = excluded.total_count,
       requested_by = excluded.requested_by, heartbeat_at = excluded.heartbeat_at, finished_at = null,
       started_at = case when j.run_id = excluded.run_id then j.started_at else excluded.started_at end,
       processed_count = case when j.run_id = excluded.run_id then j.processed_count else 0 end,
       failed_count = case when j.run_id = excluded.run_id then j.failed_count else 0 end,
       reached = case when j.run_id = excluded.run_id then j.reached end
 where $10 or j.run_id = excluded.run_id or j.finished_at is not null
    or j.heartbeat_at is null or j.heartbeat_at < clock_timestamp() - interval '60 seconds'
returning j.id, j.processed_count, j.failed_count, j.reached
"""

_OTHER_LAYOUTS = """
delete from entity_index_jobs
 where tenant_id = $1 and entity_type = $2 and organization_id is not distinct from $3
   and partition_count is distinct from $4
"""


class Subject(Struct, frozen=True):
    """What a run is about. Without partitions, index and count are None."""

    tenant_id: UUID
    entity_type: str
    organization_id: UUID | None
    index: int | None = None
    count: int | None = None


class Recorder:
    """Writes down how one run goes, until another one takes its place."""

    def __init__(self, database: Database, subject: Subject, run_id: int, handler: str) -> None:
        self._database = database
        self._subject = subject
        self._run_id = run_id
        self._handler = handler
        self._id: UUID | None = None
        self.processed = 0
        self.failed = 0
        self.reached = START

    async def claim(self, status: str, total: int, *, force: bool, requested_by: UUID | None = None) -> bool:
        """Begin, or go on where the same run stopped; False: another run is alive (`force` takes its place)."""
        subject = self._subject
        async with self._database.system() as connection:
            row = await connection.fetchrow(
                _CLAIM,
                subject.tenant_id,
                subject.organization_id,
                subject.entity_type,
                subject.index,
                subject.count,
                self._run_id,
                status,
                total,
                requested_by,
                force,
            )
        if row is None:
            return False
        self._id, self.processed, self.failed = row["id"], row["processed_count"], row["failed_count"]
        self.reached = row["reached"] or START
        return True

    async def drop_other_layouts(self) -> None:
        """Forget the runs of other partitions of the same documents."""
        subject = self._subject
        async with self._database.system() as connection:
            await connection.execute(
                _OTHER_LAYOUTS, subject.tenant_id, subject.entity_type, subject.organization_id, subject.count
            )

    async def beat(self) -> bool:
        """Tell how far it is; False when another run has taken its place."""
        return await self._update(
            "set processed_count = $3, failed_count = $4, reached = $5, heartbeat_at = clock_timestamp(),"
            " total_count = greatest(total_count, $3)",
            self.processed,
            self.failed,
            self.reached,
        )

    async def finish(self, status: str) -> bool:
        """It has ended as `status`; False when another run has taken its place."""
        return await self._update(
            "set status = $3, processed_count = $4, failed_count = $5, total_count = greatest(total_count, $4),"
            " heartbeat_at = clock_timestamp(), finished_at = clock_timestamp()",
            status,
            self.processed,
            self.failed,
        )

    async def _update(self, change: str, *values: Any) -> bool:
        async with self._database.system() as connection:
            done = await connection.execute(
                f"update entity_index_jobs {change} where tenant_id = $1 and id = $2"
                f" and run_id = ${len(values) + 3} and finished_at is null",
                self._subject.tenant_id,
                self._id,
                *values,
                self._run_id,
            )
        return str(done) == "UPDATE 1"

    async def note(self, message: str, level: str = "info", **details: Any) -> None:
        """Write down a note for people."""
        subject = self._subject
        async with self._database.system() as connection:
            await connection.execute(
                "insert into indexer_status_logs (tenant_id, id, organization_id, source, handler, level, entity_type,"
                " message, details, occurred_at)"
                " values ($1, gen_random_uuid(), $2, $3, $4, $5, $6, $7, $8::text::jsonb, clock_timestamp())",
                subject.tenant_id,
                subject.organization_id,
                SOURCE,
                self._handler,
                level,
                subject.entity_type,
                message[:4096],
                msgspec.json.encode(details).decode(),
            )

    async def faults(self, faults: Iterable[Fault]) -> None:
        """Write down the records that could not be indexed."""
        payload = {"partitionIndex": self._subject.index, "partitionCount": self._subject.count}
        for fault in faults:
            await self._error(fault.reason, str(fault.id), None, payload)

    async def error(self, error: BaseException) -> None:
        """Write down why the run itself failed."""
        text = "".join(traceback.format_exception(error))
        await self._error(str(error) or type(error).__name__, None, text[-32768:], {})

    async def _error(
        self, message: str, record_id: str | None, stack: str | None, payload: Mapping[str, Any]
    ) -> None:
        subject = self._subject
        async with self._database.system() as connection:
            await connection.execute(
                "insert into indexer_error_logs (tenant_id, id, organization_id, source, handler, entity_type,"
                " record_id, message, stack, payload, occurred_at)"
                " values ($1, gen_random_uuid(), $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, clock_timestamp())",
                subject.tenant_id,
                subject.organization_id,
                SOURCE,
                self._handler,
                subject.entity_type,
                record_id,
                message.replace("\x00", "")[:8192],
                stack,
                msgspec.json.encode(payload).decode(),
            )

    async def prune(self) -> None:
        """Drop the tenant's oldest notes and errors, beyond the newest 10,000 of each."""
        async with self._database.system() as connection:
            for table in ("indexer_status_logs", "indexer_error_logs"):
                await connection.execute(
                    f"delete from {table} where tenant_id = $1 and occurred_at < (select occurred_at from {table}"
                    " where tenant_id = $1 order by occurred_at desc offset $2 limit 1)",
                    self._subject.tenant_id,
                    _KEPT,
                )
