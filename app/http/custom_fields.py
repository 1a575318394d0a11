"""What routes of the product's own entities do about custom fields: filters of lists (sealed values included), and
checks by the rules of another tenant.
"""

from typing import Any
from uuid import UUID

from msgspec import UNSET, UnsetType

from app.http.call import Call
from app.http.operation import Parameter
from commands.custom_fields import refused
from domain.custom_fields import FieldDefinition, faults, sanitized
from domain.resources import Resource
from queries.custom_fields import definitions
from queries.custom_filters import asked_for, filters_of
from queries.custom_values import ValueFilter

CUSTOM_FILTER = Parameter(
    "cf_{key}",
    "Only records with this value in the custom field `key`; `cf_{key}In` takes several, separated by commas",
)
"""How the document shows a family of parameters."""


async def custom_filters(call: Call[Any], resource: Resource, entity_id: str) -> tuple[ValueFilter, ...]:
    """The filters that the query asks for; none, and no question to the database, when it names no custom field.

    Fields are those of the organization that the caller works in; a key without a field filters nothing.
    """
    asked = asked_for(call.query)
    if not asked:
        return ()
    fields = {field.key: field for field in await fields_shown(call, entity_id)}
    known = tuple(one for one in asked if one[0] in fields)
    known = await call.app.encryption.alternatives(call.scope.tenant_id, resource.name, known)
    return filters_of(known, fields)


async def fields_shown(call: Call[Any], entity_id: str) -> list[FieldDefinition]:
    """The custom fields that an entity has where the caller works, in their order."""
    scope = call.scope
    organization: UUID | None = scope.selected_organization_id or scope.home_organization_id
    async with call.app.database.read(scope.tenant_id) as connection:
        return await definitions(connection, scope.tenant_id, entity_id, organization)


async def checked_here(
    call: Call[Any], entity_id: str, values: dict[str, Any] | UnsetType, *, complete: bool
) -> dict[str, Any] | UnsetType:
    """Values by the rules of the caller's own tenant, for a record of another one; rich text is made harmless.

    `complete`: they are all that the record will have, so that required ones must be among them. Raises Problem 400.
    """
    if values is UNSET:
        return UNSET
    fields = await fields_shown(call, entity_id)
    clean = sanitized(fields, values)
    present = None if complete else dict.fromkeys((field.key for field in fields), True)
    wrong = faults(fields, clean, undeclared="keep", present=present)
    if wrong:
        raise refused(wrong)
    return clean
