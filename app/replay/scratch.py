"""The scratch database of a replay: made beside the live one on the same server, by our own migrations, and dropped.

A mark in its comment says whose scratch database it is, so that a run that was cut off can be gone on with, and what
nobody goes on with is cleared away by the next run.
"""

import secrets
import time
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import msgspec
from msgspec import Struct

from app.database import PINNED, Target
from app.migrate import migrate
from app.settings import StartError

_SCHEMA: Final = """
create schema replay;
create table replay.run (
  one boolean primary key default true check (one),
  position bigint not null default 0,
  total bigint not null default 0,
  ready boolean not null default false,
  snapshot text not null default '',
  last_seq bigint not null default 0,
  tally jsonb not null default '{}',
  removed text[] not null default '{}'
);
insert into replay.run default values;
create table replay.findings (nr bigint generated always as identity, kind text not null, body jsonb not null);
grant usage on schema replay to backstep_app, backstep_system;
grant select, update on replay.run to backstep_app;
grant select, insert on replay.findings to backstep_app;
create table replay.marks (like action_log_marks);
create index marks_by_origin on replay.marks (tenant_id, origin);
grant select on replay.marks to backstep_app;
create index action_logs_replayed on action_logs (seq);
create policy replay_now on action_logs as restrictive for select to backstep_app
  using (seq < coalesce(nullif(current_setting('replay.seq', true), ''), '9223372036854775807')::bigint);
create policy replay_now on action_log_rows as restrictive for select to backstep_app
  using (seq < coalesce(nullif(current_setting('replay.seq', true), ''), '9223372036854775807')::bigint);
create policy replay_now on action_log_reversals as restrictive for select to backstep_app
  using (exists (select from action_logs l where l.tenant_id = action_log_reversals.tenant_id and l.id = reversed_by));
"""
_MARKED: Final = (
    "select d.datname as name, s.description as mark,"
    " exists (select from pg_stat_activity a where a.datname = d.datname) as used"
    " from pg_database d join pg_shdescription s on s.objoid = d.oid and s.classoid = 'pg_database'::regclass"
    " where s.description like '{%' order by d.oid desc"
)


GRACE_SECONDS = 10.0


class Mark(Struct, frozen=True, rename="camel"):
    """What a scratch database says of itself: whose history it holds, made by which options, and whether to keep it."""

    replay_of: str
    options: str
    kept: bool = False
    made: float = 0.0
    """Unix time."""


class Scratch(Struct, frozen=True):
    """A scratch database; `target` connects to it."""

    name: str
    target: Target

    @property
    def dsn(self) -> str:
        """Where it is, for its owner."""
        return self.target.admin_dsn


def _there(target: Target, name: str) -> Target:
    parts = urlsplit(target.admin_dsn)
    return Target(urlunsplit(parts._replace(path=f"/{name}")), target.app_user, target.embedded)


async def owner(target: Target, settings: dict[str, str] | None = None) -> Any:
    """A connection as the owner of the tables, its settings those that row images depend on."""
    pinned = (
        PINNED
        | (settings or {})
        | {
            "idle_in_transaction_session_timeout": "0",
            "application_name": "backstep replay",
            "synchronous_commit": "off",
        }
    )
    return await asyncpg.connect(target.admin_dsn, server_settings=pinned, timeout=15)


async def connect(scratch: Scratch) -> Any:
    """A connection as the owner of the scratch database's tables."""
    return await owner(scratch.target)


async def create(target: Target, options: str, template: str | None = None) -> Scratch:
    """Make a scratch database with today's tables, empty, or as a copy of a database that is.

    Raises StartError when the server does not let us.
    """
    live = await owner(target)
    try:
        of: str = await live.fetchval("select current_database()")
        name = f"{of[:40]}_replay_{secrets.token_hex(5)}"
        of_template = f' template "{template}"' if template else ""
        await live.execute(f'create database "{name}"{of_template}')
        scratch = Scratch(name, _there(target, name))
        await _mark(live, name, Mark(of, options, made=time.time()))
    except asyncpg.InsufficientPrivilegeError as error:
        raise StartError(
            f"A replay needs a scratch database, and the user may not make one: {error}."
        ) from None
    finally:
        await live.close()
    if template is not None:
        return scratch
    try:
        await migrate(scratch.dsn, embedded=target.embedded)
        connection = await connect(scratch)
        try:
            await connection.execute(_SCHEMA)
        finally:
            await connection.close()
    except BaseException:
        await drop(target, name)
        raise
    return scratch


async def drop(target: Target, name: str) -> None:
    """Remove a scratch database, whoever is connected to it."""
    live = await owner(target)
    try:
        await live.execute(f'drop database if exists "{name}" with (force)')
    finally:
        await live.close()


async def keep(target: Target, scratch: Scratch) -> None:
    """Mark a scratch database as one that no later run clears away."""
    live = await owner(target)
    try:
        of = await live.fetchval("select current_database()")
        await _mark(live, scratch.name, Mark(of, "", kept=True))
    finally:
        await live.close()


async def left_over(target: Target, options: str) -> Scratch | None:
    """The newest scratch database of a run with these options that was cut off, if there is one."""
    for name, mark, used in await _marked(target):
        if mark.options == options and not mark.kept and not used:
            return Scratch(name, _there(target, name))
    return None


async def clear(target: Target, but: str | None = None) -> list[str]:
    """Drop what runs that were cut off left of this database's history, `but` one; returns their names.

    What is a few seconds old only may belong to a run that is just beginning.
    """
    young = time.time() - GRACE_SECONDS
    gone = [
        name
        for name, mark, used in await _marked(target)
        if not (mark.kept or used or mark.made > young) and name != but
    ]
    for name in gone:
        await drop(target, name)
    return gone


async def _marked(target: Target) -> list[tuple[str, Mark, bool]]:
    live = await owner(target)
    try:
        of = await live.fetchval("select current_database()")
        found = []
        for row in await live.fetch(_MARKED):
            try:
                mark = msgspec.json.decode(row["mark"], type=Mark)
            except msgspec.DecodeError:
                continue
            if mark.replay_of == of:
                found.append((row["name"], mark, row["used"]))
        return found
    finally:
        await live.close()


async def _mark(live: Any, name: str, mark: Mark) -> None:
    text = msgspec.json.encode(mark).decode().replace("'", "''")
    await live.execute(f"comment on database \"{name}\" is '{text}'")
