"""What came of a replay: for people as lines, for programs as JSON."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from commands.replay.log import Named
from commands.replay.rerun import Diverged
from commands.replay.state import Broken

Verdict = Literal["equal", "not_equal", "could_not"]
SHOWN = 20
"""Findings of a kind that are printed; the JSON report has them all."""


class Difference(Struct, frozen=True, rename="camel"):
    """A row that the live database has otherwise than history says.

    `kind` is missing (history has it), unexpected (history does not) or different; `columns` have what history says and
    what the live row has, as JSON text. `command` is the first one that explains it; without one, no command did it.
    """

    tenant_id: UUID
    table: str
    id: UUID
    kind: Literal["missing", "unexpected", "different"]
    columns: dict[str, tuple[str | None, str | None]]
    explanation: str
    command: Named | None = None

    def lines(self) -> list[str]:
        """The difference as a person reads it."""
        lines = [f"{self.table} {self.id} of tenant {self.tenant_id}: {self.kind}"]
        for column, (then, live) in self.columns.items():
            lines.append(f"  {column}: {_text(then)} by history, {_text(live)} in the live database")
        by = (
            f" {self.command.log_id} {self.command.command} at {self.command.at.isoformat()}"
            if self.command
            else ""
        )
        return [*lines, f"  {self.explanation}{by}"]


class Bisection(Struct, frozen=True, rename="camel"):
    """After which command a statement is no longer true; without a command, `why` says what was found instead."""

    sql: str
    why: str
    command: Named | None = None


class Report(Struct, rename="camel"):
    """The whole of it. Durations in seconds, rates in row changes or commands a second."""

    mode: Literal["state", "commands", "bisect"]
    verdict: Verdict = "could_not"
    tenant_id: UUID | None = None
    until: str | None = None
    resource: str | None = None
    log_rows: int = 0
    row_changes: int = 0
    tables: int = 0
    rows_compared: int = 0
    executed: int = 0
    applied: dict[str, int] = {}
    """Commands that were applied from the record instead of executed, by reason."""
    broken: list[Broken] = []
    differences: list[Difference] = []
    diverged: list[Diverged] = []
    bisection: Bisection | None = None
    started_at: datetime | None = None
    copying: float = 0.0
    replaying: float = 0.0
    comparing: float = 0.0
    rate: float = 0.0
    database: str | None = None
    """The scratch database, when it was kept."""

    @property
    def exit_code(self) -> int:
        """0: equal; 1: not equal; 2: it could not be found out."""
        return {"equal": 0, "not_equal": 1, "could_not": 2}[self.verdict]

    def lines(self) -> list[str]:
        """The report as a person reads it."""
        lines: list[str] = []
        for title, found in (
            ("log rows that contradict what came before them", [_broken(one) for one in self.broken]),
            ("rows that are not what history says", [one.lines() for one in self.differences]),
            ("commands that do something else today", [one.lines() for one in self.diverged]),
        ):
            if found:
                lines.append(f"{len(found)} {title}:")
                lines += [f"  {line}" for one in found[:SHOWN] for line in one]
                if len(found) > SHOWN:
                    lines.append(f"  … and {len(found) - SHOWN} more (--json lists them all)")
        if self.applied:
            lines.append(f"{sum(self.applied.values())} commands applied from the record, not executed:")
            lines += [f"  {count} because {why}" for why, count in sorted(self.applied.items())]
        return [*lines, self._summary()]

    def _summary(self) -> str:
        done = f"{self.log_rows} log rows, {self.row_changes} row changes in {self.replaying:.1f} s"
        if self.bisection is not None:
            by = self.bisection.command
            named = f" {by.log_id} {by.command} at {by.at.isoformat()}" if by is not None else ""
            return f"{self.bisection.why}{named} ({done})."
        if self.mode == "commands":
            result = "no divergence" if self.verdict == "equal" else f"{len(self.diverged)} divergences"
            return f"{self.executed} commands executed again, {result} ({done}, {self.rate:.0f} commands/s)."
        rate = f"{done}, {self.rate:.0f}/s"
        if not self.tables:
            return f"Built ({rate}); nothing to compare with."
        result = "equal" if self.verdict == "equal" else "NOT equal"
        return f"{self.rows_compared} rows in {self.tables} tables are {result} ({rate})."


def _broken(one: Broken) -> list[str]:
    return [f"{one.log_id} (tenant {one.tenant_id}): {one.table} {one.id}: {one.why}"]


def _text(text: str | None) -> str:
    if text is None:
        return "nothing"
    return text if len(text) <= 200 else f"{text[:197]}…"
