"""`--state` and `--bisect`: the recorded row changes of the whole history, applied to a scratch database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from app.replay.copy import Span
from app.replay.report import Bisection
from app.settings import StartError
from commands.replay.bulk import apply_rows
from commands.replay.log import LogRow, named, read, read_these
from commands.replay.state import Broken
from domain.resources import all_resources

BATCH = 1_000
"""Log rows that are applied at once."""

UNTRUE = "No longer true after"
HELD = "True to the end of history"
NEVER = "Never true in all of history"
_SMALL = 5_000
"""Log rows up to which a bisection looks after each one until its statement is true."""

Show = Callable[[int, int], None]
"""Told after each batch: log rows and row changes that were done with it."""

_CONSTRAINTS = """
select c.conrelid::regclass::text as "table", c.conname as name, pg_get_constraintdef(c.oid) as definition,
       c.contype = 'f' as foreign_key
  from pg_constraint c where c.conrelid = any($1::regclass[]) and c.contype in ('f', 'u', 'x')
"""
_INDEXES = """
select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
  from pg_index i left join pg_constraint c on c.conindid = i.indexrelid and c.conrelid = i.indrelid
 where i.indrelid = any($1::regclass[]) and c.oid is null
"""


async def strip(connection: Any) -> None:
    """Take from the tables of history what only gets in the way of bulk work: other constraints than primary keys,
    indexes, triggers. What was taken is noted in the scratch database, for `restore`.
    """
    tables = [resource.name for resource in all_resources() if resource.logged]
    async with connection.transaction():
        constraints = await connection.fetch(_CONSTRAINTS, tables)
        taken = [
            f"alter table {row['table']} add constraint {row['name']} {row['definition']}"
            for row in sorted(constraints, key=lambda row: row["foreign_key"])
        ]
        for row in constraints:
            await connection.execute(f"alter table {row['table']} drop constraint {row['name']}")
        for row in await connection.fetch(_INDEXES, tables):
            taken.insert(0, row["definition"])
            await connection.execute(f"drop index {row['name']}")
        for table in tables:
            await connection.execute(f"alter table {table} disable trigger user")
        await connection.execute("update replay.run set removed = removed || $1::text[]", taken)


async def restore(connection: Any) -> list[str]:
    """Give back what `strip` took; returns what cannot be, because the rows break it."""
    failed = []
    for definition in await connection.fetchval("select removed from replay.run"):
        try:
            await connection.execute(definition)
        except asyncpg.IntegrityConstraintViolationError as error:
            failed.append(f"{definition}: {error}")
    for resource in all_resources():
        if resource.logged:
            await connection.execute(f"alter table {resource.name} enable trigger user")
    await connection.execute("update replay.run set removed = '{}'")
    return failed


@asynccontextmanager
async def ahead(
    connection: Any, after: int, *, inputs: bool = False
) -> AsyncIterator[AsyncIterator[list[LogRow]]]:
    """The log in batches from a place on; while one is worked on, the next is read, on a connection of its own."""
    reading = asyncio.create_task(read(connection, after, BATCH, inputs=inputs))

    async def batches() -> AsyncIterator[list[LogRow]]:
        nonlocal reading
        while rows := await reading:
            reading = asyncio.create_task(read(connection, rows[-1].seq, BATCH, inputs=inputs))
            yield rows

    try:
        yield batches()
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def replay(connection: Any, reader: Any, show: Show) -> None:
    """Apply all log rows that are not applied yet; the place reached is kept in the same transaction as the rows."""
    position = await connection.fetchval("select position from replay.run")
    async with ahead(reader, position) as batches:
        async for rows in batches:
            async with connection.transaction():
                applied = await apply_rows(connection, rows)
                await advance(connection, rows, applied.broken)
            show(len(rows), applied.changes)


async def replay_these(connection: Any, ids: Sequence[Any], show: Show) -> None:
    """Apply these log rows, given in the order of history."""
    for start in range(0, len(ids), BATCH):
        rows = await read_these(connection, ids[start : start + BATCH])
        async with connection.transaction():
            applied = await apply_rows(connection, rows)
            await note_broken(connection, applied.broken)
        show(len(rows), applied.changes)


async def advance(connection: Any, rows: Sequence[LogRow], broken: Sequence[Broken]) -> None:
    """Note that these rows are done, and what was found wrong with them."""
    await connection.execute("update replay.run set position = $1", rows[-1].seq)
    await note_broken(connection, broken)


async def note_broken(connection: Any, broken: Sequence[Broken]) -> None:
    """Keep log rows that contradict what came before them."""
    await connection.executemany(
        "insert into replay.findings (kind, body) values ('broken', $1::text::jsonb)",
        [(msgspec.json.encode(one).decode(),) for one in broken],
    )


async def broken_of(connection: Any) -> list[Broken]:
    """What was found so far."""
    rows = await connection.fetch("select body::text from replay.findings where kind = 'broken' order by nr")
    return [msgspec.json.decode(row["body"], type=Broken) for row in rows]


# Bisection


async def bisect(connection: Any, reader: Any, sql: str, span: Span, show: Show) -> Bisection:
    """Find a command before which `sql` is true and after which it is not: the first, if it stays untrue.

    Batches are applied until it is untrue after one, which is then searched by halving. It does not count before it
    was true for the first time, which is looked for in small steps. SQL null counts as true.
    """
    total = await connection.fetchval("select total from replay.run")
    careful = 1 if total <= _SMALL else BATCH // 20
    been_true = await holds(connection, sql, span)
    async with ahead(reader, 0) as batches:
        async for rows in batches:
            done = 0
            while done < len(rows):
                part = rows[done:] if been_true else rows[done : done + careful]
                transaction = connection.transaction()
                await transaction.start()
                applied = await apply_rows(connection, part)
                now = await holds(connection, sql, span)
                if been_true and not now:
                    await transaction.rollback()
                    guilty = await _halve(connection, part, sql, span)
                    return Bisection(sql, UNTRUE, named(guilty))
                await advance(connection, part, applied.broken)
                await transaction.commit()
                been_true = been_true or now
                done += len(part)
                show(len(part), applied.changes)
    return Bisection(sql, HELD if been_true else NEVER)


async def bisect_these(connection: Any, ids: Sequence[Any], sql: str, span: Span, show: Show) -> Bisection:
    """The same for a few rows that were recorded meanwhile; the statement is true before them."""
    for id in ids:
        await replay_these(connection, [id], show)
        if not await holds(connection, sql, span):
            return Bisection(sql, UNTRUE, named((await read_these(connection, [id]))[0]))
    return Bisection(sql, HELD)


async def holds(connection: Any, sql: str, span: Span) -> bool:
    """Whether the statement is true now, as the tenant of the span (else as the installation) sees its rows.

    Raises StartError when it is no statement of one truth value, or writes.
    """
    role = "backstep_system" if span.tenant_id is None else "backstep_app"
    tenant = "" if span.tenant_id is None else str(span.tenant_id)
    try:
        async with connection.transaction():
            await connection.execute(
                f"set local role {role}; set local app.tenant_id = '{tenant}'; set local transaction_read_only = on"
            )
            value = await connection.fetchval(sql)
            raise _Done(value)
    except _Done as done:
        value = done.value
    except asyncpg.PostgresError as error:
        raise StartError(f"The statement cannot be asked: {error}.") from None
    if value is not None and not isinstance(value, bool):
        raise StartError(f"The statement must answer true or false, not {value!r}.")
    return value is not False


class _Done(Exception):
    """Ends the savepoint of a question, so that nothing of it stays."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


async def _halve(connection: Any, rows: Sequence[LogRow], sql: str, span: Span) -> LogRow:
    """The row of a batch after which the statement is no longer true; it is true before the batch."""
    low, high = 0, len(rows)  # true with `low` rows applied, untrue with `high`
    while high - low > 1:
        middle = (low + high) // 2
        transaction = connection.transaction()
        await transaction.start()
        await apply_rows(connection, rows[low:middle])
        if await holds(connection, sql, span):
            await transaction.commit()
            low = middle
        else:
            await transaction.rollback()
            high = middle
    return rows[low]
