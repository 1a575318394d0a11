"""What every command did."""

from functools import lru_cache
from typing import Any

import asyncpg
from msgspec import Raw

from domain import i18n
from domain.audit_logs import TAKEN_BACK, UNDO_SELF, UNDO_TENANT, VIEW_TENANT
from domain.scope import Scope
from domain.snapshots import decode, encode, field_changes, snapshots
from domain.upcasters import current
from domain.wire import iso_ms
from queries.audit_logs.conditions import NAME_COLUMNS, USER_NAME, Conditions, actor_name, names
from queries.audit_logs.totals import Totals
from queries.audit_logs.types import (
    ActionFilter,
    ActionItem,
    ActionPage,
    ExecutionState,
    ExportEntry,
    Window,
)

_SORT_KEYS: dict[str, str] = {
    "createdAt": "null::text",
    "user": f"coalesce({USER_NAME}, '')",
    "action": "a.action_type",
    "field": "coalesce(a.primary_changed_field, '')",
    "source": "a.source_key",
}
_NEWEST = "(select a.seq from action_logs a where a.tenant_id = $1 order by a.seq desc limit 1)"
_NOT_UNDONE = (
    "not exists (select from action_log_reversals v where v.tenant_id = a.tenant_id and v.log_id = a.id)"
    f" and not {TAKEN_BACK.format('a')}"
)
_BY_NAME = (
    "left join users u on u.tenant_id = a.tenant_id and u.id = a.actor_user_id and u.deleted_at is null"
)
_SMALL = 4_096
"""Row changes of at most this many characters are kept rendered."""
_DEEP = 500
"""Pages that skip this many rows or more are placed by index before their rows are read."""
ACTION_COLUMNS = (
    "p.id, p.command_id, p.action_label, p.actor_user_id, p.organization_id, p.resource_kind, p.resource_id,"
    " p.parent_resource_kind, p.parent_resource_id, p.undo_token, p.created_at, p.history_action,"
    " p.source_log_id, p.source_key, p.reason, p.correlation_id, p.context::text as context,"
    f" p.changes::text as changes, p.schema_rev, {NAME_COLUMNS}, coalesce(v.reversed_at, k.marked_at) as undone_at,"
    " w.reversed_at as redone_at"
)
ACTION_JOINS = (
    f"page p {names('p')}"
    " left join action_log_reversals v on v.tenant_id = p.tenant_id and v.log_id = p.id"
    " and p.history_action is distinct from 'undo'"
    " left join action_log_reversals w on w.tenant_id = v.tenant_id and w.log_id = v.reversed_by"
    " left join lateral (select m.undone, m.marked_at from action_log_marks m where m.tenant_id = p.tenant_id"
    " and m.log_id = p.id order by m.seq desc limit 1) k on k.undone"
)


async def action_logs(
    connection: asyncpg.Connection, scope: Scope, wanted: ActionFilter, window: Window, totals: Totals
) -> ActionPage:
    """A page of the action log with its total, in one statement (two when a remembered total proves wrong)."""
    conditions = _conditions(scope, wanted)
    where, key = conditions.where, (conditions.where, *conditions.args)
    remember = wanted.before is None and wanted.after is None
    counted, upto = totals.known(key) if remember else (0, 0)
    newer = f" and a.seq > {conditions.place(upto)}" if upto else ""
    page = _page(wanted, where, conditions.place(window.size), conditions.place(window.start), window.start)
    rows = await connection.fetch(
        f"with counted as (select (select count(*) from action_logs a where {where}{newer}) as total,"
        f" {_undone(wanted, where)} as undone, {_NEWEST} as upto), {page}"
        f" select counted.*, p.* from counted"
        f" left join (select p.sort_key, p.seq, {ACTION_COLUMNS} from {ACTION_JOINS}) p on true"
        f" order by {_order(wanted, 'p', 'p.sort_key')}",
        *conditions.args,
    )
    total, last = counted + rows[0]["total"], rows[0]["upto"] or 0
    if last < upto:  # another history than the one that was counted: a restored database
        totals.forget(key)
        return await action_logs(connection, scope, wanted, window, totals)
    if remember:
        totals.keep(key, total, last)
    total -= rows[0]["undone"]
    items = [action_item(scope, row) for row in rows if row["id"] is not None]
    pages = max(1, -(-total // window.size))
    return ActionPage(items, scope.can(VIEW_TENANT), window.page, window.size, total, pages)


async def action_export(
    connection: asyncpg.Connection, scope: Scope, wanted: ActionFilter, limit: int
) -> list[ExportEntry]:
    """The first `limit` actions in list order, with what each changed."""
    conditions = _conditions(scope, wanted)
    page = _page(wanted, conditions.where, conditions.place(limit), conditions.place(0), 0)
    rows = await connection.fetch(
        f"with {page} select {ACTION_COLUMNS} from {ACTION_JOINS} order by {_order(wanted, 'p', 'p.sort_key')}",
        *conditions.args,
    )
    return [_export_entry(row) for row in rows]


def _conditions(scope: Scope, wanted: ActionFilter) -> Conditions:
    conditions = Conditions(scope.tenant_id)
    if wanted.actor_ids is not None:
        one = len(wanted.actor_ids) == 1
        conditions.add(
            "a.actor_user_id = {}" if one else "a.actor_user_id = any({}::uuid[])",
            wanted.actor_ids[0] if one else wanted.actor_ids,
        )
    conditions.add("a.organization_id = {}", wanted.organization_id)
    if wanted.include_related and wanted.resource_kind is not None and wanted.resource_id is not None:
        kind, record = conditions.place(wanted.resource_kind), conditions.place(wanted.resource_id)
        pairs = (
            f"(a.{side}resource_kind = {kind} and a.{side}resource_id = {record})"
            for side in ("", "parent_", "related_")
        )
        conditions.sql.append(f"({' or '.join(pairs)})")
    else:
        conditions.add("a.resource_kind = {}", wanted.resource_kind)
        conditions.add("a.resource_id = {}", wanted.resource_id)
    conditions.add("a.action_type = any({}::text[])", wanted.action_types or None)
    conditions.add("a.changed_fields && {}::text[]", wanted.field_names or None)
    if wanted.undoable_only:
        _only_undoable(conditions, scope)
    conditions.add("a.created_at < {}", wanted.before)
    conditions.add("a.created_at > {}", wanted.after)
    return conditions


def _only_undoable(conditions: Conditions, scope: Scope) -> None:
    """Rows with a token that the caller may use; whether it was used is not a property of the row (`_NOT_UNDONE`)."""
    conditions.sql.append("a.undo_token is not null" if scope.can(UNDO_SELF) else "false")
    if not scope.can(UNDO_TENANT):
        conditions.add("a.actor_user_id = {}", scope.actor.id)


def _undone(wanted: ActionFilter, where: str) -> str:
    """How many of the counted rows are taken back: few against all, so that the total of all can be kept."""
    if not wanted.undoable_only:
        return "0"
    marked = (
        "select m.log_id from (select distinct on (m.log_id) m.log_id, m.undone from action_log_marks m"
        " where m.tenant_id = $1 order by m.log_id, m.seq desc) m where m.undone"
    )
    return (
        f"(select count(*) from (select v.log_id from action_log_reversals v where v.tenant_id = $1 union {marked}) v"
        f" join action_logs a on a.tenant_id = $1 and a.id = v.log_id where {where})"
    )


def _page(wanted: ActionFilter, where: str, size: str, start: str, skipped: int) -> str:
    """The rows in order, each with its sort key. Other joins come later, so that skipped rows have none."""
    key = _SORT_KEYS[wanted.sort]
    source = f"action_logs a {_BY_NAME}" if wanted.sort == "user" else "action_logs a"
    if wanted.undoable_only:
        where += f" and {_NOT_UNDONE}"
    order = f"order by {_order(wanted, 'a', key)} limit {size} offset {start}"
    if skipped < _DEEP:
        return f"page as (select a.*, {key} as sort_key from {source} where {where} {order})"
    return (  # deep: only what an index holds is read of the skipped rows
        f"place as materialized (select a.seq, {key} as sort_key from {source} where {where} {order}),"
        " page as (select a.*, place.sort_key from place join action_logs a"
        " on a.tenant_id = $1 and a.seq = place.seq)"
    )


def _order(wanted: ActionFilter, alias: str, key: str) -> str:
    direction = "desc" if wanted.descending else "asc"
    if wanted.sort == "createdAt":
        return f"{alias}.created_at {direction}, {alias}.seq {direction}"
    return f"{key} {direction}, {alias}.created_at desc, {alias}.seq desc"


def action_item(scope: Scope, row: asyncpg.Record) -> ActionItem:
    """A row of ACTION_COLUMNS as the caller sees it."""
    state, token = _state(scope, row)
    render = _rendered if len(row["changes"]) <= _SMALL else _rendered.__wrapped__
    before, after, changes = render(
        row["command_id"],
        row["resource_kind"],
        row["resource_id"],
        current(row["changes"], row["schema_rev"]),
    )
    return ActionItem(
        id=row["id"],
        command_id=row["command_id"],
        action_label=i18n.action_label(row["command_id"], row["action_label"], scope.locale),
        execution_state=state,
        actor_user_id=row["actor_user_id"],
        actor_user_name=actor_name(row),
        tenant_id=scope.tenant_id,
        tenant_name=row["tenant_name"],
        organization_id=row["organization_id"],
        organization_name=row["organization_name"],
        resource_kind=row["resource_kind"],
        resource_id=row["resource_id"],
        parent_resource_kind=row["parent_resource_kind"],
        parent_resource_id=row["parent_resource_id"],
        undo_token=token,
        created_at=iso_ms(row["created_at"]),
        updated_at=iso_ms(row["redone_at"] or row["undone_at"] or row["created_at"]),
        snapshot_before=before,
        snapshot_after=after,
        changes=changes,
        context=_context(row),
    )


@lru_cache(maxsize=2048)
def _rendered(
    command_id: str, kind: str | None, record: str | None, changes: str
) -> tuple[Raw | None, Raw | None, Raw | None]:
    """Snapshots and changes as JSON. A log row never changes, so the newest pages are rendered once."""
    before, after = snapshots(command_id, decode(changes), kind, record)
    return _json(before), _json(after), _json(field_changes(before, after))


def _state(scope: Scope, row: asyncpg.Record) -> tuple[ExecutionState, str | None]:
    """What became of the action, and its undo token if the caller may use it."""
    if row["undone_at"] is not None:
        return ("undone" if row["redone_at"] is None else "redone"), None
    mine = row["actor_user_id"] is not None and row["actor_user_id"] == scope.actor.id
    usable = scope.can(UNDO_SELF) and (mine or scope.can(UNDO_TENANT))
    return "done", row["undo_token"] if usable and row["history_action"] != "undo" else None


def _context(row: asyncpg.Record) -> Raw:
    context: dict[str, Any] = decode(row["context"]) if row["context"] else {}
    context.pop("features", None)
    context["source"] = row["source_key"]
    for name, column in (("reason", "reason"), ("correlationId", "correlation_id")):
        if row[column] is not None:
            context[name] = row[column]
    if row["history_action"] is not None:
        context["historyAction"] = row["history_action"]
        context["sourceLogId"] = row["source_log_id"]
        context["sourceCommandId"] = row["command_id"]
    return Raw(encode(context))


def _export_entry(row: asyncpg.Record) -> ExportEntry:
    changes = decode(current(row["changes"], row["schema_rev"]))
    before, after = snapshots(row["command_id"], changes, row["resource_kind"], row["resource_id"])
    actor = row["actor_user_id"]
    return ExportEntry(
        created_at=row["created_at"],
        user=actor_name(row) or (str(actor) if actor else None),
        command_id=row["command_id"],
        action_label=row["action_label"],
        source=row["source_key"],
        before=before,
        changes=field_changes(before, after) or {},
    )


def _json(value: Any) -> Raw | None:
    return None if value is None else Raw(encode(value))
