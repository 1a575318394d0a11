"""The action list of the floor: rows made into the items of the documented answer."""

from typing import Any
from uuid import UUID

import asyncpg
import msgspec


def action_items(rows: list[asyncpg.Record], actor: UUID) -> list[dict[str, Any]]:
    """The items of a page of actions, each with its record before and after and the fields that differ."""
    return [_item(row, actor) for row in rows]


def _item(row: asyncpg.Record, actor: UUID) -> dict[str, Any]:
    before, after = _images(msgspec.json.decode(row["changes"]))
    state = "done" if row["undone_at"] is None else "undone" if row["redone_at"] is None else "redone"
    context = msgspec.json.decode(row["context"]) if row["context"] else {}
    context["source"] = row["source_key"]
    if row["history_action"] is not None:
        context |= {"historyAction": row["history_action"], "sourceLogId": row["source_log_id"]}
    usable = state == "done" and row["actor_user_id"] == actor and row["history_action"] != "undo"
    changed_at = row["redone_at"] or row["undone_at"] or row["created_at"]
    return {
        "id": row["id"],
        "commandId": row["command_id"],
        "actionLabel": row["action_label"],
        "executionState": state,
        "actorUserId": row["actor_user_id"],
        "actorUserName": row["name"] or row["email"],
        "tenantId": row["tenant_id"],
        "tenantName": row["tenant_name"],
        "organizationId": row["organization_id"],
        "organizationName": row["organization_name"],
        "resourceKind": row["resource_kind"],
        "resourceId": row["resource_id"],
        "parentResourceKind": row["parent_resource_kind"],
        "parentResourceId": row["parent_resource_id"],
        "undoToken": row["undo_token"] if usable else None,
        "createdAt": row["created_at"].isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "updatedAt": changed_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "snapshotBefore": before,
        "snapshotAfter": after,
        "changes": _differences(before, after),
        "context": context,
    }


def _images(changes: list[dict[str, Any]]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    change = next((c for c in changes if c["t"] in ("dictionary_entries", "dictionaries")), changes[0])
    kept, derived = change.get("u") or {}, change.get("x") or {}
    sides: list[dict[str, Any] | None] = []
    for side in ("b", "a"):
        if side not in change:
            sides.append(None)
            continue
        row = {**kept, **change[side]}
        row.pop("normalized_value", None)
        shown = {_camel(name): value for name, value in row.items()} | derived
        for name in ("createdAt", "updatedAt"):
            if isinstance(shown.get(name), str):
                shown[name] = shown[name][:23] + "Z"
        sides.append(shown)
    return sides[0], sides[1]


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _differences(before: dict[str, Any] | None, after: dict[str, Any] | None) -> dict[str, Any] | None:
    if before is None or after is None:
        return None
    return {
        name: {"from": before.get(name), "to": value}
        for name, value in after.items()
        if before.get(name) != value and name != "updatedAt"
    } or None
