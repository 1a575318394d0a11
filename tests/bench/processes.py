"""The processes of a bench: both servers, the load generator, and what they cost."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil

from app.settings import PREFIX, StartError
from tests.bench.load import Job, Result

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(**more: str) -> dict[str, str]:
    """The environment without settings of the developer's own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith((PREFIX, "DATABASE_URL", "PG"))
    }
    return kept | {"PYTHONPATH": str(ROOT)} | more


class Server:
    """A running server; `port` is where it answers."""

    def __init__(self, name: str, command: list[str], log: Path, port: int, **more: str) -> None:
        self.name = name
        self.port = port
        self.log = log
        self.started = time.monotonic()
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=ROOT, env=environment(**more)
            )

    def wait(self, path: str = "/health", seconds: float = 60) -> float:
        """Wait for an answer; returns the seconds since the start of the process. Raises StartError."""
        while time.monotonic() - self.started < seconds:
            if self._process.poll() is not None:
                raise StartError(f"The {self.name} server ended: {self.log.read_text()[-2000:]}")
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            try:
                connection.request("GET", path)
                if connection.getresponse().status < 300:
                    return time.monotonic() - self.started
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            time.sleep(0.01)
        raise StartError(f"The {self.name} server does not answer: {self.log.read_text()[-2000:]}")

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that answer requests."""
        children = psutil.Process(self._process.pid).children()
        return [child for child in children if "postgres" not in child.name()]

    def cpu_seconds(self) -> float:
        """Processor time that the workers have used so far."""
        return sum(used(worker) for worker in self.workers)

    def resident_mib(self) -> float:
        """Resident memory of the largest worker."""
        return max((worker.memory_info().rss for worker in self.workers), default=0) / (1 << 20)

    def stop(self) -> None:
        """End it and wait."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def used(process: psutil.Process) -> float:
    """Processor time of a process in seconds; 0 when it is gone."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def floor(data: Path, dsn: str, workers: int = 1) -> Server:
    """The floor on the same database."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.floor", str(port), str(workers)]
    return Server("floor", command, data / f"floor-{workers}.log", port, BENCH_DSN=dsn)


def ours(data: Path, workers: int = 1) -> Server:
    """The real server, as a user starts it; its access log goes to a file."""
    port = free_port()
    line = ["serve", "--port", str(port), "--workers", str(workers), "--data", str(data), "--no-demo"]
    return Server("real", [sys.executable, "-m", "app", *line], data / f"ours-{workers}.log", port)


class Database:
    """The processes of the embedded PostgreSQL."""

    def __init__(self, data: Path) -> None:
        self._postmaster = psutil.Process(
            int((data / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
        )

    def cpu_seconds(self) -> float:
        """Processor time that the server and all its living sessions have used so far."""
        return used(self._postmaster) + sum(used(child) for child in self._postmaster.children())


class Generator:
    """The load generator's process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment(),
        )

    def run(self, job: Job) -> Result:
        """Run one job to its end. Raises StartError when the generator itself fails."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(job) + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise StartError("The load generator ended.")
        return msgspec.json.decode(line, type=Result)

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


@contextmanager
def running(*servers: Server) -> Iterator[None]:
    """Wait until all answer; stop them at the end."""
    try:
        for server in servers:
            server.wait()
        yield
    finally:
        for server in servers:
            server.stop()
