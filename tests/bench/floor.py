"""The floor: a bare Litestar application that a person would write by hand for the same tables, with no bus.

Each write is `async with pool.acquire() …, transaction()`, one statement after the other: select, write, action log,
touched rows, outbox, index document, search tokens, counters. It has no sign-in, no rights, no optimistic lock, no
idempotency and no dry run: tenant, organization and actor come from a header.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID, uuid4

import asyncpg
import msgspec
from litestar import Litestar, Request, Response, get, patch, post
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from msgspec import UNSET, Meta, Struct, UnsetType

from domain.ids import random_id
from tests.bench import floor_sql as sql
from tests.bench.floor_lists import action_items

KEY = b"bench" * 6 + b"ab"
LABELS = {
    "dictionaries.entries.create": "Add dictionary entry",
    "dictionaries.entries.update": "Update dictionary entry",
}
Row = dict[str, Any]
Scope = tuple[UUID, UUID, UUID]


class NewEntry(Struct):
    """The body of a creation."""

    value: Annotated[str, Meta(min_length=1, max_length=150)]
    label: Annotated[str, Meta(min_length=1, max_length=150)] | None = None
    color: Annotated[str, Meta(pattern="^#[0-9a-fA-F]{6}$")] | None = None
    icon: str | None = None
    position: int = 0


class EntryPatch(Struct):
    """The body of an update."""

    label: Annotated[str, Meta(min_length=1, max_length=150)] | UnsetType = UNSET
    color: Annotated[str, Meta(pattern="^#[0-9a-fA-F]{6}$")] | UnsetType = UNSET


class UndoBody(Struct, rename="camel"):
    """The body of an undo."""

    undo_token: str


def scope_of(request: Request[Any, Any, Any]) -> Scope:
    """Tenant, organization and actor of the request."""
    tenant, organization, actor = request.headers["x-scope"].split(",")
    return UUID(tenant), UUID(organization), UUID(actor)


@asynccontextmanager
async def writing(state: State, tenant: UUID, command: str) -> AsyncIterator[asyncpg.Connection]:
    """A transaction with the tenant and the command set."""
    async with state.pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "select set_config('app.tenant_id', $1, true), set_config('app.command_id', $2, true)",
            str(tenant),
            command,
        )
        yield connection


def iso(value: datetime) -> str:
    """Milliseconds and Z."""
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def view(row: Row) -> Row:
    """An entry on the wire."""
    return {
        "id": row["id"],
        "value": row["value"],
        "label": row["label"],
        "color": row["color"],
        "icon": row["icon"],
        "position": row["position"],
        "isDefault": row["is_default"],
        "createdAt": iso(row["created_at"]),
        "updatedAt": iso(row["updated_at"]),
    }


def text(value: Any) -> str:
    """JSON text."""
    return msgspec.json.encode(value).decode()


def plain(row: asyncpg.Record) -> Row:
    """The columns of an entry, without what was joined to them."""
    found = dict(row)
    found.pop("dictionary_key", None)
    return found


async def record(
    connection: asyncpg.Connection,
    scope: Scope,
    command: str,
    before: Row | None,
    after: Row,
    dictionary_key: str,
    now: datetime,
    request: Request[Any, Any, Any],
    undone: asyncpg.Record | None = None,
) -> dict[str, str]:
    """Log row, touched row, outbox; the answer's header names the log row."""
    tenant, organization, actor = scope
    log_id, token = random_id(now), None if undone else str(uuid4())
    change: Row = {"s": 0, "t": "dictionary_entries", "o": "u" if before else "i", "k": {"id": after["id"]}}
    fields: list[str] = []
    if before:
        changed = [name for name, value in after.items() if before[name] != value]
        change["b"] = {name: before[name] for name in changed}
        change["a"] = {name: after[name] for name in changed}
        change["u"] = {name: value for name, value in after.items() if name not in changed}
        fields = sorted(name for name in changed if name != "updated_at")
    else:
        change["a"] = after
    change["x"] = {"dictionaryKey": dictionary_key}
    seq = await connection.fetchval(
        sql.LOG,
        tenant,
        log_id,
        organization,
        actor,
        command,
        LABELS[command],
        "edit" if before else "create",
        str(after["id"]),
        token,
        undone["id"] if undone else None,
        "undo" if undone else None,
        text({"id": after["id"]}),
        text([change]),
        fields,
        fields[0] if fields else None,
        uuid4().hex,
        now,
    )
    if undone:
        await connection.execute(sql.REVERSAL, tenant, undone["id"], log_id, now)
    await connection.execute(sql.TOUCHED, tenant, after["id"], seq, log_id)
    verb = "updated" if before else "created"
    payload = {"id": after["id"], "organizationId": organization, "tenantId": tenant}
    action = {
        "id": log_id,
        "tenantId": tenant,
        "organizationId": organization,
        "commandId": command,
        "actionLabel": LABELS[command],
        "actionType": "edit" if before else "create",
        "resourceKind": "dictionaries.entry",
        "resourceId": after["id"],
        "actorUserId": actor,
        "historyAction": "undo" if undone else None,
        "createdAt": iso(now),
    }
    events = [
        {"event": f"dictionaries.entry.{verb}", "organizationId": organization, "payload": payload},
        {
            "event": "audit_logs.action.recorded",
            "organizationId": organization,
            "payload": action,
            "audience": {"actorUserId": actor, "features": ["audit_logs.view_tenant"]},
        },
    ]
    await connection.execute(sql.OUTBOX, tenant, log_id, organization, text(events), now, seq)
    described = {"id": log_id, "undoToken": token, "commandId": command, "resourceId": after["id"]}
    return {"x-om-operation": f"omop:{quote(text(described))}"}


async def index(connection: asyncpg.Connection, row: Row, *, search: bool) -> None:
    """The entry's document, and its search tokens when its text changed."""
    await connection.execute(
        sql.INDEX,
        row["tenant_id"],
        row["id"],
        row["organization_id"],
        row["dictionary_id"],
        text(view(row)),
        row["position"],
        row["label"].lower(),
        row["created_at"],
        row["updated_at"],
    )
    if search:
        searched = f"{row['label']} {row['value']}"
        await connection.execute(sql.SEARCH, row["tenant_id"], row["id"], searched, KEY)


@post("/dictionaries/{dictionary_id:uuid}/entries")
async def create_entry(
    request: Request[Any, Any, Any], state: State, dictionary_id: UUID, data: NewEntry
) -> Response[Row]:
    """Insert an entry."""
    tenant, organization, actor = scope = scope_of(request)
    now, command = datetime.now(UTC), "dictionaries.entries.create"
    async with writing(state, tenant, command) as connection:
        key = await connection.fetchval(sql.DICTIONARY_KEY, tenant, dictionary_id, organization)
        if key is None:
            raise HTTPException(status_code=404)
        row = plain(
            await connection.fetchrow(
                sql.INSERT,
                tenant,
                random_id(now),
                organization,
                dictionary_id,
                data.value,
                data.value.strip().lower(),
                data.label or data.value,
                data.color,
                data.icon,
                data.position,
                now,
            )
        )
        headers = await record(connection, scope, command, None, row, key, now, request)
        await index(connection, row, search=True)
        await connection.execute(sql.COUNT, tenant, organization, dictionary_id)
    return Response(view(row), status_code=201, headers=headers)


@patch("/dictionaries/{dictionary_id:uuid}/entries/{entry_id:uuid}")
async def update_entry(
    request: Request[Any, Any, Any], state: State, dictionary_id: UUID, entry_id: UUID, data: EntryPatch
) -> Response[Row]:
    """Change an entry."""
    tenant, organization, _ = scope = scope_of(request)
    now, command = datetime.now(UTC), "dictionaries.entries.update"
    async with writing(state, tenant, command) as connection:
        found = await connection.fetchrow(sql.FIND, tenant, entry_id, dictionary_id, organization)
        if found is None:
            raise HTTPException(status_code=404)
        before = plain(found)
        label = before["label"] if data.label is UNSET else data.label
        color = before["color"] if data.color is UNSET else data.color
        after = plain(await connection.fetchrow(sql.UPDATE, tenant, entry_id, label, color, now))
        headers = await record(
            connection, scope, command, before, after, found["dictionary_key"], now, request
        )
        await index(connection, after, search=before["label"] != after["label"])
    return Response(view(after), headers=headers)


@patch("/lean/dictionaries/{dictionary_id:uuid}/entries/{entry_id:uuid}")
async def lean_update(
    request: Request[Any, Any, Any], state: State, dictionary_id: UUID, entry_id: UUID, data: EntryPatch
) -> Response[Row]:
    """The same colour change with as little as possible: four statements, no touched rows."""
    tenant, organization, actor = scope_of(request)
    now, command = datetime.now(UTC), "dictionaries.entries.update"
    async with writing(state, tenant, command) as connection:
        row = await connection.fetchrow(sql.LEAN_UPDATE, tenant, entry_id, data.color, now)
        if row is None:
            raise HTTPException(status_code=404)
        change = {"s": 0, "t": "dictionary_entries", "o": "u", "k": {"id": entry_id}}
        change |= {"b": {"color": row["old_color"]}, "a": {"color": data.color}}
        log_id = random_id(now)
        seq = await connection.fetchval(
            sql.LOG,
            tenant,
            log_id,
            organization,
            actor,
            command,
            LABELS[command],
            "edit",
            str(entry_id),
            str(uuid4()),
            None,
            None,
            text({"color": data.color}),
            text([change]),
            ["color"],
            "color",
            uuid4().hex,
            now,
        )
        await connection.execute(
            sql.OUTBOX,
            tenant,
            log_id,
            organization,
            text([{"event": "dictionaries.entry.updated"}]),
            now,
            seq,
        )
        after = plain(row)
        await index(connection, after, search=False)
    return Response(view(after))


@post("/audit_logs/audit-logs/actions/undo", status_code=200)
async def undo(request: Request[Any, Any, Any], state: State, data: UndoBody) -> Response[Row]:
    """Take the update of an entry back."""
    tenant, _, _ = scope = scope_of(request)
    now, command = datetime.now(UTC), "dictionaries.entries.update"
    async with writing(state, tenant, command) as connection:
        log = await connection.fetchrow(sql.UNDOABLE, tenant, data.undo_token)
        if log is None or log["latest"] != log["id"]:
            raise HTTPException(status_code=400)
        change = msgspec.json.decode(log["changes"])[0]
        found = await connection.fetchrow(sql.FIND_ANY, tenant, UUID(change["k"]["id"]))
        before = plain(found)
        if any(before[name] != value for name, value in change["a"].items() if name != "updated_at"):
            raise HTTPException(status_code=400)
        label, color = change["b"].get("label", before["label"]), change["b"].get("color", before["color"])
        after = plain(await connection.fetchrow(sql.UPDATE, tenant, before["id"], label, color, now))
        headers = await record(
            connection, scope, command, before, after, found["dictionary_key"], now, request, log
        )
        await index(connection, after, search=before["label"] != after["label"])
    return Response({"ok": True, "logId": log["id"]}, headers=headers)


@get("/dictionaries/{dictionary_id:uuid}/entries")
async def list_entries(
    request: Request[Any, Any, Any], state: State, dictionary_id: UUID, page: int = 1, pageSize: int = 50
) -> Response[bytes]:
    """A page of entries: JSON text of one statement, passed through."""
    tenant, organization, _ = scope_of(request)
    async with state.pool.acquire() as connection:
        await connection.execute("select set_config('app.tenant_id', $1, false)", str(tenant))
        body = await connection.fetchval(
            sql.LIST, tenant, dictionary_id, organization, pageSize, (page - 1) * pageSize, page
        )
    return Response(body.encode(), media_type="application/json")


@get("/rows/dictionaries/{dictionary_id:uuid}/entries")
async def list_rows(
    request: Request[Any, Any, Any], state: State, dictionary_id: UUID, page: int = 1, pageSize: int = 50
) -> Row:
    """The same page from the table's rows, encoded here."""
    tenant, organization, _ = scope_of(request)
    async with state.pool.acquire() as connection:
        await connection.execute("select set_config('app.tenant_id', $1, false)", str(tenant))
        rows = await connection.fetch(sql.ROWS, tenant, dictionary_id, pageSize, (page - 1) * pageSize)
        total = await connection.fetchval(sql.TOTAL, tenant, dictionary_id, organization)
    return {
        "items": [view(row) for row in rows],
        "total": total,
        "page": page,
        "pageSize": pageSize,
        "totalPages": -(-total // pageSize),
    }


@get("/dictionaries/{dictionary_id:uuid}")
async def detail(request: Request[Any, Any, Any], state: State, dictionary_id: UUID) -> Response[bytes]:
    """One dictionary, passed through."""
    tenant, organization, _ = scope_of(request)
    async with state.pool.acquire() as connection:
        await connection.execute("select set_config('app.tenant_id', $1, false)", str(tenant))
        body = await connection.fetchval(sql.DETAIL, tenant, dictionary_id, organization)
    if body is None:
        raise HTTPException(status_code=404)
    return Response(body.encode(), media_type="application/json")


@get("/audit_logs/audit-logs/actions")
async def actions(request: Request[Any, Any, Any], state: State, page: int = 1, pageSize: int = 50) -> Row:
    """A page of actions with what each changed."""
    tenant, _, actor = scope_of(request)
    async with state.pool.acquire() as connection:
        await connection.execute("select set_config('app.tenant_id', $1, false)", str(tenant))
        total = await connection.fetchval("select count(*) from action_logs where tenant_id = $1", tenant)
        rows = await connection.fetch(sql.ACTIONS, tenant, pageSize, (page - 1) * pageSize)
    items = action_items(rows, actor)
    return {
        "items": items,
        "canViewTenant": True,
        "page": page,
        "pageSize": pageSize,
        "total": total,
        "totalPages": max(1, -(-total // pageSize)),
    }


@get("/health")
async def health() -> str:
    """That it answers."""
    return "ok"


def application() -> Litestar:
    """The application of one worker. The database is the one that BENCH_DSN names."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with asyncpg.create_pool(
            os.environ["BENCH_DSN"],
            user="backstep_app",
            min_size=16,
            max_size=16,
            server_settings={"TimeZone": "UTC"},
        ) as pool:
            app.state.pool = pool
            yield

    return Litestar(
        [create_entry, update_entry, lean_update, undo, list_entries, list_rows, detail, actions, health],
        lifespan=[lifespan],
        openapi_config=None,
    )


def serve(port: int, workers: int) -> None:
    """Serve it with the same server and flags as the real one."""
    from granian.constants import Interfaces, Loops
    from granian.log import LogLevels
    from granian.server import Server

    Server(
        "tests.bench.floor:application",
        factory=True,
        interface=Interfaces.ASGI,
        address="127.0.0.1",
        port=port,
        workers=workers,
        loop=Loops.uvloop,
        backlog=4096,
        backpressure=4096,
        workers_kill_timeout=10,
        respawn_failed_workers=True,
        websockets=False,
        log_access=False,
        log_level=LogLevels.warning,
    ).serve()


if __name__ == "__main__":
    import sys

    serve(int(sys.argv[1]), int(sys.argv[2]))
