"""Accounts: users, roles, grants, sessions and what people set for themselves (contract: auth.md sections 4 and 11).

What changes with every sign-in stands in tables of its own that are not part of history, because every logged table
must equal the replay of the log.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

import domain.directory  # noqa: F401  # users live in tenants and organizations: those tables come first
from domain.events import Event, declare_events
from domain.features import Feature, Module, declare
from domain.resources import Resource, tenant_table

ALL_ORGANIZATIONS = "__all__"
"""In a grant's list of organizations, and in the selection cookie: every organization of the tenant."""

USERS_LIST = "auth.users.list"
USERS_CREATE = "auth.users.create"
USERS_EDIT = "auth.users.edit"
USERS_DELETE = "auth.users.delete"
ROLES_LIST = "auth.roles.list"
ROLES_MANAGE = "auth.roles.manage"
ACL_MANAGE = "auth.acl.manage"
SIDEBAR_MANAGE = "auth.sidebar.manage"

DEFAULT_ROLES = ("employee", "admin", "superadmin")
RESERVED_ROLES = frozenset({"superadmin", "admin"})

declare(
    Module("auth", "Authentication & Accounts"),
    [
        Feature(id, title, "auth", roles=("admin",))
        for id, title in (
            (USERS_LIST, "List users"),
            (USERS_CREATE, "Create users"),
            (USERS_EDIT, "Edit users"),
            (USERS_DELETE, "Delete users"),
            (ROLES_LIST, "List roles"),
            (ROLES_MANAGE, "Manage roles"),
            (ACL_MANAGE, "Manage ACLs"),
            (SIDEBAR_MANAGE, "Manage sidebar presets"),
        )
    ],
    grants={"admin": ["auth.*"]},
)

declare_events(
    *(
        Event(f"auth.{entity}.{verb}", f"{entity.capitalize()} {verb.capitalize()}", "auth", entity, "crud")
        for entity in ("user", "role")
        for verb in ("created", "updated", "deleted")
    ),
    *(
        Event(f"auth.{name}", label, "auth", category="lifecycle")
        for name, label in (
            ("login.success", "Login Successful"),
            ("login.failed", "Login Failed"),
            ("logout", "User Logged Out"),
            ("password.changed", "Password Changed"),
            ("password.reset.requested", "Password Reset Requested"),
            ("password.reset.completed", "Password Reset Completed"),
        )
    ),
)

_GONE = frozenset({"deleted_at"})


def _deleted_at() -> sa.Column[object]:
    return sa.Column("deleted_at", sa.DateTime(timezone=True))


users = tenant_table(
    "users",
    sa.Column("organization_id", sa.Uuid),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("email_hash", sa.Text, nullable=False),
    sa.Column("name", sa.Text),
    sa.Column("password_hash", sa.Text),
    sa.Column("is_confirmed", sa.Boolean, nullable=False, default=True),
    _deleted_at(),
)
"""`email` as the person spells it; `email_hash` is the keyed hash that it is found by, and unique per tenant."""

roles = tenant_table("roles", sa.Column("name", sa.Text, nullable=False), _deleted_at())

user_roles = tenant_table(
    "user_roles",
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("role_id", sa.Uuid, nullable=False),
)

role_acls = tenant_table(
    "role_acls",
    sa.Column("role_id", sa.Uuid, nullable=False),
    sa.Column("features", pg.ARRAY(sa.Text), nullable=False, default=[]),
    sa.Column("is_super_admin", sa.Boolean, nullable=False, default=False),
    sa.Column("organizations", pg.ARRAY(sa.Text)),
)
"""`organizations` null: all of the tenant; otherwise ids, or `__all__` (auth.md 4.5)."""

user_acls = tenant_table(
    "user_acls",
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("features", pg.ARRAY(sa.Text), nullable=False, default=[]),
    sa.Column("is_super_admin", sa.Boolean, nullable=False, default=False),
    sa.Column("organizations", pg.ARRAY(sa.Text)),
)
"""Where a user has one, it replaces the grants of all the user's roles."""

user_consents = tenant_table(
    "user_consents",
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("organization_id", sa.Uuid),
    sa.Column("consent_type", sa.Text, nullable=False),
    sa.Column("is_granted", sa.Boolean, nullable=False, default=False),
    sa.Column("granted_at", sa.DateTime(timezone=True)),
    sa.Column("withdrawn_at", sa.DateTime(timezone=True)),
    sa.Column("source", sa.Text),
    sa.Column("ip_address", sa.Text),
    sa.Column("integrity_hash", sa.Text),
    _deleted_at(),
)

user_sidebar_preferences = tenant_table(
    "user_sidebar_preferences",
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("organization_id", sa.Uuid),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("settings", pg.JSONB),
    _deleted_at(),
)

role_sidebar_preferences = tenant_table(
    "role_sidebar_preferences",
    sa.Column("role_id", sa.Uuid, nullable=False),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("settings", pg.JSONB),
    _deleted_at(),
)

sidebar_variants = tenant_table(
    "sidebar_variants",
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("organization_id", sa.Uuid),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("settings", pg.JSONB),
    sa.Column("is_active", sa.Boolean, nullable=False, default=False),
    _deleted_at(),
)

sessions = tenant_table(
    "sessions",
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("token_hash", sa.Text, nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
)
"""One row for each sign-in that is still good; revoking one deletes it."""

password_resets = tenant_table(
    "password_resets",
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("token_hash", sa.Text, nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("used_at", sa.DateTime(timezone=True)),
)

user_activity = tenant_table(
    "user_activity", sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=False), times=False
)
"""`id` is the user's."""

USER = Resource(
    users,
    kind="auth.user",
    event="auth.user",
    hidden=_GONE | {"email_hash"},
    secret=frozenset({"password_hash"}),
)
ROLE = Resource(roles, kind="auth.role", event="auth.role", hidden=_GONE)
USER_ROLE = Resource(user_roles, root="users", parent="user_id")
ROLE_ACL = Resource(role_acls, kind="auth.role_acl", root="roles", parent="role_id")
USER_ACL = Resource(user_acls, kind="auth.user_acl", root="users", parent="user_id")
USER_CONSENT = Resource(user_consents, kind="auth.user_consent", hidden=_GONE)
USER_SIDEBAR = Resource(user_sidebar_preferences, kind="auth.sidebar_preference", hidden=_GONE)
ROLE_SIDEBAR = Resource(role_sidebar_preferences, kind="auth.role_sidebar_preference", hidden=_GONE)
SIDEBAR_VARIANT = Resource(sidebar_variants, kind="auth.sidebar_variant", hidden=_GONE)
SESSION = Resource(sessions, secret=frozenset({"token_hash"}), logged=False)
PASSWORD_RESET = Resource(password_resets, secret=frozenset({"token_hash"}), logged=False)
USER_ACTIVITY = Resource(user_activity, logged=False)

ACCOUNT_TABLES = frozenset(
    {
        "tenants",
        "organizations",
        "users",
        "roles",
        "user_roles",
        "role_acls",
        "user_acls",
        "sessions",
        "api_keys",
    }
)
"""Tables that decide who may do what: after a commit that touched one, remembered identities are forgotten."""
