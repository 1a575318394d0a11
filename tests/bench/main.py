"""The bench from start to end: data, servers, rounds, report."""

import argparse
import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct
from rich.console import Console

from app.database import Target as Where
from app.embedded import embedded
from app.migrate import migrate
from app.settings import Settings
from tests.bench import processes, rebuild, report, toggles
from tests.bench.dataset import Loader
from tests.bench.measure import Bench, Case
from tests.bench.processes import Database, Generator, Server
from tests.bench.records import RecordLoader
from tests.bench.scripts import Subject

WRITES = ("create", "update", "relabel", "undo")
READS = ("list", "detail", "actions")
TENANTS = 8
PAGE = 1_000


class Plan(Struct):
    """How long and how large."""

    rounds: int
    seconds: float
    sizes: tuple[int, ...]
    only: tuple[str, ...] = ()
    operations: tuple[str, ...] = WRITES + READS

    def wants(self, part: str) -> bool:
        """Whether a part of the bench is to run."""
        return not self.only or part in self.only


def main(arguments: Sequence[str]) -> int:
    """Run the bench; 1 when any answer was an error. A missed target is reported, and fails nothing."""
    parser = argparse.ArgumentParser("backstep bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two short rounds, up to 100,000 entries")
    parser.add_argument(
        "--data", type=Path, help="keep and use this data directory (default: a new one, removed at the end)"
    )
    parser.add_argument("--output", type=Path, default=Path("bench.json"), help="file for the figures")
    parser.add_argument(
        "--only",
        default="",
        help="parts, comma separated: floor, processes, growth, records, toggles, start, rebuild",
    )
    parser.add_argument(
        "--operations", default="", help=f"of the part floor, comma separated: {', '.join(WRITES + READS)}"
    )
    parser.add_argument("--rounds", type=int, help="rounds of each measurement")
    parser.add_argument("--seconds", type=float, help="length of a round")
    given = parser.parse_args(arguments)
    plan = Plan(
        rounds=given.rounds or (2 if given.quick else 3),
        seconds=given.seconds or (1.0 if given.quick else 2.5),
        sizes=(1_000, 100_000) if given.quick else (1_000, 100_000, 1_000_000),
        only=_words(given.only),
        operations=_words(given.operations) or WRITES + READS,
    )
    console = Console(width=170 if not Console().is_terminal else None, highlight=False)
    with _data(given.data) as data:
        found = _run(plan, data, console)
    console.print()
    found.show(console)
    found.write(given.output)
    return 1 if found.errors else 0


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


@contextmanager
def _data(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given.absolute()
        return
    made = Path(tempfile.mkdtemp(prefix="backstep-bench-"))
    made.chmod(0o755)  # the database may run as another user
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _run(plan: Plan, data: Path, console: Console) -> report.Report:
    found = report.Report(report.machine(), plan.rounds, plan.seconds)
    with embedded(data) as dsn:
        begun = time.monotonic()
        subjects = _prepare(plan, data, dsn)
        found.load_seconds = time.monotonic() - begun
        console.print(f"Data ready after {found.load_seconds:.0f} s.")
        one, floor = processes.ours(data), processes.floor(data, dsn)
        generator = Generator()
        try:
            with processes.running(one, floor):
                bench = Bench(generator, Database(data), dsn, console.print)
                _measure(plan, bench, subjects, data, one, floor, found)
                found.memory_mib = one.resident_mib()
                found.errors = bench.errors
        finally:
            generator.stop()
        if plan.wants("toggles"):
            costs = asyncio.run(toggles.measure(dsn, data, plan.rounds))
            name = "check of a feature toggle, of a route that does nothing"
            found.targets.append(report.Target(name, toggles.LIMIT, costs.ratio, most=True))
    if plan.wants("start"):
        found.start_seconds = [_start(data) for _ in range(plan.rounds)]
        median = sorted(found.start_seconds)[plan.rounds // 2]
        found.targets.append(report.Target("start to first answer, s", 3, median, most=True))
    if plan.wants("rebuild"):
        with embedded(data) as dsn:
            target = Where(dsn, "backstep_app", embedded=True)
            rebuilt = asyncio.run(rebuild.measure(Settings.read(data=data), target, plan.sizes[1]))
        console.print("\n".join(rebuilt.lines()))
        found.targets += [
            report.Target("rebuild of the index, of a bare INSERT … SELECT", 0.5, rebuilt.ratio),
            report.Target(
                "p95 of writers during a rebuild, of that without", 2.0, rebuilt.slowdown, most=True
            ),
        ]
    return found


def _prepare(plan: Plan, data: Path, dsn: str) -> dict[str, Subject]:
    target = Where(dsn, "backstep_app", embedded=True)
    asyncio.run(migrate(dsn, embedded=True))
    sizes = {f"tenant{number}": 1_000 for number in range(TENANTS)}
    if plan.wants("growth"):
        sizes |= {f"growth{size}": size for size in plan.sizes}
    if plan.wants("records"):
        sizes |= {f"records{size}": 1_000 for size in plan.sizes}
    settings = Settings.read(data=data)
    subjects = asyncio.run(Loader(settings, target).load(sizes))
    if plan.wants("records"):
        wanted = [(subjects[f"records{size}"], size) for size in plan.sizes]
        asyncio.run(RecordLoader(settings, target).load(wanted))
    os.sync()  # else the disk is busy with the data for minutes, and whatever is measured first waits for it
    return subjects


def _measure(
    plan: Plan,
    bench: Bench,
    subjects: dict[str, Subject],
    data: Path,
    one: Server,
    floor: Server,
    found: report.Report,
) -> None:
    tenants = [subjects[f"tenant{number}"] for number in range(TENANTS)]
    bench.rounds(
        [
            Case("warm up", one, "update", tenants, seconds=1.0),
            Case("warm up floor", floor, "update", tenants, seconds=1.0),
        ],
        1,
    )
    if plan.wants("floor"):
        _against_floor(plan, bench, tenants, one, floor, found)
    if plan.wants("processes"):
        # Not before: a second server takes part in the work that follows each change, also of the first one's.
        with processes.running(two := processes.ours(data, 2)):
            _processes(plan, bench, tenants, one, two, found)
    if plan.wants("growth"):
        _growth(plan, bench, subjects, one, found)
    if plan.wants("records"):
        _records(plan, bench, subjects, one, found)
    found.client_us = max(bench.figures(name).client_us for name in bench.samples)
    found.targets.append(
        report.Target("resident memory of one process, MiB", 150, one.resident_mib(), most=True)
    )


def _against_floor(
    plan: Plan, bench: Bench, tenants: list[Subject], one: Server, floor: Server, found: report.Report
) -> None:
    for variant, chosen in (("eight", tenants), ("one", tenants[:1])):
        for operation in plan.operations:
            ours, theirs = f"{operation} {variant}", f"{operation} {variant} floor"
            beside = {"update": "lean", "list": "rows"}.get(operation)
            cases = [
                Case(theirs, floor, operation, chosen, seconds=plan.seconds),
                Case(ours, one, operation, chosen, seconds=plan.seconds),
            ]
            if beside:
                cases.append(Case(f"{beside} {variant} floor", floor, beside, chosen, seconds=plan.seconds))
            bench.rounds(cases, plan.rounds)
            found.lines.append(report.line(bench, operation, variant, ours, theirs))
            if beside:
                found.lines.append(report.line(bench, beside, variant, ours, f"{beside} {variant} floor"))
    ratio = {(item.operation, item.variant): item.ratio.rate for item in found.lines}
    found.targets += [
        report.Target(name, limit, ratio[case])
        for name, limit, case in (
            ("update of one field over eight tenants, of the floor", 1.0, ("update", "eight")),
            ("update of one field in one hot tenant, of the floor", 0.7, ("update", "one")),
            ("list of 50, of passing the same JSON through", 0.8, ("list", "eight")),
        )
        if case in ratio
    ]


def _processes(
    plan: Plan, bench: Bench, tenants: list[Subject], one: Server, two: Server, found: report.Report
) -> None:
    for operation in ("update", "list"):
        names = f"{operation} with one process", f"{operation} with two processes"
        bench.rounds(
            [
                Case(name, server, operation, tenants, seconds=plan.seconds)
                for name, server in zip(names, (one, two), strict=True)
            ],
            plan.rounds,
        )
        found.processes[report.LABELS[operation]] = bench.compare(names[1], names[0])


def _growth(
    plan: Plan, bench: Bench, subjects: dict[str, Subject], one: Server, found: report.Report
) -> None:
    """Lists first: creating entries changes the sizes a little."""
    smallest, largest = plan.sizes[0], plan.sizes[-1]
    for operation, name, page in (
        ("list", "first page", 1),
        ("list", "page 1,000", PAGE),
        ("create", "create", 1),
    ):
        # The smallest has no page 1,000: there it is measured against its first.
        cases = {
            size: Case(
                f"{name} of {size:,}",
                one,
                operation,
                [subjects[f"growth{size}"]],
                page=page if size > smallest else 1,
                seconds=plan.seconds if operation == "list" else 30,
                count=400 if operation == "create" else 0,
            )
            for size in plan.sizes
        }
        bench.rounds(list(cases.values()), plan.rounds)
        base = cases[smallest].name
        found.growth[name] = {f"{size:,}": bench.figures(case.name) for size, case in cases.items()}
        found.growth_ratios[name] = {
            f"{size:,}": 1 / bench.compare(case.name, base).rate for size, case in cases.items()
        }
    limits = {"first page": 1.5, "page 1,000": 5.0, "create": 1.5}
    found.targets += [
        report.Target(
            f"{name} at {largest:,} entries, of {smallest:,}",
            limit,
            found.growth_ratios[name][f"{largest:,}"],
            most=True,
        )
        for name, limit in limits.items()
    ]


def _records(
    plan: Plan, bench: Bench, subjects: dict[str, Subject], one: Server, found: report.Report
) -> None:
    """The first page of records, narrowed and ordered by custom fields, against how many there are."""
    name = "records by two fields"
    cases = {
        size: Case(f"{name} of {size:,}", one, "records", [subjects[f"records{size}"]], seconds=plan.seconds)
        for size in plan.sizes
    }
    for (
        size,
        case,
    ) in cases.items():  # each value is asked for several times before: what is measured is in memory
        bench.rounds([msgspec.structs.replace(case, name=f"warm up {size:,}", seconds=2 * plan.seconds)], 1)
    bench.rounds(list(cases.values()), plan.rounds)
    base, largest = cases[plan.sizes[0]].name, plan.sizes[-1]
    found.growth[name] = {f"{size:,}": bench.figures(case.name) for size, case in cases.items()}
    found.growth_ratios[name] = {
        f"{size:,}": 1 / bench.compare(case.name, base).rate for size, case in cases.items()
    }
    found.targets.append(
        report.Target(
            f"{name} at {largest:,}, of {plan.sizes[0]:,}",
            3.0,
            found.growth_ratios[name][f"{largest:,}"],
            most=True,
        )
    )


def _start(data: Path) -> float:
    """Seconds from the start of the command to the first answer, database included, on the directory as it is."""
    server = processes.ours(data)
    try:
        return server.wait("/ready")
    finally:
        server.stop()
