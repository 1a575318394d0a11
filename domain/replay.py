"""Replays that are asked for over the API: the table of runs, and the job that does them (decision 0029)."""

from typing import Final, Literal
from uuid import UUID

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.dialects import postgresql as pg

from domain.resources import Resource, tenant_table

REPLAY_JOB: Final = "replay.run"

Mode = Literal["state", "commands"]

replay_runs = tenant_table(
    "replay_runs",
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("until", sa.Text),
    sa.Column("state", sa.Text, nullable=False, default="waiting"),
    sa.Column("phase", sa.Text),
    sa.Column("done", sa.BigInteger, nullable=False, default=0),
    sa.Column("total", sa.BigInteger),
    sa.Column("report", pg.JSONB),
    sa.Column("error", sa.Text),
    sa.Column("requested_by", sa.Uuid),
    sa.Column("finished_at", sa.DateTime(timezone=True)),
)
"""`state` is that of the work while it waits or runs, and its verdict afterwards."""

REPLAY_RUN = Resource(replay_runs, logged=False)
"""Not part of history: a replay would replay itself."""


class ReplayRequest(Struct, frozen=True):
    """The payload of the job: which run it does."""

    run_id: UUID
