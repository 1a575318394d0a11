"""Runs of a replay."""

from migrations.sql import run_script

revision = "0019_replay"
down_revision = "0018_retention"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__)
