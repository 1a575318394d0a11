"""Taking values of custom fields into a command (contract: entities.md 1.4, 3.6 and 6)."""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from commands.unit import Unit
from domain.custom_fields import UNKNOWN_FIELD, Undeclared, active_definitions, faults, sanitized
from domain.errors import Problem
from domain.scope import Scope

REFUSED = "Validation failed"
TOO_MANY: Final = "A record cannot hold that many custom fields"
LONGEST_KEY: Final = 100
MOST_HELD: Final = 512
"""Custom fields that one record may hold."""

CustomValues = Annotated[
    dict[str, Any],
    Meta(
        description="Values of custom fields by key. Each may also be sent beside the other fields, as `cf_<key>`.",
        extra={"custom_fields": True},
    ),
]
"""The field `custom_fields` of a body or command: `app.http.decode` puts there whatever form the values came in."""

_held = msgspec.json.Decoder(dict[str, Raw])
_plain = msgspec.json.Decoder(dict[str, Any])


def place_of(scope: Scope) -> UUID | None:
    """The organization whose fields a record has that belongs to none: the one that the caller works in."""
    return scope.selected_organization_id or scope.home_organization_id


def refused(wrong: Mapping[str, str]) -> Problem:
    """400 in the documented form; `wrong` is the message for each `cf_<key>`."""
    return Problem(400, {"error": REFUSED, "fields": dict(wrong)})


async def custom_column(
    unit: Unit,
    entity_id: str,
    sent: Mapping[str, Any] | UnsetType,
    organization_id: UUID | None,
    stored: str | None = None,
) -> dict[str, Any]:
    """The column `custom_fields` as it is to be written, `{column: value}`; nothing, and no query, when none was sent.

    `stored` is the column as it is (JSON text), None for a new record: values that are not sent stay as they are, to
    the last digit. Keys that no definition declares are kept (entities.md 6). Raises Problem 400 as `checked` does.
    """
    if sent is UNSET:
        return {}
    strange = [key for key in sent if not 0 < len(key) <= LONGEST_KEY]
    if strange:
        raise refused({f"cf_{key[:LONGEST_KEY]}": UNKNOWN_FIELD for key in strange})
    present = None if stored is None else _plain.decode(stored)
    clean = await checked(unit, entity_id, sent, organization_id, undeclared="keep", required_from=present)
    whole = {**_held.decode(stored or "{}"), **clean}
    if len(whole) > MOST_HELD:
        raise refused({"_customFields": TOO_MANY})
    return {"custom_fields": whole}


async def checked(
    unit: Unit,
    entity_id: str,
    values: Mapping[str, Any],
    organization_id: UUID | None,
    *,
    undeclared: Undeclared,
    required_from: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The values (bare keys) as they may be stored: checked by the entity's rules, rich text made harmless.

    `organization_id` is that of the record. Keys without a field are refused or kept. A required field that `values`
    lacks must have a value among `required_from`: what the record holds, on an update that leaves the rest as it is;
    None: every required field must be among `values`. Raises Problem 400 `{error, fields: {cf_<key>: message}}`.
    """
    fields = await active_definitions(unit.connection, unit.scope.tenant_id, entity_id, organization_id)
    wrong = faults(fields, values, undeclared=undeclared, present=required_from)
    clean = sanitized(fields, values)
    if not wrong and clean != values:
        wrong = faults(fields, clean, undeclared=undeclared, present=required_from)
    if wrong:
        raise refused(wrong)
    return clean
