"""Tenants, for super admins only (contract: directory.md 4.6 to 4.9)."""

import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Response
from msgspec import UNSET, Meta, Struct, UnsetType

from app.http.answers import Answer, IssueView
from app.http.call import Call
from app.http.custom_fields import CUSTOM_FILTER, checked_here, custom_filters
from app.http.decode import convert_query
from app.http.directory.tag import TAG
from app.http.kit import (
    BROKEN,
    INVALID,
    MISSING,
    STALE,
    Created,
    Deletion,
    Done,
    id_to_delete,
    in_tenant,
    note_reading,
)
from app.http.operation import Parameter, operation
from app.http.pagination import MAX_PAGE, envelope
from app.http.partial_index import PARTIAL_HEADERS, ListMeta, coverage_of
from commands.directory.tenants import ENTITY, CreateTenant, DeleteTenant, UpdateTenant
from domain.directory import TENANT, TENANTS_MANAGE, TENANTS_VIEW
from domain.errors import Problem
from domain.ids import random_id
from queries import directory as queries
from queries.directory import TenantSort

_FIELDS = ("id", "name", "isActive", "createdAt", "updatedAt")


class TenantQuery(Struct, frozen=True, rename="camel"):
    """The query of the list, as it is typed."""

    id: UUID | None = None
    page: Annotated[int, Meta(ge=1)] = 1
    page_size: Annotated[int, Meta(ge=1, le=100)] = 50
    sort_field: TenantSort | None = None
    sort_dir: Literal["asc", "desc"] = "asc"
    is_active: Literal["true", "false"] | None = None


class Tenant(Struct, rename="camel"):
    """A tenant."""

    id: UUID
    name: str
    is_active: bool
    created_at: datetime | None
    updated_at: datetime | None


class Tenants(Struct, rename="camel"):
    """A page of tenants."""

    items: list[Tenant]
    total: int
    page: int
    page_size: int
    total_pages: int
    meta: ListMeta | UnsetType = UNSET


class Faults(Struct, rename="camel"):
    """What is wrong with a query: as a whole, and by parameter."""

    form_errors: list[str]
    field_errors: dict[str, list[str]]


class BadQuery(Struct):
    """A query that cannot be understood."""

    error: str
    details: Faults | list[IssueView]


@operation(
    "GET",
    "/directory/tenants",
    tag=TAG,
    summary="List tenants",
    description="All tenants of the installation; for super admins only.",
    features=(TENANTS_VIEW,),
    query=[
        Parameter("id", "Only this one", {"type": "string", "format": "uuid"}),
        Parameter("page", "Page number, from 1", {"type": "integer", "minimum": 1}),
        Parameter("pageSize", "At most 100, else 50", {"type": "integer", "minimum": 1, "maximum": 100}),
        Parameter("search", "Part of the name"),
        Parameter(
            "sortField", "`name` unless given", {"type": "string", "enum": ["name", "createdAt", "updatedAt"]}
        ),
        Parameter("sortDir", "`asc` unless given", {"type": "string", "enum": ["asc", "desc"]}),
        Parameter("isActive", "Only active or inactive ones", {"type": "string", "enum": ["true", "false"]}),
        CUSTOM_FILTER,
    ],
    answers={
        200: Answer(Tenants, "Paged list of tenants.", headers=PARTIAL_HEADERS),
        400: Answer(BadQuery, "Invalid query parameters"),
        500: BROKEN,
    },
)
async def list_tenants(call: Call[None]) -> Response[Any]:
    """200 with a page of tenants."""
    _require_super_admin(call, TENANTS_VIEW)
    query = _query(call)
    custom = await custom_filters(call, TENANT, ENTITY)
    async with call.app.database.system() as connection:
        page = await queries.tenants(
            connection,
            call.app.reading(call.scope.tenant_id),
            id=query.id,
            search=call.first("search") or "",
            active=None if query.is_active is None else query.is_active == "true",
            custom=custom,
            sort=query.sort_field or "name",
            descending=query.sort_field is not None and query.sort_dir == "desc",
            limit=query.page_size,
            offset=(min(query.page, MAX_PAGE) - 1) * query.page_size,
        )
    item = None if query.id is None else str(query.id)
    await note_reading(call, "directory.tenant", [one.id for one in page.items], _FIELDS, item)
    documents = ",".join(one.document for one in page.items)
    coverage = await coverage_of(call, ENTITY, page.gap)
    body = envelope(documents, page.total, query.page, query.page_size, 1, **coverage.extra)
    return call.json(body, headers=coverage.headers)


def _query(call: Call[None]) -> TenantQuery:
    """The query. Raises Problem 400 that names the faults by parameter."""
    error = "Invalid query parameters"
    try:
        return convert_query(TenantQuery, call.query, error, blanks=True)
    except Problem as problem:
        faults: dict[str, list[str]] = {}
        for one in problem.body["details"]:
            faults.setdefault(str(one["path"][0]), []).append(one["message"])
        raise Problem(400, {"error": error, "details": {"formErrors": [], "fieldErrors": faults}}) from None


@operation(
    "POST",
    "/directory/tenants",
    tag=TAG,
    summary="Create tenant",
    description="Makes a tenant with the custom fields that modules declare, and no organization, role or user."
    " It cannot be undone.",
    features=(TENANTS_MANAGE,),
    body=CreateTenant,
    example={"name": "Acme"},
    answers={201: Answer(Created, "Tenant created."), 400: INVALID, 500: BROKEN},
)
async def create_tenant(call: Call[CreateTenant]) -> Response[Any]:
    """201 with the id."""
    _require_super_admin(call, TENANTS_MANAGE)
    custom = await checked_here(call, ENTITY, call.body.custom_fields, complete=True)
    command = msgspec.structs.replace(call.body, custom_fields=custom)
    return call.answer(await call.execute(command, in_tenant(call.scope, _new_id(call))), 201)


@operation(
    "PUT",
    "/directory/tenants",
    tag=TAG,
    summary="Update tenant",
    description="Renames, activates or deactivates a tenant. Deactivating it signs all of its users out.",
    features=(TENANTS_MANAGE,),
    body=UpdateTenant,
    example={"id": "00000000-0000-4000-8000-000000000000", "name": "Acme"},
    answers={
        200: Answer(Done, "Tenant updated."),
        400: INVALID,
        404: MISSING,
        409: STALE,
        500: BROKEN,
    },
)
async def update_tenant(call: Call[UpdateTenant]) -> Response[Any]:
    """200 `{"ok": true}`."""
    _require_super_admin(call, TENANTS_MANAGE)
    scope, command = in_tenant(call.scope, call.body.id), call.body
    if scope is not call.scope:
        custom = await checked_here(call, ENTITY, command.custom_fields, complete=False)
        command = msgspec.structs.replace(command, custom_fields=custom)
    return call.answer(await call.execute(command, scope))


@operation(
    "DELETE",
    "/directory/tenants",
    tag=TAG,
    summary="Delete tenant",
    description="Deletes a tenant softly: what is in it stays, its users are signed out and cannot sign in.",
    features=(TENANTS_MANAGE,),
    body=Deletion,
    commands=("directory.tenants.delete",),
    query=[Parameter("id", "The tenant, if not in the body", {"type": "string", "format": "uuid"})],
    example={"id": "00000000-0000-4000-8000-000000000000"},
    answers={
        200: Answer(Done, "Tenant removed."),
        400: INVALID,
        404: MISSING,
        409: STALE,
        500: BROKEN,
    },
)
async def delete_tenant(call: Call[Deletion]) -> Response[Any]:
    """200 `{"ok": true}`."""
    _require_super_admin(call, TENANTS_MANAGE)
    command = DeleteTenant(id=id_to_delete(call, "Tenant"))
    return call.answer(await call.execute(command, in_tenant(call.scope, command.id)))


def _require_super_admin(call: Call[Any], feature: str) -> None:
    """Tenants are nobody's but the installation's; the feature alone is not enough (directory.md W8)."""
    if not call.scope.is_super_admin:
        raise Problem.forbidden([feature])


def _new_id(call: Call[Any]) -> UUID:
    """The id of a new tenant: the same one for the same idempotency key, so that a repeated request finds it."""
    key = call.options.idempotency_key
    if key is None:
        return random_id()
    digest = hashlib.blake2b(f"{call.scope.actor.id}\0{key}".encode(), digest_size=16, person=b"tenant")
    return UUID(bytes=digest.digest(), version=4)
