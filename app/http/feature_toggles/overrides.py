"""What a tenant makes of the platform's toggles (contract: feature-toggles.md 2.6 and section 3)."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from litestar import Response
from msgspec import Meta, Struct

from app.http.answers import Answer
from app.http.call import Call
from app.http.decode import convert_body, convert_query, parse_body
from app.http.feature_toggles.toggles import TAG
from app.http.kit import BROKEN, INVALID, MISSING, OPERATION_HEADER, STALE, note_reading
from app.http.operation import Parameter, operation
from app.http.pagination import MAX_PAGE, envelope
from commands.feature_toggles import NOT_FOUND, ChangeOverride, OverrideId
from domain.errors import Problem
from domain.feature_toggles import MANAGE, VIEW, ToggleType
from queries import feature_toggles as queries
from queries.feature_toggles import OverrideSort, ToggleFilter

MAX_SIZE: Final = 100
_FIELDS = ("id", "toggleId", "identifier", "name", "category", "overrideState", "defaultState", "updatedAt")
_DETAIL_FIELDS = ("id", "value", "toggleType", "updatedAt")
_NO_TENANT = "Tenant context is required"


class OverrideQuery(Struct, frozen=True, rename="camel"):
    """The query of the list, as it is typed."""

    category: str = ""
    name: str = ""
    identifier: str = ""
    sort_field: OverrideSort | None = None
    sort_dir: Literal["asc", "desc"] = "asc"
    page: Annotated[int, Meta(ge=1)] = 1
    page_size: Annotated[int, Meta(ge=1, le=MAX_SIZE)] = 25


class Override(Struct, rename="camel"):
    """A toggle as a tenant has it; `id` is empty for one that inherits the default."""

    id: str
    toggle_id: UUID
    identifier: str
    name: str
    category: str | None
    tenant_name: str | None
    tenant_id: UUID
    is_override: bool
    updated_at: datetime | None
    override_state: Literal["enabled", "disabled", "inherit"]
    default_state: bool


class Overrides(Struct, rename="camel"):
    """A page of toggles as a tenant has them."""

    items: list[Override]
    total: int
    page: int
    page_size: int
    total_pages: int
    is_super_admin: bool


class OverrideDetail(Struct, rename="camel"):
    """The value of one toggle for a tenant; `id` is empty for one that inherits the default."""

    id: str
    value: Any
    tenant_name: str
    tenant_id: UUID
    toggle_type: ToggleType
    updated_at: datetime | None


@operation(
    "GET",
    "/feature_toggles/global/{id}/override",
    tag=TAG,
    summary="Fetch feature toggle override",
    description="The value of a toggle for the tenant: its own, or else the default.",
    features=(VIEW,),
    answers={200: Answer(OverrideDetail, "Feature toggle overrides"), 400: INVALID, 404: MISSING},
)
async def override(call: Call[None]) -> Response[Any]:
    """200 with the value."""
    id, tenant_id = call.uuid("id"), call.scope.tenant_id
    async with call.app.database.read(tenant_id) as connection:
        found = await queries.override(connection, tenant_id, id)
        if found is None:
            await _require_tenant(connection, tenant_id)
            raise Problem.not_found(NOT_FOUND)
    await note_reading(
        call, "feature_toggles.feature_toggle_override", [found.id], _DETAIL_FIELDS, str(found.id)
    )
    return call.json(found.document.encode())


@operation(
    "GET",
    "/feature_toggles/overrides",
    tag=TAG,
    summary="List overrides",
    description="All live toggles, each with what the tenant makes of it.",
    features=(VIEW,),
    query=[
        Parameter("category", "Part of the category"),
        Parameter("name", "Part of the name"),
        Parameter("identifier", "Part of the identifier"),
        Parameter(
            "sortField", "By id unless given", {"type": "string", "enum": ["identifier", "name", "category"]}
        ),
        Parameter("sortDir", "`asc` unless given", {"type": "string", "enum": ["asc", "desc"]}),
        Parameter("page", "Page number, from 1", {"type": "integer", "minimum": 1}),
        Parameter("pageSize", "At most 100, else 25", {"type": "integer", "minimum": 1, "maximum": MAX_SIZE}),
    ],
    answers={200: Answer(Overrides, "List of overrides"), 400: INVALID},
    reads=("feature_toggle_overrides", "feature_toggles", "tenants"),
)
async def list_overrides(call: Call[None]) -> Response[Any]:
    """200 with a page of toggles."""
    query, tenant_id = _query(call), call.scope.tenant_id
    wanted = ToggleFilter(
        category=call.first("category") or "",
        name=call.first("name") or "",
        identifier=call.first("identifier") or "",
    )
    async with call.app.database.read(tenant_id) as connection:
        await _require_tenant(connection, tenant_id)
        page = await queries.overrides(
            connection,
            tenant_id,
            wanted,
            query.sort_field,
            query.sort_dir == "desc",
            query.page_size,
            (min(query.page, MAX_PAGE) - 1) * query.page_size,
        )
    await note_reading(call, "feature_toggles.override_list", [one.id for one in page.items], _FIELDS)
    documents = ",".join(one.document for one in page.items)
    counts = envelope(documents, page.total, query.page, query.page_size)
    flag = b"true" if call.scope.is_super_admin else b"false"
    return call.json(counts[:-1] + b',"isSuperAdmin":' + flag + b"}")


def _query(call: Call[None]) -> OverrideQuery:
    """The query. Raises Problem 400 without details."""
    try:
        return convert_query(OverrideQuery, call.query)
    except Problem:
        raise Problem.bad_request("Invalid query parameters") from None


async def _require_tenant(connection: Any, tenant_id: UUID) -> None:
    """Raise Problem 400 when the tenant does not exist any more."""
    if not await queries.tenant_exists(connection, tenant_id):
        raise Problem.bad_request(_NO_TENANT)


@operation(
    "PUT",
    "/feature_toggles/overrides",
    tag=TAG,
    summary="Change override state",
    description="Gives the tenant a value of its own, or lets it inherit the default again. It can be undone.",
    features=(MANAGE,),
    body=ChangeOverride,
    raw_body=True,
    example={
        "toggleId": "00000000-0000-4000-8000-000000000000",
        "isOverride": True,
        "overrideValue": False,
    },
    answers={
        200: Answer(OverrideId, "Override updated", headers=OPERATION_HEADER),
        400: INVALID,
        404: MISSING,
        409: STALE,
        500: BROKEN,
    },
)
async def change_override(call: Call[None]) -> Response[Any]:
    """200 with the id of the override, null for a toggle that inherits."""
    command = _command(call)
    return call.answer(await call.execute(command))


def _command(call: Call[None]) -> ChangeOverride:
    """The command of the body. Raises Problem 400 that names the faults by field."""
    try:
        command: ChangeOverride = convert_body(ChangeOverride, parse_body(call.raw), {})
    except Problem as problem:
        whole: list[str] = []
        fields: dict[str, list[str]] = {}
        for fault in problem.body["details"]:
            place = fields.setdefault(str(fault["path"][0]), []) if fault["path"] else whole
            place.append(fault["message"])
        details = {"formErrors": whole, "fieldErrors": fields}
        raise Problem(400, {"error": "Invalid payload", "details": details}) from None
    return command
