"""Staying in and signing out (contract: auth.md 7.2 to 7.4 and 7.7)."""

from datetime import UTC, datetime
from uuid import UUID

import httpx
import jwt
import pytest

from domain.auth import users
from tests.auth.conftest import PASSWORD, House

CLEARED = ["auth_token=; Path=/; Max-Age=0", "session_token=; Path=/; Max-Age=0"]
JSON = {"accept": "application/json"}


async def login(client: httpx.AsyncClient, house: House, user: str = "admin") -> tuple[dict[str, str], str]:
    """Bearer headers and the refresh token; the client keeps no cookies."""
    response = await client.post(
        "/auth/login", data={"email": house.emails[user], "password": PASSWORD, "remember": "1"}
    )
    client.cookies.clear()
    return {"authorization": f"Bearer {response.json()['token']}"}, response.json()["refreshToken"]


def claims(token: str) -> dict[str, object]:
    return jwt.decode(token, options={"verify_signature": False})


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_signing_out_kills_the_bearer_token(
    client: httpx.AsyncClient, house: House, method: str
) -> None:
    headers, refresh_token = await login(client, house)
    assert (await client.get("/auth/profile", headers=headers)).status_code == 200

    response = await client.request(method, "/auth/logout", headers=headers)
    assert (response.status_code, response.headers["location"]) == (302, "/login")
    assert response.headers.get_list("set-cookie") == CLEARED

    after = await client.get("/auth/profile", headers=headers)
    assert (after.status_code, after.headers.get_list("set-cookie")) == (401, CLEARED)
    assert (
        await client.post("/auth/session/refresh", json={"refreshToken": refresh_token})
    ).status_code == 401


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("POST", 201)])
async def test_programs_get_json_instead_of_a_redirect(
    client: httpx.AsyncClient, house: House, method: str, status: int
) -> None:
    response = await client.request(method, "/auth/logout", headers=JSON | await house.sign_in("admin"))

    assert (response.status_code, response.json()) == (status, {"ok": True})


async def test_signing_out_ends_the_sessions_of_the_cookies_too(
    client: httpx.AsyncClient, house: House
) -> None:
    first, second = await login(client, house), await login(client, house)

    cookies = {"cookie": f"session_token={second[1]}"}
    await client.post("/auth/logout", headers=first[0] | cookies)
    for headers in (first[0], second[0]):
        assert (await client.get("/auth/profile", headers=headers)).status_code == 401


async def test_signing_out_of_a_selected_tenant_ends_the_own_session(
    client: httpx.AsyncClient, house: House, make_house: object
) -> None:
    other = await make_house()  # type: ignore[operator]
    headers = await house.sign_in("superadmin")
    selected = headers | {"cookie": f"om_selected_tenant={other.id}"}
    assert (await house.scope(selected)).tenant_id == other.id

    await client.post("/auth/logout", headers=selected)
    assert (await client.get("/auth/profile", headers=headers)).status_code == 401


async def test_signing_out_needs_somebody(client: httpx.AsyncClient) -> None:
    for method in ("GET", "POST"):
        response = await client.request(method, "/auth/logout")
        assert (response.status_code, response.json()) == (401, {"error": "Unauthorized"})


@pytest.mark.parametrize(("site", "status"), [("cross-site", 403), ("same-origin", 302), ("none", 302)])
async def test_another_site_cannot_sign_anybody_out(
    client: httpx.AsyncClient, house: House, site: str, status: int
) -> None:
    response = await client.get(
        "/auth/logout", headers={"sec-fetch-site": site} | await house.sign_in("admin")
    )

    assert response.status_code == status


async def test_a_refresh_token_works_more_than_once(client: httpx.AsyncClient, house: House) -> None:
    _, refresh_token = await login(client, house)

    for _ in range(2):
        response = await client.post("/auth/session/refresh", json={"refreshToken": refresh_token})
        body = response.json()
        assert (response.status_code, body["ok"], body["expiresIn"]) == (200, True, 28_800)
        headers = {"authorization": f"Bearer {body['accessToken']}"}
        assert (await client.get("/auth/profile", headers=headers)).status_code == 200


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"{", b'{"refreshToken":7}', b'{"refreshToken":""}'])
async def test_a_missing_refresh_token(client: httpx.AsyncClient, content: bytes) -> None:
    response = await client.post(
        "/auth/session/refresh", content=content, headers={"content-type": "application/json"}
    )

    assert (response.status_code, response.json()["ok"]) == (400, False)
    assert response.headers.get_list("set-cookie") == CLEARED


async def test_the_stored_hash_is_no_refresh_token(client: httpx.AsyncClient, house: House) -> None:
    _, refresh_token = await login(client, house)
    async with house.application.database.system() as connection:
        stored = await connection.fetchval("select token_hash from sessions where tenant_id = $1", house.id)

    assert stored != refresh_token
    for token in (stored, "unknown", "\ud800"):
        content = (
            b'{"refreshToken":"\\ud800"}' if token == "\ud800" else b'{"refreshToken":"%s"}' % token.encode()
        )
        response = await client.post("/auth/session/refresh", content=content)
        assert response.status_code in (400, 401)
        assert response.json()["ok"] is False


async def test_browsers_refresh_by_cookie(client: httpx.AsyncClient, house: House) -> None:
    _, refresh_token = await login(client, house)
    headers = {"cookie": f"session_token={refresh_token}"}

    response = await client.get(
        "/auth/session/refresh", params={"redirect": "/activity?a=1"}, headers=headers
    )
    assert (response.status_code, response.headers["location"]) == (302, "/activity?a=1")
    (made,) = response.headers.get_list("set-cookie")
    assert made.startswith("auth_token=")

    elsewhere = {"redirect": "https://evil.example.com"}
    foreign = await client.get("/auth/session/refresh", params=elsewhere, headers=headers)
    assert foreign.headers["location"] == "/"
    as_json = await client.get("/auth/session/refresh", headers=headers | JSON)
    assert (as_json.status_code, as_json.json()) == (200, {"ok": True, "redirect": "/"})


async def test_browsers_without_a_session_are_led_to_the_sign_in_page(client: httpx.AsyncClient) -> None:
    headers = {"cookie": "session_token=unknown"}
    response = await client.get("/auth/session/refresh", params={"redirect": "/backend?x=1"}, headers=headers)

    assert (response.status_code, response.headers["location"]) == (302, "/login?redirect=%2Fbackend%3Fx%3D1")
    assert response.headers.get_list("set-cookie") == CLEARED
    as_json = await client.get("/auth/session/refresh", headers=JSON)
    assert (as_json.status_code, as_json.json()["ok"]) == (401, False)


async def test_moving_a_user_ends_the_token_and_a_refresh_gives_the_new_place(
    client: httpx.AsyncClient, house: House
) -> None:
    headers, refresh_token = await login(client, house, "employee")
    assert (await client.get("/auth/profile", headers=headers)).status_code == 200
    elsewhere = await house.add_organization("Elsewhere")

    await house.set(users, house.users["employee"], organization_id=elsewhere)
    moved = await client.get("/auth/profile", headers=headers)
    assert (moved.status_code, moved.headers.get_list("set-cookie")) == (401, CLEARED)

    fresh = (await client.post("/auth/session/refresh", json={"refreshToken": refresh_token})).json()[
        "accessToken"
    ]
    assert claims(fresh)["orgId"] == str(elsewhere)
    assert (
        await client.get("/auth/profile", headers={"authorization": f"Bearer {fresh}"})
    ).status_code == 200


async def test_a_user_without_organization_gets_a_token_that_works(
    client: httpx.AsyncClient, house: House
) -> None:
    await house.add_user("nomad", organization=None)
    headers, refresh_token = await login(client, house, "nomad")

    fresh = (await client.post("/auth/session/refresh", json={"refreshToken": refresh_token})).json()[
        "accessToken"
    ]
    assert claims(fresh)["orgId"] is None
    for bearer in (headers, {"authorization": f"Bearer {fresh}"}):
        assert (await client.get("/auth/profile", headers=bearer)).status_code == 200


async def test_a_deleted_user_is_out(client: httpx.AsyncClient, house: House) -> None:
    headers, refresh_token = await login(client, house, "employee")
    await house.set(users, house.users["employee"], deleted_at=datetime.now(UTC))

    assert (await client.get("/auth/profile", headers=headers)).status_code == 401
    assert (
        await client.post("/auth/session/refresh", json={"refreshToken": refresh_token})
    ).status_code == 401


@pytest.mark.parametrize("role", ["superadmin", "admin", "employee"])
async def test_the_profile(client: httpx.AsyncClient, house: House, role: str) -> None:
    response = await client.get("/auth/profile", headers=await house.sign_in(role))

    found = response.json()
    assert (response.status_code, found["email"], found["roles"]) == (200, house.emails[role], [role])
    assert set(found) == {"email", "roles", "id", "name", "isSuperAdmin", "features"}
    assert found["isSuperAdmin"] is (role == "superadmin")


async def test_nothing_secret_is_in_the_action_log(client: httpx.AsyncClient, house: House) -> None:
    headers, refresh_token = await login(client, house)
    session_id = UUID(str(claims(headers["authorization"].removeprefix("Bearer "))["sid"]))
    async with house.application.database.system() as connection:
        rows = await connection.fetch(
            "select to_jsonb(l)::text as row, input::text as input from action_logs l where tenant_id = $1",
            house.id,
        )

    assert rows
    for row in rows:
        for secret in (PASSWORD, refresh_token, str(session_id), house.keys.session_hash(refresh_token)):
            assert secret not in row["row"]
        assert house.password_hash not in (row["input"] or "")
