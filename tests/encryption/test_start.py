"""What the command line says about keys, and that wrong key material keeps the server from starting."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.process, pytest.mark.slow]

_MAP = """
import asyncio, sys
from pathlib import Path
from uuid import UUID
from app.settings import Settings
from app.embedded import opened
from app.database import Database
from app.main import make_bus
from app.encryption import Encryption
from commands.encryption import UpsertMap, FieldOfMap
from domain.scope import system_scope

async def main(target, settings):
    database = Database(target)
    encryption = Encryption(database, settings)
    bus = make_bus(database, settings, encryption)
    async with database.system() as connection:
        tenant = await connection.fetchval("select id from tenants order by id limit 1")
        user = await connection.fetchval("select id from users where tenant_id = $1 and name is not null", tenant)
    scope = system_scope(tenant)
    await bus.execute(UpsertMap(entity_id="auth:user", fields=(FieldOfMap("name"),)), scope)
    print(tenant, user)
    await database.close()

settings = Settings.read(data=Path(sys.argv[1]))
with opened(settings) as target:
    asyncio.run(main(target, settings))
"""


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def backstep(data: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "app", *arguments, "--data", str(data)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, **env}, check=False
    )


def test_keys_are_listed_rotated_and_used_a_person_is_erased_and_a_wrong_secret_is_said(
    tmp_path: Path,
) -> None:
    data = tmp_path / "var"
    assert backstep(data, "seed", "--demo").returncode == 0
    made = subprocess.run(
        [sys.executable, "-c", _MAP, str(data)], capture_output=True, text=True, timeout=120, check=False
    )
    assert made.returncode == 0, made.stderr
    tenant, user = made.stdout.split()
    sealed = backstep(data, "keys", "reencrypt", "--tenant", tenant)
    assert sealed.returncode == 0 and "users:" in sealed.stdout, sealed.stdout + sealed.stderr
    rotated = backstep(data, "keys", "rotate", "--tenant", tenant)
    assert rotated.stdout == "Key 2 is the newest.\n", rotated.stderr
    listed = json.loads(backstep(data, "keys", "list", "--json").stdout)
    assert [(one["number"], one["isCurrent"]) for one in listed] == [(1, False), (2, True)]
    asked = ("--tenant", tenant, "--reason", "asked for")
    erased = backstep(data, "keys", "erase", "auth:user", user, *asked)
    assert erased.stdout.startswith("Erased. Emptied: name.\n"), erased.stdout + erased.stderr
    again = backstep(data, "keys", "erase", "auth:user", user, *asked)
    assert again.returncode == 0 and again.stdout.startswith("There was nothing left to erase.\n")
    nobody = backstep(data, "keys", "erase", "auth:user", tenant, *asked)
    assert nobody.returncode == 2 and "No such record" in nobody.stderr, nobody.stderr
    secret = "another secret of more than 32 characters"
    wrong = backstep(data, "serve", "--port", str(free_port()), BACKSTEP_SECRET=secret)
    assert wrong.returncode == 2 and "cannot be unwrapped" in wrong.stderr
