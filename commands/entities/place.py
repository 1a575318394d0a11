"""Where definitions and custom entities are written, and the faults that their commands have in common."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from commands.unit import Unit
from domain.custom_fields import RESERVED_ENTITIES
from domain.errors import Problem

VERSION = """
select max(updated_at) from (
  select updated_at from field_definitions where tenant_id = $1 and entity_id = $2
     and (organization_id is null or organization_id = $3::uuid)
  union all
  select updated_at from fieldset_configs where tenant_id = $1 and entity_id = $2
     and (organization_id is null or organization_id = $3::uuid)) seen
"""
"""The version of an entity's definitions for an organization (1.7)."""

Found = asyncpg.Record


def organization_of(unit: Unit) -> UUID:
    """The organization that definitions are written in: the selected one, else the actor's own.

    Raises Problem 401 for an actor without organization, 400 for a super admin who selected none, 403 for one that the
    actor may not touch.
    """
    scope = unit.scope
    organization = scope.selected_organization_id or scope.home_organization_id
    if organization is None:
        if scope.is_super_admin:
            raise Problem.bad_request("Organization context is required")
        raise Problem.unauthorized()
    if not scope.may_touch(organization):
        raise Problem.forbidden()
    return organization


def require_definable(entity_id: str) -> None:
    """Raises Problem 400 for an entity of the machinery, which has no custom fields."""
    if entity_id in RESERVED_ENTITIES:
        raise Problem.bad_request("This entity cannot have custom fields", "reserved_entity")


async def version(unit: Unit, entity_id: str, organization_id: UUID) -> datetime | None:
    """When the definitions that the organization sees were changed last; None when there are none."""
    found: datetime | None = await unit.fetchval(VERSION, unit.scope.tenant_id, entity_id, organization_id)
    return found


def invalid(field_faults: Mapping[str, list[str]], error: str = "Validation failed") -> Problem:
    """400 with the faults by field of the body."""
    return Problem(400, {"error": error, "details": {"formErrors": [], "fieldErrors": dict(field_faults)}})


def deleted_at(unit: Unit, active: bool, row: Mapping[str, Any] | None) -> datetime | None:
    """The mark of a row that is, or is no longer, active: an earlier mark stays."""
    if active:
        return None
    return (row["deleted_at"] if row is not None else None) or unit.now
