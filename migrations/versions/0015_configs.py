"""Module settings and upgrade actions."""

from migrations.sql import run_script

revision = "0015_configs"
down_revision = "0014_feature_toggles"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__)
