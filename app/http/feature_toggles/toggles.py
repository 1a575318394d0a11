"""The definitions of feature toggles, which hold for the whole platform (contract: feature-toggles.md section 2)."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import Response
from msgspec import Meta, Struct

from app.http.answers import Answer, InvalidView
from app.http.call import Call
from app.http.decode import convert_query
from app.http.exports import Column, export, export_format, export_full
from app.http.kit import (
    INVALID,
    MISSING,
    OPERATION_HEADER,
    STALE,
    Created,
    Deletion,
    id_to_delete,
    in_tenant,
    note_reading,
)
from app.http.operation import Parameter, operation
from app.http.pagination import FORMAT, IDS, MAX_PAGE, envelope, ids_of
from commands.feature_toggles import NOT_FOUND, CreateToggle, DeleteToggle, UpdateToggle
from domain.errors import Problem
from domain.feature_toggles import MANAGE, TYPES, VIEW, ToggleType
from domain.scope import Scope
from queries import feature_toggles as queries
from queries.feature_toggles import ToggleFilter, ToggleSort

TAG: Final = "Feature Toggles"
MAX_SIZE: Final = 200

_FIELDS = (
    "id",
    "identifier",
    "name",
    "description",
    "category",
    "type",
    "defaultValue",
    "createdAt",
    "updatedAt",
)
_SORTS = ("id", "category", "identifier", "name", "createdAt", "updatedAt", "type")
_BATCH = 1_000


class ToggleQuery(Struct, frozen=True, rename="camel"):
    """The query of the list, as it is typed."""

    page: Annotated[int, Meta(ge=1)] = 1
    page_size: Annotated[int, Meta(ge=1, le=MAX_SIZE)] = 50
    search: str = ""
    type: ToggleType | None = None
    category: str = ""
    name: str = ""
    identifier: str = ""
    sort_field: ToggleSort = "id"
    sort_dir: Literal["asc", "desc"] = "asc"
    with_deleted: bool = False


class Toggle(Struct, rename="camel"):
    """A feature toggle."""

    id: UUID
    identifier: str
    name: str
    description: str | None
    category: str | None
    type: ToggleType
    default_value: Any
    created_at: datetime
    updated_at: datetime


class Toggles(Struct, rename="camel"):
    """A page of feature toggles."""

    items: list[Toggle]
    total: int
    page: int
    page_size: int
    total_pages: int


@operation(
    "GET",
    "/feature_toggles/global",
    tag=TAG,
    summary="List global feature toggles",
    description="All toggles of the platform.",
    features=(VIEW,),
    query=[
        Parameter("page", "Page number, from 1", {"type": "integer", "minimum": 1}),
        Parameter("pageSize", "At most 200, else 50", {"type": "integer", "minimum": 1, "maximum": MAX_SIZE}),
        Parameter("search", "Part of identifier, name, description or category"),
        Parameter("type", "Only toggles of this type", {"type": "string", "enum": list(TYPES)}),
        Parameter("category", "Part of the category"),
        Parameter("name", "Part of the name"),
        Parameter("identifier", "Part of the identifier"),
        Parameter("sortField", "`id` unless given", {"type": "string", "enum": list(_SORTS)}),
        Parameter("sortDir", "`asc` unless given", {"type": "string", "enum": ["asc", "desc"]}),
        IDS,
        Parameter("withDeleted", "Deleted toggles too", {"type": "boolean"}),
        FORMAT,
        Parameter("exportScope", "`full`: everything, whatever the filters say"),
    ],
    answers={200: Answer(Toggles, "Feature toggles collection"), 400: Answer(InvalidView, "Invalid query")},
    reads=("feature_toggles",),
)
async def list_toggles(call: Call[None]) -> Response[Any]:
    """200 with a page of toggles, or a file when `format` is sent."""
    query = convert_query(ToggleQuery, call.query)
    wanted = _wanted(call, query)
    if export_format(call.query) is not None:
        return await _export(call, query, wanted)
    async with call.app.database.read(call.scope.tenant_id) as connection:
        page = await queries.toggles(
            connection,
            wanted,
            query.sort_field,
            query.sort_dir == "desc",
            query.page_size,
            (min(query.page, MAX_PAGE) - 1) * query.page_size,
        )
    await note_reading(call, "feature_toggles.global", [one.id for one in page.items], _FIELDS)
    documents = ",".join(one.document for one in page.items)
    return call.json(envelope(documents, page.total, query.page, query.page_size))


def _wanted(call: Call[None], query: ToggleQuery) -> ToggleFilter:
    ids = ids_of(call.query)
    return ToggleFilter(
        query.search,
        query.type,
        query.category,
        query.name,
        query.identifier,
        None if ids is None else tuple(ids),
        query.with_deleted,
    )


async def _export(call: Call[None], query: ToggleQuery, wanted: ToggleFilter) -> Response[Any]:
    """The toggles as a file. Each exported toggle counts as read in the access log."""
    kind, full = export_format(call.query), export_full(call.query)
    assert kind is not None, "the caller looked"
    scope, app = call.scope, call.app
    chosen = ToggleFilter() if full else wanted

    async def rows() -> AsyncIterator[list[dict[str, Any]]]:
        offset = 0
        async with app.database.read(scope.tenant_id) as connection:
            while True:
                page = await queries.toggles(
                    connection, chosen, query.sort_field, query.sort_dir == "desc", _BATCH, offset
                )
                ids = [one.id for one in page.items]
                context = {"path": "/feature_toggles/global", "format": kind}
                await app.access_log.record(scope, "feature_toggles.global", ids, "export", _FIELDS, context)
                yield [msgspec.json.decode(one.document) for one in page.items]
                offset += _BATCH
                if len(ids) < _BATCH:
                    return

    return await export(kind, rows(), [Column(name) for name in _FIELDS], "feature_toggles.global", full)


@operation(
    "POST",
    "/feature_toggles/global",
    tag=TAG,
    summary="Create global feature toggle",
    description="Defines a toggle for the whole platform; for super admins only. It can be undone.",
    features=(MANAGE,),
    body=CreateToggle,
    example={
        "identifier": "checkout.express",
        "name": "Express checkout",
        "description": None,
        "category": None,
        "type": "boolean",
        "defaultValue": None,
    },
    answers={201: Answer(Created, "Feature toggle created", headers=OPERATION_HEADER), 400: INVALID},
)
async def create_toggle(call: Call[CreateToggle]) -> Response[Any]:
    """201 with the id. The toggle is filed under the caller's own tenant, whichever is selected."""
    scope = call.scope
    own = in_tenant(scope, scope.actor_tenant_id or scope.tenant_id)
    return call.answer(await call.execute(call.body, own), 201)


@operation(
    "PUT",
    "/feature_toggles/global",
    tag=TAG,
    summary="Update global feature toggle",
    description="Changes what is sent, null clears; for super admins only. Overrides are not converted to a new type.",
    features=(MANAGE,),
    body=UpdateToggle,
    example={
        "id": "00000000-0000-4000-8000-000000000000",
        "description": None,
        "category": None,
        "defaultValue": None,
    },
    answers={
        200: Answer(Created, "Feature toggle updated", headers=OPERATION_HEADER),
        400: INVALID,
        404: MISSING,
        409: STALE,
    },
)
async def update_toggle(call: Call[UpdateToggle]) -> Response[Any]:
    """200 with the id."""
    return call.answer(await call.execute(call.body, await _scope_of(call, call.body.id)))


@operation(
    "DELETE",
    "/feature_toggles/global",
    tag=TAG,
    summary="Delete global feature toggle",
    description="Deletes a toggle softly; its identifier stays taken, overrides stay without effect. For super admins.",
    features=(MANAGE,),
    body=Deletion,
    commands=("feature_toggles.global.delete",),
    query=[
        Parameter("id", "The toggle, if not in the body", {"type": "string", "format": "uuid"}, required=True)
    ],
    example={"id": "00000000-0000-4000-8000-000000000000"},
    answers={
        200: Answer(Created, "Feature toggle deleted", headers=OPERATION_HEADER),
        400: INVALID,
        404: MISSING,
        409: STALE,
    },
)
async def delete_toggle(call: Call[Deletion]) -> Response[Any]:
    """200 with the id."""
    command = DeleteToggle(id=id_to_delete(call, "Feature toggle"))
    return call.answer(await call.execute(command, await _scope_of(call, command.id)))


async def _scope_of(call: Call[Any], id: UUID) -> Scope:
    """The scope in which a toggle is changed: of the tenant that it is filed under.

    Who is no super admin stays where they are, to be refused by the command.
    """
    if not call.scope.is_super_admin:
        return call.scope
    async with call.app.database.read(call.scope.tenant_id) as connection:
        tenant_id = await queries.tenant_of_toggle(connection, id)
    return call.scope if tenant_id is None else in_tenant(call.scope, tenant_id)


@operation(
    "GET",
    "/feature_toggles/global/{id}",
    tag=TAG,
    summary="Fetch feature toggle by ID",
    features=(VIEW,),
    answers={200: Answer(Toggle, "Feature toggle detail"), 400: INVALID, 404: MISSING},
)
async def toggle(call: Call[None]) -> Response[Any]:
    """200 with the toggle."""
    id = call.uuid("id")
    async with call.app.database.read(call.scope.tenant_id) as connection:
        document = await queries.toggle(connection, id)
    if document is None:
        raise Problem.not_found(NOT_FOUND)
    await note_reading(call, "feature_toggles.feature_toggle", [id], _FIELDS, str(id))
    return call.json(document.encode())
