"""Takings back of many actions that are under way: the table in which any process sees how far they are."""

from typing import Final

import sqlalchemy as sa

from domain.resources import Resource, tenant_table

SILENT_SECONDS: Final = 30
"""Without a heartbeat (`updated_at`), after which a run is taken to have died with its process."""

undo_runs = tenant_table(
    "undo_runs",
    sa.Column("actor_user_id", sa.Uuid),
    sa.Column("dry_run", sa.Boolean, nullable=False),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("done", sa.BigInteger, nullable=False),
    sa.Column("total", sa.BigInteger),
)

UNDO_RUN = Resource(undo_runs, logged=False)
"""No part of history: the row is gone when the work is done."""
