"""`--commands`: recorded inputs executed again by today's handlers in a scratch database."""

from collections import Counter
from typing import Any

import msgspec
from msgspec import Struct

from app.database import Database
from app.replay.compare import Focus
from app.replay.copy import Span
from app.replay.state import Show, ahead
from commands.replay.log import LogRow
from commands.replay.rerun import Diverged, Rerun
from commands.sealing import Sealing
from domain.resources import all_resources

_ROUND = 200
"""Commands of one transaction."""


class Tally(Struct):
    """What was done so far: commands executed again, and those applied from the record, by reason."""

    executed: int = 0
    applied: dict[str, int] = {}
    changes: int = 0


async def replay(
    database: Database,
    reader: Any,
    span: Span,
    focus: Focus | None,
    show: Show,
    sealing: Sealing | None = None,
) -> None:
    """Execute all log rows that were not executed yet, in the order of history.

    Commands of other tenants than the span's (rows that all tenants share) and those that the focus does not cover are
    applied. The place reached, the tally and the divergences are kept in the same transactions as the rows.
    """
    link = await database.connect(
        "backstep_app",
        {
            "plan_cache_mode": "force_generic_plan",
            "synchronous_commit": "off",
            "idle_in_transaction_session_timeout": "0",
        },
    )
    try:
        run = await link.fetchrow("select position, tally::text as tally from replay.run")
        tally = msgspec.json.decode(run["tally"], type=Tally)
        rerun = Rerun(link, sealing)
        async with ahead(reader, run["position"], inputs=True) as batches:
            async for rows in batches:
                for start in range(0, len(rows), _ROUND):
                    part = rows[start : start + _ROUND]
                    changes = await _round(link, rerun, part, span, focus, tally)
                    show(len(part), changes)
    finally:
        await link.close()


async def _round(
    link: Any, rerun: Rerun, rows: list[Any], span: Span, focus: Focus | None, tally: Tally
) -> int:
    """Execute some rows in one transaction; returns how many row changes they recorded."""
    applied: Counter[str] = Counter(tally.applied)
    findings: list[tuple[str, str]] = []
    async with link.transaction():
        for row in rows:
            own = span.covers(row.tenant_id)
            step = await rerun.step(
                row if own else _shared(row),
                only_apply=not own or (focus is not None and not focus.covers(row)),
            )
            if step.outcome == "applied":
                applied.update([step.why] if own else [])
            else:
                tally.executed += 1
            findings += [("broken", msgspec.json.encode(one).decode()) for one in step.broken]
            if step.diverged is not None:
                findings.append(("diverged", msgspec.json.encode(step.diverged).decode()))
        tally.applied = dict(applied)
        changes = sum(len(row.changes) for row in rows)
        tally.changes += changes
        await link.execute(
            "update replay.run set position = $1, tally = $2::text::jsonb",
            rows[-1].seq,
            msgspec.json.encode(tally).decode(),
        )
        await link.executemany(
            "insert into replay.findings (kind, body) values ($1, $2::text::jsonb)", findings
        )
    rerun.committed()
    return changes


def _shared(row: LogRow) -> LogRow:
    """What a command of another tenant did to rows that all tenants share; its other rows are not here."""
    return msgspec.structs.replace(row, changes=[c for c in row.changes if _is_shared(c.t)])


def _is_shared(table: str) -> bool:
    return any(resource.name == table and resource.shared for resource in all_resources())


async def findings_of(connection: Any) -> tuple[Tally, list[Diverged]]:
    """What was found so far."""
    text = await connection.fetchval("select tally::text from replay.run")
    rows = await connection.fetch(
        "select body::text from replay.findings where kind = 'diverged' order by nr"
    )
    found = [msgspec.json.decode(row["body"], type=Diverged) for row in rows]
    return msgspec.json.decode(text, type=Tally), found
