"""One's own sessions (ours), and what sign-in and sign-out tell (contract: auth.md section 10, W5, W12)."""

from uuid import UUID

import httpx
import pytest

from app.main import Application
from tests.auth.conftest import PASSWORD, House
from tests.auth.test_reset import _events_while, login

PATH = "/auth/sessions"


async def test_one_sees_the_own_sessions_only(client: httpx.AsyncClient, house: House) -> None:
    await house.sign_in("admin")
    first, second = await house.sign_in("employee"), await house.sign_in("employee")

    items = (await client.get(PATH, headers=second)).json()["items"]

    assert [item["current"] for item in items] == [True, False]
    assert set(items[0]) == {"id", "userAgent", "current", "createdAt", "expiresAt"}
    assert (await client.get(PATH, headers=first)).json()["items"][0]["id"] == items[0]["id"]


async def test_the_program_is_noted(client: httpx.AsyncClient, house: House) -> None:
    signed = await client.post(
        "/auth/login",
        data={"email": house.emails["employee"], "password": PASSWORD},
        headers={"user-agent": "Teapot/1.0 " + "x" * 400},
    )
    headers = {"authorization": f"Bearer {signed.json()['token']}"}

    (item,) = (await client.get(PATH, headers=headers)).json()["items"]

    assert item["userAgent"].startswith("Teapot/1.0") and len(item["userAgent"]) == 300


async def test_one_session_is_ended(client: httpx.AsyncClient, house: House) -> None:
    here, there = await house.sign_in("employee"), await house.sign_in("employee")
    wanted = next(
        item["id"] for item in (await client.get(PATH, headers=here)).json()["items"] if not item["current"]
    )

    response = await client.delete(PATH, params={"id": wanted}, headers=here)

    assert (response.status_code, response.json()) == (200, {"ok": True, "ended": 1})
    assert "set-cookie" not in response.headers
    assert (await client.get(PATH, headers=there)).status_code == 401
    assert (await client.get(PATH, headers=here)).status_code == 200


async def test_all_others_are_ended(client: httpx.AsyncClient, house: House) -> None:
    here = await house.sign_in("employee")
    others = [await house.sign_in("employee") for _ in range(2)]

    response = await client.delete(PATH, headers=here)

    assert response.json() == {"ok": True, "ended": 2}
    for one in others:
        assert (await client.get(PATH, headers=one)).status_code == 401
    assert len((await client.get(PATH, headers=here)).json()["items"]) == 1


async def test_ending_the_own_session_signs_out(client: httpx.AsyncClient, house: House) -> None:
    here = await house.sign_in("employee")
    (item,) = (await client.get(PATH, headers=here)).json()["items"]

    response = await client.delete(PATH, params={"id": item["id"]}, headers=here)

    assert response.headers["set-cookie"].startswith("auth_token=;")
    assert (await client.get(PATH, headers=here)).status_code == 401


@pytest.mark.parametrize(("id", "status"), [("nope", 400), ("00000000-0000-4000-8000-00000000dead", 404)])
async def test_bad_ids(client: httpx.AsyncClient, house: House, id: str, status: int) -> None:
    response = await client.delete(PATH, params={"id": id}, headers=await house.sign_in("employee"))

    assert response.status_code == status


async def test_sessions_of_others_cannot_be_ended(client: httpx.AsyncClient, house: House) -> None:
    mine = await house.sign_in("employee")
    theirs = await house.sign_in("admin")
    id = (await client.get(PATH, headers=theirs)).json()["items"][0]["id"]

    assert (await client.delete(PATH, params={"id": id}, headers=mine)).status_code == 404
    assert (await client.get(PATH, headers=theirs)).status_code == 200


async def test_keys_have_no_sessions(client: httpx.AsyncClient, house: House) -> None:
    _, secret = await house.add_api_key(["admin"])

    assert (await client.get(PATH, headers={"x-api-key": secret})).status_code == 403


# Events


async def test_signing_in_and_out_is_told(
    client: httpx.AsyncClient, house: House, application: Application
) -> None:
    email = house.emails["employee"]

    async def act() -> None:
        assert await login(client, email, PASSWORD) == 200
        client.cookies.clear()
        headers = await house.sign_in("employee")
        await client.post("/auth/logout", headers=headers)

    told = await _events_while(application, house, act)

    ids = {
        "id": str(house.users["employee"]),
        "tenantId": str(house.id),
        "organizationId": str(house.organizations["Home"]),
    }
    assert told == [
        ("auth.login.success", {**ids, "email": email}),
        ("auth.login.success", {**ids, "email": email}),
        ("auth.logout", ids),
    ]


async def test_refused_tries_are_told_beside_the_answer(
    client: httpx.AsyncClient, house: House, application: Application
) -> None:
    from domain.auth import users

    await house.set(users, house.users["employee"], password_hash=None)

    async def act() -> None:
        assert await login(client, house.emails["admin"], "wrong password") == 401
        assert await login(client, house.emails["employee"], "wrong password") == 401
        assert await login(client, "nobody@example.com", "wrong password") == 401
        await application.sign_in.finish()

    told = [
        event for event in await _events_while(application, house, act) if event[0].startswith("auth.login")
    ]

    assert told == [
        ("auth.login.failed", {"email": house.emails["admin"], "reason": "invalid_password"}),
        ("auth.login.failed", {"email": house.emails["employee"], "reason": "invalid_credentials"}),
    ]


async def test_only_declared_events_can_be_emitted(application: Application, house: House) -> None:
    from commands.unit import Unit

    async def perform(unit: Unit) -> None:
        unit.emit("no.such.event", {"id": UUID(int=0)})

    with pytest.raises(KeyError):
        await house.write(perform)


async def test_a_rehearsal_emits_nothing(application: Application, house: House) -> None:
    from commands.auth import RefuseSignIn
    from domain.scope import Options, system_scope

    async def act() -> None:
        command = RefuseSignIn(email="a@example.com", reason="invalid_password")
        await application.bus.execute(command, system_scope(house.id), Options(dry_run=True))

    assert await _events_while(application, house, act) == []
