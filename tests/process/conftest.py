"""Real server processes for the process tests: started by the command, asked over HTTP, stopped by signals."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from app.embedded import embedded


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder; on several xdist workers they stay together, because they measure time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.process)
            item.add_marker(pytest.mark.xdist_group("process"))


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(**more: str) -> dict[str, str]:
    """The environment without settings of the developer's own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BACKSTEP_", "DATABASE_URL", "PG"))
    }
    return kept | more


def command(*arguments: str, timeout: float = 60, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `backstep` with these arguments to its end."""
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=timeout,
        env=environment(**more),
        check=False,
    )


@dataclass
class Server:
    """A running `backstep serve`."""

    port: int
    process: subprocess.Popen[str]
    output: Path
    started: float = field(default_factory=time.monotonic)

    @property
    def text(self) -> str:
        """Everything the server has printed so far."""
        return self.output.read_text()

    def get(self, path: str, timeout: float = 5) -> tuple[int, bytes]:
        """Status and body of a GET request."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=timeout) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def login(self, email: str, password: str) -> tuple[int, dict[str, object]]:
        """Sign in with a form, as the documented route takes it."""
        body = urllib.parse.urlencode({"email": email, "password": password}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/auth/login", data=body, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def wait_ready(self, seconds: float = 30) -> float:
        """Wait until `/ready` says so; returns the seconds since the start of the process."""
        last: object = "no answer"
        while time.monotonic() - self.started < seconds:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}: {self.text[-4000:]}")
            try:
                last = self.get("/ready", timeout=2)
                if last[0] == 200:
                    return time.monotonic() - self.started
            except OSError as error:
                last = error
            time.sleep(0.05)
        raise AssertionError(f"the server was not ready after {seconds} s: {last!r}\n{self.text[-1000:]}")

    def stop(self, number: int = signal.SIGTERM, seconds: float = 30) -> float:
        """Send a signal and wait for the end; returns the seconds it took."""
        begun = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(seconds)
        return time.monotonic() - begun


Serve = Callable[..., Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts servers, and kills the ones that are left at the end of the test, with everything below them."""
    servers: list[Server] = []

    def start(data: Path | None = None, *arguments: str, port: int | None = None, **more: str) -> Server:
        port = port or free_port()
        output = tmp_path / f"server-{len(servers)}.log"
        line = [sys.executable, "-m", "app", "serve", "--port", str(port), *arguments]
        if data is not None:
            line += ["--data", str(data)]
        with output.open("w") as file:
            process = subprocess.Popen(
                line,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
                env=environment(**more),
            )
        server = Server(port, process, output)
        servers.append(server)
        return server

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.process.send_signal(signal.SIGTERM)
    for server in servers:
        try:
            server.process.wait(20)
        except subprocess.TimeoutExpired:
            kill_tree(server.process.pid)
            server.process.wait(5)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a demo installation that does not run; never used itself, only copied."""
    folder = tmp_path_factory.mktemp("process") / "template"
    done = command("seed", "--demo", "--data", str(folder))
    assert done.returncode == 0, done.stderr
    assert not postgres_runs(folder)
    return folder


@pytest.fixture(scope="session")
def data(template: Path) -> Iterator[Path]:
    """A demo installation that all tests share, its database held open."""
    folder = copied(template, template.with_name("shared"))
    with embedded(folder):
        yield folder


@pytest.fixture
def own_data(template: Path, tmp_path: Path) -> Path:
    """A demo installation of the test's own, which does not run."""
    return copied(template, tmp_path / "data")


def copied(template: Path, folder: Path) -> Path:
    """A copy of a data directory, with owners and rights."""
    subprocess.run(["cp", "-a", str(template), str(folder)], check=True)
    return folder


def kill_tree(pid: int) -> None:
    """SIGKILL for a process and everything it started."""
    process = psutil.Process(pid)
    for victim in [*process.children(recursive=True), process]:
        try:
            victim.kill()
        except psutil.NoSuchProcess:
            pass


def postmaster(data: Path) -> int:
    """The process number of the PostgreSQL of a data directory."""
    return int((data / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])


def postgres_runs(data: Path) -> bool:
    """Whether the PostgreSQL of a data directory is alive."""
    try:
        return psutil.Process(postmaster(data)).is_running()
    except (FileNotFoundError, psutil.NoSuchProcess):
        return False
