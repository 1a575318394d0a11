"""Ways to find a role without its tenant, and API keys by age."""

from alembic import op

from migrations.sql import run_script

revision = "0007_accounts"
down_revision = "0006_self_service"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the indexes."""
    run_script(__file__)


def downgrade() -> None:
    """Drop the indexes."""
    op.execute("drop index roles_by_id, api_keys_newest")
