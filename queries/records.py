"""Reads of records of custom entities: filtered, sorted and searched by any of their fields (entities.md 3.2)."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cached_property
from typing import Final

import asyncpg
import msgspec
from msgspec import Raw, Struct

from domain.custom_fields import FieldDefinition, winners
from domain.custom_fields.sql import definition_of
from domain.entities import Right
from domain.records import (
    RECORD_PROJECTION,
    Classified,
    admit,
    own_organization,
    reading_organizations,
    usable_record_id,
)
from domain.scope import Scope
from domain.wire import parse_time
from projections.index import made_documents
from queries.custom_values import (
    NUMBER_KINDS,
    Base,
    ColumnSort,
    Sort,
    Statement,
    ValueFilter,
    ValueSort,
    Wanted,
    cut_to_milliseconds,
    instants,
    value_filter,
)
from queries.index_reading import IndexReading, gap_of, has_gap

Query = Mapping[str, Sequence[str]]

RECORDS: Final = Base("entity_records", "r.entity_type = $2", ("r.record_id", "r.id"))
COLUMNS: Final = {
    "id": ("r.record_id", "r.id"),
    "created_at": ("r.created_at", "r.id"),
    "updated_at": ("r.updated_at", "r.id"),
    "deleted_at": ("r.deleted_at", "r.id"),
}
"""Sort fields of the record itself, each with the columns that it orders by."""
_ALIASES: Final = {"createdAt": "created_at", "updatedAt": "updated_at", "deletedAt": "deleted_at"}
_PREFIX: Final = re.compile(r"^cf[_:]")
_IN: Final = re.compile(r"^cf_(.+)In$")
_STRANGE: Final = frozenset({"id", "created_at", "updated_at", "deleted_at", "name", "title", "email"})
"""Bare filters of an entity that nobody registered."""
_OPTIONS: Final = frozenset(
    {"entityId", "tenantId", "page", "pageSize", "sortField", "sortDir", "withDeleted", "all", "format"}
    | {"exportScope", "export_scope", "full", "search", "searchFields"}
)
"""Query parameters that are no filters."""
_IN_AN_ID: Final = re.compile(r"[0-9a-fA-F-]*")
_MOST_IDS: Final = 1_000
_LONGEST_SEARCH: Final = 200
_BATCH: Final = 1_000


class Entity(Struct, frozen=True, dict=True):
    """A custom entity as its records are listed: what it is, and its fields in their order."""

    id: str
    classified: Classified
    fields: tuple[FieldDefinition, ...]

    @cached_property
    def by_key(self) -> dict[str, FieldDefinition]:
        """The fields by key."""
        return {field.key: field for field in self.fields}

    @property
    def columns(self) -> list[tuple[str, str]]:
        """The members of a listed record, each with the key of its document: an unknown entity keeps the prefix."""
        own = COLUMNS.keys() | _ALIASES.keys()
        keys = [field.key for field in self.fields if field.key not in own]
        if not self.classified.is_custom:
            return [("id", "id"), *((f"cf_{key}", key) for key in keys)]
        return [(key, key) for key in ("id", *keys, "updated_at", "updatedAt")]

    @property
    def raw_columns(self) -> list[tuple[str, str]]:
        """The members of a record of a full export."""
        return [(key if key == "id" else f"cf_{key}", key) for _, key in self.columns if key not in _STAMPS]


_STAMPS: Final = frozenset({"updated_at", "updatedAt"})


class RecordPage(Struct, frozen=True):
    """Records as JSON texts joined by commas, and how many there are in all."""

    items: str
    total: int
    gap: bool = False
    """Whether some records have no document."""


class RecordList(Struct, frozen=True):
    """Which records are asked for, and in which order."""

    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Keys of fields or columns, each with the values of which one must be there."""
    sort: str = "id"
    by_value: bool = False
    """Whether `sort` is a field in the order of its values, rather than of their texts."""
    descending: bool = False
    with_deleted: bool = False
    search: str = ""
    search_fields: tuple[str, ...] = ("id",)


# Definitions that any of the readable organizations has ($3: null for all), with the editor left out: lists need none.
_FIELDS = """
select d.id, d.entity_id, d.key, d.kind, d.config::text as config, d.organization_id, d.updated_at,
       d.is_active and d.deleted_at is null as is_active, null::text as default_editor
  from field_definitions d
 where d.tenant_id = $1 and d.entity_id = $2
   and (d.organization_id is null or $3::uuid[] is null or d.organization_id = any($3::uuid[]))
"""


async def entity(connection: asyncpg.Connection, scope: Scope, entity_id: str, right: Right) -> Entity:
    """What an entity is and which fields its records have for the caller.

    Those of the caller's own organization stand first. Raises Problem 400 and 403 (`domain.records.admit`).
    """
    classified = await admit(connection, scope, entity_id, right)
    readable, own = reading_organizations(scope), own_organization(scope)
    here = None if readable is None else list({*readable, own} - {None})
    rows = [definition_of(row) for row in await connection.fetch(_FIELDS, scope.tenant_id, entity_id, here)]
    places = dict.fromkeys([own, *sorted((r.organization_id for r in rows if r.organization_id), key=str)])
    if here is None or len(here) > len(places.keys() - {None}):
        places[None] = None
    fields: dict[str, FieldDefinition] = {}
    for place in places:
        for field in winners(rows, place):
            fields.setdefault(field.key, field)
    return Entity(entity_id, classified, tuple(fields.values()))


def asked_for(query: Query, is_custom: bool) -> RecordList:
    """The part of a list's query parameters that says which records are wanted, and in which order (3.2)."""
    filters: dict[str, tuple[str, ...]] = {}
    for name, texts in query.items():
        if name in _OPTIONS or not texts:
            continue
        listed = _IN.match(name)
        key = listed.group(1) if listed else _PREFIX.sub("", name)
        if not is_custom and key == name and name not in _STRANGE:
            continue
        filters[key] = _alternatives(texts[-1], listed is not None)
    sort = (query.get("sortField") or ["id"])[0].strip() or "id"
    direction = (query.get("sortDir") or [""])[0].strip().lower()
    fields = [
        _PREFIX.sub("", part.strip())
        for part in (query.get("searchFields") or ["id"])[0].split(",")
        if part.strip()
    ]
    return RecordList(
        filters=tuple(filters.items()),
        sort=_PREFIX.sub("", sort),
        by_value=_PREFIX.match(sort) is not None,
        descending=direction == "desc",
        search=(query.get("search") or [""])[0].strip()[:_LONGEST_SEARCH],
        search_fields=tuple(dict.fromkeys(fields)) or ("id",),
    )


def _alternatives(text: str, listed: bool) -> tuple[str, ...]:
    """The values that a filter asks for: the parts of a list, and for a text with a comma the whole as well."""
    if not listed and "," not in text:
        return (text,)
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return tuple(dict.fromkeys(parts if listed else [text, *parts]))


async def records(
    connection: asyncpg.Connection,
    scope: Scope,
    entity: Entity,
    wanted: RecordList,
    reading: IndexReading,
    limit: int,
    offset: int,
) -> RecordPage:
    """A page of an entity's records that the caller may see."""
    if scope.filter_ids == ():
        return RecordPage("", 0)
    page = await _page(connection, scope, entity, wanted, reading, limit, offset)
    if not page.gap or reading.forced:
        return page
    return await _page(connection, scope, entity, wanted, reading, limit, offset, made=True)


async def _page(
    connection: asyncpg.Connection,
    scope: Scope,
    entity: Entity,
    wanted: RecordList,
    reading: IndexReading,
    limit: int,
    offset: int,
    *,
    made: bool = False,
) -> RecordPage:
    sort = _order(entity, wanted)
    statement = Statement(scope.tenant_id, entity.id, RECORDS, made=made)
    chosen = _chosen(statement, scope, entity, wanted, reading)
    page = statement.page(chosen, sort, limit, offset)
    document = _document(statement, entity.columns)
    row = await connection.fetchrow(
        f"with {page} select (select string_agg({document}, ',' order by p.place) from {_documents(made)}) as items,"
        f" total, walked, (select count(*) from page) as got, {gap_of('$2')} as gap from counted",
        *statement.args,
    )
    items, total, got = row["items"] or "", row["total"], row["got"]
    if row["gap"] and not made and not reading.forced:
        return RecordPage("", 0, gap=True)
    if row["walked"] and isinstance(sort, ValueSort) and got < min(limit, total - offset):
        rest = await _without_value(
            connection, scope, entity, wanted, reading, sort, limit - got, offset + got, made=made
        )
        items = ",".join(part for part in (items, rest) if part)
    return RecordPage(items, total, row["gap"])


async def _without_value(
    connection: asyncpg.Connection,
    scope: Scope,
    entity: Entity,
    wanted: RecordList,
    reading: IndexReading,
    sort: ValueSort,
    limit: int,
    offset: int,
    *,
    made: bool,
) -> str:
    """What a page lacks when the records with a sort value are at an end: those without one."""
    statement = Statement(scope.tenant_id, entity.id, RECORDS, made=made)
    chosen = _chosen(statement, scope, entity, wanted, reading)
    page = statement.remainder(chosen, sort, limit, offset)
    document = _document(statement, entity.columns)
    return str(
        await connection.fetchval(
            f"with {page} select coalesce(string_agg({document}, ',' order by p.place), '') from {_documents(made)}",
            *statement.args,
        )
    )


async def record_batches(
    connection: asyncpg.Connection,
    scope: Scope,
    entity: Entity,
    wanted: RecordList,
    reading: IndexReading,
    columns: Sequence[tuple[str, str]],
) -> AsyncIterator[list[dict[str, Raw]]]:
    """All records that are asked for, a batch at a time and all of one moment; their values as JSON texts.

    They are read through a cursor: memory holds a batch, and nothing is read twice.
    """
    if scope.filter_ids == ():
        return
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        made = not reading.forced and await has_gap(connection, scope.tenant_id, entity.id)
        statement = Statement(scope.tenant_id, entity.id, RECORDS, made=made)
        chosen = _chosen(statement, scope, entity, wanted, reading)
        everything = statement.everything(chosen, _order(entity, wanted))
        document = _document(statement, columns)
        sql = f"with {everything} select {document} as item from {_documents(made)} order by p.place"
        cursor = await connection.cursor(sql, *statement.args)
        while rows := await cursor.fetch(_BATCH):
            yield [_row.decode(row["item"]) for row in rows]


_row = msgspec.json.Decoder(dict[str, Raw])


def _documents(made: bool) -> str:
    """The records of `page` with their documents."""
    source = made_documents(RECORD_PROJECTION, kind="$2") if made else "entity_index"
    return (
        f"page p cross join lateral (select e.doc::jsonb as d from {source} e"
        " where e.tenant_id = $1 and e.entity_type = $2 and e.entity_id = p.id offset 0) e"
    )


def _document(statement: Statement, columns: Sequence[tuple[str, str]]) -> str:
    """SQL of a listed record as compact JSON text: exactly these members, null where the document has none."""
    names = statement.add([name for name, _ in columns], "text[]")
    keys = statement.add([key for _, key in columns], "text[]")
    members = " || ',' || ".join(
        f"to_json(({names})[{n}])::text || ':' || coalesce((e.d->({keys})[{n}])::text, 'null')"
        for n in range(1, len(columns) + 1)
    )
    return f"'{{' || {members} || '}}'"


def _order(entity: Entity, wanted: RecordList) -> Sort:
    """The order asked for. By a field as such its values count, by its bare key their texts (3.2)."""
    name = _ALIASES.get(wanted.sort, wanted.sort)
    if name in COLUMNS and not wanted.by_value:
        return ColumnSort(COLUMNS[name], wanted.descending)
    field = entity.by_key.get(wanted.sort)
    if field is not None and field.encrypted:
        return ColumnSort(COLUMNS["id"], wanted.descending)
    numeric = wanted.by_value and field is not None and field.kind in NUMBER_KINDS
    return ValueSort(wanted.sort, numeric, wanted.descending)


def _chosen(
    statement: Statement, scope: Scope, entity: Entity, wanted: RecordList, reading: IndexReading
) -> Wanted:
    """The records asked for as conditions on rows and values."""
    conditions: list[str] = []
    filters: list[ValueFilter] = []
    few = False
    for name, values in wanted.filters:
        column = _ALIASES.get(name, name)
        if column == "id":
            ids = [id for value in values[:_MOST_IDS] if (id := usable_record_id(value)) is not None]
            conditions.append(f"r.record_id = any({statement.add(ids, 'uuid[]')})")
            few = True
        elif column in COLUMNS:
            moments = statement.add(instants([parse_time(value) for value in values]), "timestamptz[]")
            conditions.append(cut_to_milliseconds(f"r.{column}", moments))
        else:
            field = entity.by_key.get(name)
            filters.append(value_filter(name, field.kind if field else None, values))
    among = None
    if wanted.search:
        condition, among = _search(statement, wanted, reading)
        conditions.append(condition)
    return Wanted(
        reading_organizations(scope), wanted.with_deleted, tuple(filters), tuple(conditions), among, few
    )


def _search(statement: Statement, wanted: RecordList, reading: IndexReading) -> tuple[str, str | None]:
    """A condition that any of the searched fields has the term, case and accents ignored, and ids to look among.

    Search tokens narrow it to few records, unless the term is short or may be a part of an id, which has no tokens.
    """
    keys = [key for key in wanted.search_fields if key != "id" and reading.searches(key)]
    by_id = "id" in wanted.search_fields and _IN_AN_ID.fullmatch(wanted.search) is not None
    if not keys and not by_id:
        return "false", None
    term = statement.add(wanted.search, "text")
    needle = f"search_text_normal({term})"
    found = [f"position({needle} in r.record_id::text) > 0"] if by_id else []
    if keys:
        chosen = statement.add(keys, "text[]")
        found.append(
            f"exists (select from jsonb_each_text(r.custom_fields) f where f.key = any({chosen})"
            f" and not f.value ^@ 'bse1:' and position({needle} in search_text_normal(f.value)) > 0)"
        )
    condition = f"({' or '.join(found)})"
    if not keys or by_id or statement.made or not reading.tokens:
        return condition, None
    key = statement.add(reading.search_key, "bytea")
    grams = f"search_needle({term}, {key})"
    everything = "select e.entity_id from entity_index e where e.tenant_id = $1 and e.entity_type = $2"
    short = f"cardinality({grams}) = 0"
    return condition, f"select search_ids($1, $2, {grams}) union all {everything} and {short}"
