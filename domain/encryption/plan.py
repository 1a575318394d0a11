"""Which fields of which rows are sealed: what the maps and the definitions of one tenant come to."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from domain.custom_fields.fields import FieldDefinition
from domain.custom_fields.scoping import winners
from domain.entities.code import SHOWN, is_code_entity
from domain.images import camel
from domain.resources import Resource, all_resources

RECORDS: Final = "entity_records"
"""The table that holds the records of all custom entities; its rows say of which entity they are."""
CUSTOM: Final = "custom_fields"


class MappedField(Struct, frozen=True, rename="camel"):
    """One field of an encryption map, by its name; its lookup hash is kept under `hash_field`, if that is given."""

    field: str
    hash_field: str | None = None


class EncryptionMap(Struct, frozen=True):
    """An active map of one entity: of an organization, or (None) of the tenant."""

    entity_id: str
    organization_id: UUID | None
    fields: tuple[MappedField, ...]


class Designated(Struct, frozen=True):
    """What is sealed in a row: columns, keys of custom fields, and the keys that lookup hashes are kept under."""

    columns: frozenset[str] = frozenset()
    custom: frozenset[str] = frozenset()
    hashes: dict[str, str] = {}

    @property
    def names(self) -> frozenset[str]:
        """Every name that such a value may have in the input of a command."""
        columns = {form for name in self.columns for form in (name, camel(name))}
        keys = self.custom | set(self.hashes.values())
        return frozenset(columns | {form for key in keys for form in (key, f"cf_{key}", f"cf:{key}")})


class Plan:
    """The designated fields of one tenant, at one time."""

    def __init__(self, maps: Iterable[EncryptionMap], definitions: Iterable[FieldDefinition]) -> None:
        """`maps` are the active ones; `definitions` all rows of entities that have an encrypted one."""
        self._maps = {(_canonical(one.entity_id), one.organization_id): one for one in maps}
        self._definitions: dict[str, list[FieldDefinition]] = {}
        for row in definitions:
            self._definitions.setdefault(_canonical(row.entity_id), []).append(row)
        self._known: dict[tuple[str, UUID | None], Designated] = {}
        entities = {entity for entity, _ in self._maps} | self._definitions.keys()
        self.tables = frozenset(resource.name for resource in map(resource_of_entity, entities) if resource)
        """Tables that may have designated fields."""

    def of(self, entity_id: str, organization_id: UUID | None) -> Designated:
        """What is sealed in the rows of an entity in an organization; of rows in none: what is sealed anywhere."""
        place = (entity_id, organization_id)
        found = self._known.get(place)
        if found is None:
            found = self._known[place] = self._designated(entity_id, organization_id)
        return found

    def _designated(self, entity_id: str, organization_id: UUID | None) -> Designated:
        rows = self._definitions.get(entity_id, [])
        if organization_id is None:
            chosen = [one for (entity, _), one in self._maps.items() if entity == entity_id]
            places: set[UUID | None] = {None, *(row.organization_id for row in rows)}
        else:
            own = self._maps.get((entity_id, organization_id)) or self._maps.get((entity_id, None))
            chosen, places = [own] if own else [], {organization_id}
        columns, custom = set[str](), set[str]()
        hashes: dict[str, str] = {}
        for field in (field for one in chosen for field in one.fields):
            place = place_of(entity_id, field.field)
            if place is None:
                continue
            if not place.startswith(f"{CUSTOM}."):
                columns.add(place)
                continue
            key = place.partition(".")[2]
            custom.add(key)
            if field.hash_field:
                hashes[key] = _bare(field.hash_field)
        for organization in places:
            custom.update(row.key for row in winners(rows, organization) if row.encrypted)
        return Designated(frozenset(columns), frozenset(custom), hashes)


def resource_of_entity(entity_id: str) -> Resource | None:
    """The table whose rows are of an entity: its own, or of a custom entity the one of all records.

    None for an entity of the product that has no table (yet).
    """
    shown = SHOWN.get(entity_id)
    table = None if shown is None else shown.table
    own = next((one for one in all_resources() if entity_id == one.entity_type or one.name == table), None)
    if own is not None or is_code_entity(entity_id):
        return own
    return next((one for one in all_resources() if one.name == RECORDS), None)


def _canonical(entity_id: str) -> str:
    """The entity type of the rows of an entity: entries of dictionaries are known to clients by another id."""
    resource = resource_of_entity(entity_id)
    return entity_id if resource is None or resource.name == RECORDS else resource.entity_type or entity_id


def place_of(entity_id: str, field: str) -> str | None:
    """Where the values of a mapped field stand: a column, or `custom_fields.<key>`; None when it cannot be sealed."""
    resource = resource_of_entity(entity_id)
    if resource is None:
        return None
    column = _snake(field)
    if column in resource.encryptable:
        return column
    if column in resource.table.columns and not _is_custom(field):
        return None
    return f"{CUSTOM}.{_bare(field)}" if CUSTOM in resource.table.columns else None


def entity_of(resource: Resource, row: Mapping[str, Any]) -> str | None:
    """The entity that a row is of."""
    return row.get("entity_type") if resource.name == RECORDS else resource.entity_type


def _is_custom(field: str) -> bool:
    return field.startswith(("cf_", "cf:"))


def _bare(field: str) -> str:
    return field[3:] if _is_custom(field) else field


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
