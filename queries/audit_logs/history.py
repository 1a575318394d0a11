"""The history of one record: what touched it, how it was at a moment, and what differs between two moments."""

from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Raw, Struct

from domain.audit_logs import VIEW_TENANT
from domain.errors import Problem
from domain.moments import OWN, RELATED, TOUCHED, Moment, PastRow, Subject, moment_of, rows_at, subject_args
from domain.resources import resource_of_kind
from domain.scope import Scope
from domain.snapshots import decode, encode, field_changes, record
from domain.upcasters import current
from domain.wire import iso_ms
from queries.audit_logs.actions import ACTION_COLUMNS, ACTION_JOINS, action_item
from queries.audit_logs.types import ActionItem, Window

_MOST_BETWEEN = 200


class HistoryItem(ActionItem, frozen=True, rename="camel"):
    """One action of a record's history: snapshots and changes are those of this record.

    `touched` False: the action only concerns the record, or something that belongs to it.
    """

    touched: bool = True
    seq: int = 0


class HistoryPage(Struct, frozen=True, rename="camel"):
    """A page of a record's history, newest first."""

    items: list[HistoryItem]
    page: int
    page_size: int
    total: int
    total_pages: int


class State(Struct, frozen=True, rename="camel"):
    """A record as of a moment; `state` is null when it was not there."""

    resource_kind: str
    resource_id: UUID
    at: str | None
    log_id: UUID | None
    exists: bool
    state: Raw | None


class Comparison(Struct, frozen=True, rename="camel"):
    """A record at two moments: the fields that differ, and the actions between (the newest 200 of them)."""

    resource_kind: str
    resource_id: UUID
    before: State
    after: State
    changes: Raw | None
    actions: list[HistoryItem]
    total: int


async def subject_of(connection: asyncpg.Connection, scope: Scope, kind: str, id: str) -> Subject:
    """The record that a kind and an id name, if its history may be read by the caller.

    Raises Problem 404 for a kind or a record that is not known, or not in the caller's organizations, and 403 without
    the features that the record itself asks for.
    """
    resource = resource_of_kind(kind)
    if resource is None:
        raise Problem.not_found("No such kind of record")
    missing = scope.missing(resource.view or (VIEW_TENANT,))
    if missing:
        raise Problem.forbidden(missing)
    try:
        subject = Subject(resource, msgspec.convert(id, UUID))
    except msgspec.ValidationError:
        raise Problem.not_found("No such record") from None
    row = await connection.fetchrow(
        f"select ({_PLACE_NOW.format(table=resource.name, place=_place(subject))}) as now,"
        f" (select l.organization_id from ({TOUCHED}) h join action_logs l on l.tenant_id = $1 and l.id = h.log_id"
        " order by h.seq desc limit 1) as logged,"
        f" exists (select from ({TOUCHED}) h) as known",
        *subject_args(scope.tenant_id, subject),
    )
    place = row["now"] or row["logged"]
    if not row["known"] or not scope.may_touch(UUID(place) if isinstance(place, str) else place):
        raise Problem.not_found("No such record")
    if resource.admits is not None:
        await resource.admits(connection, scope, subject.id)
    return subject


_PLACE_NOW = "select {place}::text from {table} where tenant_id = $1 and id = $3::uuid"


def _place(subject: Subject) -> str:
    resource = subject.resource
    return resource.place if resource.place in resource.table.columns else "null"


async def record_history(
    connection: asyncpg.Connection, scope: Scope, subject: Subject, window: Window
) -> HistoryPage:
    """The actions that touched a record, its parts and its links; who sees only their own actions sees those."""
    items, total = await _actions(connection, scope, subject, "true", (), window.size, window.start)
    return HistoryPage(items, window.page, window.size, total, max(1, -(-total // window.size)))


async def record_state(connection: asyncpg.Connection, scope: Scope, subject: Subject, at: str) -> State:
    """The record as of a moment. Raises Problem 400 and 404 for a moment that is none."""
    moment = await moment_of(connection, scope.tenant_id, at)
    rows = await rows_at(connection, scope.tenant_id, subject, moment.seq)
    return _state(subject, moment, _image(subject, rows))


async def record_comparison(
    connection: asyncpg.Connection, scope: Scope, subject: Subject, start: str, end: str
) -> Comparison:
    """What differs between two moments, whichever comes first, and what happened between them."""
    moments = [
        await moment_of(connection, scope.tenant_id, start, "from"),
        await moment_of(connection, scope.tenant_id, end, "to"),
    ]
    images = [
        _image(subject, await rows_at(connection, scope.tenant_id, subject, one.seq)) for one in moments
    ]
    first, last = sorted(one.seq for one in moments)
    actions, total = await _actions(
        connection, scope, subject, "h.seq > $5 and h.seq <= $6", (first, last), _MOST_BETWEEN, 0
    )
    changes = field_changes(images[0] or {}, images[1] or {})
    return Comparison(
        resource_kind=str(subject.resource.kind),
        resource_id=subject.id,
        before=_state(subject, moments[0], images[0]),
        after=_state(subject, moments[1], images[1]),
        changes=None if changes is None else Raw(encode(changes)),
        actions=actions,
        total=total,
    )


def _state(subject: Subject, moment: Moment, image: dict[str, Any] | None) -> State:
    return State(
        resource_kind=str(subject.resource.kind),
        resource_id=subject.id,
        at=iso_ms(moment.at) if moment.at else None,
        log_id=moment.log_id,
        exists=image is not None,
        state=None if image is None else Raw(encode(image)),
    )


def _image(subject: Subject, rows: list[PastRow]) -> dict[str, Any] | None:
    """The record as clients see it, made of the rows that were there."""
    as_made = [
        {"t": row.resource.name, "o": "i", "k": {"id": str(row.id)}, "a": decode(encode(row.then))}
        | ({"r": str(subject.id)} if row.resource is not subject.resource else {})
        for row in rows
        if row.then is not None
    ]
    return record(as_made, subject.resource.kind, str(subject.id))[1]


async def _actions(
    connection: asyncpg.Connection,
    scope: Scope,
    subject: Subject,
    condition: str,
    args: tuple[Any, ...],
    size: int,
    start: int,
) -> tuple[list[HistoryItem], int]:
    """Actions of the record's history, newest first, and how many there are."""
    given = [*subject_args(scope.tenant_id, subject), *args]
    if not scope.can(VIEW_TENANT):
        given.append(scope.actor.id)
        condition += f" and l.actor_user_id = ${len(given)}"
    history = (
        f"history as (select h.seq, h.log_id from ({TOUCHED}{RELATED}) h"
        f" join action_logs l on l.tenant_id = $1 and l.id = h.log_id where {condition})"
    )
    page = (
        "page as (select a.* from (select * from history order by seq desc"
        f" limit ${len(given) + 1} offset ${len(given) + 2}) h"
        " join action_logs a on a.tenant_id = $1 and a.id = h.log_id)"
    )
    own = (
        "(select jsonb_agg(c order by n)::text from jsonb_array_elements(p.changes) with ordinality e (c, n)"
        f" where {OWN})"
    )
    rows = await connection.fetch(
        f"with {history}, {page} select (select count(*) from history) as total, p.*"
        f" from (select 1) one left join (select p.seq, {own} as own, {ACTION_COLUMNS}"
        f" from {ACTION_JOINS}) p on true order by p.seq desc nulls last",
        *given,
        size,
        start,
    )
    items = [_item(scope, subject, row) for row in rows if row["id"] is not None]
    return items, rows[0]["total"]


def _item(scope: Scope, subject: Subject, row: asyncpg.Record) -> HistoryItem:
    values = msgspec.structs.asdict(action_item(scope, row))
    if row["own"] is not None:
        changes = decode(current(row["own"], row["schema_rev"]))
        before, after = record(changes, subject.resource.kind, str(subject.id))
        different = field_changes(before, after)
        values |= {
            "snapshot_before": _json(before),
            "snapshot_after": _json(after),
            "changes": _json(different),
        }
    return HistoryItem(**values, touched=row["own"] is not None, seq=row["seq"])


def _json(value: Any) -> Raw | None:
    return None if value is None else Raw(encode(value))
