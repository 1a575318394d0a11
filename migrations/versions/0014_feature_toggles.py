"""Feature toggles and their overrides."""

from migrations.sql import run_script

revision = "0014_feature_toggles"
down_revision = "0013_query_index"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__)
