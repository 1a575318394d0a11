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

NOBODY = "00000000-0000-0000-0000-000000000000"


class EntityProjection(Struct, frozen=True):
    """How the documents of one entity type are made.

    `select` is over the root table as `t` and yields: id, organization_id, parent_id, doc (text, wire form),
    position (bigint), name_lc, created_at, updated_at, deleted_at, search (text): one row for each row of the table,
    without a WHERE clause. `search_columns` are the columns whose change makes new search tokens; `counted_columns`
    those that say whether and where a document is counted (what organization_id, parent_id and deleted_at are made
    of). A changed `version` makes documents stale.
    """

    entity_type: str
    table: str
    select: str
    search_columns: frozenset[str]
    counted_columns: frozenset[str] = frozenset({"organization_id", "deleted_at"})
    version: int = 1


_projections: dict[str, EntityProjection] = {}


def project(projection: EntityProjection) -> EntityProjection:
    """Declare the projection of an entity type."""
    _projections[projection.entity_type] = projection
    return projection


def projections() -> list[EntityProjection]:
    """All declared projections."""
    return list(_projections.values())


def projection_of(entity_type: str) -> EntityProjection | None:
    """The projection of an entity type, if it is declared."""
    return _projections.get(entity_type)


class RowChange(Protocol):
    """What the index must know of a changed row (commands.unit.Change has it)."""

    t: str
    o: Any
    k: Any
    a: Any
    r: Any


@cache
def refresh_sql(
    entity_type: str,
    name: str,
    ids: str,
    texts: str,
    key: str,
    tenant: str,
    *,
    counted: bool = True,
    gone: bool = True,
) -> str:
    """The common table expressions that bring the documents of `ids` up to date.

    `name` is a suffix for the expressions; the others are SQL of parameters: ids to refresh, ids whose search text
    changed (none: empty), the search key, and the tenant. `counted` and `gone` False leave out the counters and the
    removal of documents, where the changes cannot matter to them.
    """
    p = _projections[entity_type]
    of_type = f"e.tenant_id = {tenant} and e.entity_type = '{p.entity_type}' and e.entity_id = any({ids})"
    vanished = f"{of_type} and not exists (select from d_{name} d where d.id = e.entity_id)"
    fresh = f"select * from ({p.select} where t.tenant_id = {tenant} and t.id = any({ids})) d"
    parts = [f"d_{name} as materialized ({fresh})", _document_sql(p, name, tenant)]
    if texts:
        parts.append(_search_sql(p, name, "" if texts == ids else texts, key, tenant))
    if gone:
        removed = f"delete from entity_index e where {vanished} returning e.organization_id, e.parent_id"
        parts.append(f"g_{name} as ({removed}, e.deleted_at is null as was)")
        parts.append(f"x_{name} as (delete from entity_search e where {vanished})")
    if counted:
        parts.append(_count_sql(p.entity_type, name, tenant, gone))
    return ", ".join(parts)


def _document_sql(p: EntityProjection, name: str, tenant: str) -> str:
    """The expression that writes the documents, and tells where each was counted and is to be."""
    return (
        f"p_{name} as (insert into entity_index as e (tenant_id, entity_type, entity_id, organization_id, parent_id,"
        f" doc, position, name_lc, created_at, updated_at, deleted_at, projection_version)"
        f" select {tenant}, '{p.entity_type}', d.id, d.organization_id, d.parent_id, d.doc, d.position,"
        f' d.name_lc collate "C", d.created_at, d.updated_at, d.deleted_at, {p.version} from d_{name} d'
        f" on conflict (tenant_id, entity_type, entity_id) do update set organization_id = excluded.organization_id,"
        f" parent_id = excluded.parent_id, doc = excluded.doc, position = excluded.position,"
        f" name_lc = excluded.name_lc, created_at = excluded.created_at, updated_at = excluded.updated_at,"
        f" deleted_at = excluded.deleted_at, projection_version = excluded.projection_version"
        f" returning old.entity_id is not null and old.deleted_at is null as was, old.organization_id as old_org,"
        f" old.parent_id as old_parent, new.deleted_at is null as now, new.organization_id as new_org,"
        f" new.parent_id as new_parent)"
    )


def _search_sql(p: EntityProjection, name: str, some: str, key: str, tenant: str) -> str:
    """The expression that writes the search tokens of the documents, or of those among them that `some` names."""
    narrowed = f" where d.id in (select unnest({some}))" if some else ""
    return (
        f"s_{name} as (insert into entity_search as s (tenant_id, entity_type, entity_id, grams)"
        f" select {tenant}, '{p.entity_type}', d.id, search_grams(d.search, {key}) from d_{name} d{narrowed}"
        f" on conflict (tenant_id, entity_type, entity_id) do update set grams = excluded.grams"
        f" where s.grams <> excluded.grams)"
    )


def _count_sql(entity_type: str, name: str, tenant: str, gone: bool) -> str:
    """The expression that adds to the counters what the documents of `refresh_sql` are more or less than before."""
    removed = f" union all select organization_id, parent_id, -1 from g_{name} where was" if gone else ""
    return (
        f"c_{name} as (insert into entity_counters as c (tenant_id, entity_type, organization_id, parent_id, n)"
        f" select {tenant}, '{entity_type}', coalesce(v.org, '{NOBODY}'), coalesce(v.parent, '{NOBODY}'), sum(v.n)"
        f" from (select new_org as org, new_parent as parent, 1 as n from p_{name} where now"
        f" union all select old_org, old_parent, -1 from p_{name} where was{removed}) v"
        f" group by 3, 4 having sum(v.n) <> 0"
        f" on conflict (tenant_id, entity_type, organization_id, parent_id) do update set n = c.n + excluded.n)"
    )


Searched = Literal["none", "some", "all"]


class Stale(Struct):
    """What a command made stale of one entity type: documents by id, and among them those with new search tokens.

    `counted`: counters may have changed; `gone`: records may have.
    """

    ids: dict[str, None] = msgspec.field(default_factory=dict)
    texts: dict[str, None] = msgspec.field(default_factory=dict)
    counted: bool = False
    gone: bool = False

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


Part = tuple[str, Searched, bool, bool]
"""The shape of the refresh of one entity type: its name, how many of its documents get new search tokens, and whether
counters and removals are in it."""


class Refresh:
    """What one command's changes make stale; joins the statement that closes the command."""

    def __init__(self, stale: Mapping[str, Stale], search_key: bytes) -> None:
        self.key: tuple[Part, ...] = tuple(
            (name, one.searched, one.counted, one.gone) for name, one in stale.items()
        )
        self._stale = stale
        self._search_key = search_key

    def sql(self, first: int) -> str:
        """The expressions, their parameters numbered from `first`."""
        return _closing_part(self.key, first)

    def args(self) -> Sequence[bytes | list[str]]:
        """The arguments in the order of `sql`: the lists of each type, then the search key if any has new texts."""
        lists = [ids for one in self._stale.values() for ids in one.lists()]
        return [*lists, self._search_key] if any(one.texts for one in self._stale.values()) else lists


@cache
def _closing_part(parts: tuple[Part, ...], first: int) -> str:
    places = count(first)
    lists: list[tuple[str, str]] = []
    for _, searched, _, _ in parts:
        ids = f"${next(places)}::uuid[]"
        texts = ids if searched == "all" else f"${next(places)}::uuid[]" if searched == "some" else ""
        lists.append((ids, texts))
    key = f"${next(places)}::bytea"
    return ", ".join(
        refresh_sql(
            entity_type, str(n), ids, texts, key, "(select tenant_id from l)", counted=counted, gone=gone
        )
        for n, ((entity_type, _, counted, gone), (ids, texts)) in enumerate(zip(parts, lists, strict=True))
    )


class IndexProjector:
    """Tells the bus which documents a command touched. `search_key` gives a tenant's key for search tokens."""

    def __init__(self, search_key: Callable[[UUID], bytes]) -> None:
        self._search_key = search_key

    def plan(self, tenant_id: UUID, changes: Sequence[RowChange]) -> Refresh | None:
        """What to refresh; None when no touched table is projected."""
        found: dict[str, Stale] = {}
        for change in changes:
            resource = resource_of(change.t)
            root = resource_of(resource.root) if resource.root else resource
            projection = _projections.get(root.entity_type or "")
            if projection is None:
                continue
            id = change.r if resource.root else bytes(change.k["id"])[1:-1].decode()
            stale = found.get(projection.entity_type)
            if stale is None:
                stale = found[projection.entity_type] = Stale()
            stale.note(id, projection, change, is_root=not resource.root)
        return Refresh(dict(sorted(found.items())), self._search_key(tenant_id)) if found else None


@cache
def wire_object(**fields: str) -> str:
    """SQL of a compact JSON object in the given key order, from SQL expressions of its values, as text."""
    columns = ", ".join(f'{sql} as "{name}"' for name, sql in fields.items())
    return f"(select row_to_json(w)::text from (select {columns}) w)"
