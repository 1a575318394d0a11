"""Values of custom fields in the rows of every record that the system serves."""

from migrations.sql import run_script

revision = "0009_custom_fields"
down_revision = "0008_entities"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__)
