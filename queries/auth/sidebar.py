"""How somebody, or a role, wants the sidebar."""

from typing import Any
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from domain.scope import Scope
from domain.sidebar import SidebarSettings, home_of_preferences
from domain.wire import iso_ms, iso_ms_or_none
from queries.auth.identity import Connection


class Layout(Struct, frozen=True):
    """Settings, and when they were stored; None for settings that nobody stored yet."""

    settings: Raw
    updated_at: str | None


class RoleLayout(Struct, frozen=True, rename="camel"):
    """A role, and whether it has a layout."""

    id: UUID
    name: str
    has_preference: bool


class Variant(Struct, frozen=True, rename="camel"):
    """A saved layout."""

    id: UUID
    name: str
    is_active: bool
    settings: Raw
    created_at: str
    updated_at: str | None


EMPTY = Raw(msgspec.json.encode(SidebarSettings().stored()))


async def own_layout(connection: Connection, scope: Scope) -> Layout:
    """The layout of the person who acts, in the organization where they work."""
    row = await connection.fetchrow(
        "select settings::text as settings, updated_at from user_sidebar_preferences where tenant_id = $1"
        " and user_id = $2 and organization_id is not distinct from $3 and deleted_at is null",
        scope.tenant_id,
        scope.actor.user_id,
        home_of_preferences(scope),
    )
    return _layout(row)


async def role_layout(connection: Connection, scope: Scope, role_id: UUID) -> Layout | None:
    """The layout of a role; None when the tenant has no such role."""
    row = await connection.fetchrow(
        "select p.settings::text as settings, p.updated_at from roles r"
        " left join role_sidebar_preferences p"
        " on p.tenant_id = r.tenant_id and p.role_id = r.id and p.deleted_at is null"
        " where r.tenant_id = $1 and r.id = $2 and r.deleted_at is null",
        scope.tenant_id,
        role_id,
    )
    return None if row is None else _layout(row)


async def role_layouts(connection: Connection, scope: Scope) -> list[RoleLayout]:
    """All roles of the tenant by name."""
    rows = await connection.fetch(
        "select r.id, r.name, p.id is not null as has_preference from roles r"
        " left join role_sidebar_preferences p"
        " on p.tenant_id = r.tenant_id and p.role_id = r.id and p.deleted_at is null"
        " where r.tenant_id = $1 and r.deleted_at is null order by r.name, r.id",
        scope.tenant_id,
    )
    return [RoleLayout(**row) for row in rows]


_VARIANTS = (
    "select id, name, is_active, settings::text as settings, created_at, updated_at from sidebar_variants"
    " where tenant_id = $1 and user_id = $2 and deleted_at is null"
)


async def variants_of(connection: Connection, scope: Scope) -> list[Variant]:
    """The saved layouts of the person who acts, oldest first."""
    rows = await connection.fetch(
        f"{_VARIANTS} order by created_at, id", scope.tenant_id, scope.actor.user_id
    )
    return [_variant(row) for row in rows]


async def variant_of(connection: Connection, scope: Scope, variant_id: UUID) -> Variant | None:
    """One saved layout of the person who acts."""
    row = await connection.fetchrow(
        f"{_VARIANTS} and id = $3", scope.tenant_id, scope.actor.user_id, variant_id
    )
    return None if row is None else _variant(row)


def _layout(row: Any) -> Layout:
    if row is None or row["settings"] is None:
        return Layout(EMPTY, None)
    return Layout(Raw(row["settings"].encode()), iso_ms(row["updated_at"]))


def _variant(row: Any) -> Variant:
    return Variant(
        row["id"],
        row["name"],
        row["is_active"],
        EMPTY if row["settings"] is None else Raw(row["settings"].encode()),
        iso_ms(row["created_at"]),
        iso_ms_or_none(row["updated_at"]),
    )
