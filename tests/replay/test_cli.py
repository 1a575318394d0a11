"""`backstep replay` as an operator runs it: options, exit status, the report as a file, a database that is kept."""

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from app.database import Target
from app.main import Application
from app.replay import scratch
from tests.conftest import SECRET, Tenant
from tests.heart.scenes import Scene, label, scene
from tests.replay.conftest import behind, scratch_databases

pytestmark = pytest.mark.process


@pytest.fixture
async def place(application: Application, tenant: Tenant) -> Scene:
    made = await scene(application.bus, tenant.admin.scope, "red")
    await label(application.bus, tenant.admin.scope, made, "Rot")
    return made


def environment(target: Target) -> dict[str, str]:
    found = {**os.environ, "BACKSTEP_SECRET": SECRET}
    found["BACKSTEP_ATTACHED" if target.embedded else "DATABASE_URL"] = target.admin_dsn
    return found


async def backstep(target: Target, *arguments: str) -> tuple[int, str, str]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", "replay", *arguments),
        env=environment(target),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await child.communicate()
    assert child.returncode is not None
    return child.returncode, out.decode(), err.decode()


async def test_given_what_is_equal_or_not_then_the_exit_status_and_the_report_say_so(
    target: Target, tenant: Tenant, place: Scene, tmp_path: Path
) -> None:
    own = ("--tenant", str(tenant.id))
    code, out, _ = await backstep(target, *own, "--commands")
    assert code == 0 and "no divergence" in out
    async with behind(target, tenant.id) as connection:
        await connection.execute(
            "update dictionary_entries set label = 'forged' where id = $1", place.entry_ids[0]
        )
    file = tmp_path / "report.json"
    code, out, _ = await backstep(target, *own, "--json", str(file))
    assert code == 1 and "no command: changed outside" in out
    report: Any = msgspec.json.decode(file.read_bytes())
    assert report["verdict"] == "not_equal"
    assert report["differences"][0]["columns"] == {"label": ['"Rot"', '"forged"']}


async def test_given_what_cannot_be_done_then_the_exit_status_is_2_and_nothing_stays(
    target: Target, tenant: Tenant, place: Scene, template: str
) -> None:
    own = ("--tenant", str(tenant.id))
    for arguments, words in (
        ((*own, "--bisect", "select 1"), "true or false"),
        ((*own, "--until", "yesterday"), "neither the id of a log row nor a time"),
        ((*own, "--resource", "no.such.kind"), "is not one of"),
        ((*own, "--resume"), "no run with these options"),
        ((*own, "--commands", "--bisect", "select true"), "Give one of"),
    ):
        code, out, err = await backstep(target, *arguments)
        assert code == 2 and words in " ".join((out + err).replace("│", " ").split()), (arguments, out, err)
    assert await scratch_databases(target, template) == []


async def test_given_keep_then_the_database_stays_and_can_be_connected_to(
    target: Target, tenant: Tenant, place: Scene, template: str
) -> None:
    code, _, err = await backstep(target, "--tenant", str(tenant.id), "--keep")
    assert code == 0
    dsn = next(word for line in err.splitlines() for word in line.split() if "://" in word)
    connection = await asyncpg.connect(dsn)
    text = await connection.fetchval("select label from dictionary_entries where id = $1", place.entry_ids[0])
    await connection.close()
    (name,) = await scratch_databases(target, template)
    await scratch.drop(target, name)
    assert text == "Rot"


async def test_given_serve_then_the_api_shows_that_moment_and_changes_nothing(
    application: Application, target: Target, tenant: Tenant, place: Scene, template: str
) -> None:
    shown = await label(application.bus, tenant.admin.scope, place, "then")
    await label(application.bus, tenant.admin.scope, place, "now")
    assert shown.log is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", "replay", "--tenant", str(tenant.id)),
        *("--until", str(shown.log.id), "--serve", str(port)),
        env=environment(target),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=tenant.admin.headers
        ) as client:
            async with asyncio.timeout(90):
                while True:
                    try:
                        answer = await client.get(f"/dictionaries/{place.dictionary_id}/entries")
                        break
                    except httpx.TransportError:
                        assert child.returncode is None
                        await asyncio.sleep(0.3)
            assert [one["label"] for one in answer.json()["items"]] == ["then"]
            refused = await client.post(f"/dictionaries/{place.dictionary_id}/entries", json={"value": "x"})
            assert (refused.status_code, refused.json()["code"]) == (403, "read_only")
    finally:
        child.terminate()
        assert await child.wait() == 0
    assert await scratch_databases(target, template) == []
