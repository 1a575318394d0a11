"""Records of custom entities: table, resource, who may see and change them (contract: entities.md section 3)."""

import re
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from msgspec import Struct

from domain.entities import ENTITY_KIND, RECORDS_VIEW, Right, record_feature
from domain.entities.code import RIGHTS, is_code_entity
from domain.errors import Problem
from domain.resources import Resource, all_resources, custom_fields_column, tenant_table
from domain.scope import Scope

RECORD_KIND: Final = "entities.record"
RECORD_PROJECTION: Final = "entities:record"
"""Names the projection of all records; the entity type of each is its custom entity."""

entity_records = tenant_table(
    "entity_records",
    sa.Column("organization_id", sa.Uuid, nullable=False),
    sa.Column("entity_type", sa.Text, nullable=False),
    sa.Column("record_id", sa.Uuid, nullable=False),
    custom_fields_column(),
    sa.Column("deleted_at", sa.DateTime(timezone=True)),
)

FIXED_KEYS: Final = frozenset(
    {"id", "created_at", "createdAt", "updated_at", "updatedAt", "deleted_at", "deletedAt"}
)
"""Keys of values that edit forms send back and that nobody sets (3.3)."""

_NO_IDS: Final = frozenset({"", "create", "new", "null", "undefined"})
_PREFIX = re.compile(r"^cf_")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)


class Classified(Struct, frozen=True):
    """What an entity id stands for here: a custom entity or something unknown."""

    is_custom: bool
    restricted: bool = False


def bare_values(values: dict[str, Any]) -> dict[str, Any]:
    """Submitted values under bare keys: without those that nobody sets, and without one leading `cf_` (3.3)."""
    return {_PREFIX.sub("", key): value for key, value in values.items() if key not in FIXED_KEYS}


def usable_record_id(text: str | None) -> UUID | None:
    """The record id that a client means; None when it is to be made: absent, blank, a placeholder, or no UUID.

    UUIDs of the versions 1 to 8 are taken (0.5).
    """
    stripped = (text or "").strip()
    return UUID(stripped) if stripped not in _NO_IDS and _UUID.fullmatch(stripped) else None


def reading_organizations(scope: Scope) -> list[UUID] | None:
    """The organizations whose records a caller sees; None: all of the tenant; empty: none."""
    return None if scope.filter_ids is None else list(scope.filter_ids)


def own_organization(scope: Scope) -> UUID | None:
    """The organization that a caller works in: the selected one, else the home one."""
    return scope.selected_organization_id or scope.home_organization_id


# The rows of a custom entity, the caller's own first. A deleted entity keeps its records readable.
_ROWS = """
select e.access_restricted, e.organization_id is null or e.organization_id = $3::uuid as here
  from custom_entities e
 where e.tenant_id = $1 and e.entity_id = $2
 order by e.organization_id is not distinct from $3::uuid desc, e.organization_id is null desc limit 1
"""


async def classify(connection: Any, scope: Scope, entity_id: str) -> Classified:
    """What an entity id stands for (3.1). Raises Problem 400 for an entity of the product itself.

    Restricted is what the entity's row in the caller's organization says, else the tenant's; a row of another
    organization only tells that the entity exists.
    """
    if is_system_entity(entity_id):
        raise Problem.bad_request(
            "Records are available for custom entities only",
            "system_entity_records_blocked",
            entityId=entity_id,
        )
    row = await connection.fetchrow(_ROWS, scope.tenant_id, entity_id, own_organization(scope))
    if row is None:
        return Classified(is_custom=False)
    return Classified(is_custom=True, restricted=bool(row["here"] and row["access_restricted"]))


def is_system_entity(entity_id: str) -> bool:
    """Whether the product has the entity itself, by the contract's list or by what the index is told of its tables."""
    return is_code_entity(entity_id) or any(entity_id == one.entity_type for one in all_resources())


async def admit(connection: Any, scope: Scope, entity_id: str, right: Right) -> Classified:
    """Classify an entity and check that the caller may see or change its records (3.1).

    The coarse feature was checked before. Raises Problem 400 for an entity of the product, 403 for one that is
    restricted or unknown to somebody without the right to it.
    """
    found = await classify(connection, scope, entity_id)
    if scope.is_super_admin:
        return found
    if found.is_custom:
        if found.restricted and not scope.can(record_feature(entity_id, right)):
            raise Problem.forbidden()
        return found
    mapped = RIGHTS.get(entity_id)
    if mapped is None or not scope.can(mapped[0 if right == "view" else 1]):
        raise Problem.forbidden()
    return found


# The entity of a record that is there, else that the log says it had.
_ENTITY_OF = """
select coalesce(
  (select r.entity_type from entity_records r where r.tenant_id = $1 and r.id = $2),
  (select coalesce(c -> 'u' ->> 'entity_type', c -> 'a' ->> 'entity_type', c -> 'b' ->> 'entity_type')
     from action_log_rows t join action_logs l on l.tenant_id = t.tenant_id and l.id = t.log_id
    cross join lateral jsonb_array_elements(l.changes) c
    where t.tenant_id = $1 and t.table_name = 'entity_records' and t.row_id = $2
      and c ->> 't' = 'entity_records' and c -> 'k' ->> 'id' = $2::text
    order by t.seq desc limit 1))
"""


async def admit_to_record(connection: Any, scope: Scope, id: UUID) -> None:
    """Check that the caller may see the record of this row, as `admit` does for all of its entity.

    Raises Problem 404 besides, for a record that neither the table nor the log knows.
    """
    entity_id = await connection.fetchval(_ENTITY_OF, scope.tenant_id, id)
    if entity_id is None:
        raise Problem.not_found("No such record")
    await admit(connection, scope, entity_id, "view")


RECORD = Resource(
    entity_records,
    kind=RECORD_KIND,
    entity_type=RECORD_PROJECTION,
    within=(ENTITY_KIND, "entity_type"),
    view=(RECORDS_VIEW,),
    admits=admit_to_record,
    hidden=frozenset({"deleted_at"}),
    conflicts={
        "entity_records_pkey": "A record with this id exists already.",
        "entity_records_once": "A record with this id exists already.",
    },
)
