"""What a relation field may choose: the rows of one entity as value and label (contract: entities.md 5.1).

Only the columns that the registry of code entities names are ever read, and only fields that are defined of a custom
one (weak spot W2). Labels that are sealed where they are stored can be searched and sorted only once they are opened:
then the first 5,000 rows are looked at.
"""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, Final
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
"""How many rows with sealed labels are opened to find and sort the choices."""
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
 order by lower(label), value limit $7
"""


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


async def choices(
    connection: asyncpg.Connection, scope: Scope, wanted: Wanted, read: Reader | None = None
) -> list[Choice]:
    """By label, then id; none for an entity that nobody knows. Raises Problem 403 for one that is closed.

    `read` opens sealed labels.
    """
    entity = await connection.fetchrow(_ENTITY, scope.tenant_id, wanted.entity_id, organization_of(scope))
    shown = SHOWN.get(wanted.entity_id)
    if shown is not None:
        if not scope.can(shown.feature):
            raise Problem.forbidden([shown.feature])
        preferred = (wanted.label_field, entity["label_field"] if entity is not None else None)
        label = next((one for one in preferred if one in shown.labels), shown.labels[0])
        search = _Search(connection, _rows_sql(shown, str(label)), (scope.tenant_id, _places(scope)), ())
        return await search.find(wanted, read)
    if entity is None:
        return []
    if entity["access_restricted"] and not may_see_records(scope, wanted.entity_id):
        raise Problem.forbidden([record_feature(wanted.entity_id, "view")])
    if not entity["access_restricted"] and not scope.can(RECORDS_VIEW):
        raise Problem.forbidden([RECORDS_VIEW])
    fields = await active_definitions(connection, scope.tenant_id, wanted.entity_id, organization_of(scope))
    key = _label_key(fields, (wanted.label_field, entity["label_field"], *LABELS))
    context = sorted({field.key for field in fields} & CONTEXT.intersection(wanted.context))
    place = (scope.tenant_id, wanted.entity_id, _places(scope), key)
    return await _Search(connection, _RECORDS, place, tuple(context)).find(wanted, read)


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
    context: tuple[str, ...]

    async def find(self, wanted: Wanted, read: Reader | None) -> list[Choice]:
        """The choices in order; when a label among them is sealed, many more rows are opened and sorted here."""
        rows = await self._rows(wanted, wanted.limit)
        if read is not None and any(row.label.startswith(MARKER) for row in rows):
            opened = [self._opened(row, read) for row in await self._rows(wanted, MOST_SEALED)]
            word = (wanted.search or "").lower()
            found = [row for row in opened if word in row.label.lower()]
            rows = sorted(found, key=lambda row: (row.label.lower(), row.value))[: wanted.limit]
        return rows

    def _opened(self, row: Choice, read: Reader) -> Choice:
        return Choice(row.value, str(open_value(row.label, read)), row.context)

    async def _rows(self, wanted: Wanted, limit: int) -> list[Choice]:
        ids = list(wanted.ids) or None
        rows = await self.connection.fetch(self.sql, *self.place, ids, wanted.search, limit)
        return [Choice(row["value"], row["label"], _context(row["context"], self.context)) for row in rows]


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
select t.id::text as value, coalesce(nullif(t.{label}, ''), t.id::text) as label, '' as context
  from {shown.table} t
 where t.tenant_id = $1{live}
   and ($2::uuid[] is null or {place} is null or {place} = any($2::uuid[]))
   and ($3::text[] is null or t.id::text = any($3::text[]))
   and ($4::text is null or position(lower($4::text) in lower(coalesce(t.{label}, ''))) > 0
        or t.{label} ^@ 'bse1:')
 order by lower(coalesce(nullif(t.{label}, ''), t.id::text)), t.id limit $5
"""
