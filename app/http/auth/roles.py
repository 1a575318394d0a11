"""Roles (contract: auth.md 7.9 to 7.12)."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Response
from msgspec import UNSET, Meta, Struct, UnsetType

from app.http.answers import Answer
from app.http.auth.replies import TAG
from app.http.auth.shared import (
    BROKEN,
    FORBIDDEN,
    FOUND_NOTHING,
    INVALID,
    STALE,
    answer_list,
    read_query,
    require_tenant,
    scope_of,
)
from app.http.call import Call
from app.http.custom_fields import CUSTOM_FILTER, custom_filters
from app.http.kit import OPERATION_HEADER, Created, Deletion, Done, Failure, id_to_delete, in_tenant
from app.http.operation import Parameter, operation
from app.http.pagination import MAX_PAGE, PAGE, PAGE_SIZE
from app.http.partial_index import PARTIAL_HEADERS, ListMeta
from commands.auth.roles import ROLE_ENTITY, CreateRole, DeleteRole, RoleName, UpdateRole
from commands.custom_fields import CustomValues
from domain.auth import ROLE, ROLES_LIST, ROLES_MANAGE
from domain.errors import Problem
from queries.auth import roles as queries

FIELDS = ("id", "name", "usersCount", "tenantId", "tenantIds", "tenantName", "updatedAt")
NO_ROLE = Answer(Failure, "Role not found")


class RoleQuery(Struct, frozen=True, rename="camel"):
    """The query of the list, as it is typed."""

    id: UUID | None = None
    page: Annotated[int, Meta(ge=1)] = 1
    page_size: Annotated[int, Meta(ge=1, le=100)] = 50
    tenant_id: UUID | None = None


class Role(Struct, rename="camel"):
    """A role, and how many users have it."""

    id: UUID
    name: str
    users_count: int
    tenant_id: UUID | None
    tenant_ids: list[UUID]
    tenant_name: str | None
    updated_at: str | None


class Roles(Struct, rename="camel", omit_defaults=True):
    """A page of roles; `isSuperAdmin` is about the caller."""

    items: list[Role]
    total: int
    total_pages: int
    is_super_admin: bool | UnsetType = UNSET
    meta: ListMeta | UnsetType = UNSET


class NewRole(Struct, rename="camel"):
    """A role to make; a super admin may name the tenant."""

    name: RoleName
    tenant_id: UUID | UnsetType | None = UNSET
    custom_fields: CustomValues | UnsetType = UNSET


class RoleChange(Struct, rename="camel"):
    """What to change of a role. It stays in its tenant."""

    id: UUID
    name: RoleName | UnsetType = UNSET
    tenant_id: UUID | UnsetType | None = UNSET
    custom_fields: CustomValues | UnsetType = UNSET


@operation(
    "GET",
    "/auth/roles",
    tag=TAG,
    summary="List roles",
    description="Roles by name: of the tenant, without those that make super admins; of all tenants for super admins.",
    features=(ROLES_LIST,),
    query=[
        Parameter("id", "Only this role", {"type": "string", "format": "uuid"}),
        PAGE,
        PAGE_SIZE,
        Parameter("search", "Part of the name"),
        Parameter("tenantId", "For super admins", {"type": "string", "format": "uuid"}),
        CUSTOM_FILTER,
    ],
    answers={200: Answer(Roles, "Role collection", headers=PARTIAL_HEADERS)},
    reads=("roles", "role_acls", "user_roles", "tenants", "field_definitions"),
)
async def list_roles(call: Call[None]) -> Response[Any]:
    """200 with a page; a query with an invalid value finds nothing."""
    query, scope = read_query(call, RoleQuery), call.scope
    if query is None:
        return call.json(FOUND_NOTHING)
    custom = await custom_filters(call, ROLE, ROLE_ENTITY)
    reading = call.app.reading(scope.tenant_id)
    wanted = queries.RoleFilter(query.id, call.first("search") or "", custom)
    limits = {"limit": query.page_size, "offset": (min(query.page, MAX_PAGE) - 1) * query.page_size}
    if scope.is_super_admin:
        async with call.app.database.system() as connection:
            page = await queries.roles(
                connection, query.tenant_id, wanted, reading, everything=True, **limits
            )
    else:
        async with call.app.database.read(scope.tenant_id) as connection:
            page = await queries.roles(
                connection, scope.tenant_id, wanted, reading, everything=False, **limits
            )
    return await answer_list(call, "auth.role", page, query.page_size, FIELDS, query.id, "auth:role")


@operation(
    "POST",
    "/auth/roles",
    tag=TAG,
    summary="Create role",
    description="Adds a role, to the tenant of the caller unless a super admin names another one.",
    features=(ROLES_MANAGE,),
    body=NewRole,
    commands=("auth.roles.create",),
    example={"name": "Support"},
    answers={201: Answer(Created, "Role created", headers=OPERATION_HEADER), 400: INVALID, 500: BROKEN},
)
async def create_role(call: Call[NewRole]) -> Response[Any]:
    """201 with the id."""
    body, scope = call.body, call.scope
    if body.tenant_id is None:
        raise Problem.bad_request("A role belongs to a tenant")
    if isinstance(body.tenant_id, UUID) and body.tenant_id != scope.tenant_id:
        scope = in_tenant(scope, body.tenant_id)
        await require_tenant(call, body.tenant_id)
    return call.answer(
        await call.execute(CreateRole(name=body.name, custom_fields=body.custom_fields), scope), 201
    )


@operation(
    "PUT",
    "/auth/roles",
    tag=TAG,
    summary="Update role",
    description="Renames a role that nobody has. A role stays in its tenant.",
    features=(ROLES_MANAGE,),
    body=RoleChange,
    commands=("auth.roles.update",),
    example={"id": "00000000-0000-4000-8000-000000000000", "name": "Support"},
    answers={
        200: Answer(Done, "Role updated", headers=OPERATION_HEADER),
        400: INVALID,
        403: FORBIDDEN,
        404: NO_ROLE,
        409: STALE,
        500: BROKEN,
    },
)
async def update_role(call: Call[RoleChange]) -> Response[Any]:
    """200 `{"ok": true}`."""
    scope = await scope_of(call, queries.tenant_of_role, call.body.id)
    if call.body.tenant_id not in (UNSET, scope.tenant_id):
        raise Problem.bad_request("A role stays in its tenant", "tenant_fixed")
    command = UpdateRole(id=call.body.id, name=call.body.name, custom_fields=call.body.custom_fields)
    return call.answer(await call.execute(command, scope))


@operation(
    "DELETE",
    "/auth/roles",
    tag=TAG,
    summary="Delete role",
    description="Deletes a role that nobody has, with its grants; undo brings both back.",
    features=(ROLES_MANAGE,),
    query=[Parameter("id", "Role identifier", {"type": "string", "format": "uuid"}, required=True)],
    body=Deletion,
    commands=("auth.roles.delete",),
    example={"id": "00000000-0000-4000-8000-000000000000"},
    answers={
        200: Answer(Done, "Role deleted", headers=OPERATION_HEADER),
        400: Answer(Failure, "Role cannot be deleted"),
        403: FORBIDDEN,
        404: NO_ROLE,
        409: STALE,
        500: BROKEN,
    },
)
async def delete_role(call: Call[Deletion]) -> Response[Any]:
    """200 `{"ok": true}`."""
    command = DeleteRole(id=id_to_delete(call, "Role"))
    return call.answer(await call.execute(command, await scope_of(call, queries.tenant_of_role, command.id)))
