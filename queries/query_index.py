"""The state of the query index as its administrators see it (contract: query-index.md 2.3)."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Raw, Struct

from domain.entities.code import CODE_ENTITIES
from domain.query_index import MOST_SHOWN, STALE_AFTER, STALLED_AFTER, WHOLE_TENANT
from domain.scope import Scope

RunStatus = Literal["reindexing", "purging", "stalled", "completed", "failed"]
JobStatus = Literal["idle", "reindexing", "purging", "stalled", "failed"]


class ScopeRun(Struct, frozen=True, rename="camel"):
    """The run without partitions."""

    status: RunStatus
    processed_count: int | None
    total_count: int | None


class PartitionRun(Struct, frozen=True, rename="camel"):
    """The newest run of one partition."""

    partition_index: int | None
    partition_count: int | None
    status: RunStatus
    started_at: datetime | None
    finished_at: datetime | None
    heartbeat_at: datetime | None
    processed_count: int | None
    total_count: int | None


class IndexJob(Struct, frozen=True, rename="camel"):
    """What is being done for an entity, or was done last; counts are sums over the partitions."""

    status: JobStatus = "idle"
    started_at: datetime | None = None
    finished_at: datetime | None = None
    heartbeat_at: datetime | None = None
    processed_count: int | None = None
    total_count: int | None = None
    partitions: list[PartitionRun] = []
    scope: ScopeRun | None = None


class IndexItem(Struct, frozen=True, rename="camel"):
    """How complete the index of an entity was when last counted (null: never); vectors and full text are not kept."""

    entity_id: str
    label: str
    base_count: int | None
    index_count: int | None
    ok: bool
    job: IndexJob
    refreshed_at: datetime | None
    vector_count: int | None = None
    vector_enabled: bool = False
    fulltext_count: int | None = None
    fulltext_enabled: bool = False


class IndexFault(Struct, frozen=True, rename="camel"):
    """A record that was set aside, or a run that failed."""

    id: UUID
    source: str
    handler: str
    entity_type: str | None
    record_id: str | None
    tenant_id: UUID | None
    organization_id: UUID | None
    message: str
    stack: str | None
    payload: Raw
    occurred_at: datetime


class IndexNote(Struct, frozen=True, rename="camel"):
    """What the work on the index tells people."""

    id: UUID
    source: str
    handler: str
    level: Literal["info", "warn"]
    entity_type: str | None
    record_id: str | None
    tenant_id: UUID | None
    organization_id: UUID | None
    message: str
    details: Raw
    occurred_at: datetime


class Known(Struct, frozen=True):
    """An entity that has documents, and what people call it."""

    entity_id: str
    label: str


async def fielded_entities(connection: asyncpg.Connection, scope: Scope) -> list[Known]:
    """The product's own entities with an active custom field that the scope sees, in the order of their ids."""
    rows = await connection.fetch(
        "select distinct entity_id from field_definitions where tenant_id = $1 and entity_id = any($2::text[])"
        " and is_active and deleted_at is null"
        " and ($3::uuid[] is null or organization_id is null or organization_id = any($3)) order by 1",
        scope.tenant_id,
        [id for id in CODE_ENTITIES if not id.startswith("query_index:")],
        None if scope.filter_ids is None else list(scope.filter_ids),
    )
    return [Known(row["entity_id"], row["entity_id"]) for row in rows]


async def custom_entities(connection: asyncpg.Connection, scope: Scope) -> list[Known]:
    """The tenant's own entities that the scope sees."""
    rows = await connection.fetch(
        "select distinct on (entity_id) entity_id, label from custom_entities where tenant_id = $1"
        " and deleted_at is null and not entity_id = any($2::text[])"
        " and ($3::uuid[] is null or organization_id is null or organization_id = any($3))"
        " order by entity_id, organization_id nulls last",
        scope.tenant_id,
        list(CODE_ENTITIES),
        None if scope.filter_ids is None else list(scope.filter_ids),
    )
    return [Known(row["entity_id"], row["label"]) for row in rows]


async def items_of(
    connection: asyncpg.Connection, tenant_id: UUID, organization_id: UUID | None, known: Sequence[Known]
) -> list[IndexItem]:
    """Counts and runs of entities in an organization (None: in the whole tenant)."""
    ids = [one.entity_id for one in known]
    counts = await connection.fetch(
        "select entity_type, base_count, indexed_count, refreshed_at from entity_index_coverage"
        " where tenant_id = $1 and organization_id = $2 and entity_type = any($3::text[]) and not with_deleted",
        tenant_id,
        organization_id or WHOLE_TENANT,
        ids,
    )
    runs = await connection.fetch(
        "select * from entity_index_jobs where tenant_id = $1 and entity_type = any($2::text[])"
        " and (organization_id is null or organization_id = $3::uuid)"
        " order by entity_type, partition_index nulls first, organization_id nulls last, started_at desc",
        tenant_id,
        ids,
        organization_id,
    )
    counted = {row["entity_type"]: row for row in counts}
    now = datetime.now(UTC)
    return [
        _item(
            one, counted.get(one.entity_id), [row for row in runs if row["entity_type"] == one.entity_id], now
        )
        for one in known
    ]


def stale(items: Iterable[IndexItem]) -> list[str]:
    """Which entities were never counted, or too long ago."""
    oldest = datetime.now(UTC) - STALE_AFTER
    return [item.entity_id for item in items if item.refreshed_at is None or item.refreshed_at < oldest]


def partial(items: Iterable[IndexItem], organization_id: UUID | None) -> str | None:
    """The header that warns of the first entity whose index is known not to be complete; None when all are."""
    for item in items:
        if item.base_count != item.index_count:
            warning = {
                "type": "partial_index",
                "entity": item.entity_id,
                "entityLabel": item.label,
                "baseCount": item.base_count,
                "indexedCount": item.index_count,
                "scope": organization_id,
            }
            return msgspec.json.encode(warning).decode()
    return None


async def errors_of(
    connection: asyncpg.Connection, tenant_id: UUID, organizations: Sequence[UUID] | None
) -> list[IndexFault]:
    """The newest errors of the organizations (None: of all and of none)."""
    rows = await _newest(connection, "indexer_error_logs", "stack, payload", tenant_id, organizations)
    return [IndexFault(**(dict(row) | {"payload": _raw(row["payload"])})) for row in rows]


async def notes_of(
    connection: asyncpg.Connection, tenant_id: UUID, organizations: Sequence[UUID] | None
) -> list[IndexNote]:
    """The newest notes of the organizations (None: of all and of none)."""
    rows = await _newest(connection, "indexer_status_logs", "level, details", tenant_id, organizations)
    return [IndexNote(**(dict(row) | {"details": _raw(row["details"])})) for row in rows]


async def _newest(
    connection: asyncpg.Connection,
    table: str,
    columns: str,
    tenant_id: UUID,
    organizations: Sequence[UUID] | None,
) -> list[Any]:
    found: list[Any] = await connection.fetch(
        "select id, source, handler, entity_type, record_id, tenant_id, organization_id, message, occurred_at,"
        f" {columns} from {table} where tenant_id = $1"
        " and ($2::uuid[] is null or organization_id = any($2)) order by occurred_at desc, id desc limit $3",
        tenant_id,
        None if organizations is None else list(organizations),
        MOST_SHOWN,
    )
    return found


def _raw(text: str | None) -> Raw:
    return Raw(b"null" if text is None else text.encode())


def _item(one: Known, counted: Any, runs: list[Any], now: datetime) -> IndexItem:
    base = counted["base_count"] if counted else None
    indexed = counted["indexed_count"] if counted else None
    return IndexItem(
        entity_id=one.entity_id,
        label=one.label,
        base_count=base,
        index_count=indexed,
        ok=base is not None and base == indexed,
        job=job_of(runs, now),
        refreshed_at=counted["refreshed_at"] if counted else None,
    )


def job_of(rows: Sequence[Any], now: datetime) -> IndexJob:
    """What rows of runs mean together; of several for one partition the first one counts."""
    newest: dict[int | None, PartitionRun] = {}
    for row in rows:
        newest.setdefault(row["partition_index"], _run(row, now))
    alone = newest.pop(None, None)
    parts = [newest[index] for index in sorted(newest, key=lambda index: index or 0)]
    whole = None if alone is None else ScopeRun(alone.status, alone.processed_count, alone.total_count)
    runs = parts or ([alone] if alone else [])
    if not runs:
        return IndexJob()
    status = _status(runs, alone)
    active = [run for run in runs if run.finished_at is None]
    leading = (active or runs)[0]
    return IndexJob(
        status=status,
        started_at=leading.started_at,
        finished_at=leading.finished_at if status in ("idle", "failed") else None,
        heartbeat_at=leading.heartbeat_at,
        processed_count=sum(run.processed_count or 0 for run in runs),
        total_count=sum(run.total_count or 0 for run in runs),
        partitions=parts,
        scope=whole,
    )


def _status(runs: Sequence[PartitionRun], alone: PartitionRun | None) -> JobStatus:
    states = {run.status for run in runs}
    if "purging" in states:
        return "purging"
    if "reindexing" in states:
        return "reindexing"
    if "stalled" in states:
        return "stalled"
    return "failed" if "failed" in states or (alone is not None and alone.status == "failed") else "idle"


def _run(row: Any, now: datetime) -> PartitionRun:
    beat: datetime | None = row["heartbeat_at"]
    silent = beat is None or now - beat > STALLED_AFTER
    total: int | None = row["total_count"]
    done: int = row["processed_count"]
    return PartitionRun(
        partition_index=row["partition_index"],
        partition_count=row["partition_count"],
        status="stalled" if row["finished_at"] is None and silent else row["status"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        heartbeat_at=beat,
        processed_count=done if total is None else min(done, total),
        total_count=total,
    )
