"""Ways to find the history of a record and of many commands."""

from migrations.sql import run_script

revision = "0016_history"
down_revision = "0015_configs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__)
