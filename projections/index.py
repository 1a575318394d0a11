"""The query index: documents refreshed in the transaction of the command that touched them.

Each entity type has ONE select. Restricted to touched ids it is part of the statement that closes a command; over
all ids, in batches, it is the rebuild. So index = rebuild by construction.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol
from uuid import UUID

from msgspec import Struct

from domain.resources import resource_of

NOBODY = "00000000-0000-0000-0000-000000000000"


class EntityProjection(Struct, frozen=True):
    """How the documents of one entity type are made.

    `select` is over the root table as `t` and yields: id, organization_id, parent_id, doc (text, wire form),
    position (bigint), name_lc, created_at, updated_at, deleted_at, search (text). It must not have a WHERE clause.
    `search_columns` are the columns whose change makes new search tokens. A changed `version` makes documents stale.
    """

    entity_type: str
    table: str
    select: str
    search_columns: frozenset[str]
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
def refresh_sql(entity_type: str, name: str, ids: str, texts: str, key: str, tenant: str) -> str:
    """The common table expressions that bring the documents of `ids` up to date.

    `name` is a suffix for the expressions; the others are SQL of parameters: ids to refresh, ids whose search text
    changed, the search key, and the tenant.
    """
    p = _projections[entity_type]
    return (
        f"d_{name} as materialized (select * from ({p.select} where t.tenant_id = {tenant} and t.id = any({ids})) d),"
        f" p_{name} as (insert into entity_index as e (tenant_id, entity_type, entity_id, organization_id, parent_id,"
        f" doc, position, name_lc, created_at, updated_at, deleted_at, projection_version)"
        f" select {tenant}, '{p.entity_type}', d.id, d.organization_id, d.parent_id, d.doc, d.position,"
        f' d.name_lc collate "C", d.created_at, d.updated_at, d.deleted_at, {p.version} from d_{name} d'
        f" on conflict (tenant_id, entity_type, entity_id) do update set organization_id = excluded.organization_id,"
        f" parent_id = excluded.parent_id, doc = excluded.doc, position = excluded.position,"
        f" name_lc = excluded.name_lc, created_at = excluded.created_at, updated_at = excluded.updated_at,"
        f" deleted_at = excluded.deleted_at, projection_version = excluded.projection_version"
        f" returning old.entity_id is not null and old.deleted_at is null as was, old.organization_id as old_org,"
        f" old.parent_id as old_parent, new.deleted_at is null as now, new.organization_id as new_org,"
        f" new.parent_id as new_parent),"
        f" g_{name} as (delete from entity_index e where e.tenant_id = {tenant} and e.entity_type = '{p.entity_type}'"
        f" and e.entity_id = any({ids}) and not exists (select from d_{name} d where d.id = e.entity_id)"
        f" returning e.organization_id, e.parent_id, e.deleted_at is null as was),"
        f" s_{name} as (insert into entity_search as s (tenant_id, entity_type, entity_id, grams)"
        f" select {tenant}, '{p.entity_type}', d.id, search_grams(d.search, {key}) from d_{name} d"
        f" where d.id = any({texts}) on conflict (tenant_id, entity_type, entity_id) do update"
        f" set grams = excluded.grams where s.grams <> excluded.grams),"
        f" x_{name} as (delete from entity_search s where s.tenant_id = {tenant} and s.entity_type = '{p.entity_type}'"
        f" and s.entity_id = any({ids}) and not exists (select from d_{name} d where d.id = s.entity_id)),"
        f" c_{name} as (insert into entity_counters as c (tenant_id, entity_type, organization_id, parent_id, n)"
        f" select {tenant}, '{p.entity_type}', coalesce(v.org, '{NOBODY}'), coalesce(v.parent, '{NOBODY}'), sum(v.n)"
        f" from (select new_org as org, new_parent as parent, 1 as n from p_{name} where now"
        f" union all select old_org, old_parent, -1 from p_{name} where was"
        f" union all select organization_id, parent_id, -1 from g_{name} where was) v"
        f" group by 3, 4 having sum(v.n) <> 0"
        f" on conflict (tenant_id, entity_type, organization_id, parent_id) do update set n = c.n + excluded.n)"
    )


class Refresh:
    """What one command's changes make stale; joins the statement that closes the command."""

    def __init__(self, touched: Mapping[str, tuple[list[str], list[str]]], search_key: bytes) -> None:
        self.key = tuple(touched)
        self._touched = touched
        self._search_key = search_key

    def sql(self, first: int) -> str:
        """The expressions, with parameters numbered from `first`: search key, tenant, then ids and texts a type."""
        return _closing_part(self.key, first)

    def args(self) -> list[Any]:
        """The arguments in the order of `sql`."""
        lists = [ids for pair in self._touched.values() for ids in pair]
        return [self._search_key, *lists]


@cache
def _closing_part(types: tuple[str, ...], first: int) -> str:
    parts = []
    for n, entity_type in enumerate(types):
        ids, texts = f"${first + 1 + 2 * n}::uuid[]", f"${first + 2 + 2 * n}::uuid[]"
        parts.append(
            refresh_sql(entity_type, str(n), ids, texts, f"${first}::bytea", "(select tenant_id from l)")
        )
    return ", ".join(parts)


class IndexProjector:
    """Tells the bus which documents a command touched. `search_key` gives a tenant's key for search tokens."""

    def __init__(self, search_key: Callable[[UUID], bytes]) -> None:
        self._search_key = search_key

    def plan(self, tenant_id: UUID, changes: Sequence[RowChange]) -> Refresh | None:
        """What to refresh; None when no touched table is projected."""
        touched: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
        for change in changes:
            resource = resource_of(change.t)
            root = resource_of(resource.root) if resource.root else resource
            projection = _projections.get(root.entity_type or "")
            if projection is None:
                continue
            id = change.r if resource.root else bytes(change.k["id"])[1:-1].decode()
            ids, texts = touched.setdefault(projection.entity_type, ({}, {}))
            ids[id] = None
            if change.o != "u" or resource.root or not projection.search_columns.isdisjoint(change.a or ()):
                texts[id] = None
        if not touched:
            return None
        lists = {name: (list(ids), list(texts)) for name, (ids, texts) in sorted(touched.items())}
        return Refresh(lists, self._search_key(tenant_id))


@cache
def wire_object(**fields: str) -> str:
    """SQL of a compact JSON object in the given key order, from SQL expressions of its values, as text."""
    columns = ", ".join(f'{sql} as "{name}"' for name, sql in fields.items())
    return f"(select row_to_json(w)::text from (select {columns}) w)"
