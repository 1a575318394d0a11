"""Reads of field definitions, custom entities and what relation fields may choose (contract: entities.md 2, 4 and 5.1).

Definitions are few and read by primary scope in one statement; nothing is kept in memory between requests, so nothing
has to be forgotten when another process writes (decision 0021).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import UNSET, Struct, UnsetType

from domain.custom_fields import FieldDefinition, leading, winners
from domain.custom_fields.fieldsets import DEFAULT, readable
from domain.custom_fields.sql import DEFINITIONS, definition_of
from domain.entities import record_feature, record_features
from domain.entities.code import CODE_ENTITIES
from domain.features import Feature
from domain.scope import Scope
from domain.wire import iso_ms

_DEFINITIONS = f"""{DEFINITIONS}
union all
select c.id, c.entity_id, '', '', c.config::text, c.organization_id, c.updated_at, true, null
  from fieldset_configs c
 where c.tenant_id = $1 and c.entity_id = any($2::text[])
   and (c.organization_id is null or c.organization_id = $3::uuid)
"""
"""The definitions, and the configurations of fieldsets as rows without a kind."""

_ENTITIES = """
select distinct on (e.entity_id) e.entity_id, e.label, e.description, e.label_field, e.default_editor,
       e.show_in_sidebar, e.access_restricted, e.updated_at
  from custom_entities e
 where e.tenant_id = $1 and (e.organization_id is null or e.organization_id = $2::uuid)
   and e.is_active and e.deleted_at is null
 order by e.entity_id, e.organization_id is null
"""

_COUNTS = """
select d.entity_id, count(distinct d.key) as count from field_definitions d
 where d.tenant_id = $1 and d.is_active and d.deleted_at is null group by d.entity_id
"""

_RESTRICTED = """
select distinct on (e.entity_id) e.entity_id, e.label from custom_entities e
 where e.tenant_id = $1 and e.access_restricted and e.deleted_at is null
 order by e.entity_id, e.organization_id is null, e.label
"""

_config = msgspec.json.Decoder(dict[str, Any])


class Definitions(Struct, frozen=True):
    """The definitions of some entities as one organization has them."""

    rows: list[FieldDefinition]
    """All rows that count for the organization, tombstones too."""
    fieldsets: dict[str, dict[str, Any]]
    """By entity: `fieldsets` and `singleFieldsetPerRecord`."""
    version: datetime | None
    """When anything of it was changed last."""
    organization_id: UUID | None

    @property
    def active(self) -> list[FieldDefinition]:
        """The fields, in their order."""
        return winners(self.rows, self.organization_id)

    @property
    def hidden(self) -> list[str]:
        """The keys that a tombstone hides."""
        leads = leading(self.rows, self.organization_id)
        return sorted(row.key for row in leads.values() if not row.is_active)


class EntityItem(Struct, frozen=True, rename="camel"):
    """One entity of the list; the last fields are there when a row of its own says something of it."""

    entity_id: str
    source: str
    label: str
    count: int
    description: str | UnsetType = UNSET
    label_field: str | UnsetType = UNSET
    default_editor: str | UnsetType = UNSET
    show_in_sidebar: bool | UnsetType = UNSET
    access_restricted: bool | UnsetType = UNSET
    updated_at: str | UnsetType = UNSET


class SidebarItem(Struct, frozen=True):
    """A custom entity with a place in the navigation."""

    entity_id: str
    label: str


def organization_of(scope: Scope) -> UUID | None:
    """The organization that definitions are read for: the selected one, else the caller's own."""
    return scope.selected_organization_id or scope.home_organization_id


async def definitions(connection: asyncpg.Connection, scope: Scope, entity_ids: Sequence[str]) -> Definitions:
    """What the caller's organization has of these entities."""
    organization = organization_of(scope)
    found = await connection.fetch(_DEFINITIONS, scope.tenant_id, list(entity_ids), organization)
    sets = sorted(
        (row for row in found if not row["kind"]), key=lambda row: row["organization_id"] is not None
    )
    nearest = {row["entity_id"]: readable(_config.decode(row["config"])) for row in sets}
    return Definitions(
        [definition_of(row) for row in found if row["kind"]],
        {entity_id: nearest.get(entity_id, DEFAULT) for entity_id in entity_ids},
        max((row["updated_at"] for row in found), default=None),
        organization,
    )


async def entities(connection: asyncpg.Connection, scope: Scope) -> list[EntityItem]:
    """The entities of the product in their order, then the custom ones by id; the nearest row of each says more."""
    rows = await connection.fetch(_ENTITIES, scope.tenant_id, organization_of(scope))
    counts = {row["entity_id"]: row["count"] for row in await connection.fetch(_COUNTS, scope.tenant_id)}
    own = {row["entity_id"]: row for row in rows}
    ids = [*CODE_ENTITIES, *(id for id in own if id not in set(CODE_ENTITIES))]
    code = frozenset(CODE_ENTITIES)
    return [_entity(id, "code" if id in code else "custom", own.get(id), counts.get(id, 0)) for id in ids]


def _entity(entity_id: str, source: str, row: Any, count: int) -> EntityItem:
    if row is None:
        return EntityItem(entity_id, source, entity_id, count)
    return EntityItem(
        entity_id,
        source,
        row["label"],
        count,
        description=_or_unset(row["description"]),
        label_field=_or_unset(row["label_field"]),
        default_editor=_or_unset(row["default_editor"]),
        show_in_sidebar=row["show_in_sidebar"],
        access_restricted=row["access_restricted"],
        updated_at=iso_ms(row["updated_at"]),
    )


def _or_unset(text: str | None) -> str | UnsetType:
    return UNSET if text is None else text


async def sidebar_entities(connection: asyncpg.Connection, scope: Scope) -> list[SidebarItem]:
    """The entities that the caller finds in the sidebar, by label: its organization's, if it may see them."""
    rows = await connection.fetch(_ENTITIES, scope.tenant_id, organization_of(scope))
    shown = [
        SidebarItem(row["entity_id"], row["label"])
        for row in rows
        if row["show_in_sidebar"]
        and (not row["access_restricted"] or may_see_records(scope, row["entity_id"]))
    ]
    return sorted(shown, key=lambda item: (item.label.casefold(), item.entity_id))


def may_see_records(scope: Scope, entity_id: str) -> bool:
    """Whether the records of a restricted entity are open to the caller."""
    return scope.is_super_admin or scope.can(record_feature(entity_id, "view"))


async def restricted_features(connection: asyncpg.Connection, tenant_id: UUID) -> list[Feature]:
    """The features that the restricted entities of a tenant bring along (0.6)."""
    rows = await connection.fetch(_RESTRICTED, tenant_id)
    return [feature for row in rows for feature in record_features(row["entity_id"], row["label"])]


async def new_entities_restricted(connection: asyncpg.Connection, tenant_id: UUID) -> bool:
    """Whether the tenant's new entities are restricted."""
    sql = "select new_entities_restricted from entity_settings where tenant_id = $1"
    return bool(await connection.fetchval(sql, tenant_id))
