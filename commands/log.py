"""The action log: what one row holds, and the one statement that closes a command."""

from collections.abc import Hashable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Protocol
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Raw, Struct

from commands.unit import Change
from domain.resources import resource_of
from domain.wire import array_text, iso_ms

SCHEMA_REVISION = 1
"""Of the row images in `changes`; a migration that reshapes a table raises it and registers an upcaster."""

_encode = msgspec.json.Encoder().encode


class LogEntry(Struct, frozen=True, kw_only=True):
    """One row of the action log as the bus writes it (columns of the table of the same name)."""

    tenant_id: UUID
    id: UUID
    organization_id: UUID | None
    actor_user_id: UUID | None
    actor_kind: str
    command_id: str
    action_label: str | None
    action_type: str
    resource_kind: str | None
    resource_id: str | None
    parent_resource_kind: str | None = None
    parent_resource_id: str | None = None
    related_resource_kind: str | None = None
    related_resource_id: str | None = None
    undo_token: str | None
    reverses: UUID | None = None
    history_action: str | None = None
    source_log_id: UUID | None = None
    source_key: str
    input: Raw
    changes: Raw
    changed_fields: list[str]
    primary_changed_field: str | None
    context: dict[str, Any] | None = None
    reason: str | None
    correlation_id: str | None
    request_id: str | None
    schema_rev: int = SCHEMA_REVISION
    created_at: datetime


class Projection(Protocol):
    """What must be refreshed beside one log row: SQL fragments and their arguments."""

    @property
    def key(self) -> Hashable:
        """Equal for projections of equal `sql`."""
        ...

    def sql(self, first: int) -> str:
        """Further common table expressions, their parameters numbered from `first`; may be empty."""
        ...

    def args(self) -> Sequence[str | bytes | list[str]]:
        """The arguments of `sql`, in order."""
        ...


class Projector(Protocol):
    """Names the read models that row changes touch. The composition root hands one to the bus."""

    def plan(self, tenant_id: UUID, changes: Sequence[Change]) -> Projection | None:
        """What to refresh for these changes; None when nothing is projected."""
        ...


_COLUMNS = tuple(field.name for field in msgspec.structs.fields(LogEntry))
_INSERT = (
    f"insert into action_logs ({', '.join(_COLUMNS)}) select {', '.join('r.' + c for c in _COLUMNS)}"
    " from jsonb_populate_record(null::action_logs, $1::text::jsonb) r"
    " returning tenant_id, id, seq, organization_id, created_at, reverses"
)


@cache
def _closing(reversal: bool, projection: Hashable, projected: str) -> str:
    parts = [
        f"l as ({_INSERT})",
        (
            "touched as (insert into action_log_rows (tenant_id, table_name, row_id, seq, log_id)"
            " select l.tenant_id, x.t, x.i, l.seq, l.id from l, unnest($2::text::text[], $3::text::uuid[]) x(t, i))"
        ),
        (
            "announced as (insert into outbox (tenant_id, log_id, organization_id, events, created_at, seq)"
            " select l.tenant_id, l.id, l.organization_id, $4::text::jsonb, l.created_at, l.seq from l)"
        ),
    ]
    if reversal:
        parts.append(
            "reversal as (insert into action_log_reversals (tenant_id, log_id, reversed_by, reversed_at)"
            " select l.tenant_id, l.reverses, l.id, l.created_at from l)"
        )
    if projected:
        parts.append(projected)
    return f"with {', '.join(parts)} select seq from l"


class Closing(Struct, frozen=True):
    """The statement that ends a command; it is sent together with the COMMIT."""

    sql: str
    args: list[str | bytes | list[str]]


def closing(
    entry: LogEntry,
    changes: Sequence[Change],
    projection: Projection | None,
    emitted: Sequence[dict[str, Any]] = (),
) -> Closing:
    """The statement that writes the log row, what it touched, its reversal, its events and its documents, all in one.

    `emitted` are events besides those that the changes cause. It fails with asyncpg.UniqueViolationError when what the
    row reverses was reversed before.
    """
    touched = list(dict.fromkeys((change.t, bytes(change.k["id"])) for change in changes))
    sql = _closing(
        entry.reverses is not None,
        projection.key if projection else (),
        projection.sql(5) if projection else "",
    )
    args: list[str | bytes | list[str]] = [
        _encode(entry).decode(),
        array_text(table for table, _ in touched),
        array_text(id[1:-1].decode() for _, id in touched),
        _encode([*events_of(entry, changes), *emitted]).decode(),
    ]
    return Closing(sql, [*args, *projection.args()] if projection else args)


async def announce(
    connection: asyncpg.Connection,
    tenant_id: UUID,
    id: UUID,
    events: Sequence[dict[str, Any]],
    now: datetime,
) -> None:
    """Put the events of a command that leaves no log row into the outbox; `id` is the one its row would have had."""
    await connection.execute(
        "insert into outbox (tenant_id, log_id, organization_id, events, created_at, seq)"
        " values ($1, $2, null, $3::text::jsonb, $4, nextval('action_log_seq'))",
        tenant_id,
        id,
        _encode(events).decode(),
        now,
    )


def events_of(entry: LogEntry, changes: Sequence[Change]) -> list[dict[str, Any]]:
    """The events that a command causes: one for each root record, and one for the log row itself."""
    found: list[dict[str, Any]] = []
    for change in changes:
        resource = resource_of(change.t)
        if resource.event is None or (change.o == "u" and not resource.edited(change.a or ())):
            continue
        event = f"{resource.event}.{_verb(change, resource.soft_deletes)}"
        row = (change.a or {}) | (change.u or {}) if change.o != "d" else change.b or {}
        organization = row.get(resource.place, Raw(b"null"))
        payload = {"id": change.k["id"], "organizationId": organization, "tenantId": entry.tenant_id}
        found.append({"event": event, "organizationId": organization, "payload": payload})
    found.append(
        {
            "event": "audit_logs.action.recorded",
            "organizationId": entry.organization_id,
            "payload": {
                "id": entry.id,
                "tenantId": entry.tenant_id,
                "organizationId": entry.organization_id,
                "commandId": entry.command_id,
                "actionLabel": entry.action_label,
                "actionType": entry.action_type,
                "resourceKind": entry.resource_kind,
                "resourceId": entry.resource_id,
                "actorUserId": entry.actor_user_id,
                "historyAction": entry.history_action,
                "createdAt": iso_ms(entry.created_at),
            },
            "audience": {"actorUserId": entry.actor_user_id, "features": ["audit_logs.view_tenant"]},
        }
    )
    return found


def _verb(change: Change, soft_deletes: bool) -> str:
    if change.o == "i":
        return "created"
    if change.o == "d":
        return "deleted"
    if soft_deletes and change.b and change.a and "deleted_at" in change.a:
        return "created" if bytes(change.a["deleted_at"]) == b"null" else "deleted"
    return "updated"
