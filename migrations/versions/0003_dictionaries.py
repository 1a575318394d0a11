"""Shared dictionaries and their entries."""

from alembic import op

from migrations.sql import run_script

revision = "0003_dictionaries"
down_revision = "0002_accounts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    run_script(__file__)


def downgrade() -> None:
    """Drop the tables."""
    op.execute("drop table dictionary_entries, dictionaries")
