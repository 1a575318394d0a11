"""Encryption maps, wrapped keys of tenants, secrets of records: tables and resources (entities.md 5.2 to 5.4, 7)."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.resources import Resource, tenant_table

encryption_maps = tenant_table(
    "encryption_maps",
    sa.Column("organization_id", sa.Uuid),
    sa.Column("entity_id", sa.Text, nullable=False),
    sa.Column("fields", pg.JSONB, nullable=False),
    sa.Column("is_active", sa.Boolean, nullable=False, default=True),
)
"""`fields`: array of `{field, hashField}`. Without organization, the map is the tenant's."""

data_keys = tenant_table(
    "data_keys",
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("wrapped", sa.Text, nullable=False),
    sa.Column("wrapped_by", sa.Text, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    times=False,
)
"""Keys under the tenant's wrapping key, which is never stored here. Purpose `data` (numbered) or `lookup` (one)."""

subject_keys = tenant_table(
    "subject_keys",
    sa.Column("table_name", sa.Text, nullable=False),
    sa.Column("row_id", sa.Uuid, nullable=False),
    sa.Column("secret", sa.LargeBinary),
    sa.Column("erased_at", sa.DateTime(timezone=True)),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    times=False,
)
"""The secret of each record that has sealed values (a log row: of what its input holds besides). Null: erased."""

ENCRYPTION_MAP = Resource(
    encryption_maps,
    kind="entities.encryption_map",
    entity_type="entities:encryption_map",
    conflicts={"encryption_maps_once": "The entity has an encryption map here already"},
)
DATA_KEY = Resource(data_keys, secret=frozenset({"wrapped"}), logged=False)
"""Not part of history: to destroy a key must be possible, and the log forgets nothing."""

SUBJECT_KEY = Resource(subject_keys, secret=frozenset({"secret"}), logged=False)
"""Not part of history, for the same reason. Making one is nothing to be told of; erasing one is."""

PLAN_TABLES = frozenset({"encryption_maps", "field_definitions", "data_keys", "subject_keys"})
"""Tables that decide what is sealed, and with which key."""
