"""Mail on its way, and the program that a session was opened with."""

from alembic import op

from migrations.sql import run_script

revision = "0006_self_service"
down_revision = "0004_directory"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, the column and the index."""
    run_script(__file__)


def downgrade() -> None:
    """Drop them."""
    op.execute("drop index sidebar_variants_active; drop table mail_outbox")
    op.execute("alter table sessions drop column user_agent")
