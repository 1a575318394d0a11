"""The action log: what one row holds, and the one statement that closes a command."""

from collections.abc import Hashable, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Protocol
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Raw, Struct

from commands.unit import Change
from domain.recorded_scope import ScopeRecord
from domain.resources import resource_of
from domain.upcasters import SCHEMA_REVISION
from domain.wire import array_text, iso_ms, quoted_array_text

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
    scope_id: UUID | None = None
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
_RETURNING = " returning tenant_id, id, seq, organization_id, created_at, reverses, scope_id"
_INSERT = (
    f"insert into action_logs ({', '.join(_COLUMNS)})"
    f" values ({', '.join(f'${place}' for place, _ in enumerate(_COLUMNS, 1))}){_RETURNING}"
)
_PIECED = (
    "$1::text::jsonb || jsonb_build_object('changes',"
    " (select jsonb_agg(x.c order by p.n, x.place) from command_pieces p,"
    " jsonb_array_elements(p.changes) with ordinality x (c, place)) || ($1::text::jsonb -> 'changes'))"
)
_ROWS = "unnest({tables}::text[], {ids}::uuid[])"
_PIECED_ROWS = (
    f"(select * from {_ROWS} u(t, i)"
    " union select u.t, u.i from command_pieces p, unnest(p.tables, p.ids) u(t, i))"
)
_EVENTS = "{events}::jsonb"
_PIECED_EVENTS = (
    "(select coalesce(jsonb_agg(x.e order by p.n, x.place), '[]') from command_pieces p,"
    f" jsonb_array_elements(p.events) with ordinality x (e, place)) || {_EVENTS}"
)
_PIECED_INSERT = (
    f"insert into action_logs ({', '.join(_COLUMNS)}) select {', '.join('r.' + c for c in _COLUMNS)}"
    f" from jsonb_populate_record(null::action_logs, {_PIECED}) r{_RETURNING}"
)


@cache
def _closing(reversal: bool, scoped: bool, pieced: bool, projection: Hashable, projected: str) -> str:
    first = _entry_places(pieced) + 1
    rows = (_PIECED_ROWS if pieced else _ROWS).format(tables=f"${first}", ids=f"${first + 1}")
    events = (_PIECED_EVENTS if pieced else _EVENTS).format(events=f"${first + 2}")
    parts = [
        f"l as ({_PIECED_INSERT if pieced else _INSERT})",
        (
            "touched as (insert into action_log_rows (tenant_id, table_name, row_id, seq, log_id)"
            f" select l.tenant_id, x.t, x.i, l.seq, l.id from l, {rows} x(t, i))"
        ),
        (
            "announced as (insert into outbox (tenant_id, log_id, organization_id, events, created_at, seq)"
            f" select l.tenant_id, l.id, l.organization_id, {events}, l.created_at, l.seq from l)"
        ),
    ]
    if reversal:
        parts.append(
            "reversal as (insert into action_log_reversals (tenant_id, log_id, reversed_by, reversed_at)"
            " select l.tenant_id, l.reverses, l.id, l.created_at from l)"
        )
    if scoped:
        parts.append(
            "scoped as (insert into action_log_scopes (tenant_id, id, scope)"
            f" select l.tenant_id, l.scope_id, ${first + 3}::jsonb from l on conflict do nothing)"
        )
    if projected:
        parts.append(projected)
    return f"with {', '.join(parts)} select seq from l"


class Closing(Struct, frozen=True):
    """The statement that ends a command; it is sent together with the COMMIT."""

    sql: str
    args: list[str | bytes | list[str] | None]


def closing(
    entry: LogEntry,
    changes: Sequence[Change],
    projection: Projection | None,
    emitted: Sequence[dict[str, Any]] = (),
    scope: ScopeRecord | None = None,
    *,
    pieced: bool = False,
) -> Closing:
    """The statement that writes the log row, what it touched, its reversal, its events and its documents, all in one.

    `emitted` are events besides those that the changes cause; `scope` is given while it may not be stored yet.
    It fails with asyncpg.UniqueViolationError when what the row reverses was reversed before.
    """
    touched = touched_rows(changes)
    first = _entry_places(pieced) + 4
    sql = _closing(
        entry.reverses is not None,
        scope is not None,
        pieced,
        projection.key if projection else (),
        projection.sql(first if scope is None else first + 1) if projection else "",
    )
    args: list[str | bytes | list[str] | None] = [
        *([_encode(entry).decode()] if pieced else map(_text, msgspec.structs.astuple(entry))),
        array_text(table for table, _ in touched),
        array_text(id for _, id in touched),
        _encode([*events_of(entry, changes), *emitted]).decode(),
    ]
    if scope is not None:
        args.append(scope.text.decode())
    return Closing(sql, [*args, *projection.args()] if projection else args)


def _entry_places(pieced: bool) -> int:
    """How many parameters hold the log row: one JSON object, to which what was put down is added, or its columns."""
    return 1 if pieced else len(_COLUMNS)


def _text(value: Any) -> str | None:
    """A column's value as PostgreSQL reads it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Raw):
        return None if bytes(value) == b"null" else bytes(value).decode()
    if isinstance(value, list):
        return quoted_array_text(value)
    if isinstance(value, dict):
        return _encode(value).decode()
    return str(value)


def touched_rows(changes: Sequence[Change]) -> list[tuple[str, str]]:
    """Table and id of every row that the changes touch, each once."""
    return list(dict.fromkeys(row for change in changes for row in _touched(change)))


def _touched(change: Change) -> Iterator[tuple[str, str]]:
    """The rows that a change touches: its own, and of a child the root's, so that the record's history finds it."""
    yield change.t, bytes(change.k["id"])[1:-1].decode()
    root = resource_of(change.t).root
    if root is not None and change.r is not None:
        yield root, change.r


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
    return [*row_events(entry.tenant_id, changes), _recorded_event(entry)]


def row_events(tenant_id: UUID, changes: Sequence[Change]) -> list[dict[str, Any]]:
    """The events of changed rows: one for each root record."""
    found: list[dict[str, Any]] = []
    for change in changes:
        resource = resource_of(change.t)
        if resource.event is None or (change.o == "u" and not resource.edited(change.a or ())):
            continue
        event = f"{resource.event}.{_verb(change, resource.soft_deletes)}"
        row = (change.a or {}) | (change.u or {}) if change.o != "d" else change.b or {}
        organization = row.get(resource.place, Raw(b"null"))
        payload = {"id": change.k["id"], "organizationId": organization, "tenantId": tenant_id}
        found.append({"event": event, "organizationId": organization, "payload": payload})
    return found


def _recorded_event(entry: LogEntry) -> dict[str, Any]:
    return {
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


def _verb(change: Change, soft_deletes: bool) -> str:
    if change.o == "i":
        return "created"
    if change.o == "d":
        return "deleted"
    if soft_deletes and change.b and change.a and "deleted_at" in change.a:
        return "created" if bytes(change.a["deleted_at"]) == b"null" else "deleted"
    return "updated"
