"""The heart: isolation, guard, action log, query index, outbox."""

from migrations.sql import run_script

revision = "0001_heart"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything that the heart needs."""
    run_script(__file__)


def downgrade() -> None:
    """Not offered: the action log is append only. Restore a backup instead."""
    raise RuntimeError("the first migration cannot be taken back")
