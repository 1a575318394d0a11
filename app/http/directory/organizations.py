"""Organizations in three views, and their changes (contract: directory.md 4.2 to 4.5)."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Response
from msgspec import UNSET, Meta, Struct, UnsetType

from app.http.answers import Answer
from app.http.call import Call
from app.http.custom_fields import CUSTOM_FILTER, custom_filters
from app.http.decode import convert_query
from app.http.directory.tag import TAG
from app.http.kit import (
    BROKEN,
    INVALID,
    MISSING,
    OPERATION_HEADER,
    STALE,
    Created,
    Deletion,
    Done,
    id_to_delete,
    in_tenant,
    note_reading,
)
from app.http.operation import Parameter, operation
from app.http.pagination import MAX_PAGE, collection, envelope, ids_of
from app.http.partial_index import PARTIAL_HEADERS, ListMeta, coverage_of
from commands.directory.organizations import (
    ENTITY,
    CreateOrganization,
    DeleteOrganization,
    UpdateOrganization,
)
from domain.directory import ORGANIZATION, ORGANIZATIONS_MANAGE, ORGANIZATIONS_VIEW
from domain.errors import Problem
from domain.scope import Scope
from queries import directory as queries
from queries.directory import OrganizationFilter, Status
from queries.found import Found

KIND = "directory.organization"
UNREADABLE = "Invalid query parameters"
_OPTION = (
    *("id", "name", "logoUrl", "parentId", "parentName", "tenantId", "tenantName", "rootId", "isActive"),
    *("depth", "treePath"),
)
_NODE = (
    *("id", "name", "parentId", "tenantId", "depth", "ancestorIds", "childIds", "descendantIds", "isActive"),
    *("treePath", "pathLabel", "children"),
)
_MANAGED = (
    *(
        "id",
        "name",
        "slug",
        "logoUrl",
        "updatedAt",
        "tenantId",
        "tenantName",
        "parentId",
        "parentName",
        "depth",
    ),
    *("rootId", "treePath", "pathLabel", "ancestorIds", "childIds", "descendantIds", "childrenCount"),
    *("descendantsCount", "isActive"),
)


class OrganizationQuery(Struct, frozen=True, rename="camel"):
    """The query of the list, as it is typed."""

    page: Annotated[int, Meta(ge=1)] = 1
    page_size: Annotated[int, Meta(ge=1, le=100)] = 50
    search: str = ""
    view: Literal["options", "manage", "tree"] = "options"
    tenant_id: UUID | None = None
    include_inactive: Literal["true", "false"] = "false"
    status: Status = "all"


class Organization(Struct, rename="camel", omit_defaults=True):
    """An organization of any view: what a view does not show is left out."""

    id: UUID
    name: str
    parent_id: UUID | None
    tenant_id: UUID | None
    is_active: bool
    depth: int
    tree_path: str | None
    logo_url: str | UnsetType | None = UNSET
    parent_name: str | UnsetType | None = UNSET
    tenant_name: str | UnsetType | None = UNSET
    root_id: UUID | UnsetType | None = UNSET
    slug: str | UnsetType | None = UNSET
    updated_at: str | UnsetType | None = UNSET
    path_label: str | UnsetType = UNSET
    ancestor_ids: list[UUID] | UnsetType = UNSET
    child_ids: list[UUID] | UnsetType = UNSET
    descendant_ids: list[UUID] | UnsetType = UNSET
    children_count: int | UnsetType = UNSET
    descendants_count: int | UnsetType = UNSET
    children: list["Organization"] | UnsetType = UNSET


class Organizations(Struct, rename="camel"):
    """The organizations; the counts are there in the view `manage`."""

    items: list[Organization]
    total: int | UnsetType = UNSET
    page: int | UnsetType = UNSET
    page_size: int | UnsetType = UNSET
    total_pages: int | UnsetType = UNSET
    is_super_admin: bool | UnsetType = UNSET
    meta: ListMeta | UnsetType = UNSET


class NoOrganizations(Struct):
    """Why there is no list."""

    error: str
    items: list[Organization]


@operation(
    "GET",
    "/directory/organizations",
    tag=TAG,
    summary="List organizations",
    description="As choices (`options`), nested (`tree`), or paged in the order of the tree (`manage`).",
    features=(ORGANIZATIONS_VIEW,),
    query=[
        Parameter("page", "Page number, from 1 (`manage`)", {"type": "integer", "minimum": 1}),
        Parameter(
            "pageSize", "At most 100, else 50 (`manage`)", {"type": "integer", "minimum": 1, "maximum": 100}
        ),
        Parameter("search", "Part of a name or of the path of names (`manage`)"),
        Parameter(
            "view", "`options` unless given", {"type": "string", "enum": ["options", "manage", "tree"]}
        ),
        Parameter("ids", "Only these: UUIDs separated by commas (`options`, `manage`)"),
        Parameter(
            "tenantId",
            "For super admins; without it `manage` shows all tenants",
            {"type": "string", "format": "uuid"},
        ),
        Parameter("includeInactive", "Without effect", {"type": "string", "enum": ["true", "false"]}),
        Parameter(
            "status",
            "`all` unless given (`options`, `manage`)",
            {"type": "string", "enum": ["all", "active", "inactive"]},
        ),
        CUSTOM_FILTER,
    ],
    answers={
        200: Answer(
            Organizations,
            "Organization data for the requested view.",
            headers=PARTIAL_HEADERS,
            example={
                "items": [
                    {
                        "id": "00000000-0000-4000-8000-000000000000",
                        "name": "string",
                        "logoUrl": None,
                        "parentId": None,
                        "parentName": None,
                        "tenantId": "00000000-0000-4000-8000-000000000000",
                        "tenantName": None,
                        "rootId": "00000000-0000-4000-8000-000000000000",
                        "isActive": True,
                        "depth": 0,
                        "treePath": "00000000-0000-4000-8000-000000000000",
                    }
                ]
            },
        ),
        400: Answer(NoOrganizations, "Invalid query or tenant scope"),
        500: BROKEN,
    },
    reads=("organizations", "tenants", "field_definitions"),
)
async def list_organizations(call: Call[None]) -> Response[Any]:
    """200 with the organizations of a tenant, or of all."""
    query = _query(call)
    scope = call.scope
    tenant_id = query.tenant_id or scope.tenant_id
    if query.view == "tree":
        async with call.app.database.read(tenant_id) as connection:
            nodes = await queries.organization_tree(connection, tenant_id)
        await note_reading(call, KIND, [node.id for depth, node in nodes if depth == 0], _NODE)
        return call.json(collection(_nested(nodes)))
    ids = ids_of(call.query)
    custom = await custom_filters(call, ORGANIZATION, ENTITY) if query.view == "manage" else ()
    wanted = OrganizationFilter(None if ids is None else tuple(ids), query.status, query.search, custom)
    item = str(ids[0]) if ids is not None and len(ids) == 1 else None
    if query.view == "options":
        async with call.app.database.read(tenant_id) as connection:
            found = await queries.organization_options(connection, tenant_id, wanted, scope.is_super_admin)
        await note_reading(call, KIND, [one.id for one in found], _OPTION, item)
        return call.json(collection(_joined(found)))
    everywhere = scope.is_super_admin and query.tenant_id is None
    database = call.app.database
    async with database.system() if everywhere else database.read(tenant_id) as connection:
        page = await queries.managed_organizations(
            connection,
            None if everywhere else tenant_id,
            wanted,
            call.app.reading(tenant_id),
            query.page_size,
            (min(query.page, MAX_PAGE) - 1) * query.page_size,
            scope.is_super_admin,
        )
    await note_reading(call, KIND, [one.id for one in page.items], _MANAGED, item)
    counts = (page.total, query.page, query.page_size)
    coverage = await coverage_of(call, ENTITY, page.gap)
    extra = {"isSuperAdmin": scope.is_super_admin, **coverage.extra}
    return call.json(envelope(_joined(page.items), *counts, 1, **extra), headers=coverage.headers)


def _query(call: Call[None]) -> OrganizationQuery:
    try:
        return convert_query(OrganizationQuery, call.query, UNREADABLE, blanks=True)
    except Problem as problem:
        raise Problem(problem.status, {"items": [], **problem.body}) from None


def _joined(found: Sequence[Found]) -> str:
    return ",".join(one.document for one in found)


def _nested(nodes: Sequence[tuple[int, Found]]) -> str:
    """The documents, each with its children in it; `nodes` come in pre-order with their depths."""
    parts: list[str] = []
    level = -1
    for depth, node in nodes:
        if depth <= level:
            parts.append("]}" * (level - depth + 1) + ",")
        parts.append(f'{node.document[:-1]},"children":[')
        level = depth
    return "".join(parts) + "]}" * (level + 1)


@operation(
    "POST",
    "/directory/organizations",
    tag=TAG,
    summary="Create organization",
    description="Adds an organization to a tenant, and to its tree. A slug that is taken gets a number.",
    features=(ORGANIZATIONS_MANAGE,),
    body=CreateOrganization,
    example={"name": "Sales", "slug": None, "parentId": None},
    answers={
        201: Answer(Created, "Organization created.", headers=OPERATION_HEADER),
        400: INVALID,
        500: BROKEN,
    },
)
async def create_organization(call: Call[CreateOrganization]) -> Response[Any]:
    """201 with the id."""
    named = call.body.tenant_id
    scope = in_tenant(call.scope, named) if isinstance(named, UUID) else call.scope
    return call.answer(await call.execute(call.body, scope), 201)


@operation(
    "PUT",
    "/directory/organizations",
    tag=TAG,
    summary="Update organization",
    description="Changes what is sent. A null parent makes it a root; a list of children replaces them.",
    features=(ORGANIZATIONS_MANAGE,),
    body=UpdateOrganization,
    example={"id": "00000000-0000-4000-8000-000000000000", "slug": None, "parentId": None},
    answers={
        200: Answer(Done, "Organization updated.", headers=OPERATION_HEADER),
        400: INVALID,
        404: MISSING,
        409: STALE,
        500: BROKEN,
    },
)
async def update_organization(call: Call[UpdateOrganization]) -> Response[Any]:
    """200 `{"ok": true}`."""
    scope = await _scope_of(call, call.body.id)
    return call.answer(await call.execute(call.body, scope))


@operation(
    "DELETE",
    "/directory/organizations",
    tag=TAG,
    summary="Delete organization",
    description="Deletes an organization softly; its children move up to its parent. Undo brings it back.",
    features=(ORGANIZATIONS_MANAGE,),
    body=Deletion,
    commands=("directory.organizations.delete",),
    query=[
        Parameter("id", "The organization, if not in the body", {"type": "string", "format": "uuid"}),
    ],
    example={"id": "00000000-0000-4000-8000-000000000000"},
    answers={
        200: Answer(Done, "Organization deleted.", headers=OPERATION_HEADER),
        400: INVALID,
        404: MISSING,
        409: STALE,
        500: BROKEN,
    },
)
async def delete_organization(call: Call[Deletion]) -> Response[Any]:
    """200 `{"ok": true}`."""
    command = DeleteOrganization(id=id_to_delete(call, "Organization"))
    return call.answer(await call.execute(command, await _scope_of(call, command.id)))


async def _scope_of(call: Call[Any], id: UUID) -> Scope:
    """The scope to change an organization in: the caller's, or a super admin's in the organization's tenant."""
    if not call.scope.is_super_admin:
        return call.scope
    async with call.app.database.system() as connection:
        tenant_id = await queries.tenant_of_organization(connection, id)
    if tenant_id is None:
        raise Problem.not_found()
    return in_tenant(call.scope, tenant_id)
