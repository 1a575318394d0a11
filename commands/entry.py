"""The log row of a command: what it was about, where it belongs, and what a dry run shows of it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Raw

from commands.log import LogEntry
from commands.unit import Change, Unit
from commands.work import DryRun, Work
from domain import snapshots
from domain.ids import undo_token
from domain.recorded_scope import record_of
from domain.resources import resource_of
from domain.scope import Options, Scope

_encode = msgspec.json.Encoder().encode

_MANY = 1_000
"""Rows from which on a command's changed fields, and the snapshots of its dry run, are not worked out."""


def log_entry(work: Work, unit: Unit, scope: Scope, options: Options, token_key: bytes) -> LogEntry:
    """The row of a command that did something; `token_key` makes its undo token."""
    encoded = _encode(unit.changes)
    root = _root(work, unit.changes) if unit.changes else None
    own = str(work.target) if work.target else None if root is None else _text(root.k["id"])
    resource_id = work.resource_id or own
    organization = scope.selected_organization_id if root is None else _organization(root, scope)
    fields: list[str] = []
    if len(unit.changes) <= _MANY:
        decoded = snapshots.decode(encoded)
        fields = snapshots.changed_fields(work.command_id, decoded, work.resource_kind, resource_id)
    source = "api" if scope.actor.kind == "api_key" and options.source == "ui" else options.source
    parent, related = _surroundings(root)
    return LogEntry(
        tenant_id=scope.tenant_id,
        id=unit.log_id,
        organization_id=organization,
        actor_user_id=scope.actor.id,
        actor_kind=scope.actor.kind,
        command_id=work.command_id,
        action_label=work.label,
        action_type=snapshots.action_type(work.command_id, work.label),
        resource_kind=work.resource_kind,
        resource_id=resource_id,
        parent_resource_kind=parent[0],
        parent_resource_id=parent[1],
        related_resource_kind=related[0],
        related_resource_id=related[1],
        undo_token=undo_token(unit.log_id, token_key) if work.undoable else None,
        reverses=work.reverses,
        history_action=work.history_action,
        source_log_id=work.source_log_id,
        source_key="system" if scope.actor.kind == "system" else source,
        input=_recorded(work, unit),
        changes=Raw(encoded),
        changed_fields=fields,
        primary_changed_field=fields[0] if fields else None,
        context={**(work.context or {}), **unit.context} or None,
        reason=options.reason,
        correlation_id=options.correlation_id,
        request_id=options.request_id,
        scope_id=record_of(scope).id,
        created_at=unit.now,
    )


def _root(work: Work, changes: Sequence[Change]) -> Change:
    """The change that the log row is about: the resource's own row if there is one, else the first."""
    return next((c for c in changes if resource_of(c.t).kind == work.resource_kind), changes[0])


def _organization(change: Change, scope: Scope) -> UUID | None:
    """The organization of a changed row: the log row belongs where the row is, not where the actor is.

    A row that is in no organization is logged where the actor writes; an organization is not the place of its own log
    rows when there is another, because it may be gone when they are to be taken back.
    """
    if "organization_id" not in resource_of(change.t).table.columns:
        place = scope.selected_organization_id
        return scope.home_organization_id if str(place) == _text(change.k["id"]) else place
    for image in (change.a, change.b, change.u):
        value = image.get("organization_id") if image else None
        if value is not None and bytes(value) != b"null":
            return UUID(_text(value))
    return None


Reference = tuple[str | None, str | None]
_NOTHING: Reference = (None, None)


def _surroundings(change: Change | None) -> tuple[Reference, Reference]:
    """The kind and id of the record that a changed row belongs to, and of the one that it concerns."""
    if change is None:
        return _NOTHING, _NOTHING
    resource = resource_of(change.t)
    parent = _reference(change, resource.within)
    if resource.root is not None and parent == _NOTHING:
        parent = resource_of(resource.root).kind, change.r
    return parent, _reference(change, resource.related)


def _reference(change: Change, declared: tuple[str, str] | None) -> Reference:
    if declared is None:
        return _NOTHING
    kind, column = declared
    id = _value(change, column)
    named = _value(change, kind[1:]) if kind.startswith(".") else kind
    return (named, id) if named is not None and id is not None else _NOTHING


def _value(change: Change, column: str) -> str | None:
    """A column of a changed row as text, as the command left it (or found it, when the row is gone)."""
    for image in (change.a, change.b, change.u):
        if image is not None and column in image:
            value = msgspec.json.decode(image[column])
            return None if value is None else str(value)
    return None


def _text(value: Raw) -> str:
    return str(msgspec.json.decode(value))


def _recorded(work: Work, unit: Unit) -> Raw:
    """The input as the log keeps it, designated values sealed."""
    if work.input is None or work.history_action is not None:
        return Raw(b"null")
    return work.input if unit.seals is None else Raw(unit.seals.hide(bytes(work.input), unit.log_id))


def preview(work: Work, unit: Unit, result: Any) -> DryRun:
    """What a dry run tells."""
    root = _root(work, unit.changes) if unit.changes else None
    resource_id = (
        work.resource_id
        or (str(work.target) if work.target else None)
        or (_text(root.k["id"]) if root else None)
    )
    before, after, changes = None, None, None
    if len(unit.changes) <= _MANY:
        decoded = snapshots.decode(_encode(unit.changes))
        before, after = snapshots.snapshots(work.command_id, decoded, work.resource_kind, resource_id)
        changes = snapshots.field_changes(before, after)
    return DryRun(
        work.command_id, work.resource_kind, resource_id, before, after, changes, unit.changes, result
    )
