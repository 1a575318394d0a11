"""The query index: documents refreshed in the transaction of the command that touched them.

Each entity type has ONE select. Restricted to touched ids it is part of the statement that closes a command; over
all ids, in batches, it is the rebuild. So index = rebuild by construction.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import count
from typing import Any, Literal, Protocol
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.resources import resource_of
from projections.values import values_changed, values_sql

NOBODY = "00000000-0000-0000-0000-000000000000"


class EntityProjection(Struct, frozen=True):
    """How the documents of one entity type are made.

    `select` is over the root table as `t` and yields: id, organization_id, parent_id, doc (text, wire form),
    position (bigint), name_lc, created_at, updated_at, deleted_at, search (text): one row for each row of the table,
    without a WHERE clause. `search_columns` are the columns whose change makes new search tokens; `counted_columns`
    those that say whether and where a document is counted (what organization_id, parent_id and deleted_at are made
    of). A changed `version` makes documents stale.

    A table whose rows are of many entity types names the column that tells which (`type_column`; it never changes in a
    row); `entity_type` then only names the projection. Where the table has a column `custom_fields`, its values are
    indexed one by one (projections/values.py).
    """

    entity_type: str
    table: str
    select: str
    search_columns: frozenset[str]
    counted_columns: frozenset[str] = frozenset({"organization_id", "deleted_at"})
    version: int = 1
    type_column: str | None = None

    @property
    def has_values(self) -> bool:
        """Whether the records have custom values."""
        return "custom_fields" in resource_of(self.table).columns

    @property
    def of_type(self) -> str:
        """SQL condition over the root table `t`: that a row is of the entity type `$2`."""
        return f"t.{self.type_column} = $2" if self.type_column else "$2::text is not null"


_projections: dict[str, EntityProjection] = {}


def project(projection: EntityProjection) -> EntityProjection:
    """Declare the projection of an entity type."""
    _projections[projection.entity_type] = projection
    return projection


def projections() -> list[EntityProjection]:
    """All declared projections."""
    return list(_projections.values())


def projection_of(entity_type: str) -> EntityProjection | None:
    """The projection of this name, if it is declared."""
    return _projections.get(entity_type)


def projection_for(entity_type: str) -> EntityProjection | None:
    """The projection that makes the documents of an entity type: its own, else the one of a table of many types."""
    own = _projections.get(entity_type)
    many = (one for one in _projections.values() if one.type_column is not None)
    return next(many, None) if own is None or own.type_column is not None else own


class RowChange(Protocol):
    """What the index must know of a changed row (commands.unit.Change has it)."""

    t: str
    o: Any
    k: Any
    b: Any
    a: Any
    u: Any
    r: Any


class Touched(Struct, frozen=True):
    """SQL of the parameters of a refresh: ids to refresh, ids whose search text changed (none: empty), the search key,
    the tenant, and the entity type.

    `counted`, `gone` and `valued` False leave out the counters, the removal of documents and the custom values, where
    the changes cannot matter to them. `sparing` leaves alone what is the same already.
    """

    ids: str
    texts: str
    key: str
    tenant: str
    kind: str
    counted: bool = True
    gone: bool = True
    valued: bool = True
    sparing: bool = False


@cache
def refresh_sql(name: str, suffix: str, touched: Touched) -> str:
    """The common table expressions (`suffix` ends their names) that bring documents of the projection up to date."""
    p = _projections[name]
    ids, tenant = touched.ids, touched.tenant
    of_type = f"e.tenant_id = {tenant} and e.entity_type = {touched.kind} and e.entity_id = any({ids})"
    vanished = f"{of_type} and not exists (select from d_{suffix} d where d.id = e.entity_id)"
    fresh = f"select * from ({p.select} where t.tenant_id = {tenant} and t.id = any({ids})) d"
    parts = [f"d_{suffix} as materialized ({fresh})", _document_sql(p, suffix, touched)]
    if touched.texts:
        parts.append(_search_sql(suffix, touched))
    if touched.valued and p.has_values:
        parts.append(values_sql(p.table, suffix, ids, tenant, touched.kind))
    if touched.gone:
        removed = f"delete from entity_index e where {vanished} returning e.organization_id, e.parent_id"
        parts.append(f"g_{suffix} as ({removed}, e.deleted_at is null as was)")
        parts.append(f"x_{suffix} as (delete from entity_search e where {vanished})")
    if touched.counted:
        parts.append(_count_sql(suffix, touched))
    return ", ".join(parts)


_KEPT = "organization_id, parent_id, doc, position, name_lc, created_at, updated_at, deleted_at, projection_version"
_DIFFERENT = (
    f" where ({', '.join(f'e.{column}' for column in _KEPT.split(', '))})"
    f" is distinct from ({', '.join(f'excluded.{column}' for column in _KEPT.split(', '))})"
)


def _document_sql(p: EntityProjection, name: str, touched: Touched) -> str:
    """The expression that writes the documents, and tells where each was counted and is to be."""
    return (
        f"p_{name} as (insert into entity_index as e (tenant_id, entity_type, entity_id, organization_id, parent_id,"
        f" doc, position, name_lc, created_at, updated_at, deleted_at, projection_version)"
        f" select {touched.tenant}, {touched.kind}, d.id, d.organization_id, d.parent_id, d.doc, d.position,"
        f' d.name_lc collate "C", d.created_at, d.updated_at, d.deleted_at, {p.version} from d_{name} d'
        f" on conflict (tenant_id, entity_type, entity_id) do update set organization_id = excluded.organization_id,"
        f" parent_id = excluded.parent_id, doc = excluded.doc, position = excluded.position,"
        f" name_lc = excluded.name_lc, created_at = excluded.created_at, updated_at = excluded.updated_at,"
        f" deleted_at = excluded.deleted_at, projection_version = excluded.projection_version"
        f"{_DIFFERENT if touched.sparing else ''}"
        f" returning old.entity_id is not null and old.deleted_at is null as was, old.organization_id as old_org,"
        f" old.parent_id as old_parent, new.deleted_at is null as now, new.organization_id as new_org,"
        f" new.parent_id as new_parent)"
    )


def _search_sql(name: str, touched: Touched) -> str:
    """The expression that writes the search tokens of the documents, or of those among them whose text changed."""
    some = touched.texts != touched.ids
    narrowed = f" where d.id in (select unnest({touched.texts}))" if some else ""
    return (
        f"s_{name} as (insert into entity_search as s (tenant_id, entity_type, entity_id, grams)"
        f" select {touched.tenant}, {touched.kind}, d.id, search_grams(d.search, {touched.key})"
        f" from d_{name} d{narrowed}"
        f" on conflict (tenant_id, entity_type, entity_id) do update set grams = excluded.grams"
        f" where s.grams <> excluded.grams)"
    )


def _count_sql(name: str, touched: Touched) -> str:
    """The expression that adds to the counters what the documents of `refresh_sql` are more or less than before."""
    removed = (
        f" union all select organization_id, parent_id, -1 from g_{name} where was" if touched.gone else ""
    )
    return (
        f"c_{name} as (insert into entity_counters as c (tenant_id, entity_type, organization_id, parent_id, n)"
        f" select {touched.tenant}, {touched.kind}, coalesce(v.org, '{NOBODY}'), coalesce(v.parent, '{NOBODY}'),"
        f" sum(v.n)"
        f" from (select new_org as org, new_parent as parent, 1 as n from p_{name} where now"
        f" union all select old_org, old_parent, -1 from p_{name} where was{removed}) v"
        f" group by 3, 4 having sum(v.n) <> 0"
        f" on conflict (tenant_id, entity_type, organization_id, parent_id) do update set n = c.n + excluded.n)"
    )


def made_documents(name: str, tenant: str = "$1", kind: str = "") -> str:
    """A FROM item in the place of `entity_index`: the documents of a tenant as its tables make them at this moment.

    `kind` is the SQL of the entity type, for a projection that has many.
    """
    p = _projections[name]
    of_type = f" and t.{p.type_column} = {kind}" if p.type_column else ""
    named = kind or f"'{name}'"
    return (
        f"(select {tenant}::uuid as tenant_id, {named}::text as entity_type, d.id as entity_id,"
        ' d.organization_id, d.parent_id, d.doc, d.position, d.name_lc collate "C" as name_lc, d.created_at,'
        f" d.updated_at, d.deleted_at from ({p.select} where t.tenant_id = {tenant}{of_type}) d)"
    )


Searched = Literal["none", "some", "all"]


class Stale(Struct):
    """What a command made stale of one entity type: documents by id, and among them those with new search tokens.

    `counted`: counters may have changed; `gone`: records may have; `valued`: custom values may have.
    """

    ids: dict[str, None] = msgspec.field(default_factory=dict)
    texts: dict[str, None] = msgspec.field(default_factory=dict)
    counted: bool = False
    gone: bool = False
    valued: bool = False

    @property
    def searched(self) -> Searched:
        """How many of the documents get new search tokens."""
        return "none" if not self.texts else "all" if len(self.texts) == len(self.ids) else "some"

    def lists(self) -> list[list[str]]:
        """The ids, and apart from them those with new search tokens where these are not all."""
        return [list(self.ids), list(self.texts)] if self.searched == "some" else [list(self.ids)]

    def note(self, id: str, projection: EntityProjection, change: RowChange, *, is_root: bool) -> None:
        """Take in one changed row of the record `id`."""
        self.ids[id] = None
        updated = change.a or () if change.o == "u" and is_root else None
        if updated is None or not projection.search_columns.isdisjoint(updated):
            self.texts[id] = None
        if updated is None or not projection.counted_columns.isdisjoint(updated):
            self.counted = True
        if change.o == "d" and is_root:
            self.gone = True
        if projection.has_values and is_root and values_changed(change):
            self.valued = True


Part = tuple[str, bool, Searched, bool, bool, bool]
"""The shape of the refresh of one entity type: the projection's name, whether the type is a parameter, how many of its
documents get new search tokens, and whether counters, removals and custom values are in it."""

Kind = tuple[str, str | None]
"""The name of a projection, and of one that has many entity types, the one that is meant."""


class Refresh:
    """What one command's changes make stale; joins the statement that closes the command."""

    def __init__(self, stale: Mapping[Kind, Stale], search_key: bytes) -> None:
        self.key: tuple[Part, ...] = tuple(
            (name, kind is not None, one.searched, one.counted, one.gone, one.valued)
            for (name, kind), one in stale.items()
        )
        self._stale = stale
        self._search_key = search_key

    def sql(self, first: int) -> str:
        """The expressions, their parameters numbered from `first`."""
        return _closing_part(self.key, first)

    def args(self) -> Sequence[str | bytes | list[str]]:
        """The arguments in the order of `sql`: the lists of each type, then the search key if any has new texts."""
        found: list[str | bytes | list[str]] = []
        for (_, kind), one in self._stale.items():
            found += one.lists() if kind is None else [*one.lists(), kind]
        return [*found, self._search_key] if any(one.texts for one in self._stale.values()) else found


@cache
def _closing_part(parts: tuple[Part, ...], first: int) -> str:
    places = count(first)
    lists: list[tuple[str, str, str]] = []
    for name, many, searched, *_ in parts:
        ids = f"${next(places)}::uuid[]"
        texts = ids if searched == "all" else f"${next(places)}::uuid[]" if searched == "some" else ""
        lists.append((ids, texts, f"${next(places)}::text" if many else f"'{name}'"))
    key = f"${next(places)}::bytea"
    return ", ".join(
        refresh_sql(
            name, str(n), Touched(ids, texts, key, "(select tenant_id from l)", kind, counted, gone, valued)
        )
        for n, ((name, _, _, counted, gone, valued), (ids, texts, kind)) in enumerate(
            zip(parts, lists, strict=True)
        )
    )


class IndexProjector:
    """Tells the bus which documents a command touched. `search_key` gives a tenant's key for search tokens."""

    def __init__(self, search_key: Callable[[UUID], bytes]) -> None:
        self._search_key = search_key

    def plan(self, tenant_id: UUID, changes: Sequence[RowChange]) -> Refresh | None:
        """What to refresh; None when no touched table is projected."""
        found: dict[Kind, Stale] = {}
        for change in changes:
            resource = resource_of(change.t)
            root = resource_of(resource.root) if resource.root else resource
            projection = _projections.get(root.entity_type or "")
            if projection is None:
                continue
            id = change.r if resource.root else bytes(change.k["id"])[1:-1].decode()
            kind = (projection.entity_type, _type_in(change, projection.type_column))
            stale = found.get(kind)
            if stale is None:
                stale = found[kind] = Stale()
            stale.note(id, projection, change, is_root=not resource.root)
        return Refresh(dict(sorted(found.items(), key=str)), self._search_key(tenant_id)) if found else None


def _type_in(change: RowChange, column: str | None) -> str | None:
    """The entity type that a changed row tells; None where the table has only one."""
    if column is None:
        return None
    image = change.u if change.o == "u" else change.a or change.b
    return msgspec.json.decode(image[column], type=str)


@cache
def wire_object(**fields: str) -> str:
    """SQL of a compact JSON object in the given key order, from SQL expressions of its values, as text."""
    columns = ", ".join(f'{sql} as "{name}"' for name, sql in fields.items())
    return f"(select row_to_json(w)::text from (select {columns}) w)"
