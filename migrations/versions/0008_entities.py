"""Definitions of fields, fieldsets and custom entities."""

from migrations.sql import run_script

revision = "0008_entities"
down_revision = "0007_accounts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__)
