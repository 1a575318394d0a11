"""POST /auth/login (contract: auth.md 7.1)."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import jwt
import pytest

from domain.auth import users
from tests.auth.conftest import PASSWORD, House

REFUSED = {"ok": False, "error": "Invalid email or password"}


def form(house: House, user: str = "admin", **fields: str) -> dict[str, str]:
    return {"email": house.emails[user], "password": PASSWORD} | fields


def cookie(response: httpx.Response, name: str) -> str:
    return next(value for value in response.headers.get_list("set-cookie") if value.startswith(f"{name}="))


async def sessions(house: House) -> int:
    async with house.application.database.system() as connection:
        return await connection.fetchval("select count(*) from sessions where tenant_id = $1", house.id)


@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_the_right_password_opens_a_session(
    client: httpx.AsyncClient, house: House, prefix: str
) -> None:
    response = await client.post(f"{prefix}/auth/login", data=form(house))

    assert response.status_code == 200
    body = response.json()
    assert body == {"ok": True, "token": body["token"], "redirect": "/backend"}
    assert cookie(response, "auth_token") == (
        f"auth_token={body['token']}; Path=/; Max-Age=28800; HttpOnly; SameSite=Lax"
    )
    assert "Max-Age=28800; HttpOnly; SameSite=Lax" in cookie(response, "session_token")


async def test_the_access_token_has_the_documented_claims(client: httpx.AsyncClient, house: House) -> None:
    token = (await client.post("/auth/login", data=form(house))).json()["token"]

    claims = jwt.decode(token, options={"verify_signature": False})
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    assert set(claims) == {"iat", "exp", "sub", "sid", "tenantId", "orgId", "email", "roles", "iss", "aud"}
    assert claims["exp"] - claims["iat"] == 28_800
    assert claims["sub"] == str(house.users["admin"])
    assert claims["tenantId"] == str(house.id)
    assert claims["orgId"] == str(house.organizations["Home"])
    assert (claims["email"], claims["roles"]) == (house.emails["admin"], ["admin"])
    assert (claims["iss"], claims["aud"]) == ("open-mercato", "staff")


@pytest.mark.parametrize("mark", ["on", "1", "true", "YES"])
async def test_remembered_sessions_last_30_days(client: httpx.AsyncClient, house: House, mark: str) -> None:
    response = await client.post("/auth/login", data=form(house, remember=mark))

    refresh_token = response.json()["refreshToken"]
    kept = cookie(response, "session_token")
    assert kept.startswith(f"session_token={refresh_token};")
    assert len(refresh_token) == 64
    assert "Max-Age" not in kept
    expires = next(part for part in kept.split("; ") if part.startswith("Expires=")).removeprefix("Expires=")
    days = (parsedate_to_datetime(expires) - datetime.now(UTC)).total_seconds() / 86_400
    assert 29.99 < days < 30.01


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"password": "wrong password"}, 401),
        ({"email": "nobody@example.com"}, 401),
        ({"password": "12345"}, 400),
        ({"password": "x" * 5_000}, 401),
        ({"email": "no address"}, 400),
        ({"email": ""}, 400),
        ({"email": "a\x00@example.com"}, 400),
        ({"tenantId": "no uuid"}, 400),
        ({"tenantId": "00000000-0000-4000-8000-000000000000"}, 401),
    ],
)
async def test_refusals_have_one_body(
    client: httpx.AsyncClient, house: House, change: dict[str, str], status: int
) -> None:
    response = await client.post("/auth/login", data=form(house) | change)

    assert (response.status_code, response.json()) == (status, REFUSED)
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize(
    "request_",
    [
        {"json": {"email": "a@b.cc", "password": "secret"}},
        {"content": b"\xff\xfe", "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"content": b"--x", "headers": {"content-type": "multipart/form-data; boundary=y"}},
        {"content": b"email=a%40b.cc&password=secret"},
        {},
    ],
)
async def test_what_is_no_form_is_empty(client: httpx.AsyncClient, request_: dict[str, Any]) -> None:
    response = await client.post("/auth/login", **request_)

    assert (response.status_code, response.json()) == (400, REFUSED)


async def test_multipart_forms_do(client: httpx.AsyncClient, house: House) -> None:
    parts = {name: (None, value) for name, value in form(house).items()}

    assert (await client.post("/auth/login", files=parts)).status_code == 200


async def test_the_case_of_the_email_does_not_matter(client: httpx.AsyncClient, house: House) -> None:
    response = await client.post("/auth/login", data=form(house, email=house.emails["admin"].upper()))

    assert response.status_code == 200


async def test_an_email_of_two_tenants_needs_the_tenant(
    client: httpx.AsyncClient, make_house: Callable[[], Awaitable[House]]
) -> None:
    one, two = await make_house(), await make_house()
    shared = f"shared.{one.id.hex}@example.com"
    await one.add_user("shared", email=shared)
    await two.add_user("shared", email=shared)

    assert (await client.post("/auth/login", data=form(one, "shared"))).json() == REFUSED
    response = await client.post("/auth/login", data=form(one, "shared", tenant=str(two.id)))
    assert jwt.decode(response.json()["token"], options={"verify_signature": False})["tenantId"] == str(
        two.id
    )


@pytest.mark.parametrize(
    ("wanted", "status"), [("admin", 403), ("superadmin, employee", 200), ("Employee", 403), (" ,", 200)]
)
async def test_a_required_role(client: httpx.AsyncClient, house: House, wanted: str, status: int) -> None:
    response = await client.post("/auth/login", data=form(house, "employee", requireRole=wanted))

    assert response.status_code == status
    assert response.json()["ok"] is (status == 200)
    assert await sessions(house) == (1 if status == 200 else 0)


async def test_the_role_is_not_told_without_the_password(client: httpx.AsyncClient, house: House) -> None:
    response = await client.post(
        "/auth/login", data=form(house, "employee", role="admin", password="another")
    )

    assert response.status_code == 401


@pytest.mark.parametrize("values", [{"is_active": False}, {"deleted_at": datetime.now(UTC)}])
async def test_nobody_gets_into_a_closed_tenant(
    client: httpx.AsyncClient, house: House, values: dict[str, Any]
) -> None:
    await house.close(**values)

    response = await client.post("/auth/login", data=form(house))
    assert (response.status_code, response.json()) == (401, REFUSED)


async def test_users_without_password_or_confirmation_do_not_get_in(
    client: httpx.AsyncClient, house: House
) -> None:
    await house.add_user("unconfirmed", confirmed=False)
    await house.add_user("invited")
    await house.set(users, house.users["invited"], password_hash=None)

    for user in ("unconfirmed", "invited"):
        assert (await client.post("/auth/login", data=form(house, user))).json() == REFUSED


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        ("/dictionaries?x=1#y", "/dictionaries?x=1#y"),
        ("//evil.com", "/backend"),
        ("/a//b", "/backend"),
        ("https://other/x", "/backend"),
        ("", "/backend"),
    ],
)
async def test_the_redirect_stays_on_this_site(
    client: httpx.AsyncClient, house: House, wanted: str, answer: str
) -> None:
    response = await client.post("/auth/login", data=form(house, redirect=wanted))

    assert response.json()["redirect"] == answer


async def test_signing_in_sweeps_out_expired_sessions(client: httpx.AsyncClient, house: House) -> None:
    async with house.application.database.system() as connection, connection.transaction():
        await connection.execute("set local app.command_id = 'tests.prepare'")
        await connection.execute(
            "insert into sessions (tenant_id, id, user_id, token_hash, expires_at, created_at, updated_at)"
            " values ($1, $2, $2, 'old', now() - interval '1 day', now(), now())",
            house.id,
            house.users["admin"],
        )

    await client.post("/auth/login", data=form(house))
    assert await sessions(house) == 1
