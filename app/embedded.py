"""The embedded PostgreSQL 18: started with the first process that uses a data directory, stopped with the last.

Users of a server hold a shared lock on `DATA/run/users.lock`; starting and stopping happen under an exclusive lock on
`DATA/run/start.lock`. The kernel drops both when a process dies, so a killed process leaves nothing stale behind.
"""

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Final, Literal
from urllib.parse import quote

from app.database import Target
from app.postgres_account import Account, account_for, make_reachable
from app.postgres_conf import configuration
from app.postgres_files import MAJOR, accepts, binaries, is_postgres, read_pid_file, socket_directory
from app.settings import Settings, StartError

DATABASE: Final = "backstep"
ADMIN: Final = "postgres"
PORT: Final = 5432
_START_SECONDS: Final = 180.0
_STOP_SECONDS: Final = 60.0

CleanupMode = Literal["stop", "keep"]


class EmbeddedServer:
    """One process's hold on the PostgreSQL of a data directory.

    `attach` starts the server when it does not run; `leave` stops it when nobody else uses it (`cleanup_mode="stop"`).
    """

    def __init__(self, data: Path, cleanup_mode: CleanupMode = "stop") -> None:
        self.data = data.expanduser().absolute()
        self.files = self.data / "postgres"
        self.cleanup_mode = cleanup_mode
        self._child: subprocess.Popen[bytes] | None = None
        self._users: IO[bytes] | None = None
        self._left = threading.Event()

    def attach(self) -> str:
        """Join the users of the server, starting it when needed, and return its admin DSN.

        Raises `StartError` when the server cannot be started or the directory cannot be used.
        """
        self._make_directories()
        self._left.clear()
        try:
            with self._start_lock():
                self._users = self._open_lock("users.lock")
                fcntl.flock(self._users, fcntl.LOCK_SH)
                return self._ensure_running()
        except BaseException:  # also when a signal ends the start: nothing may stay behind
            self.leave()
            raise

    def ensure(self) -> str:
        """The admin DSN again, after restarting the server if somebody killed it."""
        with self._start_lock():
            return self._ensure_running()

    def guard(self, on_restart: Callable[[str], None]) -> threading.Thread:
        """Watch the server in a thread until `leave`, and start it again when it is killed.

        `on_restart` is called with a line of text: that it was restarted, or why that failed.
        """

        def watch() -> None:
            while not self._left.wait(1.0):
                if self._running_socket() is not None:
                    continue
                try:
                    self.ensure()
                    on_restart("PostgreSQL was gone and has been started again.")
                except StartError as error:
                    on_restart(str(error))

        thread = threading.Thread(target=watch, name="postgres-guard", daemon=True)
        thread.start()
        return thread

    def leave(self) -> None:
        """Give up this hold; the last one to leave stops the server."""
        self._left.set()
        users, self._users = self._users, None
        if users is None:
            return
        with users, self._start_lock():
            fcntl.flock(users, fcntl.LOCK_UN)
            if self.cleanup_mode == "keep":
                return
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self._stop()

    # Locks and folders

    def _make_directories(self) -> None:
        try:
            (self.data / "run").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StartError(f"The data directory {self.data} cannot be used: {error.strerror}.") from None

    def _open_lock(self, name: str) -> IO[bytes]:
        path = self.data / "run" / name
        try:
            return path.open("ab")
        except OSError as error:
            raise StartError(f"The lock file {path} cannot be opened: {error.strerror}.") from None

    @contextmanager
    def _start_lock(self) -> Iterator[None]:
        """Only one process at a time starts or stops the server."""
        with self._open_lock("start.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    # Running

    def _running_socket(self) -> str | None:
        """The socket folder of a server that accepts connections, or `None`."""
        state = read_pid_file(self.files)
        if state is None or state.status != "ready" or not accepts(state.socket_dir, PORT):
            return None
        return state.socket_dir

    def _ensure_running(self) -> str:
        folder = self._running_socket() or self._wait_for_other() or self._start()
        return f"postgresql://{ADMIN}@/{DATABASE}?host={quote(folder, safe='/')}&port={PORT}"

    def _wait_for_other(self) -> str | None:
        """Wait for a server that is starting up or shutting down; clear away the traces of one that was killed."""
        deadline = time.monotonic() + _START_SECONDS
        while (state := read_pid_file(self.files)) is not None:
            if (folder := self._running_socket()) is not None:
                return folder
            if self._child is not None:
                self._child.poll()
            if not is_postgres(state.pid, self.files):
                (self.files / "postmaster.pid").unlink(missing_ok=True)
                return None
            if time.monotonic() > deadline:
                raise StartError(
                    f"PostgreSQL (process {state.pid}) neither starts nor stops; see {self._log_hint()}."
                )
            time.sleep(0.02)
        return None

    def _start(self) -> str:
        """Start the server, after making its files when there are none, and wait until it accepts connections."""
        account = account_for(self.files)
        programs = binaries()
        make_reachable(account, programs, self.data)
        self._initialise(account, programs)
        self._write_configuration(account)
        folder = socket_directory(self.files, account)
        command = [
            str(programs / "postgres"), "-D", str(self.files), "-c", "listen_addresses=",
            "-c", f"unix_socket_directories={folder}", "-c", f"port={PORT}",
        ]  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while True:
            for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
                (Path(folder) / name).unlink(missing_ok=True)  # left by a killed server: nobody answers there
            self._child = self._spawn(account, command)
            if self._wait_ready(self._child, deadline):
                return folder
            reason = self._last_words()
            if "still in use" not in reason or time.monotonic() > deadline:
                raise StartError(f"PostgreSQL did not start; see {self._log_hint()}. {reason}")
            time.sleep(0.2)  # the last children of a killed server are about to notice

    def _spawn(self, account: Account, command: list[str]) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl+C in the terminal must reach us first, not the database.
        with (self.data / "run" / "postgres-start.log").open("wb") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.files if account.uid is None else "/",
                env=_environment(),
                start_new_session=True,
                **account.arguments(),
            )

    def _wait_ready(self, child: subprocess.Popen[bytes], deadline: float) -> bool:
        told = time.monotonic() + 5
        while child.poll() is None:
            state = read_pid_file(self.files)
            if state is not None and state.pid == child.pid and self._running_socket() is not None:
                return True
            if time.monotonic() > deadline:
                child.send_signal(signal.SIGINT)
                return False
            if time.monotonic() > told:
                told = float("inf")
                print(
                    "PostgreSQL is still starting; after a crash it first replays its log.", file=sys.stderr
                )
            time.sleep(0.01)
        return False

    def _stop(self) -> None:
        """Fast shutdown: running transactions are rolled back, everything committed is on disk."""
        state = read_pid_file(self.files)
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(signal.SIGINT)
            try:
                self._child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._child.send_signal(signal.SIGQUIT)
                self._child.wait()
            return
        if state is None or not is_postgres(state.pid, self.files):
            return
        deadline = time.monotonic() + _STOP_SECONDS
        os.kill(state.pid, signal.SIGINT)
        while is_postgres(state.pid, self.files):
            if time.monotonic() > deadline:
                os.kill(state.pid, signal.SIGQUIT)
                deadline = float("inf")
            time.sleep(0.01)

    # Files

    def _initialise(self, account: Account, programs: Path) -> None:
        """Make the cluster and its database aside, and move it into place only when it is complete."""
        version = self.files / "PG_VERSION"
        if version.exists():
            found = version.read_text().strip()
            if found != str(MAJOR):
                raise StartError(f"{self.files} was made by PostgreSQL {found}; this program needs {MAJOR}.")
            return
        if self.files.exists() and any(self.files.iterdir()):
            raise StartError(f"{self.files} exists but is not a PostgreSQL data directory.")
        draft = self.data / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        account.own(draft)
        self._run(
            account,
            [str(programs / "initdb"), "-D", str(draft), "-U", ADMIN, "--auth=trust", "--encoding=UTF8",
             "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions"],
        )  # fmt: skip
        with (draft / "postgresql.conf").open("a") as file:
            file.write("\ninclude_if_exists = 'backstep.conf'\n")
        self._run(
            account,
            [str(programs / "postgres"), "--single", "-D", str(draft), "postgres"],
            f"CREATE DATABASE {DATABASE}\n",
        )
        if self.files.exists():
            self.files.rmdir()
        draft.rename(self.files)

    def _run(self, account: Account, command: list[str], text: str = "") -> None:
        done = subprocess.run(
            command,
            input=text.encode(),
            capture_output=True,
            cwd="/",
            env=_environment(),
            check=False,
            **account.arguments(),
        )
        if done.returncode != 0 or b"ERROR:" in done.stderr:
            reason = " ".join(done.stderr.decode(errors="replace").split())[-600:]
            raise StartError(f"{Path(command[0]).name} failed in {self.data}: {reason}")

    def _write_configuration(self, account: Account) -> None:
        path = self.files / "backstep.conf"
        text = configuration()
        try:
            if path.exists() and path.read_text() == text:
                return
            path.write_text(text)
            path.chmod(0o600)
            account.own(path)
        except OSError as error:
            raise StartError(f"{path} cannot be written: {error.strerror}.") from None

    def _last_words(self) -> str:
        """What the server complained of before it ended, in one line."""
        logs = sorted((self.files / "log").glob("*.log"), key=lambda path: path.stat().st_mtime)[-1:]
        lines: list[str] = []
        for path in [self.data / "run" / "postgres-start.log", *logs]:
            if path.exists():
                lines += path.read_text(errors="replace").splitlines()[-8:]
        marks = ("FATAL:", "PANIC:", "ERROR:", "HINT:")
        words = [line[line.index(mark) :].strip() for line in lines for mark in marks if mark in line]
        return " ".join(word for word in words if "log output will appear" not in word)[-600:]

    def _log_hint(self) -> str:
        return f"{self.data / 'run' / 'postgres-start.log'} and {self.files / 'log'}"


def _environment() -> dict[str, str]:
    """What PostgreSQL gets to see: no PG* variable of the caller, and a locale that exists everywhere."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


@contextmanager
def embedded(data: Path, cleanup_mode: CleanupMode = "stop") -> Iterator[str]:
    """The admin DSN of the embedded server of a data directory, which runs for as long as the block does."""
    server = EmbeddedServer(data, cleanup_mode)
    try:
        yield server.attach()
    finally:
        server.leave()


@asynccontextmanager
async def embedded_async(data: Path, cleanup_mode: CleanupMode = "stop") -> AsyncIterator[str]:
    """The same for async code: starting and stopping do not block the event loop."""
    server = EmbeddedServer(data, cleanup_mode)
    try:
        yield await asyncio.to_thread(server.attach)
    finally:
        await asyncio.to_thread(server.leave)


def resolve(settings: Settings) -> Target:
    """Where the database is, for a process that need not start it: DATABASE_URL, or what the parent process opened.

    Raises `StartError` when neither is set; `opened` is for processes that stand on their own.
    """
    if settings.attached is not None:
        return Target(settings.attached.get_secret_value(), "backstep_app", embedded=True)
    if settings.database_url is not None:
        return Target(plain_dsn(settings.database_url.get_secret_value()))
    raise StartError("No database: set DATABASE_URL, or start with `backstep serve`.")


@contextmanager
def opened(settings: Settings) -> Iterator[Target]:
    """The database for as long as the block runs; the embedded one is started, or joined when it runs already."""
    if settings.attached is not None or settings.database_url is not None:
        yield resolve(settings)
        return
    with embedded(settings.data) as dsn:
        yield Target(dsn, "backstep_app", embedded=True)


def plain_dsn(url: str) -> str:
    """A DATABASE_URL as asyncpg reads it: the scheme without a driver. Raises `StartError` for other schemes."""
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme.partition("+")[0] not in {"postgres", "postgresql"}:
        raise StartError("DATABASE_URL must look like postgresql://user:password@host:5432/database.")
    return f"postgresql://{rest}"
