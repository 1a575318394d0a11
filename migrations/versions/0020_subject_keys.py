"""A secret for each record that has sealed values."""

from migrations.sql import run_script

revision = "0020_subject_keys"
down_revision = "0019_replay"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__)
