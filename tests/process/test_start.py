"""Starting: the first time, again, on a taken port, beside another server, with wrong settings."""

import shutil
import socket
import stat
import time
from pathlib import Path

import psutil
import pytest

from tests.process.conftest import Serve, command, environment, postgres_runs


def test_first_start_makes_everything_and_a_later_start_answers_within_three_seconds(
    serve: Serve, tmp_path: Path
) -> None:
    data = (
        tmp_path / "a folder with spaces, a comma and a name that is far too long for a socket" / ("x" * 60)
    )
    first = serve(data, "--demo")
    first.wait_ready()
    assert first.login("admin@acme.com", "secret")[0] == 200
    assert stat.S_IMODE((data / "keys" / "master.key").stat().st_mode) == 0o600
    first.stop()
    assert not postgres_runs(data)

    again = serve(data)
    seconds = again.wait_ready()
    assert again.login("admin@acme.com", "secret")[0] == 200
    assert seconds <= 3 * _load_factor(), f"{seconds:.1f} s"


def test_without_demo_there_are_no_default_credentials(serve: Serve, tmp_path: Path) -> None:
    server = serve(tmp_path / "data")
    server.wait_ready()
    assert server.login("admin@acme.com", "secret")[0] == 401


def test_a_port_in_use_is_named_and_ends_with_2(data: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = command("serve", "--data", str(data), "--port", str(port))
    assert done.returncode == 2
    assert f"Port {port} on 127.0.0.1 is already in use" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_port_of_another_backstep_names_its_process(serve: Serve, data: Path) -> None:
    server = serve(data)
    server.wait_ready()
    done = command("serve", "--data", str(data), "--port", str(server.port))
    assert done.returncode == 2
    assert f"process {server.process.pid}" in done.stderr


def test_two_servers_share_one_data_directory_and_the_last_one_stops_postgres(
    serve: Serve, own_data: Path
) -> None:
    data = own_data
    one, two = serve(data), serve(data)
    one.wait_ready()
    two.wait_ready()
    assert one.login("employee@acme.com", "secret")[0] == 200
    one.stop()
    assert two.login("employee@acme.com", "secret")[0] == 200
    two.stop()
    assert not postgres_runs(data)


def test_two_workers_answer_and_use_the_server_of_their_parent(serve: Serve, data: Path) -> None:
    server = serve(data, "--workers", "2")
    server.wait_ready()
    workers = psutil.Process(server.process.pid).children()
    assert len([worker for worker in workers if not worker.name().startswith("postgres")]) == 2
    answers: list[int] = []
    deadline = time.monotonic() + 30
    while answers[-10:] != [200] * 10 and time.monotonic() < deadline:  # the second one may still be starting
        answers.append(server.get("/ready")[0])
        time.sleep(0.05)
    assert answers[-10:] == [200] * 10


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("BACKSTEP_DEMOO", "1", "BACKSTEP_DEMOO is unknown. Did you mean BACKSTEP_DEMO?"),
        ("RATE_LIMIT_STRATEGY", "paper", "RATE_LIMIT_STRATEGY"),
        ("BACKSTEP_SECRET", "short", "BACKSTEP_SECRET"),
        ("JWT_STAFF_SECRET", "short", "JWT_STAFF_SECRET"),
        ("DATABASE_URL", "mysql://nowhere", "DATABASE_URL must look like postgresql://"),
        ("DATABASE_URL", "postgresql://u:hush@127.0.0.1:1/x", "cannot be reached"),
    ],
)
def test_a_wrong_setting_is_one_line_and_ends_with_2(
    name: str, value: str, told: str, tmp_path: Path
) -> None:
    done = command("migrate", "--data", str(tmp_path), **{name: value})
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert "hush" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "letter.txt").write_text("dear reader")
    done = command("migrate", "--data", str(tmp_path))
    assert done.returncode == 2
    assert "is not a PostgreSQL data directory" in done.stderr


def test_the_files_of_another_major_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("17\n")
    done = command("migrate", "--data", str(tmp_path))
    assert done.returncode == 2
    assert "was made by PostgreSQL 17" in done.stderr


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = command("migrate", "--data", str(tmp_path / "file" / "data"))
    assert done.returncode == 2
    assert str(tmp_path / "file" / "data") in done.stderr


def test_the_installed_command_says_its_version() -> None:
    program = shutil.which("backstep", path=environment().get("PATH"))
    done = command("--version")
    assert done.returncode == 0
    assert "backstep" in done.stdout
    assert program is None or Path(program).exists()


def _load_factor() -> float:
    """How much longer things may take on a machine that is busy with other work; 1 on an idle one."""
    return max(1.0, psutil.getloadavg()[0] / (psutil.cpu_count() or 1))
