"""Which definition of a key counts, and in which order fields stand (entities.md 1.5; decision 0021).

The most specific row of a key wins, whatever its state: an active row of an organization stands even where the tenant's
row is deleted, and a deleted one hides the tenant's for its own organization only. So validation, storage and lists
agree.
"""

from collections.abc import Iterable
from uuid import UUID

from domain.custom_fields.fields import FieldDefinition


def leading(
    rows: Iterable[FieldDefinition], organization_id: UUID | None
) -> dict[tuple[str, str], FieldDefinition]:
    """The row that decides on each (entity, key) for an organization: its own, else the tenant's, tombstones too."""
    best: dict[tuple[str, str], FieldDefinition] = {}
    for row in rows:
        if row.organization_id not in (None, organization_id):
            continue
        known = best.get((row.entity_id, row.key))
        if known is None or _rank(row) > _rank(known):
            best[row.entity_id, row.key] = row
    return best


def winners(rows: Iterable[FieldDefinition], organization_id: UUID | None) -> list[FieldDefinition]:
    """The fields that an organization has, in their order; None: those of the tenant alone."""
    return in_order(row for row in leading(rows, organization_id).values() if row.is_active)


def in_order(rows: Iterable[FieldDefinition]) -> list[FieldDefinition]:
    """By priority, then the newest, then the key."""
    return sorted(rows, key=lambda row: (row.priority, -row.updated_at.timestamp(), row.key))


def _rank(row: FieldDefinition) -> tuple[bool, float]:
    return row.organization_id is not None, row.updated_at.timestamp()
