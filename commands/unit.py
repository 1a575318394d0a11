"""The unit of work: the only way to write. It notes every row it touched, before and after."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, cast
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
from msgspec import Raw, Struct

from commands import statements
from commands.sealing import Seals
from domain.encryption.tables import PLAN_TABLES
from domain.errors import Problem
from domain.events import is_declared
from domain.ids import derived_id
from domain.images import wire_row
from domain.jobs import JobRequest, job_request
from domain.resources import Resource, Row, resource_of
from domain.scope import Scope
from domain.wire import iso_ms

_row = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode

Operation = Literal["i", "u", "d"]


class Change(Struct, omit_defaults=True):
    """One row that a command touched, as the log keeps it.

    s: ordinal of the statement; t: table; o: insert, update or delete; k: key; b, a: the row before and after (an
    update keeps the changed columns only); u: the columns that an update left alone; x: derived values for display;
    r: id of the root row, for a child.
    """

    s: int
    t: str
    o: Operation
    k: dict[str, Raw]
    b: Row | None = None
    a: Row | None = None
    u: Row | None = None
    x: dict[str, Raw] | None = None
    r: str | None = None


class Image(Struct, frozen=True):
    """A row as it is after a write (or was, before a delete)."""

    resource: Resource
    row: Row
    derived: dict[str, Raw]

    @property
    def id(self) -> UUID:
        """The row's id."""
        return msgspec.json.decode(self.row["id"], type=UUID)

    def value(self, column: str) -> Any:
        """One column, decoded as plain JSON."""
        return msgspec.json.decode(self.row[column])

    def wire(self) -> dict[str, Any]:
        """The row in wire form: camel case, instants in milliseconds, hidden columns left out."""
        return wire_row(self.resource, self.row, self.derived)


class Unit:
    """One command's access to the database: reads to decide, writes that are noted."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        scope: Scope,
        now: datetime,
        log_id: UUID,
        *,
        kind: str | None = None,
        target: str | None = None,
        expected_updated_at: datetime | None = None,
    ) -> None:
        self.connection = connection
        self.scope = scope
        self.now = now
        self.log_id = log_id
        self.changes: list[Change] = []
        self.tables: frozenset[str] = frozenset()
        self.events: list[dict[str, Any]] = []
        self.context: dict[str, Any] = {}
        """Kept with the log row; `features`: what undo and redo ask for besides those of the command."""
        self.jobs: list[JobRequest] = []
        self.seals: Seals | None = None
        self.put_down = 0
        """How many row changes are not in `changes` any more: they are in the transaction (commands.spill)."""
        self.keep: Callable[[Unit], Awaitable[None]] | None = None
        self.replan: Callable[[Seals | None], Awaitable[Seals | None]] | None = None
        self._replanned = 0
        self._kind = kind
        self._target = target
        self._expected = expected_updated_at
        self._ordinal = 0
        self._ids = 0

    @property
    def wrote(self) -> bool:
        """Whether any row, logged or not, is different from before."""
        return bool(self.tables)

    def new_id(self) -> UUID:
        """The next id of this command: the same one when the command is executed again."""
        self._ids += 1
        return derived_id(self.now, self.log_id, self._ids)

    def emit(
        self,
        event: str,
        payload: Mapping[str, Any],
        organization_id: UUID | None = None,
        *,
        to: UUID | None = None,
    ) -> None:
        """Publish a declared event when the command commits, besides those that its row changes cause.

        `payload` is in wire form and holds no secret; `to` is the one user whom it may reach in a browser. Raises
        KeyError for an event that no module declared.
        """
        if not is_declared(event):
            raise KeyError(event)
        addressed = {**payload} if to is None else {**payload, "recipientUserId": to}
        self.events.append({"event": event, "organizationId": organization_id, "payload": addressed})

    def enqueue(
        self,
        name: str,
        payload: Any,
        organization_id: UUID | None = None,
        *,
        dedupe_key: str | None = None,
        delay: float = 0.0,
    ) -> None:
        """Have a declared job done once the command is committed; it is written down in the command's transaction.

        `payload` is anything msgspec encodes, `delay` in seconds; while a job of the tenant with the same `dedupe_key`
        waits or runs, no second one is written down. Raises KeyError for a job that no module declared.
        """
        request = job_request(
            name, payload, dedupe_key=dedupe_key, delay=delay, organization_id=organization_id
        )
        self.jobs.append(request)

    async def make_room(self) -> None:
        """Let what was noted so far be put down, where it is much; for handlers that go on with further rows."""
        if self.seals is not None:
            await self.seals.keep(self.connection)
        if self.keep is not None:
            await self.keep(self)

    def touch(self, table: str) -> None:
        """Say that a statement of the handler's own changed rows of a table that no history follows."""
        self.tables |= {table}

    # Reads

    async def get(self, table: sa.Table, id: UUID) -> asyncpg.Record | None:
        """One row by its id, or None."""
        return await self.connection.fetchrow(statements.load(table.name), self.scope.tenant_id, id)

    async def fetch(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        """Rows of a query; row level security narrows it to the tenant."""
        return cast(list[asyncpg.Record], await self.connection.fetch(sql, *args))

    async def fetchrow(self, sql: str, *args: Any) -> asyncpg.Record | None:
        """The first row of a query, or None."""
        return await self.connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """The first value of the first row of a query, or None."""
        return await self.connection.fetchval(sql, *args)

    # Writes

    async def insert(
        self, table: sa.Table, values: Mapping[str, Any], *, where: str = "", args: Sequence[Any] = ()
    ) -> Image | None:
        """Insert a row; None when the condition `where` (over the row as `r`, with $2…) refuses it."""
        images = await self._insert(table, [values], where, args)
        return images[0] if images else None

    async def insert_many(self, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> list[Image]:
        """Insert rows in one statement."""
        return await self._insert(table, rows, "", ()) if rows else []

    async def _insert(
        self, table: sa.Table, rows: Sequence[Mapping[str, Any]], where: str, args: Sequence[Any]
    ) -> list[Image]:
        resource = resource_of(table.name)
        full = [self._complete(resource, row) for row in rows]
        full = await self._sealed(resource, full, whole=True)
        return await self._write(
            resource, "i", statements.insert(resource.name, where), _encode(full).decode(), *args
        )

    def _complete(self, resource: Resource, values: Mapping[str, Any]) -> dict[str, Any]:
        row = resource.defaults | dict(values)
        if unknown := row.keys() - resource.defaults.keys():
            raise KeyError(f"{resource.name} has no column {', '.join(sorted(unknown))}")
        row["tenant_id"] = values.get("tenant_id") or self.scope.tenant_id
        if "id" in row and row["id"] is None:
            row["id"] = self.new_id()
        for stamp in ("created_at", "updated_at"):
            if stamp in row and row[stamp] is None:
                row[stamp] = self.now
        return row

    async def update(
        self,
        table: sa.Table,
        id: UUID,
        values: Mapping[str, Any],
        *,
        where: str = "",
        args: Sequence[Any] = (),
    ) -> Image | None:
        """Set columns of one row; None when there is no such row, or the condition (over `t`, with $4…) excludes it."""
        resource = resource_of(table.name)
        stamped = await self._sealed(resource, [self._stamped(resource, values) | {"id": id}], whole=False)
        patch = _encode(stamped[0]).decode()
        sql = statements.update(resource.name, where)
        images = await self._write(resource, "u", sql, self.scope.tenant_id, id, patch, *args)
        return images[0] if images else None

    async def update_many(
        self, table: sa.Table, rows: Sequence[Mapping[str, Any]], *, where: str = "", args: Sequence[Any] = ()
    ) -> list[Image]:
        """Set columns of rows, each given as `id` and its columns; unknown ids are passed over."""
        if not rows:
            return []
        resource = resource_of(table.name)
        stamped = await self._sealed(resource, [self._stamped(resource, row) for row in rows], whole=False)
        patches = _encode(stamped).decode()
        sql = statements.update_many(resource.name, where)
        return await self._write(resource, "u", sql, self.scope.tenant_id, patches, *args)

    async def _sealed(
        self, resource: Resource, rows: list[dict[str, Any]], *, whole: bool
    ) -> list[dict[str, Any]]:
        """The rows as they are written: designated values sealed, by the plan as this command itself left it."""
        if self.replan is not None and resource.name not in PLAN_TABLES and self._replanned < self._ordinal:
            if not PLAN_TABLES.isdisjoint(self.tables):
                self.seals = await self.replan(self.seals)
            self._replanned = self._ordinal
        if self.seals is None:
            return rows
        return await self.seals.sealed(self.connection, resource, rows, whole=whole)

    def _stamped(self, resource: Resource, values: Mapping[str, Any]) -> dict[str, Any]:
        if unknown := values.keys() - resource.defaults.keys():
            raise KeyError(f"{resource.name} has no column {', '.join(sorted(unknown))}")
        if resource.computed and values.keys() <= resource.computed | {"id"}:
            return dict(values)
        return dict(values) | dict.fromkeys(resource.volatile, self.now)

    async def delete(
        self, table: sa.Table, id: UUID, *, where: str = "", args: Sequence[Any] = ()
    ) -> Image | None:
        """Delete one row; None when there is no such row, or the condition (over `t`, with $3…) excludes it."""
        images = await self.delete_many(table, [id], where=where, args=args)
        return images[0] if images else None

    async def delete_many(
        self, table: sa.Table, ids: Sequence[UUID], *, where: str = "", args: Sequence[Any] = ()
    ) -> list[Image]:
        """Delete rows by id in one statement; returns what they were."""
        if not ids:
            return []
        resource = resource_of(table.name)
        sql = statements.delete(resource.name, where)
        return await self._write(resource, "d", sql, self.scope.tenant_id, list(ids), *args)

    async def _write(self, resource: Resource, operation: Operation, sql: str, *args: Any) -> list[Image]:
        records = await self.connection.fetch(sql, *args)
        return self.note(resource, operation, records)

    def note(self, resource: Resource, operation: Operation, records: Sequence[Any]) -> list[Image]:
        """Note what one statement did to rows of one table; `records` carry before, after and perhaps derived."""
        ordinal = self._ordinal
        self._ordinal += 1
        images: list[Image] = []
        for record in records:
            before = _row.decode(record["before"]) if record["before"] is not None else None
            after = _row.decode(record["after"]) if record["after"] is not None else None
            derived = _row.decode(record["derived"]) if resource.derived else {}
            row = after if after is not None else before
            assert row is not None, "a write returns a row before or after"
            if before is not None:
                self._check_version(resource, before)
            change = _change(ordinal, resource, operation, before, after, derived)
            if change is not None:
                self.tables |= {resource.name}
                if resource.logged:
                    self.changes.append(change)
            images.append(Image(resource, row, derived))
        return images

    def _check_version(self, resource: Resource, before: Row) -> None:
        """Optimistic lock: the row that the client names must still be the one it read (to the millisecond)."""
        if self._expected is None or resource.kind is None or resource.kind != self._kind:
            return
        if self._target is not None and msgspec.json.decode(before["id"]) != self._target:
            return
        expected = self._expected
        if self._target is not None:
            self._expected = None  # later writes of this command find its own stamp
        _compare_versions(msgspec.json.decode(before["updated_at"], type=datetime), expected)

    def check_version(self, kind: str, current: datetime | None) -> None:
        """Optimistic lock on a version that the handler makes itself, in place of that of a row of resource `kind`.

        Rows that are written afterwards are not compared; neither is a `current` of None. Raises Problem 409.
        """
        if kind == self._kind:
            expected, self._expected = self._expected, None
            if expected is not None and current is not None:
                _compare_versions(current, expected)

    def ignore_version(self) -> None:
        """Let the version that the client sent mean nothing: the contract gives this command no optimistic lock."""
        self._expected = None


def _compare_versions(current: datetime, expected: datetime) -> None:
    """Raises Problem 409 unless both are the same on the wire."""
    if iso_ms(current) != iso_ms(expected):
        raise Problem(
            409,
            {
                "error": "record_modified",
                "code": "optimistic_lock_conflict",
                "currentUpdatedAt": iso_ms(current),
                "expectedUpdatedAt": iso_ms(expected),
            },
        )


def _change(
    ordinal: int,
    resource: Resource,
    operation: Operation,
    before: Row | None,
    after: Row | None,
    derived: dict[str, Raw],
) -> Change | None:
    """The log's record of one row; None for an update that left the row as it was."""
    row = after if after is not None else before
    assert row is not None
    change = Change(ordinal, resource.name, operation, {"id": row["id"]}, x=derived or None)
    if resource.parent is not None:
        change.r = msgspec.json.decode(row[resource.parent], type=str)
    if before is not None and after is not None:
        changed = [column for column, value in after.items() if before[column] != value]
        if resource.volatile.issuperset(changed):
            return None
        names = frozenset(changed)
        change.b = {column: before[column] for column in changed}
        change.a = {column: after[column] for column in changed}
        skip = names | resource.secret
        change.u = {column: value for column, value in after.items() if column not in skip}
    else:
        change.b, change.a = before, after
    return change
