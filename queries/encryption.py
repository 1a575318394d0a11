"""Encryption maps and what is known of a tenant's keys (contract: entities.md 5.2)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Raw, Struct

from domain.scope import Scope
from domain.wire import iso_ms

_MAP = """
select fields::text as fields, is_active, updated_at from encryption_maps
 where tenant_id = $1 and entity_id = $2 and (organization_id is null or organization_id = $3::uuid)
 order by organization_id is null limit 1
"""
_KEYS = """
select tenant_id, number, wrapped_by, created_at,
       number = max(number) over (partition by tenant_id) as is_current
  from data_keys where purpose = 'data' and ($1::uuid is null or tenant_id = $1) order by tenant_id, number
"""


class MapView(Struct, frozen=True, rename="camel"):
    """The map that applies to an entity where the caller is; without any, no fields."""

    entity_id: str
    tenant_id: UUID
    organization_id: UUID | None
    fields: Raw
    is_active: bool
    updated_at: str | None


class KeyView(Struct, frozen=True, rename="camel"):
    """One data key of a tenant; the key itself is never shown."""

    tenant_id: UUID
    number: int
    wrapped_by: str
    created_at: datetime
    is_current: bool


async def map_of(connection: Any, scope: Scope, entity_id: str) -> MapView:
    """The map of the caller's organization, else the tenant's, whether active or not."""
    organization = scope.selected_organization_id or scope.home_organization_id
    row = await connection.fetchrow(_MAP, scope.tenant_id, entity_id, organization)
    if row is None:
        return MapView(entity_id, scope.tenant_id, organization, Raw(b"[]"), True, None)
    fields = Raw(row["fields"].encode())
    return MapView(
        entity_id, scope.tenant_id, organization, fields, row["is_active"], iso_ms(row["updated_at"])
    )


async def keys(connection: Any, tenant_id: UUID | None) -> list[KeyView]:
    """The data keys of a tenant, or of all, by number; asked by the installation's own role."""
    return [KeyView(**row) for row in await connection.fetch(_KEYS, tenant_id)]
