"""The load generator: a process of its own that speaks just enough HTTP/1.1 over keep-alive connections.

It reads one job a line from standard input, and answers each with one line: how many requests were answered in the
measured time, their latencies, every answer that was not 2xx, and what the generator itself cost.
"""

import asyncio
import random
import resource
import sys
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import cast

import msgspec
import uvloop
from msgspec import Struct

from tests.bench.scripts import Script, Subject, script_of

ROOM_SECONDS = 60.0


class Job(Struct):
    """What to send: `operation` names a script; `seconds` or `count` ends the measured part, whichever is first.

    `prepare`: only make what the operation works on, for the job that comes next.
    """

    port: int
    operation: str
    subjects: list[Subject]
    connections: int = 16
    seconds: float = 3.0
    warmup: float = 0.3
    count: int = 0
    page: int = 1
    prepare: bool = False


class Result(Struct):
    """What came of a job; times in seconds, latencies in milliseconds, `client_us` in microseconds a request."""

    requests: int
    seconds: float
    p50: float
    p95: float
    errors: int
    first_error: str
    client_us: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds if self.seconds else 0.0


class Wire(asyncio.Protocol):
    """One connection: sends a request, hands over the whole answer."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._body_from = -1
        self._whole = 0
        self._answer: asyncio.Future[tuple[int, bytes, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes) -> Awaitable[tuple[int, bytes, bytes]]:
        """Status, head and body of the answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if self._body_from < 0:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._body_from = end + 4
            at = buffer.lower().find(b"content-length:", 0, end)
            length = int(buffer[at + 15 : buffer.find(b"\r", at)]) if at >= 0 else 0
            self._whole = self._body_from + length
        if len(buffer) >= self._whole and self._answer is not None:
            head, body = bytes(buffer[: self._body_from]), bytes(buffer[self._body_from : self._whole])
            del buffer[: self._whole]
            self._body_from = -1
            answer, self._answer = self._answer, None
            answer.set_result((int(head[9:12]), head, body))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(str(error or "closed by the server")))

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()


class Run:
    """One job being run."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._pairs: list[tuple[Wire, Script]] = []
        self._latencies: list[float] = []
        self._errors: list[str] = []
        self._begin = 0.0
        self._end = 0.0
        self._sent = 0

    async def prepare(self) -> Result:
        """Open the connections, and make what the operation needs."""
        job, loop = self._job, asyncio.get_running_loop()
        for n in range(job.connections):
            _, wire = await loop.create_connection(Wire, "127.0.0.1", job.port)
            self._pairs.append((wire, script_of(job.operation)(self._share(n), job.page, random.Random())))
        await asyncio.gather(*(self._prepare(wire, script) for wire, script in self._pairs))
        return self._result(0.0, 0.0)

    async def measure(self) -> Result:
        """Warm up and measure."""
        job = self._job
        self._begin = perf_counter() + (job.warmup if not job.count else 0)
        self._end = self._begin + job.seconds
        cost = resource.getrusage(resource.RUSAGE_SELF)
        started = perf_counter()
        await asyncio.gather(*(self._measure(wire, script) for wire, script in self._pairs))
        ended = perf_counter()
        used = resource.getrusage(resource.RUSAGE_SELF)
        for wire, _ in self._pairs:
            wire.close()
        window = min(ended, self._end) - self._begin
        cpu = used.ru_utime + used.ru_stime - cost.ru_utime - cost.ru_stime
        return self._result(window, cpu * window / (ended - started) if ended > started else cpu)

    def _result(self, window: float, cpu: float) -> Result:
        found = sorted(self._latencies)
        return Result(
            requests=len(found),
            seconds=window,
            p50=_at(found, 0.5) * 1000,
            p95=_at(found, 0.95) * 1000,
            errors=len(self._errors),
            first_error=self._errors[0] if self._errors else "",
            client_us=cpu / max(1, len(found)) * 1e6,
        )

    def _share(self, n: int) -> Subject:
        """The tenant of connection `n`, with the records that are this connection's own."""
        subjects, all_connections = self._job.subjects, self._job.connections
        subject = subjects[n % len(subjects)]
        beside = max(1, all_connections // len(subjects))
        own = subject.entries[(n // len(subjects)) % beside :: beside]
        return msgspec.structs.replace(subject, entries=own)

    async def _prepare(self, wire: Wire, script: Script) -> None:
        until = perf_counter() + self._job.seconds * script.prepares
        while script.prepares and perf_counter() < until:
            status, head, body = await wire.send(script.prepare())
            if not self._good(status, body):
                return
            script.prepared(head, body)

    async def _measure(self, wire: Wire, script: Script) -> None:
        job = self._job
        while perf_counter() < self._end and not (job.count and self._sent >= job.count):
            request = script.next()
            if request is None:
                self._end = min(self._end, perf_counter())  # ran out of work: all stop here
                return
            self._sent += 1
            begun = perf_counter()
            status, _, body = await wire.send(request)
            now = perf_counter()
            if not self._good(status, body):
                return
            if self._begin <= begun and (now <= self._end or job.count):
                self._latencies.append(now - begun)

    def _good(self, status: int, body: bytes) -> bool:
        if 200 <= status < 300:
            return True
        self._errors.append(f"{status} {body[:300].decode(errors='replace')}")
        return False


def _at(found: list[float], part: float) -> float:
    return found[min(len(found) - 1, int(len(found) * part))] if found else 0.0


async def serve(lines: Callable[[], str]) -> None:
    """Run jobs until standard input ends."""
    prepared: Run | None = None
    while line := await asyncio.to_thread(lines):
        job = msgspec.json.decode(line, type=Job)
        try:
            async with asyncio.timeout(job.seconds * 2 + ROOM_SECONDS):
                if prepared is None:
                    prepared = Run(job)
                    result = await prepared.prepare()
                if not job.prepare:
                    run, prepared = prepared, None
                    result = await run.measure()
        except (OSError, TimeoutError) as error:
            prepared = None
            result = Result(0, 0, 0, 0, 1, f"{type(error).__name__}: {error}", 0)
        sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(serve(sys.stdin.readline))
