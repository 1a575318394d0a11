"""Reads of dictionaries and their entries: documents of the index, passed through as they are."""

import unicodedata
from collections.abc import AsyncIterator, Sequence
from functools import cache
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from domain.errors import Problem
from domain.scope import Scope
from projections.index import made_documents
from queries.custom_filters import arguments, conditions
from queries.custom_values import ValueFilter
from queries.index_reading import IndexReading, gap_of, rows_of
from queries.places import Places

_DEEP = 500
"""Rows to skip beyond which it pays to skip them in the index alone."""

ENTRY_SORTS = {
    "position": ("e.position", "e.name_lc", "e.entity_id"),
    "label": ("e.name_lc", "e.entity_id"),
    "createdAt": ("e.created_at", "e.entity_id"),
}
"""Sort fields of an entry list, each with the index keys that it orders by."""

_TYPES = {
    "e.position": "bigint",
    "e.name_lc": 'text collate "C"',
    "e.created_at": "timestamptz",
    "e.entity_id": "uuid",
}

_places = Places()

# The organizations whose dictionaries a caller may read: $2 (none given: all) and everything above them.
_READABLE = """
  readable as materialized (
    select o.id from organizations o where o.tenant_id = $1 and o.deleted_at is null and ($2::uuid[] is null
       or o.id = any($2::uuid[])
       or o.id in (select unnest(c.ancestor_ids) from organizations c
                    where c.tenant_id = $1 and c.id = any($2::uuid[]) and c.deleted_at is null)))
"""

# The document with the flag that depends on who reads it.
_INHERITED = (
    "left(e.doc, -1) || ',\"isInherited\":' ||"
    " case when $3::uuid is not null and e.organization_id <> $3::uuid then 'true}' else 'false}' end"
)

DICTIONARY = "dictionaries:dictionary"
ENTRY = "dictionaries:entry"


def _documents(entity_type: str, made: bool) -> str:
    return f"{made_documents(entity_type) if made else 'entity_index'} e"


@cache
def _list_sql(made: bool) -> str:
    return f"""
with {_READABLE}
select coalesce(string_agg({_INHERITED}, ','
                           order by e.name_lc, e.organization_id is distinct from $3::uuid, e.entity_id), '') as items,
       {gap_of(f"'{DICTIONARY}'")} as gap
  from {_documents(DICTIONARY, made)}
 where e.tenant_id = $1 and e.entity_type = '{DICTIONARY}' and e.deleted_at is null
   and e.organization_id in (select id from readable)
   and ($4 or exists (select from dictionaries d where d.tenant_id = $1 and d.id = e.entity_id and d.is_active))
"""


@cache
def _detail_sql(made: bool) -> str:
    return f"""
with {_READABLE}
select (select {_INHERITED} from {_documents(DICTIONARY, made)}
         where e.tenant_id = $1 and e.entity_type = '{DICTIONARY}' and e.entity_id = $4 and e.deleted_at is null
           and e.organization_id in (select id from readable)) as item,
       {gap_of(f"'{DICTIONARY}'")} as gap
"""


_FOUND = f"""
with {_READABLE}
select d.key from dictionaries d
 where d.tenant_id = $1 and d.id = $3 and d.deleted_at is null and d.organization_id in (select id from readable)
"""


class EntryQuery(Struct, frozen=True):
    """What part of a dictionary's entries is asked for, and in which order."""

    search: str = ""
    ids: tuple[UUID, ...] | None = None
    sort: str = "position"
    descending: bool = False
    limit: int | None = None
    offset: int = 0
    custom: tuple[ValueFilter, ...] = ()

    @property
    def filtered(self) -> bool:
        """Whether the counter of the dictionary is not the total."""
        return bool(self.search or self.custom) or self.ids is not None


class EntryPage(Struct, frozen=True):
    """Entries as JSON texts joined by commas, and how many there are in all."""

    items: str
    total: int
    gap: bool = False
    """Whether some entries have no document."""


class DictionaryList(Struct, frozen=True):
    """Dictionaries as JSON texts joined by commas."""

    items: str
    gap: bool = False
    """Whether some dictionaries have no document."""


def reading_organization(scope: Scope) -> UUID | None:
    """The organization that inheritance is told from: the selected one, else the caller's own."""
    return scope.selected_organization_id or scope.home_organization_id


def candidates(scope: Scope) -> list[UUID] | None:
    """Organizations that a caller sees directly (dictionaries.md 1.1); None when nothing narrows them."""
    found = {
        reading_organization(scope),
        scope.home_organization_id,
        *(scope.filter_ids or ()),
        *(scope.allowed_ids or ()),
    }
    found.discard(None)
    return sorted(found, key=str) or None


async def list_dictionaries(
    connection: asyncpg.Connection, scope: Scope, include_inactive: bool, reading: IndexReading
) -> DictionaryList:
    """Readable dictionaries by name, the caller's own before an inherited one of the same name."""
    place = (scope.tenant_id, candidates(scope), reading_organization(scope))
    rows, gap = await rows_of(connection, reading, _list_sql, *place, include_inactive)
    return DictionaryList(rows[0]["items"], gap)


async def dictionary(connection: asyncpg.Connection, scope: Scope, id: UUID, reading: IndexReading) -> str:
    """One readable dictionary as JSON text. Raises Problem 404."""
    place = (scope.tenant_id, candidates(scope), reading_organization(scope))
    rows, _ = await rows_of(connection, reading, _detail_sql, *place, id)
    if rows[0]["item"] is None:
        raise Problem.not_found("Dictionary not found")
    return str(rows[0]["item"])


async def entries(
    connection: asyncpg.Connection, scope: Scope, id: UUID, query: EntryQuery, reading: IndexReading
) -> EntryPage:
    """A page of a readable dictionary's entries in one statement. Raises Problem 404."""
    if query.offset > _DEEP and query.limit is not None and not query.filtered:
        page = await _deep_entries(connection, scope, id, query)
        if not page.gap or reading.forced:
            return page

    def sql(made: bool) -> str:
        return _entries_sql(
            query.sort,
            query.descending,
            query.ids is not None,
            bool(query.search),
            reading.tokens and not made and _letters(query.search) >= 3,
            query.offset > _DEEP,
            len(query.custom),
            made,
        )

    rows, gap = await rows_of(
        connection,
        reading,
        sql,
        scope.tenant_id,
        candidates(scope),
        id,
        query.limit,
        query.offset,
        list(query.ids or ()),
        query.search,
        reading.search_key,
        *arguments(query.custom),
    )
    if not rows:
        raise Problem.not_found("Dictionary not found")
    return EntryPage(rows[0]["items"] or "", rows[0]["total"] or 0, gap)


async def _deep_entries(
    connection: asyncpg.Connection, scope: Scope, id: UUID, query: EntryQuery
) -> EntryPage:
    """A page far down: from the last known place before it, if the tenant's history stands still since."""
    key = (scope.tenant_id, id, query.sort, query.descending)
    known = _places.before(key, query.offset)
    keys = known.keys if known is not None else (None,) * len(ENTRY_SORTS[query.sort])
    row = await connection.fetchrow(
        _deep_sql(query.sort, query.descending),
        scope.tenant_id,
        candidates(scope),
        id,
        query.limit,
        query.offset,
        None if known is None else known.seq,
        0 if known is None else query.offset - known.offset,
        *keys,
    )
    if row is None:
        raise Problem.not_found("Dictionary not found")
    if row["n"] and not row["gap"]:
        ends = [(query.offset, row["first"]), (query.offset + row["n"] - 1, row["last"])]
        _places.keep(key, row["seq"], ends)
    return EntryPage(row["items"] or "", row["total"] or 0, row["gap"])


async def entry_batches(
    connection: asyncpg.Connection,
    scope: Scope,
    id: UUID,
    query: EntryQuery,
    reading: IndexReading,
    size: int,
) -> AsyncIterator[Sequence[dict[str, Any]]]:
    """All entries that the query asks for, decoded, `size` at a time: for exports."""
    offset = 0
    while True:
        page = await entries(
            connection, scope, id, msgspec.structs.replace(query, limit=size, offset=offset), reading
        )
        batch = msgspec.json.decode(f"[{page.items}]", type=list[dict[str, Any]])
        if batch:
            yield batch
        if len(batch) < size:
            return
        offset += size


async def dictionary_key(connection: asyncpg.Connection, scope: Scope, id: UUID) -> str:
    """The key of a readable dictionary. Raises Problem 404."""
    key = await connection.fetchval(_FOUND, scope.tenant_id, candidates(scope), id)
    if key is None:
        raise Problem.not_found("Dictionary not found")
    return str(key)


def _letters(text: str) -> int:
    """How long a text is in the form that search compares: `search_text_normal` drops the accents."""
    return sum(not "\u0300" <= letter <= "\u036f" for letter in unicodedata.normalize("NFKD", text))


@cache
def _entries_sql(
    sort: str,
    descending: bool,
    by_ids: bool,
    searched: bool,
    grams: bool,
    deep: bool,
    filters: int,
    made: bool,
) -> str:
    """A deep page is found by its keys alone, then its documents are joined: what is skipped is never read.

    The first eight parameters are always the same, so that every variant is called alike.
    """
    source = _documents(ENTRY, made)
    direction = " desc" if descending else ""
    order = ", ".join(column + direction for column in ENTRY_SORTS[sort])
    narrowed = " and e.entity_id = any($6::uuid[])" if by_ids else " and $6::uuid[] is not null"
    if searched:
        narrowed += (
            " and case when length(search_text_normal($7::text)) < 3 then e.name_lc ^@ lower($7::text) else"
            " position(search_text_normal($7::text) in"
            " search_text_normal(concat_ws(' ', e.doc::json->>'label', e.doc::json->>'value'))) > 0 end"
            " and $8::bytea is not null"
        )
        if grams:
            narrowed += (
                " and e.entity_id in (select search_ids($1, 'dictionaries:entry', search_needle($7, $8)))"
            )
    else:
        narrowed += " and $7::text is not null and $8::bytea is not null"
    values = (
        "(select t.custom_fields from dictionary_entries t where t.tenant_id = $1 and t.id = e.entity_id)"
    )
    narrowed += conditions(filters, "e", "e.entity_id", ENTRY, 9, values if made else None)
    scope = (
        f"from {source} where e.tenant_id = $1 and e.entity_type = 'dictionaries:entry' and e.parent_id = $3"
        " and e.deleted_at is null"
    )
    total = (
        f"(select count(*) {scope}{narrowed})"
        if by_ids or searched or filters or made
        else "(select coalesce(sum(c.n), 0)::bigint from entity_counters c where c.tenant_id = $1"
        " and c.entity_type = 'dictionaries:entry' and c.organization_id = d.organization_id and c.parent_id = $3)"
    )
    columns = "e.entity_id" if deep else f"e.doc, {', '.join(ENTRY_SORTS[sort])}"
    documents = (
        f"page join {source}"
        " on e.tenant_id = $1 and e.entity_type = 'dictionaries:entry' and e.entity_id = page.entity_id"
        if deep
        else "page e"
    )
    return f"""
with {_READABLE},
  d as (select id, organization_id from dictionaries where tenant_id = $1 and id = $3 and deleted_at is null
         and organization_id in (select id from readable)),
  page as materialized (select {columns} {scope}{narrowed} order by {order} limit $4 offset $5)
select (select string_agg(e.doc, ',' order by {order}) from {documents}) as items, {total} as total,
       {gap_of(f"'{ENTRY}'")} as gap
  from d
"""


@cache
def _deep_sql(sort: str, descending: bool) -> str:
    """The page from a known place ($6 its `seq`, $7 the rows from it to the page, $8… its keys), else by skipping."""
    columns = ENTRY_SORTS[sort]
    order = ", ".join(column + (" desc" if descending else "") for column in columns)
    backwards = ", ".join(column + ("" if descending else " desc") for column in columns)
    place = ", ".join(f"${n}::text::{_TYPES[column]}" for n, column in enumerate(columns, 8))
    scope = (
        f"select e.entity_id, {', '.join(columns[:-1])} from entity_index e where e.tenant_id = $1"
        " and e.entity_type = 'dictionaries:entry' and e.parent_id = $3 and e.deleted_at is null"
    )
    keys = f"array[{', '.join(f'{column}::text' for column in columns)}]"
    return f"""
with {_READABLE},
  d as (select id, organization_id from dictionaries where tenant_id = $1 and id = $3 and deleted_at is null
         and organization_id in (select id from readable)),
  now as materialized (
    select coalesce((select a.seq from action_logs a where a.tenant_id = $1 order by a.seq desc limit 1), 0) as seq),
  page as materialized (
    (select * from ({scope} and (select seq from now) = $6::bigint
        and ({", ".join(columns)}) {"<=" if descending else ">="} ({place}) order by {order} limit $4 offset $7) e)
    union all
    (select * from ({scope} and (select seq from now) is distinct from $6::bigint
        order by {order} limit $4 offset $5) e))
select (select seq from now) as seq, (select count(*) from page) as n,
       (select {keys} from page e order by {order} limit 1) as first,
       (select {keys} from page e order by {backwards} limit 1) as last,
       (select string_agg(i.doc, ',' order by {order}) from page e join entity_index i
          on i.tenant_id = $1 and i.entity_type = 'dictionaries:entry' and i.entity_id = e.entity_id) as items,
       (select coalesce(sum(c.n), 0)::bigint from entity_counters c where c.tenant_id = $1
           and c.entity_type = 'dictionaries:entry' and c.organization_id = d.organization_id and c.parent_id = $3)
         as total,
       {gap_of(f"'{ENTRY}'")} as gap
  from d
"""
