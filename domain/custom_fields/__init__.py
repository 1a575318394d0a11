"""Custom fields: what they are, which ones an entity has, what their values may be (contract: entities.md 1 and 6)."""

from domain.custom_fields.fields import (
    ENTITY_ID,
    FIELD_KEY,
    KINDS,
    RESERVED_ENTITIES,
    Editor,
    FieldDefinition,
    Kind,
    is_entity_id,
)
from domain.custom_fields.payload import split_payload
from domain.custom_fields.rich_text import sanitize, sanitized
from domain.custom_fields.rules import MOST_VALUES, UNKNOWN_FIELD, Undeclared, check_value, faults
from domain.custom_fields.scoping import leading, winners
from domain.custom_fields.sql import active_definitions, definition_rows

__all__ = [
    "ENTITY_ID",
    "FIELD_KEY",
    "KINDS",
    "MOST_VALUES",
    "RESERVED_ENTITIES",
    "UNKNOWN_FIELD",
    "Editor",
    "FieldDefinition",
    "Kind",
    "Undeclared",
    "active_definitions",
    "check_value",
    "definition_rows",
    "faults",
    "is_entity_id",
    "leading",
    "sanitize",
    "sanitized",
    "split_payload",
    "winners",
]
