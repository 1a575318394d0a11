"""Background jobs."""

from migrations.sql import run_script

revision = "0012_jobs"
down_revision = "0011_encryption"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__)
