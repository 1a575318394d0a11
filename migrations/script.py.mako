"""${message}."""

from migrations.sql import run_script

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """Apply the script of the same name."""
    run_script(__file__)


def downgrade() -> None:
    """Not offered: history is append only. Restore a backup instead."""
    raise RuntimeError("this migration cannot be taken back")
