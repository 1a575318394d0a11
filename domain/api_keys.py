"""API keys: tables, resources, features (contract: auth.md 8.9)."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.features import Feature, Module, declare
from domain.resources import Resource, tenant_table

VIEW = "api_keys.view"
CREATE = "api_keys.create"
DELETE = "api_keys.delete"

declare(
    Module("api_keys", "API Keys"),
    [
        Feature(VIEW, "View API keys", "api_keys", roles=("admin",)),
        Feature(CREATE, "Create API keys", "api_keys", roles=("admin",)),
        Feature(DELETE, "Delete API keys", "api_keys", roles=("admin",)),
    ],
    grants={"admin": ["api_keys.*"]},
)

api_keys = tenant_table(
    "api_keys",
    sa.Column("organization_id", sa.Uuid),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("key_prefix", sa.Text, nullable=False),
    sa.Column("key_hash", sa.Text, nullable=False),
    sa.Column("role_ids", pg.ARRAY(sa.Uuid), nullable=False, default=[]),
    sa.Column("created_by", sa.Uuid),
    sa.Column("session_token", sa.Text),
    sa.Column("session_user_id", sa.Uuid),
    sa.Column("session_secret_encrypted", sa.Text),
    sa.Column("opencode_session_id", sa.Text),
    sa.Column("expires_at", sa.DateTime(timezone=True)),
    sa.Column("deleted_at", sa.DateTime(timezone=True)),
)
"""`key_prefix`: the first 12 characters of the secret; `key_hash`: keyed hash of the whole secret, which has 192 random
bits and therefore needs no slow hash."""

api_key_usage = tenant_table(
    "api_key_usage", sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False), times=False
)
"""`id` is the key's."""

API_KEY = Resource(
    api_keys,
    kind="api_keys.key",
    view=(VIEW,),
    hidden=frozenset({"deleted_at"}),
    secret=frozenset({"key_hash", "session_token", "session_secret_encrypted"}),
    conflicts={"api_keys_prefix": "Another key begins alike; make it again"},
)
API_KEY_USAGE = Resource(api_key_usage, logged=False)
