"""What a custom field is (contract: entities.md 1.1, 1.2 and 1.5)."""

import re
from datetime import datetime
from typing import Any, Final, Literal, get_args
from uuid import UUID

from msgspec import Struct

Kind = Literal[
    "text",
    "multiline",
    "integer",
    "float",
    "boolean",
    "select",
    "currency",
    "relation",
    "attachment",
    "dictionary",
    "phone",
    "date",
    "datetime",
]
KINDS: Final[tuple[str, ...]] = get_args(Kind)

Editor = Literal["markdown", "simpleMarkdown", "htmlRichText", "plain"]
RICH_TEXT: Final = "htmlRichText"

ENTITY_ID: Final = "^[a-z0-9_]+:[a-z0-9_]+$"
FIELD_KEY: Final = "^[a-z0-9_]+$"

RESERVED_ENTITIES: Final = frozenset(
    {
        "entities:custom_entity",
        "entities:custom_entity_storage",
        "entities:custom_field_def",
        "entities:custom_field_value",
        "query_index:entity_index_row",
        "query_index:entity_index_coverage",
        "query_index:search_token",
    }
)
"""Entities of the machinery itself: never listed, and without custom fields (0.5)."""

_ENTITY_ID = re.compile(ENTITY_ID)


class FieldDefinition(Struct, frozen=True):
    """One definition row, of the tenant (`organization_id` None) or of one organization."""

    id: UUID
    entity_id: str
    key: str
    kind: Kind
    config: dict[str, Any]
    organization_id: UUID | None
    updated_at: datetime
    is_active: bool = True
    """False for a tombstone: the key is hidden where this row wins."""
    default_editor: str | None = None
    """The editor that the entity prescribes for fields of several lines."""

    @property
    def multi(self) -> bool:
        """Whether its value is an array."""
        return self.config.get("multi") is True

    @property
    def label(self) -> str:
        """What people call it; the key where nothing was said."""
        label = self.config.get("label")
        return label if isinstance(label, str) and label.strip() else self.key

    @property
    def priority(self) -> float:
        """Its place among the fields of the entity, ascending."""
        found = self.config.get("priority")
        return found if isinstance(found, int | float) and not isinstance(found, bool) else 0

    @property
    def encrypted(self) -> bool:
        """Whether its values are sealed where they are stored."""
        return self.config.get("encrypted") is True

    @property
    def editor(self) -> str | None:
        """The editor that applies: its own, or for several lines the entity's."""
        own = self.config.get("editor")
        if isinstance(own, str) and own:
            return own
        return self.default_editor if self.kind == "multiline" else None

    @property
    def rules(self) -> list[Any]:
        """The validation rules as they are stored."""
        found = self.config.get("validation")
        return found if isinstance(found, list) else []


def is_entity_id(text: str) -> bool:
    """Whether `text` has the form `module:entity`."""
    return _ENTITY_ID.fullmatch(text) is not None
