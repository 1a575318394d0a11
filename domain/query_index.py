"""The query index: features, bookkeeping tables, and what its work is told (contract: query-index.md)."""

import re
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.dialects import postgresql as pg

from domain.features import Feature, Module, declare
from domain.resources import Resource, tenant_table
from domain.scope import Scope

VIEW = "query_index.status.view"
REINDEX = "query_index.reindex"
PURGE = "query_index.purge"

declare(
    Module("query_index", "Query Indexes"),
    [
        Feature(VIEW, "View index status", "query_index", roles=("admin",)),
        Feature(REINDEX, "Trigger reindex", "query_index", (VIEW,), ("admin",)),
        Feature(PURGE, "Purge index", "query_index", (VIEW,), ("admin",)),
    ],
    grants={"admin": ["query_index.*"]},
)

REINDEX_JOB: Final = "query_index.reindex"
PURGE_JOB: Final = "query_index.purge"
COVERAGE_JOB: Final = "query_index.coverage.refresh"
UPGRADE_JOB: Final = "query_index.upgrade"

WHOLE_TENANT: Final = UUID(int=0)
"""Stands for `no organization` in the key of a coverage row: the counts are those of the whole tenant."""
STALLED_AFTER: Final = timedelta(seconds=60)
"""Unfinished work that showed no sign of life for so long counts as stalled, and may be replaced."""
STALE_AFTER: Final = timedelta(seconds=60)
"""Counts older than this are counted anew when somebody looks."""
REBUILD_EVERY: Final = timedelta(minutes=5)
"""How often at most lists have missing documents of an entity type built by themselves."""
MOST_SHOWN: Final = 100
"""Errors, and notes, that the status shows."""

ENTITY_TYPE_PATTERN: Final = r"^[a-z][a-z0-9_]*:[a-z][a-z0-9_]*$"
LONGEST_TYPE: Final = 200
MOST_PARTITIONS: Final = 64
_ENTITY_TYPE = re.compile(ENTITY_TYPE_PATTERN)

RunState = Literal["reindexing", "purging", "completed", "failed"]


def is_entity_type(text: str) -> bool:
    """Whether a text has the form of an entity type: `module:entity`."""
    return len(text) <= LONGEST_TYPE and _ENTITY_TYPE.fullmatch(text) is not None


def acting_organization(scope: Scope) -> UUID | None:
    """The organization that status, reindex and purge are about: the selected one, else the person's own.

    None for a super admin who looks at all organizations: the status is the tenant's, and nothing can be started.
    """
    if scope.selected_organization_id is not None or scope.is_super_admin:
        return scope.selected_organization_id
    return scope.home_organization_id


class ReindexPart(Struct, frozen=True, rename="camel"):
    """What the job of one partition is told; the tenant is the job's, `organization_id` None means all of it."""

    entity_type: str
    organization_id: UUID | None
    force: bool = False
    batch_size: int = 500
    partition_count: int = 1
    partition_index: int | None = None
    reset_coverage: bool = False
    stale_only: bool = False
    """Only documents that an older projection made."""
    requested_by: UUID | None = None


class Purging(Struct, frozen=True, rename="camel"):
    """What the job of a purge is told."""

    entity_type: str
    organization_id: UUID | None


class CoverageRequest(Struct, frozen=True, rename="camel"):
    """What the job of a recount is told."""

    entity_types: tuple[str, ...]
    organization_id: UUID | None


def _log_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("organization_id", sa.Uuid),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("handler", sa.Text, nullable=False),
        sa.Column("entity_type", sa.Text),
        sa.Column("record_id", sa.Text),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
    ]


index_jobs = tenant_table(
    "entity_index_jobs",
    sa.Column("organization_id", sa.Uuid),
    sa.Column("entity_type", sa.Text, nullable=False),
    sa.Column("partition_index", sa.Integer),
    sa.Column("partition_count", sa.Integer),
    sa.Column("run_id", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("processed_count", sa.BigInteger, nullable=False, default=0),
    sa.Column("failed_count", sa.BigInteger, nullable=False, default=0),
    sa.Column("total_count", sa.BigInteger),
    sa.Column("reached", sa.Uuid),
    sa.Column("requested_by", sa.Uuid),
    sa.Column("heartbeat_at", sa.DateTime(timezone=True)),
    sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("finished_at", sa.DateTime(timezone=True)),
    times=False,
)
"""The newest run of each partition; a purge, and a run without partitions, have neither index nor count.

`run_id` is the number of the background job; `reached` the last record that is done, where the run goes on after an
interruption.
"""

coverage = tenant_table(
    "entity_index_coverage",
    sa.Column("organization_id", sa.Uuid, nullable=False),
    sa.Column("entity_type", sa.Text, nullable=False),
    sa.Column("with_deleted", sa.Boolean, nullable=False, default=False),
    sa.Column("base_count", sa.BigInteger, nullable=False),
    sa.Column("indexed_count", sa.BigInteger, nullable=False),
    sa.Column("vector_indexed_count", sa.BigInteger, nullable=False, default=0),
    sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=False),
    times=False,
)
"""How many records there were, and how many of them were in the index, when they were last counted."""

error_logs = tenant_table(
    "indexer_error_logs",
    *_log_columns(),
    sa.Column("stack", sa.Text),
    sa.Column("payload", pg.JSONB),
    times=False,
)

status_logs = tenant_table(
    "indexer_status_logs",
    *_log_columns(),
    sa.Column("level", sa.Text, nullable=False, default="info"),
    sa.Column("details", pg.JSONB),
    times=False,
)

INDEX_JOB = Resource(index_jobs, logged=False)
COVERAGE = Resource(coverage, logged=False)
ERROR_LOG = Resource(error_logs, logged=False)
STATUS_LOG = Resource(status_logs, logged=False)
