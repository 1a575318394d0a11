"""Takings back that are under way."""

from migrations.sql import run_script

revision = "0021_undo_runs"
down_revision = "0020_subject_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__)
