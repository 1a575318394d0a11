"""`backstep seal`, `backstep head export` and `backstep verify --log`, in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.database import Target
from app.main import Application
from tests.conftest import SECRET, Tenant
from tests.heart.scenes import Scene
from tests.replay.conftest import behind
from tests.seals.conftest import Seal, rows_of


def run(target: Target, data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `backstep` on the database of the tests, as its owner."""
    env = {**os.environ, "DATABASE_URL": target.admin_dsn, "BACKSTEP_SECRET": SECRET}
    command = [sys.executable, "-m", "app", *arguments, "--data", str(data)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
async def granted(target: Target) -> None:
    """Lets the owner take on the application's roles, as `migrate` does outside the embedded server."""
    connection = await asyncpg.connect(target.admin_dsn)
    try:
        await connection.execute("grant backstep_app, backstep_system to current_user with set true")
    finally:
        await connection.close()


async def test_a_log_is_sealed_exported_and_verified_and_a_break_is_told(
    granted: None, application: Application, target: Target, tenant: Tenant, place: Scene, tmp_path: Path
) -> None:
    done = run(target, tmp_path, "seal", "--tenant", str(tenant.id))
    assert done.returncode == 0 and "rows sealed" in done.stdout, done.stderr
    file = tmp_path / "heads" / "heads.json"
    done = run(target, tmp_path, "head", "export", "--output", str(file), "--tenant", str(tenant.id))
    assert done.returncode == 0, done.stderr
    (head,) = json.loads(file.read_text())["heads"]
    assert head["tenantId"] == str(tenant.id)
    wanted = ("verify", "--log", "--tenant", str(tenant.id), "--head", str(file))
    done = run(target, tmp_path, *wanted)
    assert done.returncode == 0 and "intact" in done.stdout, done.stdout + done.stderr

    async with behind(target, tenant.id) as connection:
        row = (await rows_of(connection, tenant.id))[4]
        await connection.execute(
            "update action_logs set actor_user_id = null where tenant_id = $1 and id = $2",
            tenant.id,
            row["id"],
        )
    done = run(target, tmp_path, *wanted)
    assert done.returncode == 1
    assert f"changed at seal 1, seq {row['seq']}, log row {row['id']}" in done.stdout
    done = run(target, tmp_path, *wanted, "--json")
    found: Any = json.loads(done.stdout)
    assert found["ok"] is False and found["tenants"][0]["breaks"][0]["seq"] == row["seq"]


async def test_given_a_changed_head_file_then_it_is_refused(
    granted: None, target: Target, tenant: Tenant, place: Scene, seal: Seal, tmp_path: Path
) -> None:
    await seal(tenant.id)
    file = tmp_path / "heads.json"
    run(target, tmp_path, "head", "export", "--output", str(file), "--tenant", str(tenant.id))
    file.write_text(file.read_text().replace('"seal": 1', '"seal": 0'))
    done = run(target, tmp_path, "verify", "--log", "--tenant", str(tenant.id), "--head", str(file))
    assert done.returncode == 2 and "not signed" in done.stderr
    file.write_text("{}")
    done = run(target, tmp_path, "verify", "--log", "--head", str(file))
    assert done.returncode == 2 and "no exported heads" in done.stderr
    assert run(target, tmp_path, "verify", "--head", str(file)).returncode == 2
