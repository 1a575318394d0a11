"""Routes of the records of custom entities (contract: entities.md section 3)."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from litestar import Response
from msgspec import UNSET, Struct, UnsetType

from app.http.answers import Answer
from app.http.call import Call
from app.http.decode import parse_body
from app.http.entities.shared import BROKEN, REFUSED, TAG, Refused, body_of, by_field, done
from app.http.exports import Column, export, export_format, export_full
from app.http.identity import require_valid_selection
from app.http.issues import too_small
from app.http.kit import Done
from app.http.operation import Parameter, operation
from app.http.pagination import FORMAT, PAGE, PAGE_SIZE, SORT_DIR, clamped_page, envelope
from app.http.partial_index import PARTIAL_HEADERS, ListMeta, coverage_of
from commands.records import CreateRecord, DeleteRecord, UpdateRecord
from commands.sealing import refuse_forged
from domain import snapshots
from domain.entities import RECORDS_MANAGE, RECORDS_VIEW
from domain.errors import Problem
from domain.records import RECORD_KIND, entity_records
from queries import records as queries
from queries.index_reading import has_gap

C = TypeVar("C")

ALL = 1_000
"""Most records of a list that asks for all of them."""


class Named(Struct, rename="camel"):
    """Which record it is."""

    entity_id: str
    record_id: UUID


class Saved(Struct, rename="camel"):
    """The record that was written."""

    ok: bool
    item: Named


class Records(Struct, rename="camel"):
    """A page of records: each its id, its fields by key, `updated_at` and `updatedAt`."""

    items: list[dict[str, Any]]
    total: int
    page: int
    page_size: int
    total_pages: int
    meta: ListMeta | UnsetType = UNSET


MISSING = Answer(Refused, "Missing entity id, or an entity of the product itself")
STALE = Answer(Refused, "The record was modified since it was read")
NO_RECORD = Answer(Refused, "Record not found")
FLAG = {"type": "boolean"}


@operation(
    "GET",
    "/entities/records",
    tag=TAG,
    summary="List records",
    description="Records of a custom entity in the organizations of the caller, a page at a time or as a file."
    " Any other parameter is a filter: `<key>=value` or `cf_<key>=value`, several values separated by commas or as"
    " `cf_<key>In`; for a field of several values, one of them must be there.",
    features=(RECORDS_VIEW,),
    query=[
        Parameter("entityId", "The entity, as `module:entity`", required=True, example="user:thing"),
        PAGE,
        PAGE_SIZE,
        Parameter(
            "sortField",
            "`id`, `created_at`, `updated_at`, `deleted_at`; `cf:<key>` for the values of a field, or its bare key for"
            " their texts. Records without a value come last.",
            example="id",
        ),
        SORT_DIR,
        Parameter("withDeleted", "Also deleted records", FLAG),
        Parameter("all", "The first 1000 records on one page", FLAG),
        FORMAT,
        Parameter("exportScope", "`full` exports the fields alone, under their raw keys"),
        Parameter("export_scope", "The same"),
        Parameter("full", "The same as `exportScope=full`", FLAG),
        Parameter("search", "A part of any of the fields that `searchFields` names; case does not matter"),
        Parameter("searchFields", "Keys separated by commas (default `id`)"),
    ],
    answers={200: Answer(Records, "Paginated records", headers=PARTIAL_HEADERS), 400: MISSING, 500: BROKEN},
)
async def list_records(call: Call[None]) -> Response[Any]:
    """200 with a page, or a file when `format` is sent."""
    require_valid_selection(call.scope, listing=True)
    entity_id = (call.first("entityId") or "").strip()
    if not entity_id:
        raise Problem.bad_request("entityId is required")
    if export_format(call.query) is not None:
        return await _export(call, entity_id)
    page = clamped_page(call.query)
    number, size = (1, ALL) if call.flag("all") is True else (page.number, page.size)
    reading = call.app.reading(call.scope.tenant_id)
    async with call.app.database.read(call.scope.tenant_id, one_plan=True) as connection:
        entity = await queries.entity(connection, call.scope, entity_id, "view")
        wanted = await _wanted(call, entity)
        found = await queries.records(
            connection, call.scope, entity, wanted, reading, size, (number - 1) * size
        )
    coverage = await coverage_of(call, entity_id, found.gap)
    body = envelope(found.items, found.total, number, size, **coverage.extra)
    return call.json(body, headers=coverage.headers)


async def _wanted(call: Call[None], entity: queries.Entity) -> queries.RecordList:
    """What the query asks for; filters also find values that are sealed."""
    asked = queries.asked_for(call.query, entity.classified.is_custom)
    filters = await call.app.encryption.alternatives(call.scope.tenant_id, entity_records.name, asked.filters)
    return msgspec.structs.replace(asked, filters=filters, with_deleted=call.flag("withDeleted") is True)


async def _export(call: Call[None], entity_id: str) -> Response[Any]:
    """The records as a file. Each exported record counts as read in the access log."""
    kind, full = export_format(call.query), export_full(call.query)
    assert kind is not None, "the caller looked"
    scope, database, access = call.scope, call.app.database, call.app.access_log
    reading = call.app.reading(scope.tenant_id)
    async with database.read(scope.tenant_id, one_plan=True) as connection:
        entity = await queries.entity(connection, scope, entity_id, "view")
        gap = await has_gap(connection, scope.tenant_id, entity_id)
    coverage = await coverage_of(call, entity_id, gap)
    wanted = await _wanted(call, entity)
    members = entity.raw_columns if full else entity.columns
    names = [name for name, _ in members]
    decode = (
        msgspec.json.decode if kind == "json" else snapshots.decode
    )  # texts keep every digit of a fraction

    async def rows() -> AsyncIterator[Sequence[dict[str, Any]]]:
        async with database.read(scope.tenant_id) as connection:
            async for batch in queries.record_batches(connection, scope, entity, wanted, reading, members):
                context = {"resultCount": len(batch), "path": "/entities/records", "format": kind}
                ids = [decode(row["id"]) for row in batch]
                await access.record(scope, RECORD_KIND, ids, "export", names, context)
                yield [{name: decode(value) for name, value in row.items()} for row in batch]

    batches = rows()
    first = await anext(batches, None)
    columns = [Column(name) for name in names] if first else [Column("id", "ID")]
    name = f"{entity_id}_full" if full else entity_id
    answer = await export(kind, _again(first, batches), columns, name)
    answer.headers.update(coverage.headers)
    return answer


async def _again(
    first: Sequence[dict[str, Any]] | None, rest: AsyncIterator[Sequence[dict[str, Any]]]
) -> AsyncIterator[Sequence[dict[str, Any]]]:
    if first is not None:
        yield first
        async for batch in rest:
            yield batch


@operation(
    "POST",
    "/entities/records",
    tag=TAG,
    summary="Create record",
    description="Adds a record to the current organization. A `recordId` that is no UUID is replaced by a new one; with"
    " that of an existing record, the record is overwritten.",
    features=(RECORDS_MANAGE,),
    body=CreateRecord,
    raw_body=True,
    example={"entityId": "user:thing", "values": {"name": "Widget"}},
    answers={200: done(Saved, "Record created"), 400: REFUSED, 409: STALE, 500: BROKEN},
)
async def create_record(call: Call[None]) -> Response[Any]:
    """200 with the record's id."""
    require_valid_selection(call.scope)
    return call.answer(await call.execute(_body(call, CreateRecord)))


@operation(
    "PUT",
    "/entities/records",
    tag=TAG,
    summary="Update record",
    description="Sets the values that are sent and keeps the others. A record that does not exist is created; a deleted"
    " one lives again.",
    features=(RECORDS_MANAGE,),
    body=UpdateRecord,
    raw_body=True,
    example={
        "entityId": "user:thing",
        "recordId": "00000000-0000-4000-8000-000000000000",
        "values": {"name": "Widget"},
    },
    answers={200: done(Saved, "Record updated"), 400: REFUSED, 409: STALE, 500: BROKEN},
)
async def update_record(call: Call[None]) -> Response[Any]:
    """200 with the record's id."""
    require_valid_selection(call.scope)
    return call.answer(await call.execute(_body(call, UpdateRecord)))


@operation(
    "DELETE",
    "/entities/records",
    tag=TAG,
    summary="Delete record",
    description="Deletes the record softly, in the current organization. The ids stand in the query, or in the body.",
    features=(RECORDS_MANAGE,),
    body=DeleteRecord,
    raw_body=True,
    query=[
        Parameter("entityId", "The entity, unless it is in the body"),
        Parameter("recordId", "The record, unless it is in the body"),
    ],
    example={"entityId": "user:thing", "recordId": "00000000-0000-4000-8000-000000000000"},
    answers={
        200: done(Done, "Record deleted"),
        400: REFUSED,
        404: NO_RECORD,
        409: STALE,
        500: BROKEN,
    },
)
async def delete_record(call: Call[None]) -> Response[Any]:
    """200 `{"ok": true}`."""
    require_valid_selection(call.scope)
    entity_id, record_id = call.first("entityId"), call.first("recordId")
    if entity_id is None or record_id is None:
        return call.answer(await call.execute(_body(call, DeleteRecord)))
    blank = [name for name, text in (("entityId", entity_id), ("recordId", record_id)) if not text]
    if blank:
        raise by_field([too_small("string", 1, [name]) for name in blank])
    return call.answer(await call.execute(DeleteRecord(entity_id=entity_id, record_id=record_id)))


def _body(call: Call[None], wanted: type[C]) -> C:
    refuse_forged(parse_body(call.raw).value)
    return body_of(call, wanted)
