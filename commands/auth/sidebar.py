"""Commands that keep how somebody wants the sidebar: a person's layout, and those of roles."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from commands.registry import Command, command, handles
from commands.unit import Unit
from domain.auth import SIDEBAR_MANAGE, role_sidebar_preferences, user_sidebar_preferences
from domain.errors import Problem
from domain.sidebar import SidebarSettings, home_of_preferences


class Applied(Struct, frozen=True, rename="camel"):
    """The roles that were given the layout, and those that lost theirs."""

    applied_roles: list[UUID]
    cleared_roles: list[UUID]


@command(
    "auth.sidebar_preferences.update",
    resource="auth.sidebar_preference",
    label="Update sidebar",
    features=(SIDEBAR_MANAGE,),
)
class UpdateSidebar(Command, frozen=True, rename="camel"):
    """Replace the actor's own layout; give it to roles, or take the layout of roles away, with the same command."""

    settings: SidebarSettings
    apply_to_roles: list[UUID] = []
    clear_role_ids: list[UUID] = []


@handles(UpdateSidebar)
async def update_sidebar(command: UpdateSidebar, unit: Unit) -> Applied:
    """Raises Problem 400 for roles that are not of the tenant, 403 for a key without a person."""
    user_id = await person(unit)
    applied, cleared = (list(dict.fromkeys(ids)) for ids in (command.apply_to_roles, command.clear_role_ids))
    await _require_roles(unit, [*applied, *cleared])
    settings = command.settings.tidy().stored()
    await _save_own(unit, user_id, settings)
    cleared = [role for role in cleared if role not in applied]
    await _save_roles(unit, applied, settings)
    return Applied(applied, await _clear_roles(unit, cleared))


@command(
    "auth.role_sidebar_preferences.update",
    resource="auth.role_sidebar_preference",
    label="Update sidebar of a role",
    features=(SIDEBAR_MANAGE,),
)
class UpdateRoleSidebar(Command, frozen=True, rename="camel"):
    """Replace the layout of a role."""

    role_id: UUID
    settings: SidebarSettings


@handles(UpdateRoleSidebar)
async def update_role_sidebar(command: UpdateRoleSidebar, unit: Unit) -> None:
    """Raises Problem 404 for a role that is not of the tenant."""
    if await _missing_roles(unit, [command.role_id]):
        raise Problem.not_found("Role not found")
    await _save_roles(unit, [command.role_id], command.settings.tidy().stored())


@command(
    "auth.role_sidebar_preferences.delete",
    resource="auth.role_sidebar_preference",
    label="Clear sidebar of a role",
    features=(SIDEBAR_MANAGE,),
)
class ClearRoleSidebar(Command, frozen=True, rename="camel"):
    """Take the layout of a role away."""

    role_id: UUID


@handles(ClearRoleSidebar)
async def clear_role_sidebar(command: ClearRoleSidebar, unit: Unit) -> None:
    """Nothing happens when there is none. Raises Problem 404 for a role that is not of the tenant."""
    if await _missing_roles(unit, [command.role_id]):
        raise Problem.not_found("Role not found")
    await _clear_roles(unit, [command.role_id])


async def person(unit: Unit) -> UUID:
    """The user of this tenant whom the actor is or acts for. Raises Problem 403 when there is none."""
    user_id = unit.scope.actor.user_id
    sql = "select exists (select from users where id = $1 and deleted_at is null)"
    if user_id is None or not await unit.fetchval(sql, user_id):
        raise Problem.forbidden(error="Only a user of this tenant has a sidebar")
    return user_id


async def _save_own(unit: Unit, user_id: UUID, settings: dict[str, Any]) -> None:
    place = home_of_preferences(unit.scope)
    found = await unit.fetchval(
        "select id from user_sidebar_preferences where user_id = $1 and organization_id is not distinct from $2"
        " and deleted_at is null",
        user_id,
        place,
    )
    values = {"settings": settings, "locale": unit.scope.locale}
    if found is not None:
        await unit.update(user_sidebar_preferences, found, values)
    else:
        await unit.insert(user_sidebar_preferences, {"user_id": user_id, "organization_id": place, **values})


async def _save_roles(unit: Unit, role_ids: Sequence[UUID], settings: dict[str, Any]) -> None:
    if not role_ids:
        return
    rows = await _of_roles(unit, role_ids)
    values = {"settings": settings, "locale": unit.scope.locale}
    await unit.update_many(role_sidebar_preferences, [{"id": id, **values} for id in rows.values()])
    new = [{"role_id": role, **values} for role in role_ids if role not in rows]
    await unit.insert_many(role_sidebar_preferences, new)


async def _clear_roles(unit: Unit, role_ids: Sequence[UUID]) -> list[UUID]:
    """Those that had a layout."""
    rows = await _of_roles(unit, role_ids) if role_ids else {}
    await unit.delete_many(role_sidebar_preferences, list(rows.values()))
    return list(rows)


async def _of_roles(unit: Unit, role_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """The ids of the layouts of roles, by role."""
    rows = await unit.fetch(
        "select role_id, id from role_sidebar_preferences where role_id = any($1::uuid[]) and deleted_at is null",
        list(role_ids),
    )
    return {row["role_id"]: row["id"] for row in rows}


async def _require_roles(unit: Unit, role_ids: Sequence[UUID]) -> None:
    missing = await _missing_roles(unit, role_ids)
    if missing:
        raise Problem(400, {"error": "Invalid roles", "missing": [str(role) for role in missing]})


async def _missing_roles(unit: Unit, role_ids: Sequence[UUID]) -> list[UUID]:
    if not role_ids:
        return []
    rows = await unit.fetch(
        "select id from roles where id = any($1::uuid[]) and deleted_at is null", list(role_ids)
    )
    known = {row["id"] for row in rows}
    return [role for role in dict.fromkeys(role_ids) if role not in known]
