"""Rounds: the same job on several servers in turn, so that what disturbs the machine disturbs all of them alike."""

import asyncio
import statistics
from collections.abc import Callable, Sequence

import asyncpg
import msgspec
from msgspec import Struct

from tests.bench.load import Job, Result
from tests.bench.processes import Database, Generator, Server
from tests.bench.scripts import Subject

CONNECTIONS = 16


class Case(Struct):
    """One thing to measure on one server: the name it is reported under, and what is sent."""

    name: str
    server: Server
    operation: str
    subjects: list[Subject]
    page: int = 1
    seconds: float = 3.0
    count: int = 0


class Sample(Struct):
    """One round of a case, with what a request cost each process, in microseconds of processor time."""

    result: Result
    server_us: float
    database_us: float


class Figures(Struct):
    """The medians of a case. Rates are answers a second; latencies milliseconds; costs microseconds a request."""

    name: str
    rate: float
    p50: float
    p95: float
    server_us: float
    database_us: float
    client_us: float
    requests: int
    rates: list[float]
    errors: int
    first_error: str


class Comparison(Struct):
    """One case against another of the same rounds: medians of the ratios of each round, and how far they scatter."""

    rate: float
    p50: float
    p95: float
    scatter: float


class Bench:
    """Runs rounds of cases."""

    def __init__(
        self, generator: Generator, database: Database, dsn: str, say: Callable[[str], None]
    ) -> None:
        self._generator = generator
        self._database = database
        self._dsn = dsn
        self._say = say
        self.samples: dict[str, list[Sample]] = {}
        self.errors: list[str] = []

    def rounds(self, cases: Sequence[Case], count: int) -> None:
        """Measure each case `count` times, in turn; every other round goes backwards."""
        for number in range(count):
            for case in cases if number % 2 == 0 else reversed(cases):
                self.samples.setdefault(case.name, []).append(self._once(case))
        self._say("  ".join(f"{case.name}: {self.figures(case.name).rate:.0f}/s" for case in cases))

    def _once(self, case: Case) -> Sample:
        job = Job(
            port=case.server.port,
            operation=case.operation,
            subjects=case.subjects,
            connections=CONNECTIONS,
            seconds=case.seconds,
            count=case.count,
            warmup=min(0.3, case.seconds / 5),
            page=case.page,
        )
        self._note(case, self._generator.run(msgspec.structs.replace(job, prepare=True)))
        asyncio.run(_drained(self._dsn))
        before = case.server.cpu_seconds(), self._database.cpu_seconds()
        result = self._generator.run(job)
        after = case.server.cpu_seconds(), self._database.cpu_seconds()
        self._note(case, result)
        if not result.requests:
            self.errors.append(f"{case.name}: no answers")
        all_requests = result.requests * (
            1 if job.count or not result.seconds else 1 + job.warmup / result.seconds
        )
        share = 1e6 / max(1.0, all_requests)
        return Sample(result, (after[0] - before[0]) * share, (after[1] - before[1]) * share)

    def _note(self, case: Case, result: Result) -> None:
        if result.errors:
            self.errors.append(f"{case.name}: {result.errors} answers like {result.first_error}")

    def figures(self, name: str) -> Figures:
        """The medians of a case."""
        samples = self.samples[name]
        results = [sample.result for sample in samples]
        return Figures(
            name=name,
            rate=statistics.median(result.rate for result in results),
            p50=statistics.median(result.p50 for result in results),
            p95=statistics.median(result.p95 for result in results),
            server_us=statistics.median(sample.server_us for sample in samples),
            database_us=statistics.median(sample.database_us for sample in samples),
            client_us=statistics.median(result.client_us for result in results),
            requests=sum(result.requests for result in results),
            rates=[round(result.rate, 1) for result in results],
            errors=sum(result.errors for result in results),
            first_error=next((result.first_error for result in results if result.errors), ""),
        )

    def compare(self, name: str, against: str) -> Comparison:
        """Case `name` as a ratio to case `against`, round by round."""
        pairs = list(zip(self.samples[name], self.samples[against], strict=True))

        def ratio(value: Callable[[Result], float]) -> list[float]:
            return [(value(one.result) or 1e-9) / (value(other.result) or 1e-9) for one, other in pairs]

        rates = ratio(lambda result: result.rate)
        return Comparison(
            rate=statistics.median(rates),
            p50=statistics.median(ratio(lambda result: result.p50)),
            p95=statistics.median(ratio(lambda result: result.p95)),
            scatter=(max(rates) - min(rates)) / 2,
        )


async def _drained(dsn: str) -> None:
    """Wait until the events of the round before are moved on, so that nobody pays for another's."""
    connection = await asyncpg.connect(dsn)
    try:
        for _ in range(300):
            if not await connection.fetchval("select exists (select from outbox)"):
                return
            await asyncio.sleep(0.05)
    finally:
        await connection.close()
