"""Reading definitions: one statement for commands and queries alike."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import msgspec

from domain.custom_fields.fields import FieldDefinition, Kind
from domain.custom_fields.scoping import winners

DEFINITIONS = """
with editors as materialized (
  select distinct on (e.entity_id) e.entity_id, e.default_editor from custom_entities e
   where e.tenant_id = $1 and e.entity_id = any($2::text[]) and e.deleted_at is null and e.default_editor is not null
     and (e.organization_id is null or e.organization_id = $3::uuid)
   order by e.entity_id, e.organization_id is null)
select d.id, d.entity_id, d.key, d.kind, d.config::text as config, d.organization_id, d.updated_at,
       d.is_active and d.deleted_at is null as is_active, editors.default_editor
  from field_definitions d left join editors on editors.entity_id = d.entity_id
 where d.tenant_id = $1 and d.entity_id = any($2::text[])
   and (d.organization_id is null or d.organization_id = $3::uuid)
"""
"""$1 tenant, $2 entity ids, $3 organization (null: the tenant's rows only). Tombstones are among the rows."""

_config = msgspec.json.Decoder(dict[str, Any])


def definition_of(row: Any) -> FieldDefinition:
    """A row of `DEFINITIONS`."""
    return FieldDefinition(
        id=cast(UUID, row["id"]),
        entity_id=row["entity_id"],
        key=row["key"],
        kind=cast(Kind, row["kind"]),
        config=_config.decode(row["config"]),
        organization_id=row["organization_id"],
        updated_at=cast(datetime, row["updated_at"]),
        is_active=row["is_active"],
        default_editor=row["default_editor"],
    )


async def definition_rows(
    connection: Any, tenant_id: UUID, entity_ids: Sequence[str], organization_id: UUID | None
) -> list[FieldDefinition]:
    """Every definition row that the organization sees, tombstones too."""
    rows = await connection.fetch(DEFINITIONS, tenant_id, list(entity_ids), organization_id)
    return [definition_of(row) for row in rows]


async def active_definitions(
    connection: Any, tenant_id: UUID, entity_id: str, organization_id: UUID | None
) -> list[FieldDefinition]:
    """The fields that an entity has for an organization, in their order; None: those of the tenant alone."""
    return winners(
        await definition_rows(connection, tenant_id, [entity_id], organization_id), organization_id
    )
