"""The menu of organizations that somebody may switch to (contract: directory.md 4.1)."""

from collections.abc import Set as AbstractSet
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog
from litestar import Response
from msgspec import Struct

from app.http.answers import Answer
from app.http.call import Call
from app.http.directory.tag import TAG
from app.http.identity import ORGANIZATION_COOKIE, TENANT_COOKIE
from app.http.kit import note_reading
from app.http.operation import Parameter, operation
from domain.auth import ALL_ORGANIZATIONS
from domain.credentials import uuid_or_none
from domain.directory import ORGANIZATIONS_MANAGE
from queries import directory as queries
from queries.directory import OrganizationName, TenantName

_FAILURES: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
_logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.directory")


class Node(Struct):
    """An organization of the menu; one that is only there for the structure is not selectable."""

    id: UUID
    name: str
    depth: int
    selectable: bool
    children: list["Node"]


class Menu(Struct, rename="camel"):
    """The menu; `tenants` is for super admins only."""

    items: list[Node]
    selected_id: UUID | None
    can_manage: bool
    can_view_all_organizations: bool
    tenant_id: UUID | None
    tenants: list[TenantName]
    is_super_admin: bool


@operation(
    "GET",
    "/directory/organization-switcher",
    tag=TAG,
    summary="Load organization switcher menu",
    description="The tree of organizations that the caller may select, and for super admins the tenants.",
    query=[
        Parameter("tenantId", "For super admins: the tenant to show", {"type": "string", "format": "uuid"})
    ],
    answers={
        200: Answer(Menu, "Organization switcher payload."),
        500: Answer(Menu, "The server failed: an empty menu"),
    },
)
async def switcher(call: Call[None]) -> Response[Any]:
    """200 with the menu."""
    try:
        menu = await _menu(call)
    except _FAILURES as error:
        _logger.error("no switcher", exc_info=error)
        return call.json(Menu([], None, False, False, None, [], call.scope.is_super_admin), 500)
    fields = ("id", "name", "depth", "selectable", "children")
    await note_reading(call, "directory.organization_switcher", [node.id for node in menu.items], fields)
    return call.json(menu)


async def _menu(call: Call[None]) -> Menu:
    scope, database = call.scope, call.app.database
    tenants: list[TenantName] = []
    tenant_id = scope.tenant_id
    if scope.is_super_admin:
        async with database.system() as connection:
            tenants = await queries.live_tenants(connection)
        tenant_id = _tenant_of_menu(call, tenants)
    async with database.read(tenant_id) as connection:
        names = await queries.organization_names(connection, tenant_id)
    allowed = scope.allowed_ids
    selectable = frozenset(name.id for name in names if allowed is None or name.id in allowed)
    return Menu(
        items=_forest(names, selectable),
        selected_id=_selected(call, selectable),
        can_manage=scope.can(ORGANIZATIONS_MANAGE),
        can_view_all_organizations=allowed is None,
        tenant_id=tenant_id,
        tenants=tenants,
        is_super_admin=scope.is_super_admin,
    )


def _tenant_of_menu(call: Call[None], tenants: list[TenantName]) -> UUID:
    """What a super admin asks for, else selected, else its own; the first one when that is no live tenant."""
    scope = call.scope
    text = (call.first("tenantId") or call.request.cookies.get(TENANT_COOKIE) or "").strip().lower()
    wanted = uuid_or_none(text) if text else scope.actor_tenant_id or scope.tenant_id
    if wanted is None or all(tenant.id != wanted for tenant in tenants):
        return tenants[0].id if tenants else scope.tenant_id
    return wanted


def _selected(call: Call[None], selectable: AbstractSet[UUID]) -> UUID | None:
    """The organization that the menu shows as selected; None for all of them."""
    scope = call.scope
    cookie = (call.request.cookies.get(ORGANIZATION_COOKIE) or "").strip()
    if cookie == ALL_ORGANIZATIONS:
        return None
    chosen = uuid_or_none(cookie.lower()) if scope.is_super_admin else scope.selected_organization_id
    if chosen in selectable:
        return chosen
    if cookie and chosen is None and not scope.is_super_admin:
        return None
    home = scope.home_organization_id
    return home if home in selectable else None


def _forest(names: list[OrganizationName], selectable: AbstractSet[UUID]) -> list[Node]:
    """The selectable organizations, nested, and what is above them. `names` come in pre-order."""
    above = {ancestor for name in names if name.id in selectable for ancestor in name.ancestor_ids}
    roots: list[Node] = []
    line: list[Node] = []
    for name in names:
        if name.id not in selectable and name.id not in above:
            continue
        node = Node(name.id, name.name, name.depth, name.id in selectable, [])
        del line[name.depth :]
        (line[-1].children if line else roots).append(node)
        line.append(node)
    return roots
