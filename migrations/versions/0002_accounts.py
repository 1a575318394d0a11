"""Tenants, organizations, users, roles, grants, sessions, API keys."""

from alembic import op

from migrations.sql import run_script

revision = "0002_accounts"
down_revision = "0001_heart"
branch_labels = None
depends_on = None

_TABLES = (
    "api_key_usage, api_keys, user_activity, password_resets, sessions, sidebar_variants, role_sidebar_preferences,"
    " user_sidebar_preferences, user_consents, user_acls, role_acls, user_roles, roles, users, organizations, tenants"
)


def upgrade() -> None:
    """Create the tables."""
    run_script(__file__)


def downgrade() -> None:
    """Drop the tables."""
    op.execute(f"drop table {_TABLES}")
