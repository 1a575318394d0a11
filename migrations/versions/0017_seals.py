"""Seals over the log."""

from migrations.sql import run_script

revision = "0017_seals"
down_revision = "0016_history"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__)
