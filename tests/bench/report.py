"""The table of a bench, and the targets it is held against."""

import os
import platform
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from rich import box
from rich.console import Console
from rich.table import Table

from tests.bench.measure import Bench, Comparison, Figures

LABELS = {
    "create": "create an entry",
    "update": "update one field",
    "lean": "update one field, lean floor",
    "relabel": "update the label (search tokens)",
    "undo": "undo an update",
    "list": "list of 50, JSON passed through",
    "rows": "list of 50, floor encodes rows",
    "detail": "detail",
    "actions": "action list of 50",
}


class Target(Struct):
    """Something that was promised (issue 2, "Measures"), and what was found; `most`: it must not be more."""

    name: str
    limit: float
    found: float
    most: bool = False

    @property
    def met(self) -> bool:
        """Whether the promise is kept."""
        return self.found <= self.limit if self.most else self.found >= self.limit


class Line(Struct):
    """Ours against the floor in one operation and variant."""

    operation: str
    variant: str
    floor: Figures
    ours: Figures
    ratio: Comparison


class Report(Struct):
    """Everything that was measured."""

    machine: dict[str, Any]
    rounds: int
    seconds: float
    lines: list[Line] = msgspec.field(default_factory=list)
    processes: dict[str, Comparison] = msgspec.field(default_factory=dict)
    growth: dict[str, dict[str, Figures]] = msgspec.field(default_factory=dict)
    growth_ratios: dict[str, dict[str, float]] = msgspec.field(default_factory=dict)
    memory_mib: float = 0.0
    start_seconds: list[float] = msgspec.field(default_factory=list)
    load_seconds: float = 0.0
    client_us: float = 0.0
    targets: list[Target] = msgspec.field(default_factory=list)
    errors: list[str] = msgspec.field(default_factory=list)

    def write(self, path: Path) -> None:
        """Keep it as JSON."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")

    def show(self, console: Console) -> None:
        """Print it."""
        console.print(_against_floor(self.lines))
        if self.growth:
            console.print(_growth(self.growth, self.growth_ratios))
        for name, found in self.processes.items():
            console.print(f"Two processes against one, {name}: {found.rate:.2f} ± {found.scatter:.2f}")
        if self.memory_mib:
            console.print(f"Resident memory of a server process after the load: {self.memory_mib:.0f} MiB")
        if self.start_seconds:
            console.print(
                f"Start to first answer: {', '.join(f'{found:.2f}' for found in self.start_seconds)} s"
            )
        console.print(
            f"The load generator itself costs {self.client_us:.0f} µs of processor time a request.\n"
        )
        if self.targets:
            console.print(_targets(self.targets))
        for error in self.errors:
            console.print(f"[red]Error: {error}")


def machine() -> dict[str, Any]:
    """What it ran on, and how busy that was."""
    return {
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
    }


def line(bench: Bench, operation: str, variant: str, ours: str, floor: str) -> Line:
    """One line of the first table."""
    return Line(operation, variant, bench.figures(floor), bench.figures(ours), bench.compare(ours, floor))


def _against_floor(lines: list[Line]) -> Table:
    table = _table(
        "Ours against the hand-written floor (median of the rounds; costs are processor time a request)"
    )
    for name in ("operation", "tenants"):
        table.add_column(name)
    for name in (
        *("floor/s", "ours/s", "ratio", "±", "p50 ms", "ratio", "p95 ms", "ratio"),
        *("floor µs", "ours µs", "floor db µs", "ours db µs"),
    ):
        table.add_column(name, justify="right")
    for item in lines:
        table.add_row(
            LABELS[item.operation],
            item.variant,
            f"{item.floor.rate:.0f}",
            f"{item.ours.rate:.0f}",
            f"[bold]{item.ratio.rate:.2f}",
            f"{item.ratio.scatter:.2f}",
            f"{item.ours.p50:.1f}",
            f"{item.ratio.p50:.2f}",
            f"{item.ours.p95:.1f}",
            f"{item.ratio.p95:.2f}",
            *(f"{value:.0f}" for value in (item.floor.server_us, item.ours.server_us)),
            *(f"{value:.0f}" for value in (item.floor.database_us, item.ours.database_us)),
        )
    return table


def _growth(growth: dict[str, dict[str, Figures]], ratios: dict[str, dict[str, float]]) -> Table:
    sizes = list(next(iter(growth.values())))
    table = _table("Growth: milliseconds a request at 16 connections, and the ratio to the smallest size")
    table.add_column("operation")
    for size in sizes:
        table.add_column(f"{size} entries", justify="right")
        table.add_column("ratio", justify="right")
    for operation, found in growth.items():
        cells = [(f"{1000 / found[size].rate:.2f}", f"{ratios[operation][size]:.2f}") for size in sizes]
        table.add_row(operation, *(cell for pair in cells for cell in pair))
    return table


def _targets(targets: list[Target]) -> Table:
    table = _table("Targets")
    table.add_column("measure")
    for name in ("promised", "found", ""):
        table.add_column(name, justify="right")
    for target in targets:
        sign = "≤" if target.most else "≥"
        verdict = "[green]met" if target.met else "[red]missed"
        table.add_row(target.name, f"{sign} {target.limit:g}", f"{target.found:.2f}", verdict)
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
