"""Routes of the query index: how complete it is, building it anew, taking documents out (query-index.md 2)."""

import asyncio
import math
from typing import Any
from uuid import UUID

from litestar import Response
from msgspec import Struct

from app.http.answers import Answer, refused
from app.http.call import Call
from app.http.decode import parse_body
from app.http.identity import require_valid_selection
from app.http.operation import Parameter, operation
from app.http.partial_index import PARTIAL_HEADER
from app.jobs.queue import enqueue
from commands.query_index import Purge as PurgeCommand
from commands.query_index import Reindex as ReindexCommand
from domain.errors import Problem
from domain.query_index import (
    COVERAGE_JOB,
    LONGEST_TYPE,
    MOST_PARTITIONS,
    PURGE,
    REINDEX,
    VIEW,
    CoverageRequest,
    acting_organization,
    is_entity_type,
)
from domain.scope import Scope
from projections.coverage import entity_id_of, recount
from projections.index import projections
from queries import query_index as queries

TAG = "Query Index"
_AT_ONCE = 3
_DEFAULT_BATCH = 500
_LARGEST_BATCH = 5_000


class Accepted(Struct, frozen=True):
    """It will be done."""

    ok: bool


class Rebuilding(Struct, rename="camel"):
    """What to build anew; all keys but the entity type are for operators."""

    entity_type: str
    force: bool = False
    batch_size: int = _DEFAULT_BATCH
    partition_count: int = 1
    partition_index: int | None = None


class Purging(Struct, rename="camel"):
    """What to take out of the index."""

    entity_type: str


class IndexStatus(Struct, frozen=True):
    """Entities with custom fields (`items`), everything that has documents (`indexed`), the newest errors and notes."""

    items: list[queries.IndexItem]
    errors: list[queries.IndexFault]
    logs: list[queries.IndexNote]
    indexed: list[queries.IndexItem]


@operation(
    "GET",
    "/query_index/status",
    tag=TAG,
    summary="Inspect query index coverage",
    description=(
        "Records and documents of each entity when last counted, with the newest rebuild, errors and notes. Counts"
        " older than a minute are counted anew in the background, or at once with `refresh`."
    ),
    features=(VIEW,),
    query=[Parameter("refresh", "Count at once what was not counted for a minute; `0`: do not")],
    answers={
        200: Answer(
            IndexStatus,
            "Current query index status.",
            headers={PARTIAL_HEADER: "The first entity of `items` whose index is known not to be complete."},
        ),
        400: refused("Tenant or organization context required"),
    },
)
async def status(call: Call[None]) -> Response[Any]:
    """200; without rights to any organization 403."""
    require_valid_selection(call.scope, listing=True)
    scope = call.scope
    organization_id = acting_organization(scope)
    seen = _organizations(scope, organization_id)
    found = await _status(call, scope, organization_id, seen)
    outdated = list(dict.fromkeys(queries.stale([*found.items, *found.indexed])))
    if outdated and call.first("refresh") not in (None, "0"):
        await _count(call, scope.tenant_id, organization_id, outdated)
        found = await _status(call, scope, organization_id, seen)
    elif outdated:
        await _count_soon(call, scope.tenant_id, organization_id, outdated)
    warning = queries.partial(found.items, organization_id)
    return call.json(found, headers={} if warning is None else {PARTIAL_HEADER: warning})


def _organizations(scope: Scope, organization_id: UUID | None) -> list[UUID] | None:
    if scope.filter_ids is not None:
        seen = list(scope.filter_ids)
    elif scope.allowed_ids is None and organization_id is None:
        return None
    else:
        seen = [] if organization_id is None else [organization_id]
    if not seen:
        raise Problem.forbidden(error="No organization is accessible")
    return seen


async def _status(
    call: Call[None], scope: Scope, organization_id: UUID | None, seen: list[UUID] | None
) -> IndexStatus:
    tenant_id = scope.tenant_id
    async with call.app.database.read(tenant_id) as connection:
        fielded = await queries.fielded_entities(connection, scope)
        own = [
            queries.Known(entity_id_of(one), entity_id_of(one))
            for one in projections()
            if one.type_column is None
        ]
        indexed = [
            *sorted(own, key=lambda one: one.entity_id),
            *await queries.custom_entities(connection, scope),
        ]
        return IndexStatus(
            await queries.items_of(connection, tenant_id, organization_id, fielded),
            await queries.errors_of(connection, tenant_id, seen),
            await queries.notes_of(connection, tenant_id, seen),
            await queries.items_of(connection, tenant_id, organization_id, indexed),
        )


async def _count(call: Call[None], tenant_id: UUID, organization_id: UUID | None, ids: list[str]) -> None:
    """Count now, some at a time."""
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(entity_id: str) -> None:
        async with free, call.app.database.system() as connection:
            await recount(connection, tenant_id, entity_id, organization_id)

    await asyncio.gather(*map(one, ids))


async def _count_soon(
    call: Call[None], tenant_id: UUID, organization_id: UUID | None, ids: list[str]
) -> None:
    async with call.app.database.system() as connection:
        queued = await enqueue(
            connection,
            COVERAGE_JOB,
            CoverageRequest(tuple(ids), organization_id),
            tenant_id=tenant_id,
            organization_id=organization_id,
            dedupe_key=str(organization_id),
        )
    if queued is not None:
        call.app.jobs.wake()


@operation(
    "POST",
    "/query_index/reindex",
    tag=TAG,
    summary="Trigger query index rebuild",
    description="Queues jobs that build the documents of an entity type anew, beside live traffic.",
    features=(REINDEX,),
    body=Rebuilding,
    raw_body=True,
    example={"entityType": "dictionaries:dictionary"},
    commands=("query_index.index.reindex",),
    answers={
        200: Answer(Accepted, "Reindex job accepted.", example={"ok": True}),
        400: refused("Missing entity type"),
    },
)
async def reindex(call: Call[None]) -> Response[Any]:
    """200 at once; the status tells how far it is."""
    require_valid_selection(call.scope)
    _require_place(call.scope)
    body = _body(call)
    entity_type = _entity_type(body)
    if not is_entity_type(entity_type):
        raise Problem.bad_request("Invalid entityType")
    count = _whole(body.get("partitionCount"), 1, texts=True)
    count = 1 if count is None else count
    index = _whole(body.get("partitionIndex"), 0, texts=True)
    if count > MOST_PARTITIONS:
        raise Problem.bad_request(f"partitionCount must be <= {MOST_PARTITIONS}")
    if index is not None and index >= count:
        raise Problem.bad_request("partitionIndex must be < partitionCount")
    command = ReindexCommand(
        entity_type=entity_type,
        force=bool(body.get("force")),
        batch_size=min(_whole(body.get("batchSize"), 1) or _DEFAULT_BATCH, _LARGEST_BATCH),
        partition_count=count,
        partition_index=index,
    )
    return call.answer(await call.execute(command))


@operation(
    "POST",
    "/query_index/purge",
    tag=TAG,
    summary="Purge query index records",
    description="Queues a job that takes the documents of an entity type out of the index; the records stay.",
    features=(PURGE,),
    body=Purging,
    raw_body=True,
    example={"entityType": "dictionaries:dictionary"},
    commands=("query_index.index.purge",),
    answers={
        200: Answer(Accepted, "Purge job accepted.", example={"ok": True}),
        400: refused("Missing entity type"),
    },
)
async def purge(call: Call[None]) -> Response[Any]:
    """200 at once; the status tells how far it is."""
    require_valid_selection(call.scope)
    _require_place(call.scope)
    return call.answer(await call.execute(PurgeCommand(entity_type=_entity_type(_body(call)))))


def _require_place(scope: Scope) -> None:
    if acting_organization(scope) is None:
        raise Problem.unauthorized()


def _body(call: Call[None]) -> dict[str, Any]:
    """The JSON object that was sent; anything else counts as an empty one (query-index.md 2.1)."""
    parsed = parse_body(call.raw)
    return parsed.value if isinstance(parsed.value, dict) and parsed.fault is None else {}


def _entity_type(body: dict[str, Any]) -> str:
    value = body.get("entityType")
    if not isinstance(value, str) or not value:
        raise Problem.bad_request("Missing entityType")
    if len(value) > LONGEST_TYPE:
        raise Problem.bad_request("Invalid entityType")
    return value


def _whole(value: Any, least: int, *, texts: bool = False) -> int | None:
    """A number cut to a whole one, at least `least`; None for what is no number. `texts`: numbers as text count too."""
    if texts and isinstance(value, str) and value.strip():
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return max(least, min(int(value), 1 << 31))
