"""Ways to find an organization without its tenant, and the roots of a tenant."""

from alembic import op

from migrations.sql import run_script

revision = "0004_directory"
down_revision = "0003_dictionaries"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the indexes."""
    run_script(__file__)


def downgrade() -> None:
    """Drop the indexes."""
    op.execute("drop index organizations_by_id, organizations_roots")
