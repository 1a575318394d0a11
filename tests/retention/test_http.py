"""Retention over HTTP, on the command line, and once a day."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from app.database import Target
from app.jobs.retention import daily
from app.main import Application
from tests.conftest import Person, Tenant
from tests.heart.scenes import Scene
from tests.replay.conftest import behind
from tests.retention.conftest import Age, keep, places
from tests.seals.test_cli import granted, run  # noqa: F401

PATH = "/audit_logs/audit-logs/retention"


async def _post(client: httpx.AsyncClient, person: Person, path: str, **body: Any) -> httpx.Response:
    return await client.post(f"{PATH}/{path}", headers=person.headers, json=body)


async def _state(client: httpx.AsyncClient, person: Person) -> Any:
    answer = await client.get(PATH, headers=person.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_given_policies_then_they_and_what_would_go_are_told(
    client: httpx.AsyncClient, tenant: Tenant, place: Scene, age: Age
) -> None:
    await age()
    boss = tenant.superadmin
    assert (await _state(client, boss))["policies"] == []
    answer = await _post(client, boss, "set", kind="dictionaries.entry", days=60)
    assert answer.status_code == 200 and "x-om-operation" in answer.headers
    assert (await _post(client, boss, "set", kind="dictionaries.entry", days=90)).status_code == 200
    found = await _state(client, boss)
    assert [(one["kind"], one["days"]) for one in found["policies"]] == [("dictionaries.entry", 90)]
    assert found["rows"] == 7 and found["bytes"] > 500 and found["mayChange"] and "*" in found["kinds"]
    assert [one["kind"] for one in found["going"]] == ["dictionaries.entry"]
    assert not (await _state(client, tenant.admin))["mayChange"]
    assert (await _post(client, boss, "clear", kind="dictionaries.entry")).status_code == 200
    assert (await _state(client, boss))["rows"] == 0


async def test_given_a_wrong_policy_then_it_is_refused(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for body in ({"kind": "nothing.at_all", "days": 90}, {"kind": "*", "days": 29}, {"kind": "*"}):
        assert (await _post(client, tenant.superadmin, "set", **body)).status_code == 400, body
    for path, body in (("set", {"kind": "*", "days": 90}), ("clear", {"kind": "*"}), ("run", {})):
        assert (await _post(client, tenant.admin, path, **body)).status_code == 403, path
        assert (await _post(client, tenant.employee, path, **body)).status_code == 403, path


async def test_given_a_run_then_a_background_job_removes_what_is_due(
    client: httpx.AsyncClient, application: Application, tenant: Tenant, place: Scene, age: Age
) -> None:
    await keep(application, tenant)
    old = await places(application, tenant.id)
    await age()
    answer = await _post(client, tenant.superadmin, "run")
    assert answer.status_code == 200, answer.text
    await _until_gone(application, tenant, old)
    found = await _state(client, tenant.superadmin)
    assert found["rows"] == 0 and found["historyBeginsAt"] is not None


async def test_once_a_day_policies_that_stand_for_a_day_are_applied(
    application: Application, target: Target, tenant: Tenant, place: Scene, age: Age
) -> None:
    await keep(application, tenant)
    old = await places(application, tenant.id)
    await age()
    await daily(application)
    await asyncio.sleep(0.5)
    assert set(old) <= set(await places(application, tenant.id))
    async with behind(target, tenant.id) as connection:
        await connection.execute(
            "update log_retention_policies set updated_at = now() - interval '2 days' where tenant_id = $1",
            tenant.id,
        )
    await daily(application)
    await _until_gone(application, tenant, old)


async def test_on_the_command_line_it_is_previewed_and_run(
    granted: None,  # noqa: F811
    application: Application,
    target: Target,
    tenant: Tenant,
    place: Scene,
    age: Age,
    tmp_path: Path,
) -> None:
    await keep(application, tenant, "dictionaries.entry")
    await age()
    done = run(target, tmp_path, "retention", "preview", "--tenant", str(tenant.id))
    assert done.returncode == 0 and f"{tenant.id}: 7 rows" in done.stdout, done.stdout + done.stderr
    done = run(target, tmp_path, "retention", "run", "--tenant", str(tenant.id))
    assert done.returncode == 0 and f"{tenant.id}: 7 rows removed" in done.stdout, done.stderr
    done = run(target, tmp_path, "verify", "--tenant", str(tenant.id))
    assert done.returncode == 0, done.stdout + done.stderr
    async with behind(target, tenant.id) as connection:
        row = (await connection.fetch("select id from action_logs where tenant_id = $1", tenant.id))[0]
        await connection.execute(
            "update action_logs set reason = 'x' where tenant_id = $1 and id = $2", tenant.id, row["id"]
        )
    await keep(application, tenant)
    done = run(target, tmp_path, "retention", "run", "--tenant", str(tenant.id))
    assert done.returncode == 1 and "Stopped" in done.stderr


async def _until_gone(application: Application, tenant: Tenant, old: list[int]) -> None:
    for _ in range(100):
        if not set(old) & set(await places(application, tenant.id)):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("nothing was removed")
