"""Which entity types lack documents."""

from migrations.sql import run_script

revision = "0022_index_gaps"
down_revision = "0021_undo_runs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__)
