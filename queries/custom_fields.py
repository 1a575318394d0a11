"""Which custom fields an entity has, and how their values look beside a record (contract: entities.md 1.5 and 6)."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import asyncpg

from domain.custom_fields import FieldDefinition, active_definitions


async def definitions(
    connection: asyncpg.Connection, scope_tenant: UUID, entity_id: str, organization_id: UUID | None
) -> list[FieldDefinition]:
    """The fields that an entity has for an organization, in their order; None: those of the tenant alone."""
    return await active_definitions(connection, scope_tenant, entity_id, organization_id)


def decorated(fields: Iterable[FieldDefinition], values: Mapping[str, Any]) -> dict[str, Any]:
    """`customValues` and `customFields` of a record; values without a field are left out, and none at all is null.

    `fields` in their order, `values` under bare keys.
    """
    shown = [
        {
            "key": field.key,
            "label": field.label,
            "value": values[field.key],
            "kind": field.kind,
            "multi": field.multi,
        }
        for field in fields
        if field.key in values
    ]
    return {"customValues": {each["key"]: each["value"] for each in shown} or None, "customFields": shown}
