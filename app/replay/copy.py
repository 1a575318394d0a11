"""Brings the log from the live database into a scratch one: read in one snapshot, so that nothing is missed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from app.database import Target
from app.replay.scratch import owner
from app.settings import StartError
from commands.replay.bulk import apply_rows
from commands.replay.log import AFTER_BASE, base_row
from commands.retention_base import unpacked
from domain.resources import all_resources

KEYS: Final = ("data_keys", "subject_keys")
"""Tables that are not part of history, but without which handlers cannot do what they did."""

SESSIONS: Final = ("sessions", "user_activity")
"""Tables that let people who are signed in to the live server look at a scratch database too."""


class Span(Struct, frozen=True):
    """Which part of history is replayed: of a tenant or all, and up to where."""

    tenant_id: UUID | None = None
    among: tuple[UUID, ...] = ()
    """Of these tenants only, where there are any; nothing is compared with the live tables then."""
    until_log: UUID | None = None
    until_time: datetime | None = None
    shared: bool = False
    """With what other tenants did to rows that all share, which handlers may look at."""

    def covers(self, tenant_id: UUID) -> bool:
        """Whether a tenant's history is replayed, and not only looked at."""
        return tenant_id in self.among if self.among else self.tenant_id in (None, tenant_id)


@asynccontextmanager
async def snapshot(target: Target) -> AsyncIterator[Any]:
    """A connection of the live database that can only read, and sees one moment and all tenants."""
    link = await owner(target, {"default_transaction_read_only": "on"})
    try:
        async with link.transaction(isolation="repeatable_read", readonly=True):
            yield link
    finally:
        await link.close()


async def copy_log(
    live: Any, scratch: Any, span: Span, beside: Sequence[str] = (), *, marks: str = "action_log_marks"
) -> int:
    """Copy the log, and the tables named `beside` it, into an empty scratch database; returns the number of log rows.

    `live` is in a snapshot; `marks` is the table that gets the marks on actions. Raises StartError when `until_log` is
    not in the log.
    """
    condition = await _condition(live, span)
    total = 0
    await scratch.execute("set local app.command_id = 'replay'")
    for table, where, into in (
        ("action_log_scopes", _of_tenant(span, "x"), "action_log_scopes"),
        ("action_logs", condition.format(l="x"), "action_logs"),
        ("action_log_rows", _with_log(condition), "action_log_rows"),
        ("action_log_reversals", _with_log(condition, "reversed_by"), "action_log_reversals"),
        ("action_log_marks", _of_tenant(span, "x"), marks),
    ):
        count = await _pipe(live, scratch, table, f"select {{columns}} from {table} x where {where}", into)
        total = count if table == "action_logs" else total
    for table in beside:
        if await live.fetchval("select to_regclass($1) is not null", table):
            await _pipe(
                live,
                scratch,
                table,
                f"select {{columns}} from {table} x where {_of_tenant(span, 'x')}",
                table,
            )
    total -= await _copy_bases(live, scratch, span)
    await scratch.execute(
        "update replay.run set snapshot = $1, last_seq = coalesce((select max(seq) from action_logs), 0), total = $2,"
        " ready = true",
        str(await live.fetchval("select pg_current_snapshot()::text")),
        total,
    )
    return total


async def _copy_bases(live: Any, scratch: Any, span: Span) -> int:
    """Copy what history begins with where retention removed a part of it; returns how many of the copied log rows
    come before that, and are only looked at. Raises StartError when the span ends before history begins.
    """
    own, names = _of_tenant(span, "x"), _shared_tables()
    bases, rows = ("true", f"{own} or x.table_name in ({names})") if span.shared and names else (own, own)
    if not await _pipe(
        live, scratch, "log_bases", f"select {{columns}} from log_bases x where {bases}", "log_bases"
    ):
        return 0
    await _pipe(
        live,
        scratch,
        "log_base_rows",
        f"select {{columns}} from log_base_rows x where {rows}",
        "log_base_rows",
    )
    begins = await scratch.fetchrow("select max(seq) as seq, max(recorded_at) as at from log_bases")
    until = None
    if span.until_log is not None:
        until = await live.fetchval("select seq from action_logs where id = $1", span.until_log)
    early = span.until_time is not None and span.until_time < begins["at"]
    if early or (until is not None and until < begins["seq"]):
        raise StartError(
            f"History before {begins['at'].isoformat()} was removed from the log: nothing to stop at."
        )
    return int(await scratch.fetchval(f"select count(*) from action_logs a where not {AFTER_BASE}"))


async def lay_bases(scratch: Any) -> None:
    """Fill the tables with what history begins with, inside the transaction that copied it."""
    await scratch.execute("set constraints all deferred")
    chunks = await scratch.fetch("select tenant_id, base_seq, chunk from log_base_rows order by 1, 2, 3")
    for chunk in chunks:
        body = await scratch.fetchrow(
            "select body, schema_rev from log_base_rows where tenant_id = $1 and base_seq = $2 and chunk = $3",
            *chunk,
        )
        changes = unpacked(body["body"], body["schema_rev"])
        await apply_rows(scratch, [base_row(chunk["tenant_id"], chunk["base_seq"], changes)])


async def copy_tail(live: Any, scratch: Any, span: Span) -> list[UUID]:
    """Copy what was committed since `copy_log`; returns the ids of the log rows in the order of history."""
    run = await scratch.fetchrow("select snapshot, last_seq from replay.run")
    fresh = f"(x.seq > {run['last_seq']} or x.xid >= pg_snapshot_xmin('{run['snapshot']}'))"
    where = f"{_of_tenant(span, 'x')} and {fresh}"
    await scratch.execute("create temp table tail (like action_logs)")
    await _pipe(live, scratch, "action_logs", f"select {{columns}} from action_logs x where {where}", "tail")
    columns = ", ".join(await _columns(scratch, "action_logs"))
    fresh_rows = await scratch.fetch(
        f"insert into action_logs ({columns}) select {columns} from tail t"
        " where not exists (select from action_logs l where l.tenant_id = t.tenant_id and l.id = t.id)"
        " returning seq, id"
    )
    for table, column in (("action_log_rows", "log_id"), ("action_log_reversals", "reversed_by")):
        await scratch.execute(f"create temp table tail_{table} (like {table})")
        logs = (
            f"(select from action_logs x where x.tenant_id = r.tenant_id and x.id = r.{column} and {where})"
        )
        await _pipe(
            live, scratch, table, f"select {{columns}} from {table} r where exists {logs}", f"tail_{table}"
        )
        await scratch.execute(f"insert into {table} select * from tail_{table} on conflict do nothing")
        await scratch.execute(f"drop table tail_{table}")
    await scratch.execute("drop table tail")
    return [row["id"] for row in sorted(fresh_rows, key=lambda row: row["seq"])]


async def _condition(live: Any, span: Span) -> str:
    """Which log rows are copied, over the alias {l}."""
    parts = [_of_tenant(span, "{l}")]
    if span.shared and (span.among or span.tenant_id is not None):
        names = _shared_tables()
        if names:
            own = (
                "exists (select from action_log_rows s where s.tenant_id = {l}.tenant_id and s.log_id = {l}.id"
                f" and s.table_name in ({names}))"
            )
            parts = [f"({parts[0]} or {own})"]
    if span.until_log is not None:
        row = await live.fetchrow(
            "select seq from action_logs where id = $1 and ($2::uuid is null or tenant_id = $2)",
            span.until_log,
            span.tenant_id,
        )
        if row is None:
            raise StartError(f"There is no log row {span.until_log}.")
        parts.append(f"{{l}}.seq <= {row['seq']}")
    if span.until_time is not None:
        parts.append(f"{{l}}.recorded_at <= '{span.until_time.isoformat()}'")
    return " and ".join(parts)


def _shared_tables() -> str:
    """The tables whose rows all tenants share, as SQL words."""
    return ", ".join(f"'{one.name}'" for one in all_resources() if one.logged and one.shared)


def _of_tenant(span: Span, alias: str) -> str:
    if span.among:
        listed = "', '".join(map(str, span.among))
        return f"{alias}.tenant_id in ('{listed}')"
    return "true" if span.tenant_id is None else f"{alias}.tenant_id = '{span.tenant_id}'"


def _with_log(condition: str, column: str = "log_id") -> str:
    inner = condition.format(l="l")
    return f"exists (select from action_logs l where l.tenant_id = x.tenant_id and l.id = x.{column} and {inner})"


async def _columns(connection: Any, table: str) -> list[str]:
    rows = await connection.fetch(
        "select attname from pg_attribute where attrelid = $1::text::regclass and attnum > 0 and not attisdropped"
        " and attgenerated = '' order by attnum",
        table,
    )
    return [row["attname"] for row in rows]


async def _pipe(live: Any, scratch: Any, table: str, query: str, into: str) -> int:
    """Stream the rows of a query on one server connection into a table on another; returns how many."""
    columns = await _columns(scratch, table)
    chunks: asyncio.Queue[bytes | None] = asyncio.Queue(8)

    async def chunked() -> AsyncIterator[bytes]:
        while (chunk := await chunks.get()) is not None:
            yield chunk

    async def send() -> None:
        put: Callable[[bytes], Any] = chunks.put
        try:
            await live.copy_from_query(query.format(columns=", ".join(columns)), output=put, format="binary")
        finally:
            await chunks.put(None)

    sending = asyncio.create_task(send())
    try:
        schema, _, name = into.rpartition(".")
        done: str = await scratch.copy_to_table(
            name, schema_name=schema or None, source=chunked(), columns=columns, format="binary"
        )
    except asyncpg.PostgresError:
        if sending.done() and sending.exception() is not None:
            raise sending.exception() from None  # type: ignore[misc]  # it is not None
        sending.cancel()
        raise
    await sending
    return int(done.rpartition(" ")[2])
