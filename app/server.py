"""The server process: port, database, migrations, first seeding, then the ASGI workers."""

import asyncio
import ctypes
import errno
import gc
import http.client
import multiprocessing
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.database import Target
from app.embedded import EmbeddedServer, resolve
from app.migrate import migrate
from app.settings import PREFIX, Settings, StartError, master_key

if TYPE_CHECKING:
    from app.seed import SeedReport

_KILL_SECONDS: Final = 10
_PR_SET_PDEATHSIG: Final = 1


def serve(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises `StartError` when the port, the database or a key cannot be had."""
    _stop_cleanly_while_starting()
    check_port(settings, host, port)
    master_key(settings)
    loading = threading.Thread(target=_load, name="load", daemon=True)
    loading.start()
    with _database(settings) as (target, server):
        loading.join()
        gc.freeze()  # forked processes share what is never looked at again
        report = _aside(settings, target)
        if server is not None:
            server.guard(lambda line: print(line, file=sys.stderr, flush=True))
        _tell_workers(settings, target)
        with _lock_file(settings, host, port):
            _announce(settings, host, port, report)
            _run_workers(host, port, workers)


def application() -> Any:
    """The ASGI application of one worker, which ends when the server process above it dies."""
    _end_with_parent()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Until the event loop listens there is nothing to finish; the handlers inherited from the parent lose signals.
        signal.signal(number, signal.SIG_DFL)
    from app.main import create_app

    return create_app()


def _load() -> None:
    """Import what the workers need while the database starts; they are forked, and have it at once."""
    gc.disable()  # imports make much and throw little away: looking for garbage is a tenth of their time
    try:
        from granian import server  # noqa: F401

        from app.main import load

        load()
    finally:
        gc.enable()


def check_port(settings: Settings, host: str, port: int) -> None:
    """Raise `StartError` when the address cannot be bound: workers share ports, so a second server would not notice."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except socket.gaierror as error:
        raise StartError(f"The host {host} is unknown: {error.strerror}.") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StartError(
                f"Port {port} on {host} is already in use{_port_user(settings, port)}. "
                "Stop that program, or choose another port with --port."
            ) from None
        raise StartError(f"Port {port} on {host} cannot be opened: {error.strerror}.") from None


def _port_user(settings: Settings, port: int) -> str:
    try:
        process, _, address = _lock_path(settings, port).read_text().strip().partition(" ")
        os.kill(int(process), 0)
    except (OSError, ValueError):
        return ""
    return f" by Backstep (process {process}, {address})"


@contextmanager
def _database(settings: Settings) -> Iterator[tuple[Target, EmbeddedServer | None]]:
    """The database for the life of the server, and our hold on it when it is the embedded one."""
    if settings.database_url is not None or settings.attached is not None:
        yield resolve(settings), None
        return
    server = EmbeddedServer(settings.data)
    try:
        yield Target(server.attach(), "backstep_app", embedded=True), server
    finally:
        server.leave()


def _aside(settings: Settings, target: Target) -> "SeedReport | None":
    """Migrate and seed in a process of its own: what that loads must not weigh on the workers, which are forked."""
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(
        1, context, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    ) as pool:
        return pool.submit(_prepare_now, settings, target).result()


def _prepare_now(settings: Settings, target: Target) -> "SeedReport | None":
    return asyncio.run(_prepare(settings, target))


async def _prepare(settings: Settings, target: Target) -> "SeedReport | None":
    """Migrate, and seed an empty database; the report says what was made."""
    await migrate(target.admin_dsn, embedded=target.embedded)
    from app.database import Database
    from app.encryption import Encryption
    from app.seed import first_start

    database = Database(target)
    try:
        await Encryption(database, settings).check()
        return await first_start(database, settings)
    finally:
        await database.close()


def _tell_workers(settings: Settings, target: Target) -> None:
    """Workers read the settings from the environment: give them what the command line decided."""
    os.environ[PREFIX + "DATA"] = str(settings.data)
    os.environ[PREFIX + "DEMO"] = "true" if settings.demo else "false"
    if target.embedded:
        os.environ[PREFIX + "ATTACHED"] = target.admin_dsn
    elif settings.database_url is not None:
        os.environ["DATABASE_URL"] = settings.database_url.get_secret_value()


def _run_workers(host: str, port: int, workers: int) -> None:
    from granian.constants import Interfaces, Loops
    from granian.log import LogLevels
    from granian.server import Server

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    Server(
        "app.server:application",
        factory=True,
        interface=Interfaces.ASGI,
        address=host,
        port=port,
        workers=workers,
        loop=Loops.uvloop,
        backlog=4096,
        backpressure=4096,  # open event streams count here
        workers_kill_timeout=_KILL_SECONDS,
        respawn_failed_workers=True,
        websockets=False,
        log_access=False,
        log_level=LogLevels.warning,
    ).serve()


def _announce(settings: Settings, host: str, port: int, report: "SeedReport | None") -> None:
    """Print the address and how to sign in, as soon as the server answers."""
    started = time.monotonic()

    def wait_and_print() -> None:
        reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        while time.monotonic() - started < 30:
            connection = http.client.HTTPConnection(reachable, port, timeout=2)
            try:
                connection.request("GET", "/health")
                if connection.getresponse().status < 500:
                    break
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
            finally:
                connection.close()
        print(_welcome(settings, host, port, report), flush=True)

    threading.Thread(target=wait_and_print, name="announce", daemon=True).start()


def _welcome(settings: Settings, host: str, port: int, report: "SeedReport | None") -> str:
    shown = f"[{host}]" if ":" in host else host
    address = settings.app_url or f"http://{shown}:{port}"
    lines = ["", f"Backstep is ready: {address}", ""]
    if report is not None:
        lines += [report.text(), ""]
    lines += ["Press Ctrl+C to stop."]
    return "\n".join(lines)


def _lock_path(settings: Settings, port: int) -> Path:
    return settings.run_dir / f"serve-{port}.lock"


@contextmanager
def _lock_file(settings: Settings, host: str, port: int) -> Iterator[None]:
    """A note of which process serves this port; for people and for error messages, nothing depends on it."""
    path = _lock_path(settings, port)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{os.getpid()} http://{host}:{port}\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _stop_cleanly_while_starting() -> None:
    """Until the workers' own handlers are in place, SIGTERM ends the start in order, so that PostgreSQL stops too."""

    def stop(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)


def _end_with_parent() -> None:
    """Have the kernel stop this worker when the server process is killed; else it would hold the port for ever."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
