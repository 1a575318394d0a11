"""Tenants and organizations: tables, resources, features, events (contract: directory.md)."""

import re

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.events import Event, declare_events
from domain.features import Feature, Module, declare
from domain.resources import Resource, tenant_table

TENANTS_VIEW = "directory.tenants.view"
TENANTS_MANAGE = "directory.tenants.manage"
ORGANIZATIONS_VIEW = "directory.organizations.view"
ORGANIZATIONS_MANAGE = "directory.organizations.manage"

declare(
    Module("directory", "Directory (Tenants & Organizations)"),
    [
        Feature(TENANTS_VIEW, "View tenants", "directory", roles=("superadmin",)),
        Feature(TENANTS_MANAGE, "Manage tenants", "directory", (TENANTS_VIEW,), roles=("superadmin",)),
        Feature(ORGANIZATIONS_VIEW, "View organizations", "directory", roles=("admin",)),
        Feature(
            ORGANIZATIONS_MANAGE, "Manage organizations", "directory", (ORGANIZATIONS_VIEW,), roles=("admin",)
        ),
    ],
    grants={"superadmin": ["directory.tenants.*"]},
)

declare_events(
    *(
        Event(
            f"directory.{entity}.{verb}",
            f"{entity.capitalize()} {verb.capitalize()}",
            "directory",
            entity,
            "crud",
        )
        for entity in ("tenant", "organization")
        for verb in ("created", "updated", "deleted")
    )
)

tenants = tenant_table(
    "tenants",
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("is_active", sa.Boolean, nullable=False, default=True),
    sa.Column("deleted_at", sa.DateTime(timezone=True)),
)
"""A tenant is a row of its own partition: `tenant_id` equals `id`."""

organizations = tenant_table(
    "organizations",
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("slug", sa.Text),
    sa.Column("logo_url", sa.Text),
    sa.Column("is_active", sa.Boolean, nullable=False, default=True),
    sa.Column("parent_id", sa.Uuid),
    sa.Column("root_id", sa.Uuid),
    sa.Column("tree_path", sa.Text),
    sa.Column("depth", sa.Integer, nullable=False, default=0),
    sa.Column("ancestor_ids", pg.ARRAY(sa.Uuid), nullable=False, default=[]),
    sa.Column("child_ids", pg.ARRAY(sa.Uuid), nullable=False, default=[]),
    sa.Column("descendant_ids", pg.ARRAY(sa.Uuid), nullable=False, default=[]),
    sa.Column("deleted_at", sa.DateTime(timezone=True)),
)
"""`root_id` to `descendant_ids` are the materialised path (directory.md 1.1); root to parent, and pre-order."""

TENANT = Resource(
    tenants, kind="directory.tenant", event="directory.tenant", hidden=frozenset({"deleted_at"})
)

ORGANIZATION = Resource(
    organizations,
    kind="directory.organization",
    event="directory.organization",
    hidden=frozenset({"deleted_at"}),
)


def slug_of(name: str) -> str | None:
    """The slug that a name suggests (directory.md 4.3); None when nothing of it can be used."""
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-") or None
