"""Records of custom entities, and the index of custom values."""

from migrations.sql import run_script

revision = "0010_records"
down_revision = "0009_custom_fields"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__)
