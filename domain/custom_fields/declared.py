"""Fields that modules declare for their entities; a new tenant starts with them (entities.md section 8)."""

from typing import Any
from uuid import UUID

from msgspec import Struct

from domain.custom_fields.configuration import Config, normalized
from domain.custom_fields.fields import Kind


class DeclaredField(Struct, frozen=True):
    """One field of a module's own entity."""

    key: str
    kind: Kind
    label: str
    description: str
    options: tuple[str, ...] = ()
    config: Config = {}
    """Further configuration, such as `filterable`."""

    def configuration(self, priority: int) -> Config:
        """The configuration as it is stored, at its place among the fields of the entity."""
        choices: Config = {"options": list(self.options)} if self.options else {}
        stated = {"label": self.label, "description": self.description, **choices, **self.config}
        return normalized(self.key, self.kind, {**stated, "priority": priority})


_declared: dict[str, tuple[DeclaredField, ...]] = {}


def declare_fields(entity_id: str, *fields: DeclaredField) -> None:
    """Declare the fields of an entity, in their order. The first declaration of an entity counts."""
    _declared.setdefault(entity_id, fields)


def declared_fields() -> dict[str, tuple[DeclaredField, ...]]:
    """All declared fields by entity."""
    return dict(_declared)


def declared_rows(known: frozenset[tuple[str, str]] = frozenset()) -> list[dict[str, Any]]:
    """Rows of the tenant for all declared fields, without those that are `known` as (entity, key)."""
    none: UUID | None = None
    return [
        {
            "organization_id": none,
            "entity_id": entity_id,
            "key": field.key,
            "kind": field.kind,
            "config": field.configuration(index),
        }
        for entity_id, fields in _declared.items()
        for index, field in enumerate(fields)
        if (entity_id, field.key) not in known
    ]
