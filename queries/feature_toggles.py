"""Reads of the feature toggles: every tenant sees all of them, with its own overrides (feature-toggles.md 2 to 4)."""

from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

from projections.feature_toggles import TOGGLE_DOCUMENT
from projections.index import wire_object
from queries.found import Found, FoundPage

ToggleSort = Literal["id", "category", "identifier", "name", "createdAt", "updatedAt", "type"]
OverrideSort = Literal["identifier", "name", "category"]

_SORTS: dict[str, str] = {
    "id": "t.id",
    "category": 'lower(t.category) collate "C"',
    "identifier": 't.identifier collate "C"',
    "name": 'lower(t.name) collate "C"',
    "createdAt": "t.created_at",
    "updatedAt": "t.updated_at",
    "type": 't.type collate "C"',
}


class ToggleFilter(Struct, frozen=True):
    """What part of the toggles is asked for; texts are looked for anywhere in the column, whatever their case."""

    search: str = ""
    type: str | None = None
    category: str = ""
    name: str = ""
    identifier: str = ""
    ids: tuple[UUID, ...] | None = None
    with_deleted: bool = False


class Resolution(Struct, frozen=True):
    """What a toggle is for a tenant. `type` None: there is no such toggle; `value` is JSON text."""

    tenant_known: bool
    type: str | None = None
    toggle_id: str = ""
    overridden: bool = False
    value: str = "null"


_CONTAINS = "position(lower({wanted}::text) in lower({column})) > 0"
_FILTER = " and ".join(
    [
        "($1::text = '' or "
        + " or ".join(
            _CONTAINS.format(wanted="$1", column=f"coalesce(t.{column}, '')")
            for column in ("identifier", "name", "description", "category")
        )
        + ")",
        "($2::text is null or t.type = $2)",
        *(
            f"(${number}::text = '' or "
            + _CONTAINS.format(wanted=f"${number}", column=f"coalesce(t.{column}, '')")
            + ")"
            for number, column in ((3, "category"), (4, "name"), (5, "identifier"))
        ),
        "($6::uuid[] is null or t.id = any($6))",
        "($7::boolean or t.deleted_at is null)",
    ]
)


async def toggles(
    connection: Any, wanted: ToggleFilter, sort: ToggleSort, descending: bool, limit: int, offset: int
) -> FoundPage:
    """A page of all toggles of the platform."""
    direction = "desc nulls last" if descending else "asc nulls last"
    order = f"{_SORTS[sort]} {direction}, t.id {'desc' if sort == 'id' and descending else 'asc'}"
    rows = await connection.fetch(
        f"""
with listed as materialized (select t.* from feature_toggles_everywhere() t where {_FILTER})
select (select count(*) from listed) as total, t.id, {TOGGLE_DOCUMENT} as document
  from (values (1)) one left join lateral (
    select t.*, row_number() over (order by {order}) as nth from listed t order by {order} limit $8 offset $9
  ) t on true order by t.nth
""",
        wanted.search,
        wanted.type,
        wanted.category,
        wanted.name,
        wanted.identifier,
        None if wanted.ids is None else list(wanted.ids),
        wanted.with_deleted,
        limit,
        offset,
    )
    return FoundPage([Found(row["id"], row["document"]) for row in rows if row["id"]], rows[0]["total"])


async def toggle(connection: Any, id: UUID) -> str | None:
    """One live toggle as JSON text."""
    found: str | None = await connection.fetchval(
        f"select {TOGGLE_DOCUMENT} from feature_toggles_everywhere() t where t.id = $1 and t.deleted_at is null",
        id,
    )
    return found


async def tenant_of_toggle(connection: Any, id: UUID) -> UUID | None:
    """The tenant that a toggle, deleted or not, is filed under."""
    found: UUID | None = await connection.fetchval(
        "select tenant_id from feature_toggles_everywhere() where id = $1", id
    )
    return found


_ELSEWHERE = (
    "select t.id from tenants t where exists (select from action_logs l where l.tenant_id = t.id"
    " and l.{column} = $1 and l.resource_kind = 'feature_toggles.global')"
    " and not exists (select from action_logs l where l.tenant_id = $2 and l.{column} = $1) limit 1"
)


async def tenant_of_token(connection: Any, token: str, own: UUID) -> UUID | None:
    """The tenant other than `own` whose log has the action on a toggle that an undo token belongs to."""
    found: UUID | None = await connection.fetchval(_ELSEWHERE.format(column="undo_token"), token, own)
    return found


async def tenant_of_action(connection: Any, log_id: UUID, own: UUID) -> UUID | None:
    """The tenant other than `own` whose log has this action on a toggle."""
    found: UUID | None = await connection.fetchval(_ELSEWHERE.format(column="id"), log_id, own)
    return found


# Overrides

_STATE = """
  case when o.id is null then 'inherit' when o.value = 'false'::jsonb then 'disabled' else 'enabled' end
"""
_DEFAULT_STATE = """
  case when t.type = 'boolean' then coalesce(t.default_value = 'true'::jsonb, false)
       else t.default_value is not null end
"""
_OVERRIDE = wire_object(
    id="coalesce(o.id::text, '')",
    toggleId="t.id",
    identifier="t.identifier",
    name="t.name",
    category="t.category",
    tenantName="n.name",
    tenantId="n.id",
    isOverride="o.id is not null",
    updatedAt="iso_ms(o.updated_at)",
    overrideState=_STATE,
    defaultState=_DEFAULT_STATE,
)
_OVERRIDE_DETAIL = wire_object(
    id="coalesce(o.id::text, '')",
    value="case when o.id is null then t.default_value else o.value end",
    tenantName="n.name",
    tenantId="n.id",
    toggleType="t.type",
    updatedAt="iso_ms(o.updated_at)",
)
_WITH_OVERRIDE = (
    " left join feature_toggle_overrides o on o.tenant_id = $1 and o.toggle_id = t.id"
    " join tenants n on n.tenant_id = $1 and n.id = $1"
)


async def tenant_exists(connection: Any, tenant_id: UUID) -> bool:
    """Whether the tenant is there and not deleted."""
    return bool(
        await connection.fetchval(
            "select exists (select from tenants where tenant_id = $1 and id = $1 and deleted_at is null)",
            tenant_id,
        )
    )


async def overrides(
    connection: Any,
    tenant_id: UUID,
    wanted: ToggleFilter,
    sort: OverrideSort | None,
    descending: bool,
    limit: int,
    offset: int,
) -> FoundPage:
    """A page of the live toggles, each with what the tenant makes of it."""
    direction = "desc nulls last" if descending and sort else "asc nulls last"
    order = f"{_SORTS[sort or 'id']} {direction}, t.id"
    rows = await connection.fetch(
        f"""
with listed as materialized (
  select t.* from feature_toggles_everywhere() t where t.deleted_at is null
     and {" and ".join(f"position(lower(${n}::text) in lower(coalesce(t.{c}, ''))) > 0" for n, c in _NARROWED)}
)
select (select count(*) from listed) as total, t.id, t.document from (values (1)) one left join lateral (
    select t.id, row_number() over (order by {order}) as nth, {_OVERRIDE} as document
      from listed t{_WITH_OVERRIDE} order by {order} limit $5 offset $6
  ) t on true order by t.nth
""",
        tenant_id,
        wanted.category,
        wanted.name,
        wanted.identifier,
        limit,
        offset,
    )
    return FoundPage([Found(row["id"], row["document"]) for row in rows if row["id"]], rows[0]["total"])


_NARROWED = ((2, "category"), (3, "name"), (4, "identifier"))


async def override(connection: Any, tenant_id: UUID, toggle_id: UUID) -> Found | None:
    """What a tenant makes of a live toggle, and the id of that: the override's, else the toggle's."""
    row = await connection.fetchrow(
        f"select coalesce(o.id, t.id) as id, {_OVERRIDE_DETAIL} as document from feature_toggles_everywhere() t"
        f"{_WITH_OVERRIDE} where t.id = $2 and t.deleted_at is null",
        tenant_id,
        toggle_id,
    )
    return None if row is None else Found(row["id"], row["document"])


async def resolve(connection: Any, tenant_id: UUID, identifier: str) -> Resolution:
    """What the toggle of this identifier is for a tenant, in one statement (feature-toggles.md section 1)."""
    row = await connection.fetchrow(
        "select n.id is not null as tenant_known, t.type, coalesce(t.id::text, '') as toggle_id,"
        " o.id is not null as overridden,"
        " coalesce(case when o.id is null then t.default_value else o.value end, 'null')::text as value"
        " from (values (1)) one left join feature_toggle_named($2) t on true"
        " left join feature_toggle_overrides o on o.tenant_id = $1 and o.toggle_id = t.id"
        " left join tenants n on n.tenant_id = $1 and n.id = $1 and n.deleted_at is null",
        tenant_id,
        identifier,
    )
    return Resolution(**row)
