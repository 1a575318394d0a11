"""What a relation field may choose: the rows of one entity as value and label (contract: entities.md 5.1).

Only the columns that the registry of code entities names are ever read, and only fields that are defined of a custom
one (weak spot W2). Labels that are sealed where they are stored can be searched and sorted only once they are opened:
then the first rows by id are looked at, 5,000 or OM_ENCRYPTED_SORT_MAX_ROWS (command-bus.md 10.5).
"""

import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import cache
from typing import Any, Final
from unicodedata import combining, normalize
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from domain.custom_fields import FieldDefinition, active_definitions
from domain.encryption.tokens import MARKER, Reader, open_value
from domain.entities import RECORDS_VIEW, record_feature
from domain.entities.code import SHOWN, Shown
from domain.errors import Problem
from domain.scope import Scope
from queries.entities import may_see_records, organization_of

MOST: Final = 200
MOST_SEALED: Final = 5_000
"""How many rows with sealed labels are opened to find and sort the choices, where no other number is set."""
_ALL: Final = 2**31 - 1
_DIGITS: Final = re.compile(r"(\d+)")
LABELS: Final = ("name", "title", "code", "email")
CONTEXT: Final = frozenset({"kind", "entity_id", "product_id"})
"""Fields that pages may ask for beside a choice, to know where its link leads."""

_ENTITY = """
select e.label_field, e.access_restricted from custom_entities e
 where e.tenant_id = $1 and e.entity_id = $2 and (e.organization_id is null or e.organization_id = $3::uuid)
   and e.is_active and e.deleted_at is null
 order by e.organization_id is null limit 1
"""

_RECORDS = """
with chosen as (
  select r.record_id::text as value, coalesce(nullif(r.custom_fields ->> $4, ''), r.record_id::text) as label,
         r.custom_fields as context
    from entity_records r
   where r.tenant_id = $1 and r.entity_type = $2 and r.deleted_at is null
     and ($3::uuid[] is null or r.organization_id = any($3::uuid[]))
     and ($5::text[] is null or r.record_id::text = any($5::text[])))
select value, label, context::text as context from chosen
 where $6::text is null or position(lower($6::text) in lower(label)) > 0 or label ^@ 'bse1:'
 order by {order} limit $7
"""


Opening = Callable[[bytes], Awaitable[Reader | None]]
"""Gives what opens the sealed values in a text; None when nothing can."""


class Wanted(Struct, frozen=True):
    """Which choices are asked for."""

    entity_id: str
    label_field: str | None = None
    search: str | None = None
    ids: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    """Further fields of each row, of those that `CONTEXT` allows."""

    @property
    def limit(self) -> int:
        """How many choices at most."""
        return min(len(self.ids) or MOST, MOST)


class Choice(Struct, frozen=True):
    """One row to choose."""

    value: str
    label: str
    context: dict[str, Any]


class Capped(Struct, frozen=True, rename="camel"):
    """That not all sealed labels were opened: the choices are found and sorted among the first `max_rows` by id."""

    entity: str
    sort_fields: list[str]
    max_rows: int
    total_matched: int


class Choices(Struct, frozen=True):
    """The choices in their order."""

    items: list[Choice]
    capped: Capped | None = None


async def choices(
    connection: asyncpg.Connection,
    scope: Scope,
    wanted: Wanted,
    opening: Opening | None = None,
    most_sealed: int | None = None,
) -> Choices:
    """By label, then id; none for an entity that nobody knows. Raises Problem 403 for one that is closed.

    `opening` is for sealed labels, of which at most `most_sealed` are opened.
    """
    most = most_sealed or MOST_SEALED
    entity = await connection.fetchrow(_ENTITY, scope.tenant_id, wanted.entity_id, organization_of(scope))
    shown = SHOWN.get(wanted.entity_id)
    if shown is not None:
        if not scope.can(shown.feature):
            raise Problem.forbidden([shown.feature])
        preferred = (wanted.label_field, entity["label_field"] if entity is not None else None)
        label = next((one for one in preferred if one in shown.labels), shown.labels[0])
        rows: tuple[Any, ...] = (scope.tenant_id, _places(scope))
        search = _Search(connection, _rows_sql(shown, str(label)), rows, str(label), (), most)
        return await search.find(wanted, opening)
    if entity is None:
        return Choices([])
    if entity["access_restricted"] and not may_see_records(scope, wanted.entity_id):
        raise Problem.forbidden([record_feature(wanted.entity_id, "view")])
    if not entity["access_restricted"] and not scope.can(RECORDS_VIEW):
        raise Problem.forbidden([RECORDS_VIEW])
    fields = await active_definitions(connection, scope.tenant_id, wanted.entity_id, organization_of(scope))
    key = _label_key(fields, (wanted.label_field, entity["label_field"], *LABELS))
    context = sorted({field.key for field in fields} & CONTEXT.intersection(wanted.context))
    place = (scope.tenant_id, wanted.entity_id, _places(scope), key)
    return await _Search(connection, _RECORDS, place, key, tuple(context), most).find(wanted, opening)


def _places(scope: Scope) -> list[UUID] | None:
    return None if scope.filter_ids is None else list(scope.filter_ids)


def _label_key(fields: Sequence[FieldDefinition], candidates: Sequence[str | None]) -> str:
    """The first of the candidates that is a field; the id, which no field is called, where none is."""
    known = {field.key for field in fields}
    return next((one for one in candidates if one is not None and one in known), "id")


class _Search(Struct, frozen=True):
    """A statement over the rows of one entity: `place` are its first arguments, ids, text and limit the others."""

    connection: Any
    sql: str
    place: tuple[Any, ...]
    field: str
    """What the label is read from."""
    context: tuple[str, ...]
    most_sealed: int

    async def find(self, wanted: Wanted, opening: Opening | None) -> Choices:
        """The choices in order; when a label among them is sealed, many more rows are opened and sorted here."""
        rows = await self._rows(wanted, wanted.limit, "lower(label), value")
        if opening is None or not any(row.label.startswith(MARKER) for row in rows):
            return Choices(rows)
        more = await self._rows(wanted, self.most_sealed + 1, "value")
        capped = None
        if len(more) > self.most_sealed:
            del more[self.most_sealed :]
            capped = Capped(wanted.entity_id, [self.field], self.most_sealed, await self._total(wanted))
        read = await opening("\n".join(row.label for row in more).encode())
        if read is None:
            return Choices(rows)
        opened = [self._opened(row, read) for row in more]
        word = (wanted.search or "").lower()
        found = [row for row in opened if word in row.label.lower()]
        found.sort(
            key=lambda row: (
                (True, (), row.value) if row.label == row.value else (False, natural(row.label), row.value)
            )
        )
        return Choices(found[: wanted.limit], capped)

    def _opened(self, row: Choice, read: Reader) -> Choice:
        """With an erased label, it is shown as one without a label."""
        label = open_value(row.label, read)
        return Choice(row.value, row.value if label is None else str(label), row.context)

    async def _rows(self, wanted: Wanted, limit: int, order: str) -> list[Choice]:
        ids = list(wanted.ids) or None
        sql = self.sql.format(order=order)
        rows = await self.connection.fetch(sql, *self.place, ids, wanted.search, limit)
        return [Choice(row["value"], row["label"], _context(row["context"], self.context)) for row in rows]

    async def _total(self, wanted: Wanted) -> int:
        counted = f"select count(*) from ({self.sql.format(order='value')}) every"
        ids = list(wanted.ids) or None
        return int(await self.connection.fetchval(counted, *self.place, ids, wanted.search, _ALL))


def natural(text: str) -> tuple[tuple[bool, int, str], ...]:
    """A key to sort texts as people do: numbers in them by size, letters whatever their case and accents."""
    bare = "".join(letter for letter in normalize("NFKD", text) if not combining(letter)).casefold()
    return tuple(
        (False, len(number := part.lstrip("0")), number) if part.isdecimal() else (True, 0, part)
        for part in _DIGITS.split(bare)
        if part
    )


def _context(document: str, names: Collection[str]) -> dict[str, Any]:
    """The asked fields of a record that have a value; nothing is decoded when none is asked for."""
    if not names:
        return {}
    values = msgspec.json.decode(document, type=dict[str, Any])
    return {name: values[name] for name in sorted(names) if values.get(name) is not None}


@cache
def _rows_sql(shown: Shown, label: str) -> str:
    """The choices of a table; its name and columns come from the registry."""
    place = f"t.{shown.organization}" if shown.organization else "null::uuid"
    live = " and t.deleted_at is null" if shown.deletes else ""
    return f"""
with chosen as (
  select t.id::text as value, coalesce(nullif(t.{label}, ''), t.id::text) as label, '' as context
    from {shown.table} t
   where t.tenant_id = $1{live}
     and ($2::uuid[] is null or {place} is null or {place} = any($2::uuid[]))
     and ($3::text[] is null or t.id::text = any($3::text[]))
     and ($4::text is null or position(lower($4::text) in lower(coalesce(t.{label}, ''))) > 0
          or t.{label} ^@ 'bse1:'))
select value, label, context from chosen order by {{order}} limit $5
"""
