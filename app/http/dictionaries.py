"""Routes of the shared dictionaries (contract: dictionaries.md section 3)."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response
from msgspec import UNSET, Struct, UnsetType

from app.http.call import Call
from app.http.custom_fields import CUSTOM_FILTER, custom_filters, fields_shown
from app.http.exports import Column, export, export_batch, export_format, export_full, raw_key
from app.http.identity import require_valid_selection
from app.http.operation import Answer, Parameter, operation
from app.http.pagination import FORMAT, clamped_page, collection, envelope, ids_of, sort_of
from app.http.partial_index import PARTIAL_HEADERS, ListMeta, coverage_of
from commands.dictionaries import (
    ENTRY_ENTITY,
    CreateDictionary,
    CreateEntry,
    DeleteDictionary,
    DeleteEntry,
    ReorderEntries,
    SetDefaultEntry,
    SortMode,
    UpdateDictionary,
    UpdateEntry,
)
from domain.dictionaries import ENTRY, MANAGE, VIEW
from queries import dictionaries as queries
from queries.index_reading import IndexReading, has_gap

TAG = "Dictionaries"


class Failure(Struct):
    """Why a request was refused."""

    error: str


class Dictionary(Struct, rename="camel"):
    """A named list of values that one organization owns."""

    id: UUID
    key: str
    name: str
    description: str | None
    is_system: bool
    is_active: bool
    manager_visibility: str | None
    entry_sort_mode: SortMode
    organization_id: UUID | None
    is_inherited: bool
    created_at: datetime
    updated_at: datetime | None


class Entry(Struct, rename="camel"):
    """One value of a dictionary."""

    id: UUID
    value: str
    label: str
    color: str | None
    icon: str | None
    position: int
    is_default: bool
    created_at: datetime
    updated_at: datetime | None


class Dictionaries(Struct):
    """Dictionaries by name."""

    items: list[Dictionary]
    meta: ListMeta | UnsetType = UNSET


class Entries(Struct, rename="camel", omit_defaults=True):
    """Entries in their order; the counts are there when a page was asked for."""

    items: list[Entry]
    total: int = 0
    page: int = 0
    page_size: int = 0
    total_pages: int = 0
    meta: ListMeta | UnsetType = UNSET


class Done(Struct):
    """It is done."""

    ok: bool


OPERATION_HEADER = {
    "x-om-operation": "The log row and the undo token of this change (command-bus.md section 5)."
}
INVALID = Answer(Failure, "Validation failed")
BROKEN = Answer(Failure, "The server failed; the message carries the request id")
NO_DICTIONARY = Answer(Failure, "Dictionary not found")
NO_ENTRY = Answer(Failure, "Dictionary or entry not found")
DUPLICATE_KEY = Answer(Failure, "Dictionary key already exists, or the record was modified since it was read")
DUPLICATE_VALUE = Answer(
    Failure, "An entry with this value exists, or the record was modified since it was read"
)
REJECTED = Answer(Failure, "The selected organization does not exist or is not accessible")


def _answers(*more: tuple[int, Answer]) -> dict[int, Answer]:
    return {**dict(more), 400: INVALID, 422: REJECTED, 500: BROKEN}


@operation(
    "GET",
    "/dictionaries",
    tag=TAG,
    summary="List dictionaries",
    description="Dictionaries that the current organization may read: its own, and those of organizations above it.",
    features=(VIEW,),
    query=[Parameter("includeInactive", "Also those created as inactive", {"type": "boolean"})],
    answers={
        200: Answer(Dictionaries, "Dictionary collection.", headers=PARTIAL_HEADERS),
        422: REJECTED,
        500: BROKEN,
    },
    reads=("dictionaries", "organizations"),
)
async def list_dictionaries(call: Call[None]) -> Response[Any]:
    """By name; nothing is paged."""
    require_valid_selection(call.scope, listing=True)
    include, reading = call.flag("includeInactive") is True, call.app.reading(call.scope.tenant_id)
    async with call.app.database.read(call.scope.tenant_id, one_plan=True) as connection:
        found = await queries.list_dictionaries(connection, call.scope, include, reading)
    coverage = await coverage_of(call, queries.DICTIONARY, found.gap)
    return call.json(collection(found.items, **coverage.extra), headers=coverage.headers)


@operation(
    "POST",
    "/dictionaries",
    tag=TAG,
    summary="Create dictionary",
    description="Registers a dictionary in the current organization.",
    features=(MANAGE,),
    body=CreateDictionary,
    example={"key": "colors", "name": "Colors"},
    answers=_answers(
        (201, Answer(Dictionary, "Dictionary created.", headers=OPERATION_HEADER)), (409, DUPLICATE_KEY)
    ),
)
async def create_dictionary(call: Call[CreateDictionary]) -> Response[Any]:
    """201 with the dictionary."""
    require_valid_selection(call.scope)
    return call.answer(await call.execute(call.body), 201)


@operation(
    "GET",
    "/dictionaries/{dictionaryId}",
    tag=TAG,
    summary="Get dictionary",
    description="One dictionary, with a flag that tells whether it is inherited.",
    features=(VIEW,),
    answers=_answers((200, Answer(Dictionary, "Dictionary details.")), (404, NO_DICTIONARY)),
)
async def get_dictionary(call: Call[None]) -> Response[Any]:
    """200 with the dictionary."""
    require_valid_selection(call.scope)
    id, reading = call.uuid("dictionaryId"), call.app.reading(call.scope.tenant_id)
    async with call.app.database.read(call.scope.tenant_id, one_plan=True) as connection:
        return call.json((await queries.dictionary(connection, call.scope, id, reading)).encode())


@operation(
    "PATCH",
    "/dictionaries/{dictionaryId}",
    tag=TAG,
    summary="Update dictionary",
    description="Changes what is sent. The currency dictionary keeps its key and stays active.",
    features=(MANAGE,),
    body=UpdateDictionary,
    example={"name": "Colours"},
    answers=_answers(
        (200, Answer(Dictionary, "Dictionary updated.", headers=OPERATION_HEADER)),
        (404, NO_DICTIONARY),
        (409, DUPLICATE_KEY),
    ),
)
async def update_dictionary(call: Call[UpdateDictionary]) -> Response[Any]:
    """200 with the dictionary."""
    require_valid_selection(call.scope)
    return call.answer(await call.execute(call.body))


@operation(
    "DELETE",
    "/dictionaries/{dictionaryId}",
    tag=TAG,
    summary="Delete dictionary",
    commands=("dictionaries.dictionaries.delete",),
    description="Archives the dictionary, unless it is the protected currency dictionary. Undo brings it back.",
    features=(MANAGE,),
    answers=_answers(
        (200, Answer(Done, "Dictionary archived.", headers=OPERATION_HEADER)),
        (404, NO_DICTIONARY),
        (409, DUPLICATE_KEY),
    ),
)
async def delete_dictionary(call: Call[None]) -> Response[Any]:
    """200 `{"ok": true}`."""
    require_valid_selection(call.scope)
    return call.answer(await call.execute(DeleteDictionary(dictionary_id=call.uuid("dictionaryId"))))


@operation(
    "GET",
    "/dictionaries/{dictionaryId}/entries",
    tag=TAG,
    summary="List dictionary entries",
    description="Entries by position, then label. All of them, or a page when `page` or `pageSize` is sent.",
    features=(VIEW,),
    query=[
        Parameter("page", "Page number, from 1", {"type": "integer", "minimum": 1}),
        Parameter(
            "pageSize", "Entries a page, at most 100", {"type": "integer", "minimum": 1, "maximum": 100}
        ),
        Parameter("search", "Part of a value or label; case and accents do not matter"),
        Parameter("ids", "Only these entries: UUIDs separated by commas, at most 200"),
        Parameter(
            "sortField", "position, label or createdAt", {"type": "string", "enum": list(queries.ENTRY_SORTS)}
        ),
        Parameter("sortDir", "asc or desc", {"type": "string", "enum": ["asc", "desc"]}),
        FORMAT,
        Parameter("exportScope", "`full`: everything, whatever the filters say"),
        CUSTOM_FILTER,
    ],
    answers=_answers(
        (200, Answer(Entries, "Dictionary entries.", headers=PARTIAL_HEADERS)), (404, NO_DICTIONARY)
    ),
    reads=("dictionary_entries", "dictionaries", "organizations", "field_definitions"),
)
async def list_entries(call: Call[None]) -> Response[Any]:
    """200 with the entries, or a file when `format` is sent."""
    require_valid_selection(call.scope, listing=True)
    id = call.uuid("dictionaryId")
    reading = call.app.reading(call.scope.tenant_id)
    if export_format(call.query) is not None:
        return await _export_entries(call, id, reading)
    wanted = await _wanted(call)
    paged = "page" in call.query or "pageSize" in call.query
    page = clamped_page(call.query)
    if paged:
        wanted = _on_page(wanted, page.size, page.offset)
    async with call.app.database.read(call.scope.tenant_id, one_plan=True) as connection:
        found = await queries.entries(connection, call.scope, id, wanted, reading)
    coverage = await coverage_of(call, queries.ENTRY, found.gap)
    if not paged:
        return call.json(collection(found.items, **coverage.extra), headers=coverage.headers)
    body = envelope(found.items, found.total, page.number, page.size, **coverage.extra)
    return call.json(body, headers=coverage.headers)


async def _wanted(call: Call[None]) -> queries.EntryQuery:
    sort = sort_of(call.query, {name: name for name in queries.ENTRY_SORTS}, "position")
    ids = ids_of(call.query)
    return queries.EntryQuery(
        search=(call.first("search") or "").strip()[:200],
        ids=None if ids is None else tuple(ids),
        sort=sort.field,
        descending=sort.descending,
        custom=await custom_filters(call, ENTRY, ENTRY_ENTITY),
    )


def _on_page(wanted: queries.EntryQuery, size: int, offset: int) -> queries.EntryQuery:
    return msgspec.structs.replace(wanted, limit=size, offset=offset)


async def _export_entries(call: Call[None], id: UUID, reading: IndexReading) -> Response[Any]:
    """The entries as a file. Each exported entry counts as read in the access log."""
    kind = export_format(call.query)
    assert kind is not None, "the caller looked"
    full = export_full(call.query)
    wanted = queries.EntryQuery() if full else await _wanted(call)
    fields = await fields_shown(call, ENTRY_ENTITY)
    names = [*ENTRY_COLUMNS, *(f"cf_{field.key}" for field in fields)]
    scope, database, access = call.scope, call.app.database, call.app.access_log

    async def rows() -> Any:
        async with database.read(scope.tenant_id) as connection:
            batches = queries.entry_batches(connection, scope, id, wanted, reading, export_batch(1000))
            async for batch in batches:
                ids = [str(row["id"]) for row in batch]
                context = {
                    "resultCount": len(ids),
                    "path": "/dictionaries/{dictionaryId}/entries",
                    "format": kind,
                }
                await access.record(scope, "dictionaries.entry", ids, "export", names, context)
                yield batch

    columns = [Column(raw_key(name, ENTRY_COLUMNS) if full else name) for name in names]
    async with database.read(scope.tenant_id) as connection:
        gap = await has_gap(connection, scope.tenant_id, queries.ENTRY)
    coverage = await coverage_of(call, queries.ENTRY, gap)
    answer = await export(kind, rows(), columns, "dictionaries.entry", full)
    answer.headers.update(coverage.headers)
    return answer


ENTRY_COLUMNS = ("id", "value", "label", "color", "icon", "position", "isDefault", "createdAt", "updatedAt")


@operation(
    "POST",
    "/dictionaries/{dictionaryId}/entries",
    tag=TAG,
    summary="Create dictionary entry",
    description="Adds an entry to a dictionary of the current organization.",
    features=(MANAGE,),
    body=CreateEntry,
    example={"value": "red", "label": "Red", "color": "#ff0000", "icon": None},
    answers=_answers(
        (201, Answer(Entry, "Dictionary entry created.", headers=OPERATION_HEADER)),
        (404, NO_DICTIONARY),
        (409, DUPLICATE_VALUE),
    ),
)
async def create_entry(call: Call[CreateEntry]) -> Response[Any]:
    """201 with the entry."""
    require_valid_selection(call.scope)
    return call.answer(await call.execute(call.body), 201)


@operation(
    "PATCH",
    "/dictionaries/{dictionaryId}/entries/{entryId}",
    tag=TAG,
    summary="Update dictionary entry",
    description="Changes what is sent; null clears colour and icon.",
    features=(MANAGE,),
    body=UpdateEntry,
    example={"label": "Dark red", "color": "#aa0000", "icon": None},
    answers=_answers(
        (200, Answer(Entry, "Dictionary entry updated.", headers=OPERATION_HEADER)),
        (404, NO_ENTRY),
        (409, DUPLICATE_VALUE),
    ),
)
async def update_entry(call: Call[UpdateEntry]) -> Response[Any]:
    """200 with the entry."""
    require_valid_selection(call.scope)
    return call.answer(await call.execute(call.body))


@operation(
    "DELETE",
    "/dictionaries/{dictionaryId}/entries/{entryId}",
    tag=TAG,
    summary="Delete dictionary entry",
    commands=("dictionaries.entries.delete",),
    description="Deletes the entry; undo brings it back as it was.",
    features=(MANAGE,),
    answers=_answers(
        (200, Answer(Done, "Entry deleted.", headers=OPERATION_HEADER)),
        (404, NO_ENTRY),
        (409, DUPLICATE_VALUE),
    ),
)
async def delete_entry(call: Call[None]) -> Response[Any]:
    """200 `{"ok": true}`."""
    require_valid_selection(call.scope)
    command = DeleteEntry(dictionary_id=call.uuid("dictionaryId"), entry_id=call.uuid("entryId"))
    return call.answer(await call.execute(command))


@operation(
    "POST",
    "/dictionaries/{dictionaryId}/entries/reorder",
    tag=TAG,
    summary="Reorder dictionary entries",
    description="Sets the positions of the entries that are listed; others keep theirs.",
    features=(MANAGE,),
    body=ReorderEntries,
    example={"entries": [{"id": "00000000-0000-4000-8000-000000000000", "position": 1}]},
    answers=_answers(
        (200, Answer(Done, "Entries reordered.", headers=OPERATION_HEADER)), (404, NO_DICTIONARY)
    ),
)
async def reorder_entries(call: Call[ReorderEntries]) -> Response[Any]:
    """200 `{"ok": true}`."""
    require_valid_selection(call.scope)
    return call.answer(await call.execute(call.body))


@operation(
    "POST",
    "/dictionaries/{dictionaryId}/entries/set-default",
    tag=TAG,
    summary="Set default dictionary entry",
    description="Makes the entry the default of its dictionary, clearing the former one.",
    features=(MANAGE,),
    body=SetDefaultEntry,
    example={"entryId": "00000000-0000-4000-8000-000000000000"},
    answers=_answers((200, Answer(Done, "Default entry set.", headers=OPERATION_HEADER)), (404, NO_ENTRY)),
)
async def set_default_entry(call: Call[SetDefaultEntry]) -> Response[Any]:
    """200 `{"ok": true}`."""
    require_valid_selection(call.scope)
    return call.answer(await call.execute(call.body))
