"""Replays over HTTP: started by a super admin, done by a job in a process of its own, told how they came out."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.database import Target
from app.main import Application
from tests.conftest import Person, Tenant
from tests.heart.scenes import Scene, label, scene
from tests.replay.conftest import behind


@pytest.fixture
async def place(application: Application, tenant: Tenant) -> Scene:
    made = await scene(application.bus, tenant.admin.scope, "red")
    await label(application.bus, tenant.admin.scope, made, "Rot")
    return made


async def started(client: httpx.AsyncClient, person: Person, **body: Any) -> str:
    answer = await client.post("/replays", json=body, headers=person.headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def finished(client: httpx.AsyncClient, person: Person, id: str) -> dict[str, Any]:
    async with asyncio.timeout(150):
        while True:
            run = (await client.get(f"/replays/{id}", headers=person.headers)).json()
            if run["state"] not in ("waiting", "running"):
                return dict(run)
            await asyncio.sleep(0.2)


async def test_given_a_replay_then_it_runs_and_reports(
    client: httpx.AsyncClient, tenant: Tenant, place: Scene
) -> None:
    id = await started(client, tenant.superadmin, mode="commands")
    busy = await client.post("/replays", json={}, headers=tenant.superadmin.headers)
    assert busy.status_code == 409 and busy.json()["code"] == "replay_under_way"
    run = await finished(client, tenant.superadmin, id)
    assert (run["state"], run["findings"], run["error"]) == ("equal", 0, None)
    assert run["report"]["executed"] == 4 and run["report"]["tenantId"] == str(tenant.id)
    listed = (await client.get("/replays", headers=tenant.superadmin.headers)).json()["items"]
    assert [one["id"] for one in listed] == [id] and "report" not in listed[0]


async def test_given_rows_changed_by_sql_then_they_are_in_the_report_without_what_is_hidden(
    client: httpx.AsyncClient, target: Target, tenant: Tenant, place: Scene
) -> None:
    async with behind(target, tenant.id) as connection:
        await connection.execute(
            "update users set name = 'forged', password_hash = 'secret' where id = $1", tenant.employee.id
        )
    run = await finished(client, tenant.superadmin, await started(client, tenant.superadmin))
    assert (run["state"], run["findings"]) == ("not_equal", 1)
    (found,) = run["report"]["differences"]
    assert found["columns"] == {"name": ['"Employee"', '"forged"'], "password_hash": [None, None]}
    assert found["explanation"] == "no command: changed outside"


async def test_given_a_moment_that_is_not_in_history_then_it_could_not_be_found_out(
    client: httpx.AsyncClient, tenant: Tenant, place: Scene
) -> None:
    run = await finished(
        client, tenant.superadmin, await started(client, tenant.superadmin, until=str(uuid4()))
    )
    assert run["state"] == "could_not" and "There is no log row" in run["error"]


async def test_given_anybody_else_then_there_are_no_replays(
    client: httpx.AsyncClient, tenant: Tenant, make_tenant: Any
) -> None:
    for person in (tenant.admin, tenant.employee):
        assert (await client.post("/replays", json={}, headers=person.headers)).status_code == 403
        assert (await client.get("/replays", headers=person.headers)).status_code == 403
    bad = await client.post("/replays", json={"until": "yesterday"}, headers=tenant.superadmin.headers)
    assert bad.status_code == 400
    missing = await client.get(f"/replays/{uuid4()}", headers=tenant.superadmin.headers)
    assert missing.status_code == 404
