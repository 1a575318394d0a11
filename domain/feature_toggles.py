"""Feature toggles: tables, resources, features, defaults of a fresh installation (contract: feature-toggles.md).

A toggle holds for the whole platform. Its row is filed under the tenant of the super admin who made it, so that the
tenant's log explains it like any other row; every tenant reads all of them, through functions of the database.
"""

from typing import Any, Final, Literal

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.dialects import postgresql as pg

from domain.features import Feature, Module, declare
from domain.resources import Resource, tenant_table

VIEW = "feature_toggles.view"
MANAGE = "feature_toggles.manage"
GLOBAL_MANAGE = "feature_toggles.global.manage"

ToggleType = Literal["boolean", "string", "number", "json"]
TYPES: Final[tuple[ToggleType, ...]] = ("boolean", "string", "number", "json")
IDENTIFIER_PATTERN: Final = "^[a-z][a-z0-9_.-]*$"
MAX_IDENTIFIER: Final = 200
"""Characters; a longer text names no toggle."""

declare(
    Module("feature_toggles", "Feature Toggles"),
    [
        Feature(VIEW, "View feature toggles", "feature_toggles", (), ("admin",)),
        Feature(MANAGE, "Manage per-tenant feature toggle overrides", "feature_toggles", (), ("admin",)),
        Feature(
            GLOBAL_MANAGE, "Manage system-wide global feature toggles", "feature_toggles", (), ("superadmin",)
        ),
    ],
)

feature_toggles = tenant_table(
    "feature_toggles",
    sa.Column("identifier", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("category", sa.Text),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("default_value", pg.JSONB),
    sa.Column("deleted_at", sa.DateTime(timezone=True)),
)
"""`default_value` is any JSON value; JSON's null is the column's null."""

feature_toggle_overrides = tenant_table(
    "feature_toggle_overrides",
    sa.Column("toggle_id", sa.Uuid, nullable=False),
    sa.Column("value", pg.JSONB),
)
"""One tenant's own value for a toggle. It may outlive the toggle, and then has no effect."""

TOGGLE = Resource(
    feature_toggles,
    kind="feature_toggles.global",
    entity_type="feature_toggles:feature_toggle",
    hidden=frozenset({"deleted_at"}),
    conflicts={"feature_toggles_identifier": "A feature toggle with this identifier exists already"},
    view=(VIEW,),
    shared=True,
)

OVERRIDE = Resource(
    feature_toggle_overrides,
    kind="feature_toggles.overrides",
    within=("feature_toggles.global", "toggle_id"),
    view=(VIEW,),
    conflicts={"feature_toggle_overrides_toggle": "The tenant has an override for this toggle already"},
    derived={
        "identifier": "(select g.identifier from feature_toggles_everywhere() g where g.id = t.toggle_id)"
    },
)

TOGGLE_TABLES = frozenset({"feature_toggles", "feature_toggle_overrides"})
"""The tables whose rows say what a check answers."""


class DefaultToggle(Struct, frozen=True, rename="camel"):
    """A toggle that every installation starts with."""

    identifier: str
    name: str
    type: ToggleType
    default_value: Any
    category: str
    description: str


DEFAULTS: Final = (
    DefaultToggle(
        "feature_toggles_ui",
        "Feature Toggles UI",
        "boolean",
        True,
        "feature_toggles",
        "Shows the pages on which feature toggles are managed.",
    ),
    DefaultToggle(
        "marketing_banner_text",
        "Marketing Banner Text",
        "string",
        "Free shipping on orders over $50",
        "storefront",
        "The text of the banner above the storefront.",
    ),
    DefaultToggle(
        "sales_channels_enabled",
        "Sales Channels",
        "boolean",
        True,
        "sales",
        "Lets orders belong to sales channels.",
    ),
    DefaultToggle(
        "order_review_threshold",
        "Order Review Threshold",
        "number",
        2500,
        "sales",
        "Orders with a higher total are reviewed by a person.",
    ),
    DefaultToggle(
        "support_contact_settings",
        "Support Contact Settings",
        "json",
        {"email": "support@example.com", "phone": "+1-555-0123", "hours": "Mon-Fri 9am-5pm"},
        "support",
        "How customers reach support.",
    ),
    DefaultToggle(
        "customers.interactions.unified",
        "Unified Interactions",
        "boolean",
        False,
        "customers",
        "Activities of all kinds are kept as interactions of one kind.",
    ),
    DefaultToggle(
        "customers.interactions.legacy-adapters",
        "Interaction Legacy Adapters",
        "boolean",
        True,
        "customers",
        "The older routes of activities and to-dos are served from the interactions.",
    ),
    DefaultToggle(
        "customers.interactions.external-sync",
        "Interaction External Sync",
        "boolean",
        False,
        "customers",
        "Interactions are exchanged with calendars and mail accounts elsewhere.",
    ),
)


def value_fits(kind: str, value: Any) -> bool:
    """Whether a JSON value is of a toggle's type; any value is of the type json (feature-toggles.md section 4)."""
    match kind:
        case "boolean":
            return isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
    return True
