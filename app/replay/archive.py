"""A log as a file: what a replay needs of the history of some tenants, for another day or another machine.

Gzipped JSON lines. The first is the header; each other one has the name of a table and a row of it as PostgreSQL
renders it. The file holds everything that the log holds, sealed values, the wrapped keys of them and the secrets of
records included: who is erased later stays readable in it.
"""

import gzip
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from app.settings import StartError
from commands.replay.log import AFTER_BASE
from domain.resources import all_resources
from domain.upcasters import SCHEMA_REVISION

FORMAT: Final = "backstep-log-1"
_MARKS: Final = "action_log_marks"
_TABLES: Final = (
    *("data_keys", "subject_keys", "action_log_scopes", "log_bases", "log_base_rows", "action_logs"),
    _MARKS,
)
_ORDERS: Final = {
    "action_logs": "seq",
    _MARKS: "seq",
    "log_bases": "tenant_id, seq",
    "log_base_rows": "tenant_id, base_seq, chunk",
}
_LEFT_OUT: Final = "array['xid']"
"""Columns that mean something in their own database only."""
_CHUNK: Final = 500
_REPLAYED: Final = f"select count(*) from action_logs a where {AFTER_BASE}"
"""Log rows from where history begins: what is left of older ones is only looked at."""


class Header(Struct, frozen=True, rename="camel"):
    """The first line."""

    format: str
    release: str
    schema_rev: int
    rows: int


class Line(Struct, frozen=True):
    """Any other line."""

    table: str
    row: Raw


async def save(connection: Any, path: Path, release: str) -> int:
    """Write the whole log that a connection sees, in the order of history, with what it begins with where retention
    removed a part of it. `connection` is in a snapshot. Returns the number of log rows that a replay applies.
    """
    count: int = await connection.fetchval(_REPLAYED)
    with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as file:
        file.write(msgspec.json.encode(Header(FORMAT, release, SCHEMA_REVISION, count)) + b"\n")
        async with connection.transaction():
            for table in _TABLES:
                order = _ORDERS.get(table, "tenant_id, id")
                sql = f"select (to_jsonb(t) - {_LEFT_OUT})::text as row from {table} t order by {order}"
                async for record in connection.cursor(sql, prefetch=_CHUNK):
                    line = Line(table, Raw(record["row"].encode()))
                    file.write(msgspec.json.encode(line) + b"\n")
    return count


async def load(connection: Any, path: Path, *, marks: str = _MARKS) -> int:
    """Put a saved log into an empty scratch database, inside the caller's transaction; returns the number of log
    rows that a replay applies.

    `marks` is the table that gets the marks on actions.

    Raises StartError for a file that is none, or that a newer version made.
    """
    await connection.execute("set local app.command_id = 'replay'")  # lets the caller lay its bases
    try:
        with gzip.open(path, "rb") as file:
            header = msgspec.json.decode(file.readline(), type=Header)
            if header.format != FORMAT or header.schema_rev > SCHEMA_REVISION:
                raise StartError(f"{path} was made by a newer version ({header.release}).")
            waiting: dict[str, list[Raw]] = {}
            into = {_MARKS: marks}
            for text in file:
                line = msgspec.json.decode(text, type=Line)
                waiting.setdefault(line.table, []).append(line.row)
                if len(waiting[line.table]) >= _CHUNK:
                    await _insert(connection, into.get(line.table, line.table), waiting.pop(line.table))
            for table, rows in waiting.items():
                await _insert(connection, into.get(table, table), rows)
    except (OSError, EOFError, msgspec.DecodeError) as error:
        raise StartError(f"{path} is not a saved log: {error}.") from None
    await _derive(connection)
    return int(await connection.fetchval(_REPLAYED))


async def _insert(connection: Any, table: str, rows: list[Raw]) -> None:
    columns = await connection.fetch(
        "select attname from pg_attribute where attrelid = $1::text::regclass and attnum > 0 and not attisdropped"
        " and attgenerated = ''",
        table,
    )
    known = msgspec.json.decode(rows[0], type=dict[str, Raw])
    listed = ", ".join(row["attname"] for row in columns if row["attname"] in known)
    await connection.execute(
        f"insert into {table} ({listed}) select {listed} from jsonb_populate_recordset(null::{table}, $1::text::jsonb)",
        msgspec.json.encode(rows).decode(),
    )


async def _derive(connection: Any) -> None:
    """What follows from the log: which commands touched a row, and what was reversed."""
    roots = {resource.name: resource.root for resource in all_resources() if resource.root is not None}
    await connection.execute(
        "insert into action_log_rows (tenant_id, table_name, row_id, seq, log_id)"
        " select distinct l.tenant_id, x.t, x.i::uuid, l.seq, l.id"
        " from action_logs l, jsonb_array_elements(l.changes) c, lateral (values (c->>'t', c->'k'->>'id'),"
        " ($1::text::jsonb->>(c->>'t'), c->>'r')) x(t, i) where x.t is not null and x.i is not null",
        msgspec.json.encode(roots).decode(),
    )
    await connection.execute(
        "insert into action_log_reversals (tenant_id, log_id, reversed_by, reversed_at)"
        " select tenant_id, reverses, id, created_at from action_logs where reverses is not null"
    )
