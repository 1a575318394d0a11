"""Coverage, runs and faults of the query index."""

from migrations.sql import run_script

revision = "0013_query_index"
down_revision = "0012_jobs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__)
