"""What can be asked of the audit logs, and what comes back (contract: audit-logs.md 3 and 5)."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from msgspec import Raw, Struct

ExecutionState = Literal["done", "undoing", "undone", "redone", "failed"]
SortField = Literal["createdAt", "user", "action", "field", "source"]


class Window(Struct, frozen=True):
    """Which part of a list is wanted: `size` rows after the first `start`, shown as page number `page`."""

    start: int
    size: int
    page: int


class AccessFilter(Struct, frozen=True, kw_only=True):
    """Which access log rows are wanted; None means that the column does not matter."""

    actor_id: UUID | None
    organization_id: UUID | None = None
    resource_kind: str | None = None
    access_type: str | None = None
    before: datetime | None = None
    after: datetime | None = None


class ActionFilter(Struct, frozen=True, kw_only=True):
    """Which action log rows are wanted, and in which order; None or empty means that it does not matter."""

    actor_ids: tuple[UUID, ...] | None = None
    organization_id: UUID | None = None
    resource_kind: str | None = None
    resource_id: str | None = None
    include_related: bool = False
    """With kind and id: rows whose parent or related resource it is count too."""
    action_types: tuple[str, ...] = ()
    field_names: tuple[str, ...] = ()
    undoable_only: bool = False
    before: datetime | None = None
    after: datetime | None = None
    sort: SortField = "createdAt"
    descending: bool = True


class AccessItem(Struct, frozen=True, rename="camel"):
    """One read of one record."""

    id: UUID
    resource_kind: str
    resource_id: str
    access_type: str
    actor_user_id: UUID | None
    actor_user_name: str | None
    tenant_id: UUID | None
    tenant_name: str | None
    organization_id: UUID | None
    organization_name: str | None
    fields: Raw
    context: Raw | None
    created_at: str


class ActionItem(Struct, frozen=True, rename="camel"):
    """One command as it is remembered. `snapshot_before`, `snapshot_after`, `changes` and `context` are JSON."""

    id: UUID
    command_id: str
    action_label: str | None
    execution_state: ExecutionState
    actor_user_id: UUID | None
    actor_user_name: str | None
    tenant_id: UUID | None
    tenant_name: str | None
    organization_id: UUID | None
    organization_name: str | None
    resource_kind: str | None
    resource_id: str | None
    parent_resource_kind: str | None
    parent_resource_id: str | None
    undo_token: str | None
    created_at: str
    updated_at: str
    snapshot_before: Raw | None
    snapshot_after: Raw | None
    changes: Raw | None
    context: Raw | None


class AccessPage(Struct, frozen=True, rename="camel"):
    """One page of the access log."""

    items: list[AccessItem]
    can_view_tenant: bool
    page: int
    page_size: int
    total: int
    total_pages: int


class ActionPage(Struct, frozen=True, rename="camel"):
    """One page of the action log."""

    items: list[ActionItem]
    can_view_tenant: bool
    page: int
    page_size: int
    total: int
    total_pages: int


class ExportEntry(Struct, frozen=True):
    """What the export needs of one action."""

    created_at: datetime
    user: str | None
    command_id: str
    action_label: str | None
    source: str
    before: dict[str, Any] | None
    changes: dict[str, dict[str, Any]]
