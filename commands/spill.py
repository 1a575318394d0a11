"""Commands that touch very many rows: what they did is put down in the transaction as they go, not held in memory.

The statement that closes the command puts the pieces together again, so the log row is the same as any other.
"""

from collections.abc import Awaitable, Callable

import msgspec

from commands.log import Projector, row_events, touched_rows
from commands.registry import guards_of, is_piecewise
from commands.unit import Unit

HELD = 4_000
"""Rows that a command holds in memory before it puts them down."""

Keep = Callable[[Unit], Awaitable[None]]

_encode = msgspec.json.Encoder().encode

_TABLE = """
create temp table if not exists command_pieces (n bigint, changes jsonb, events jsonb, tables text[], ids uuid[])
  on commit drop
"""
_INSERT = """
insert into command_pieces values ($1, $2::text::jsonb, $3::text::jsonb, $4::text[], $5::text[]::uuid[])
"""


def keeper(projector: Projector | None, settled: Callable[[str], bool]) -> Keep:
    """Puts down what a unit has noted, and brings the documents of those rows up to date (without a projector, of a dry
    run, it does not).

    Rows of tables that guards look at as a whole, or whose computed columns are worked out afterwards (`settled`), stay
    where the guards and settlers look for them.
    """

    async def keep(unit: Unit) -> None:
        tables = {change.t for change in unit.changes}
        guards = guards_of(tables)
        if len(unit.changes) < HELD or not all(map(is_piecewise, guards)) or any(map(settled, tables)):
            return
        for guard in guards:
            await guard(unit)
        tenant_id, changes, last = unit.scope.tenant_id, unit.changes[:-1], unit.changes[-1]
        if not unit.put_down:
            await unit.connection.execute("drop table if exists pg_temp.command_pieces")
            await unit.connection.execute(_TABLE)
        touched = touched_rows(changes)
        await unit.connection.execute(
            _INSERT,
            unit.put_down,
            _encode(changes).decode(),
            _encode(row_events(tenant_id, changes)).decode(),
            [table for table, _ in touched],
            [id for _, id in touched],
        )
        plan = None if projector is None else projector.plan(tenant_id, changes)
        if plan is not None:
            sql = f"with l as (select $1::uuid as tenant_id), {plan.sql(2)} select 1"
            await unit.connection.execute(sql, tenant_id, *plan.args())
        unit.put_down += len(changes)
        unit.changes = [last]  # the log row is made from what is left

    return keep
