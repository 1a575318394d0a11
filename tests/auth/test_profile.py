"""PUT /auth/profile (contract: auth.md 7.8, section 18, W4)."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from app.main import Application
from tests.auth.conftest import PASSWORD, House
from tests.auth.test_reset import NEW, _events_while, login

CHANGE = {"password": NEW, "currentPassword": PASSWORD}


async def put(client: httpx.AsyncClient, headers: dict[str, str], body: Any) -> httpx.Response:
    return await client.put("/auth/profile", json=body, headers=headers)


def paths(response: httpx.Response) -> list[list[str]]:
    return [one["path"] for one in response.json()["issues"]]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({}, [["email"]]),
        ({"password": NEW}, [["currentPassword"]]),
        ({"currentPassword": PASSWORD}, [["email"], ["password"]]),
        ({"email": "bad"}, [["email"]]),
        ({"email": 7}, [["email"]]),
        ({"email": "a@example.com", "currentPassword": PASSWORD}, [["password"]]),
        ({"password": NEW, "currentPassword": "not the password"}, [["currentPassword"]]),
        ({"password": NEW, "currentPassword": f" {PASSWORD}"}, [["currentPassword"]]),
        ({"password": NEW, "currentPassword": ""}, [["currentPassword"]]),
        ({"password": "weak", "currentPassword": PASSWORD}, [["password"]] * 4),
        ([], [[]]),
    ],
)
async def test_what_is_wrong_is_said_where(
    client: httpx.AsyncClient, house: House, body: Any, wanted: list[list[str]]
) -> None:
    response = await put(client, await house.sign_in("employee"), body)

    assert response.status_code == 400
    assert response.json()["error"] == "Invalid profile update."
    assert paths(response) == wanted


async def test_a_new_password_keeps_this_session_and_ends_the_others(
    client: httpx.AsyncClient, house: House
) -> None:
    here, elsewhere = await house.sign_in("employee"), await house.sign_in("employee")

    response = await put(client, here, CHANGE)

    assert (response.status_code, response.json()) == (200, {"ok": True, "email": house.emails["employee"]})
    assert "x-om-operation" not in response.headers
    (cookie,) = [one for one in response.headers.get_list("set-cookie") if one.startswith("auth_token=")]
    fresh = {"authorization": f"Bearer {cookie.split(';')[0].removeprefix('auth_token=')}"}
    client.cookies.clear()
    assert (await client.get("/auth/profile", headers=fresh)).status_code == 200
    assert (await client.get("/auth/profile", headers=here)).status_code == 200
    assert (await client.get("/auth/profile", headers=elsewhere)).status_code == 401
    assert await login(client, house.emails["employee"], NEW) == 200
    assert await login(client, house.emails["employee"], PASSWORD) == 401


async def test_a_new_address_needs_no_password_and_signs_in(client: httpx.AsyncClient, house: House) -> None:
    headers = await house.sign_in("employee")
    email = f"New.{house.id.hex[:12]}@Example.com"

    response = await put(client, headers, {"email": email})

    assert (response.status_code, response.json()["email"]) == (200, email)
    assert (await client.get("/auth/profile", headers=headers)).json()["email"] == email
    assert await login(client, email.lower(), PASSWORD) == 200
    assert await login(client, house.emails["employee"], PASSWORD) == 401


async def test_the_same_address_again_is_fine_and_no_change(
    client: httpx.AsyncClient, house: House, application: Application
) -> None:
    response = await put(client, await house.sign_in("employee"), {"email": house.emails["employee"]})

    assert response.status_code == 200
    async with application.database.system() as connection:
        assert not await connection.fetchval(
            "select exists (select from action_logs where tenant_id = $1 and command_id = $2)",
            house.id,
            "auth.users.update_profile",
        )


async def test_an_address_of_the_same_tenant_is_taken_and_of_another_is_not(
    client: httpx.AsyncClient, house: House, make_house: Callable[[], Awaitable[House]]
) -> None:
    other = await make_house()
    headers = await house.sign_in("employee")

    taken = await put(client, headers, {"email": house.emails["admin"].upper()})
    free = await put(client, headers, {"email": other.emails["admin"]})

    assert taken.status_code == 400
    body = taken.json()
    assert set(body) == {"error", "fieldErrors", "details"}
    assert body["fieldErrors"] == {"email": body["error"]}
    assert body["details"] == [
        {"path": ["email"], "message": body["error"], "code": "duplicate", "origin": "validation"}
    ]
    assert free.status_code == 200


async def test_the_log_has_it_undoable_by_oneself_and_without_secrets(
    client: httpx.AsyncClient, house: House, application: Application
) -> None:
    headers = await house.sign_in("employee")
    await put(client, headers, CHANGE | {"email": f"n.{house.id.hex[:12]}@example.com"})
    actions = await client.get("/audit_logs/audit-logs/actions", headers=headers)

    (entry,) = [one for one in actions.json()["items"] if one["commandId"] == "auth.users.update_profile"]
    assert (entry["resourceKind"], entry["resourceId"]) == ("auth.user", str(house.users["employee"]))
    async with application.database.system() as connection:
        stored = await connection.fetchval(
            "select to_jsonb(l)::text from action_logs l where tenant_id = $1 and id = $2::uuid",
            house.id,
            entry["id"],
        )
    for secret in (NEW, PASSWORD, "$argon2id"):
        assert secret not in stored

    undone = await client.post(
        "/audit_logs/audit-logs/actions/undo", json={"undoToken": entry["undoToken"]}, headers=headers
    )
    assert undone.status_code == 200, undone.text
    assert await login(client, house.emails["employee"], PASSWORD) == 200


async def test_keys_have_no_profile_to_change(client: httpx.AsyncClient, house: House) -> None:
    _, secret = await house.add_api_key(["admin"])

    response = await client.put(
        "/auth/profile", json={"email": "k@example.com"}, headers={"x-api-key": secret}
    )

    assert response.status_code == 403


async def test_a_super_admin_elsewhere_changes_the_own_account(
    client: httpx.AsyncClient, house: House, make_house: Callable[[], Awaitable[House]]
) -> None:
    other = await make_house()
    headers = await house.sign_in("superadmin") | {"cookie": f"om_selected_tenant={other.id}"}
    email = f"s.{house.id.hex[:12]}@example.com"

    response = await put(client, headers, {"email": email})

    assert response.status_code == 200
    assert await login(client, email, PASSWORD) == 200


async def test_mailed_links_are_void_after_a_change(
    client: httpx.AsyncClient, house: House, application: Application
) -> None:
    for body in (CHANGE, {"email": f"m.{house.id.hex[:12]}@example.com"}):
        await client.post("/auth/reset", data={"email": house.emails["employee"]})
        async with application.database.system() as connection:
            for _ in range(200):
                open_ = "select count(*) from password_resets where tenant_id = $1 and used_at is null"
                if await connection.fetchval(open_, house.id):
                    break
                import asyncio

                await asyncio.sleep(0.02)
            assert (await put(client, await house.sign_in("employee"), body)).status_code == 200
            assert await connection.fetchval(open_, house.id) == 0


async def test_the_event_tells_of_a_new_password_only(
    client: httpx.AsyncClient, house: House, application: Application
) -> None:
    headers = await house.sign_in("employee")

    changed = await _events_while(application, house, lambda: put(client, headers, CHANGE))
    renamed = await _events_while(
        application, house, lambda: put(client, headers, {"email": f"e.{house.id.hex[:12]}@example.com"})
    )

    assert [name for name, _ in changed].count("auth.password.changed") == 1
    assert "auth.password.changed" not in [name for name, _ in renamed]
    assert "auth.user.updated" in [name for name, _ in renamed]
