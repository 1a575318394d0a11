"""Accounts: users, roles, grants, sessions and what people set for themselves (contract: auth.md sections 4 and 11).

What changes with every sign-in stands in tables of its own that are not part of history, because every logged table
must equal the replay of the log.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

import domain.directory  # noqa: F401  # users live in tenants and organizations: those tables come first
from domain.events import Event, declare_events
from domain.features import Feature, Module, declare
from domain.resources import Images, Resource, custom_fields_column, snapshot_view, tenant_table
from domain.snapshots import record

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
    custom_fields_column(),
)
"""`email` as the person spells it; `email_hash` is the keyed hash that it is found by, and unique per tenant."""

roles = tenant_table(
    "roles", sa.Column("name", sa.Text, nullable=False), _deleted_at(), custom_fields_column()
)

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
    sa.Column("user_agent", sa.Text),
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

_ROLE_NAME = "(select r.name from roles r where r.tenant_id = {0}.tenant_id and r.id = {0}.role_id)"

USER = Resource(
    users,
    kind="auth.user",
    view=(USERS_LIST,),
    entity_type="auth:user",
    event="auth.user",
    hidden=_GONE | {"email_hash"},
    secret=frozenset({"password_hash"}),
    conflicts={"users_email": "This email is already in use"},
    encryptable=frozenset({"name"}),
)
ROLE = Resource(
    roles,
    kind="auth.role",
    view=(ROLES_LIST,),
    entity_type="auth:role",
    event="auth.role",
    hidden=_GONE,
    conflicts={"roles_name": "A role with this name already exists"},
)
USER_ROLE = Resource(
    user_roles,
    root="users",
    parent="user_id",
    derived={
        "role": _ROLE_NAME.format("t"),
        # Those of the user before the statement: a query in RETURNING does not see what the statement does.
        "roles": f"array(select {_ROLE_NAME.format('l')} from user_roles l"
        " where l.tenant_id = t.tenant_id and l.user_id = t.user_id)",
    },
)
ROLE_ACL = Resource(
    role_acls,
    kind="auth.role_acl",
    view=(ACL_MANAGE,),
    root="roles",
    parent="role_id",
    conflicts={"role_acls_role_once": "The role has grants already"},
)
USER_ACL = Resource(
    user_acls,
    kind="auth.user_acl",
    view=(ACL_MANAGE,),
    root="users",
    parent="user_id",
    conflicts={"user_acls_user_once": "The user has grants already"},
)
USER_CONSENT = Resource(
    user_consents,
    kind="auth.user_consent",
    hidden=_GONE | {"integrity_hash"},
    secret=frozenset({"source", "ip_address"}),
)
USER_SIDEBAR = Resource(user_sidebar_preferences, kind="auth.sidebar_preference", hidden=_GONE)
ROLE_SIDEBAR = Resource(role_sidebar_preferences, kind="auth.role_sidebar_preference", hidden=_GONE)
SIDEBAR_VARIANT = Resource(
    sidebar_variants,
    kind="auth.sidebar_variant",
    hidden=_GONE,
    conflicts={
        "sidebar_variants_name": "another variant has this name now",
        "sidebar_variants_active": "another variant is in use now",
    },
)
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


@snapshot_view("auth.users.create")
@snapshot_view("auth.users.update")
@snapshot_view("auth.users.delete")
def user_view(changes: list[dict[str, Any]], user_id: str | None) -> Images:
    """The user, with the sorted names of its roles where the command touched them."""
    links = [change for change in changes if change["t"] == "user_roles"]
    before, after = record(
        [change for change in changes if change["t"] != "user_roles"], "auth.user", user_id
    )
    if not links:
        return before, after
    if before is None and after is None:
        before, after = {"id": user_id}, {"id": user_id}
    had = set((links[0].get("x") or {}).get("roles", ()))
    gone, come = ({link["x"]["role"] for link in links if link["o"] == kind} for kind in "di")
    for image, names in ((before, had), (after, (had - gone) | come)):
        if image is not None:
            image["roles"] = sorted(names)
    return before, after
