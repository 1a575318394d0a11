"""Tenants and organizations: tables, resources, features, events (contract: directory.md)."""

import re
from collections.abc import Container
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.events import Event, declare_events
from domain.features import Feature, Module, declare
from domain.resources import Images, Resource, custom_fields_column, snapshot_view, tenant_table
from domain.snapshots import record

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
    custom_fields_column(),
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
    custom_fields_column(),
)
"""`root_id` to `descendant_ids` are the materialised path (directory.md 1.1); root to parent, and pre-order."""

PATH_COLUMNS = frozenset({"root_id", "tree_path", "depth", "ancestor_ids", "child_ids", "descendant_ids"})
"""The materialised path: it follows from the names and parents of the tenant's live organizations."""

MAX_DEPTH = 100
"""Most organizations above another one."""

MAX_SLUG = 150

TENANT = Resource(
    tenants,
    kind="directory.tenant",
    view=(TENANTS_VIEW,),
    entity_type="directory:tenant",
    event="directory.tenant",
    hidden=frozenset({"deleted_at"}),
)

ORGANIZATION = Resource(
    organizations,
    kind="directory.organization",
    view=(ORGANIZATIONS_VIEW,),
    entity_type="directory:organization",
    event="directory.organization",
    place="id",
    computed=PATH_COLUMNS,
    hidden=frozenset({"deleted_at", "root_id", "tree_path", "depth"}),
    conflicts={
        "organizations_slug": "Another organization has this slug now.",
        "organizations_parent": "The parent organization does not exist.",
    },
)


def slug_of(name: str) -> str | None:
    """The slug that a name suggests (directory.md 4.3); None when nothing of it can be used."""
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:MAX_SLUG].strip("-") or None


def free_slug(wanted: str, taken: Container[str], now: datetime) -> str:
    """`wanted`, or the first of its numbered forms that is not `taken`; after 50 tries one made from `now`."""
    suffixes = ["", *(f"-{number}" for number in range(1, 51))]
    candidates = (wanted[: MAX_SLUG - len(suffix)] + suffix for suffix in suffixes)
    stamp = f"-{int(now.timestamp() * 1000):x}"
    return next((one for one in candidates if one not in taken), wanted[: MAX_SLUG - len(stamp)] + stamp)


def organization_view(changes: list[dict[str, Any]], resource_id: str | None) -> Images:
    """The organization that was edited, without those whose place in the tree changed with it."""
    own = [change for change in changes if change["k"]["id"] == resource_id]
    return record(own, "directory.organization", resource_id)


for _verb in ("create", "update", "delete"):
    snapshot_view(f"directory.organizations.{_verb}")(organization_view)
