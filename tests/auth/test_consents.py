"""Consents (contract: auth.md 7.20, W26; recording is ours)."""

import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.main import Application
from tests.auth.conftest import House

PATH = "/auth/users/consents"
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")


async def listed(client: httpx.AsyncClient, house: House, user: str = "employee") -> list[dict[str, Any]]:
    response = await client.get(
        PATH, params={"userId": str(house.users[user])}, headers=await house.sign_in("admin")
    )
    assert response.status_code == 200, response.text
    assert response.json()["ok"] is True
    return response.json()["items"]


async def record(
    client: httpx.AsyncClient, house: House, *, by: str = "admin", **fields: Any
) -> httpx.Response:
    body = {
        "userId": str(house.users["employee"]),
        "consentType": "marketing_email",
        "isGranted": True,
        "source": "office",
    }
    return await client.post(PATH, json=body | fields, headers=await house.sign_in(by))


async def test_nobody_has_consented_at_first(client: httpx.AsyncClient, house: House) -> None:
    assert await listed(client, house) == []


async def test_granting_and_withdrawing(client: httpx.AsyncClient, house: House) -> None:
    granted = await record(client, house)

    assert granted.status_code == 200
    assert granted.headers["x-om-operation"].startswith("omop:")
    (item,) = await listed(client, house)
    assert item == granted.json()["item"]
    assert set(item) == {
        *("id", "consentType", "isGranted", "grantedAt", "withdrawnAt", "source", "ipAddress"),
        *("integrityValid", "createdAt", "updatedAt"),
    }
    assert (item["consentType"], item["isGranted"], item["withdrawnAt"]) == ("marketing_email", True, None)
    assert (item["source"], item["integrityValid"]) == ("office", True)
    assert ISO.match(item["grantedAt"]) and item["ipAddress"]

    withdrawn = (await record(client, house, isGranted=False, source="phone")).json()["item"]

    assert withdrawn["id"] == item["id"]
    assert (withdrawn["isGranted"], withdrawn["grantedAt"]) == (False, item["grantedAt"])
    assert ISO.match(withdrawn["withdrawnAt"])
    assert (withdrawn["source"], withdrawn["integrityValid"]) == ("phone", True)


async def test_undo_brings_the_former_consent_back_intact(client: httpx.AsyncClient, house: House) -> None:
    before = (await record(client, house)).json()["item"]
    changed = await record(client, house, isGranted=False)
    headers = await house.sign_in("admin")
    token = (await client.get("/audit_logs/audit-logs/actions", headers=headers)).json()["items"][0][
        "undoToken"
    ]

    undone = await client.post(
        "/audit_logs/audit-logs/actions/undo", json={"undoToken": token}, headers=headers
    )

    assert (changed.status_code, undone.status_code) == (200, 200)
    (item,) = await listed(client, house)
    assert {**item, "updatedAt": None} == {**before, "updatedAt": None}


@pytest.mark.parametrize(
    "change",
    [
        "is_granted = not is_granted",
        "granted_at = granted_at - interval '1 millisecond'",
        "consent_type = 'newsletter'",
        "organization_id = null",
        "id = gen_random_uuid()",
        "source = 'elsewhere'",
        "ip_address = null",
        "integrity_hash = null",
        "integrity_hash = repeat('0', 64)",
    ],
)
async def test_what_was_changed_beside_the_product_shows(
    client: httpx.AsyncClient, house: House, application: Application, change: str
) -> None:
    await record(client, house)
    async with application.database.system() as connection, connection.transaction():
        await connection.execute("set local app.command_id = 'tests.tamper'")
        await connection.execute(f"update user_consents set {change} where tenant_id = $1", house.id)

    (item,) = await listed(client, house)

    assert item["integrityValid"] is False


async def test_a_record_of_another_tenant_does_not_pass(
    client: httpx.AsyncClient,
    house: House,
    make_house: Callable[[], Awaitable[House]],
    application: Application,
) -> None:
    other = await make_house()
    await record(client, house)
    async with application.database.system() as connection, connection.transaction():
        await connection.execute("set local app.command_id = 'tests.tamper'")
        await connection.execute(
            "update user_consents set tenant_id = $2 where tenant_id = $1", house.id, other.id
        )
    response = await client.get(
        PATH, params={"userId": str(house.users["employee"])}, headers=await house.sign_in("superadmin")
    )
    assert response.json()["items"] == []


async def test_addresses_and_sources_are_sealed_in_table_and_log(
    client: httpx.AsyncClient, house: House, application: Application
) -> None:
    await record(client, house, source="a very particular source")

    async with application.database.system() as connection:
        stored = await connection.fetchrow(
            "select source, ip_address from user_consents where tenant_id = $1", house.id
        )
        log = await connection.fetchval(
            "select string_agg(to_jsonb(l)::text, '') from action_logs l where tenant_id = $1", house.id
        )
    assert stored["source"].startswith("sealed:") and stored["ip_address"].startswith("sealed:")
    assert "a very particular source" not in log
    shown = (await client.get("/audit_logs/audit-logs/actions", headers=await house.sign_in("admin"))).text
    assert "sealed:" not in shown and "integrityHash" not in shown


async def test_two_at_once_leave_one_record(client: httpx.AsyncClient, house: House) -> None:
    import asyncio

    answers = await asyncio.gather(*(record(client, house, isGranted=bool(n % 2)) for n in range(4)))

    assert {one.status_code for one in answers} <= {200, 409}
    (item,) = await listed(client, house)
    assert item["integrityValid"] is True


@pytest.mark.parametrize("user_id", [None, "", "nope", "00000000-0000-4000-8000-00000000000"])
async def test_a_bad_id_is_400(client: httpx.AsyncClient, house: House, user_id: str | None) -> None:
    params = {} if user_id is None else {"userId": user_id}

    response = await client.get(PATH, params=params, headers=await house.sign_in("admin"))

    assert (response.status_code, response.json()["ok"]) == (400, False)


async def test_unknown_people_have_no_consents_and_cannot_give_any(
    client: httpx.AsyncClient, house: House
) -> None:
    headers = await house.sign_in("admin")
    id = str(uuid4())

    assert (await client.get(PATH, params={"userId": id}, headers=headers)).json() == {
        "ok": True,
        "items": [],
    }
    assert (await record(client, house, userId=id)).status_code == 404


async def test_people_of_other_tenants_are_404(
    client: httpx.AsyncClient, house: House, make_house: Callable[[], Awaitable[House]]
) -> None:
    id = str((await make_house()).users["employee"])
    headers = await house.sign_in("admin")

    response = await client.get(PATH, params={"userId": id}, headers=headers)

    assert (response.status_code, response.json()) == (404, {"error": "User not found"})
    assert (await record(client, house, userId=id)).status_code == 404


async def test_people_outside_ones_organizations_are_403(client: httpx.AsyncClient, house: House) -> None:
    await house.add_organization("Branch")
    await house.add_user("local", "Branch")
    await house.grant("local", ["auth.users.edit"], ["Branch"])
    headers = await house.sign_in("local", "Branch")

    response = await client.get(PATH, params={"userId": str(house.users["employee"])}, headers=headers)

    assert response.status_code == 403


async def test_consents_given_in_another_organization_show(client: httpx.AsyncClient, house: House) -> None:
    await house.add_organization("Branch")
    await house.add_user("away", "Branch")
    await record(client, house, userId=str(house.users["away"]))

    assert len(await listed(client, house, "away")) == 1


async def test_it_needs_the_feature(client: httpx.AsyncClient, house: House) -> None:
    headers = await house.sign_in("employee")

    got = await client.get(PATH, params={"userId": str(house.users["employee"])}, headers=headers)
    posted = await record(client, house, by="employee")

    for response in (got, posted):
        assert (response.status_code, response.json()["requiredFeatures"]) == (403, ["auth.users.edit"])


async def test_an_idempotency_key_records_once(client: httpx.AsyncClient, house: House) -> None:
    headers = await house.sign_in("admin") | {"idempotency-key": uuid4().hex}
    body = {"userId": str(house.users["employee"]), "consentType": "terms", "isGranted": True}

    first = await client.post(PATH, json=body, headers=headers)
    again = await client.post(PATH, json=body, headers=headers)

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["idempotency-replayed"] == "true"
    assert first.json() == again.json()
