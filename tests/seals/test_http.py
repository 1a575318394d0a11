"""The integrity of the log over HTTP."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from app.database import Target
from app.jobs import verification
from app.main import Application
from tests.conftest import MakeTenant, Tenant
from tests.heart.scenes import Scene, label
from tests.replay.conftest import behind
from tests.seals.conftest import Seal, rows_of

PATH = "/audit_logs/audit-logs/integrity"


async def _get(client: httpx.AsyncClient, tenant: Tenant, path: str = "") -> Any:
    answer = await client.get(PATH + path, headers=tenant.admin.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _verify(client: httpx.AsyncClient, tenant: Tenant, **body: Any) -> httpx.Response:
    return await client.post(f"{PATH}/verify", headers=tenant.admin.headers, json=body)


async def test_given_a_sealed_log_then_its_state_is_told(
    client: httpx.AsyncClient, application: Application, tenant: Tenant, place: Scene, seal: Seal
) -> None:
    count = await seal(tenant.id)
    found = await _get(client, tenant)
    assert (found["state"], found["sealedRows"], found["unsealedRows"]) == ("sealed", count, 0)
    assert found["lastSeal"]["number"] >= 1 and found["lastVerification"] is None
    await label(application.bus, tenant.admin.scope, place, "Rosa")
    found = await _get(client, tenant)
    assert found["unsealedRows"] in (0, 1)


async def test_given_a_verification_then_it_is_answered_and_kept(
    client: httpx.AsyncClient, target: Target, tenant: Tenant, place: Scene, seal: Seal
) -> None:
    await seal(tenant.id)
    answer = await _verify(client, tenant)
    assert answer.status_code == 200 and answer.json()["state"] == "intact" and answer.json()["breaks"] == []
    async with behind(target, tenant.id) as connection:
        row = (await rows_of(connection, tenant.id))[3]
        await connection.execute(
            "update action_logs set reason = 'x' where tenant_id = $1 and id = $2", tenant.id, row["id"]
        )
    found = (await _verify(client, tenant)).json()
    assert found["state"] == "broken" and found["requestedBy"] == str(tenant.admin.id)
    (one,) = found["breaks"]
    assert (one["kind"], one["seq"], one["logId"]) == ("changed", row["seq"], str(row["id"]))
    assert (await _get(client, tenant))["lastVerification"] == found


async def test_given_a_large_log_then_it_is_verified_in_the_background(
    client: httpx.AsyncClient,
    tenant: Tenant,
    place: Scene,
    seal: Seal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await seal(tenant.id)
    monkeypatch.setattr(verification, "AT_ONCE_ROWS", 0)
    answer = await _verify(client, tenant)
    assert answer.status_code == 202 and answer.json()["state"] == "running"
    for _ in range(100):
        found = (await _get(client, tenant))["lastVerification"]
        if found["state"] != "running":
            break
        await asyncio.sleep(0.1)
    assert found["state"] == "intact" and found["id"] == answer.json()["id"] and found["rows"] > 8


async def test_given_an_exported_head_then_a_cut_off_end_is_found(
    client: httpx.AsyncClient, target: Target, tenant: Tenant, place: Scene, seal: Seal
) -> None:
    await seal(tenant.id)
    exported = await _get(client, tenant, "/head")
    assert (await _verify(client, tenant, head=exported)).json()["state"] == "intact"
    async with behind(target, tenant.id) as connection:
        await connection.execute("delete from log_seals where tenant_id = $1", tenant.id)
        await connection.execute("delete from action_logs where tenant_id = $1", tenant.id)
    found = (await _verify(client, tenant, head=exported)).json()
    assert [one["kind"] for one in found["breaks"]][-1] == "cut_off"


async def test_given_a_changed_or_foreign_head_then_it_is_refused(
    client: httpx.AsyncClient, make_tenant: MakeTenant, tenant: Tenant, place: Scene, seal: Seal
) -> None:
    await seal(tenant.id)
    exported = await _get(client, tenant, "/head")
    forged = json.loads(json.dumps(exported))
    forged["heads"][0]["seal"] += 1
    answer = await _verify(client, tenant, head=forged)
    assert (answer.status_code, answer.json()["code"]) == (400, "head_forged")
    other = await make_tenant()
    answer = await _verify(client, other, head=exported)
    assert (answer.status_code, answer.json()["code"]) == (400, "head_of_others")
    answer = await _verify(client, tenant, head={"heads": []})
    assert answer.status_code == 400


async def test_only_who_may_view_the_tenants_log_may_ask(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for path, method in (("", "GET"), ("/head", "GET"), ("/verify", "POST")):
        answer = await client.request(method, PATH + path, headers=tenant.employee.headers)
        assert answer.status_code == 403, path


async def test_given_nothing_sealed_then_there_is_no_head(
    client: httpx.AsyncClient, target: Target, tenant: Tenant
) -> None:
    async with behind(target, tenant.id) as connection:
        await connection.execute("delete from log_seals where tenant_id = $1", tenant.id)
        await connection.execute("delete from action_logs where tenant_id = $1", tenant.id)
    assert (await client.get(f"{PATH}/head", headers=tenant.admin.headers)).status_code == 404
    assert (await _get(client, tenant))["state"] == "empty"
