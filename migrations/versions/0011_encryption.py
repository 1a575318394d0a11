"""Encryption maps and the tenants' wrapped keys."""

from migrations.sql import run_script

revision = "0011_encryption"
down_revision = "0010_records"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__)
