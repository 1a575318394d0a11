"""Stopping: by signal with open connections, by kill -9 of parts and of everything."""

import os
import signal
import socket
import time
from pathlib import Path

import psutil
import pytest

from tests.process.conftest import Serve, kill_tree, postgres_runs, postmaster


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_within_seconds_with_open_connections(serve: Serve, data: Path, number: int) -> None:
    server = serve(data)
    server.wait_ready()
    token = server.login("admin@acme.com", "secret")[1]["token"]
    with (
        socket.create_connection(("127.0.0.1", server.port)) as idle,
        socket.create_connection(("127.0.0.1", server.port)) as stream,
    ):
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in idle.recv(200)
        stream.sendall(
            f"GET /events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        assert b"200" in stream.recv(200)
        assert server.stop(number) < 8
    assert server.process.returncode == 0
    assert postgres_runs(data), "the test itself still uses the database"


def test_a_signal_during_the_start_leaves_nothing_running(serve: Serve, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for pause in (0.5, 1.2):
        server = serve(data)
        time.sleep(pause)
        server.stop()
        assert not postgres_runs(data)
    serve(data).wait_ready()


def test_after_kill_9_of_everything_the_next_start_just_works(serve: Serve, own_data: Path) -> None:
    data = own_data
    server = serve(data)
    server.wait_ready()
    database = postmaster(data)
    kill_tree(server.process.pid)
    server.process.wait()
    if psutil.pid_exists(database):
        kill_tree(database)
    assert (data / "postgres" / "postmaster.pid").exists()

    again = serve(data, port=server.port)
    again.wait_ready()
    assert again.login("admin@acme.com", "secret")[0] == 200


def test_a_pid_file_whose_number_belongs_to_another_program_by_now_is_no_obstacle(
    serve: Serve, own_data: Path
) -> None:
    data = own_data
    first = serve(data)
    first.wait_ready()
    stale = (data / "postgres" / "postmaster.pid").read_text().split("\n")
    first.stop()
    (data / "postgres" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *stale[1:]]))
    serve(data).wait_ready()


def test_a_killed_postgres_is_started_again_under_the_running_server(serve: Serve, own_data: Path) -> None:
    data = own_data
    server = serve(data)
    server.wait_ready()
    os.kill(postmaster(data), signal.SIGKILL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and "has been started again" not in server.text:
        time.sleep(0.05)
    while time.monotonic() < deadline and server.get("/ready")[0] != 200:
        time.sleep(0.05)
    assert server.login("admin@acme.com", "secret")[0] == 200


def test_a_killed_parent_takes_its_workers_along_and_frees_the_port(serve: Serve, data: Path) -> None:
    server = serve(data)
    server.wait_ready()
    server.process.kill()
    server.process.wait()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
        except OSError:
            break
        time.sleep(0.05)
    serve(data, port=server.port).wait_ready()


def test_a_killed_worker_is_replaced(serve: Serve, data: Path) -> None:
    server = serve(data)
    server.wait_ready()
    [worker] = [
        child
        for child in psutil.Process(server.process.pid).children()
        if not child.name().startswith("postgres")
    ]
    worker.kill()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if server.get("/ready", timeout=2)[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"no worker came back: {server.text}")
