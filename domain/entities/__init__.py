"""Custom entities and the definitions of custom fields: features, tables, resources (contract: entities.md)."""

from typing import Any, Final, Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

import domain.directory  # noqa: F401  # definitions live in organizations: that table comes first
from domain.features import Feature, Module, declare
from domain.resources import Images, Resource, snapshot_view, tenant_table
from domain.snapshots import record, wire_row

VIEW = "entities.definitions.view"
MANAGE = "entities.definitions.manage"
RECORDS_VIEW = "entities.records.view"
RECORDS_MANAGE = "entities.records.manage"

declare(
    Module("entities", "Custom Entities & Fields"),
    [
        Feature(VIEW, "View custom field definitions", "entities", (), ("admin",)),
        Feature(MANAGE, "Manage custom field definitions", "entities", (VIEW,), ("admin",)),
        Feature(RECORDS_VIEW, "View records", "entities", (), ("admin",)),
        Feature(RECORDS_MANAGE, "Manage records", "entities", (RECORDS_VIEW,), ("admin",)),
    ],
    grants={"admin": ["entities.*"]},
)

Right = Literal["view", "manage"]


def record_feature(entity_id: str, right: Right) -> str:
    """The feature that the records of a restricted entity need (0.6)."""
    return f"entities.records.{entity_id}.{right}"


def record_features(entity_id: str, label: str) -> list[Feature]:
    """The two features of a restricted entity, as the catalogue shows them (0.6)."""
    view, manage = record_feature(entity_id, "view"), record_feature(entity_id, "manage")
    return [
        Feature(view, f"View records: {label}", "entities", (RECORDS_VIEW,)),
        Feature(manage, f"Manage records: {label}", "entities", (view, RECORDS_MANAGE)),
    ]


def organization_column() -> sa.Column[UUID]:
    """Null: the row is the tenant's, and every organization has it."""
    return sa.Column("organization_id", sa.Uuid)


field_definitions = tenant_table(
    "field_definitions",
    organization_column(),
    sa.Column("entity_id", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("config", pg.JSONB, nullable=False, default={}),
    sa.Column("is_active", sa.Boolean, nullable=False, default=True),
    sa.Column("deleted_at", sa.DateTime(timezone=True)),
)
"""A row with `deleted_at` hides its key where it wins (1.5)."""

fieldset_configs = tenant_table(
    "fieldset_configs",
    organization_column(),
    sa.Column("entity_id", sa.Text, nullable=False),
    sa.Column("config", pg.JSONB, nullable=False, default={}),
)

custom_entities = tenant_table(
    "custom_entities",
    organization_column(),
    sa.Column("entity_id", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("label_field", sa.Text),
    sa.Column("default_editor", sa.Text),
    sa.Column("show_in_sidebar", sa.Boolean, nullable=False, default=False),
    sa.Column("access_restricted", sa.Boolean, nullable=False, default=False),
    sa.Column("is_active", sa.Boolean, nullable=False, default=True),
    sa.Column("deleted_at", sa.DateTime(timezone=True)),
)

entity_settings = tenant_table(
    "entity_settings",
    sa.Column("new_entities_restricted", sa.Boolean, nullable=False, default=False),
)
"""One row a tenant, once something was settled."""

DEFINITION_KIND: Final = "entities.field_definition"
ENTITY_KIND: Final = "entities.entity"

FIELD_DEFINITION = Resource(
    field_definitions,
    kind=DEFINITION_KIND,
    within=(ENTITY_KIND, "entity_id"),
    conflicts={"field_definitions_once": "The field is defined already"},
)
FIELDSET_CONFIG = Resource(
    fieldset_configs,
    kind="entities.fieldset_config",
    within=(ENTITY_KIND, "entity_id"),
    conflicts={"fieldset_configs_once": "The fieldsets of the entity are configured already"},
)
CUSTOM_ENTITY = Resource(
    custom_entities,
    kind=ENTITY_KIND,
    conflicts={"custom_entities_once": "The entity is registered already"},
)
ENTITY_SETTINGS = Resource(
    entity_settings,
    kind="entities.settings",
    conflicts={"entity_settings_once": "The settings exist already"},
)


@snapshot_view("entities.definitions.delete")
def deletion_view(changes: list[dict[str, Any]], resource_id: str | None) -> Images:
    """The definition that was deleted; for one that is inherited, the copy that hides it was made of it."""
    hidden = [change for change in changes if change["o"] == "i"]
    if not hidden:
        return record(changes, DEFINITION_KIND, resource_id)
    return wire_row(FIELD_DEFINITION, hidden[0]["a"] | {"is_active": True, "deleted_at": None}), None


@snapshot_view("entities.definitions.upsert_batch")
def batch_view(changes: list[dict[str, Any]], _: str | None) -> Images:
    """The definitions that were saved, and the fieldsets, as lists."""
    return record(changes, None, None)
