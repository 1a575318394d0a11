"""Retention of the log."""

from migrations.sql import run_script

revision = "0018_retention"
down_revision = "0017_seals"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__)
