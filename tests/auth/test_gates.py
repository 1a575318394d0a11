"""Who is let in at all (contract: auth.md 1.2, 1.3 and 8.9)."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest

from app.database import Database, Target
from app.http.identity import Identity
from app.main import Application
from domain.api_keys import api_keys
from domain.auth import users
from domain.directory import organizations
from domain.errors import Problem
from tests.auth.conftest import House, as_request

CLEARED = ["auth_token=; Path=/; Max-Age=0", "session_token=; Path=/; Max-Age=0"]


async def profile(client: httpx.AsyncClient, headers: dict[str, str]) -> httpx.Response:
    return await client.get("/auth/profile", headers=headers)


async def test_nobody(client: httpx.AsyncClient) -> None:
    for headers in (
        {},
        {"authorization": "Basic abc"},
        {"authorization": "Bearer"},
        {"x-api-key": "omk_bad"},
    ):
        response = await profile(client, headers)
        assert (response.status_code, response.json()) == (401, {"error": "Unauthorized"})
        assert "set-cookie" not in response.headers


async def test_the_cookie_does(client: httpx.AsyncClient, house: House) -> None:
    token = (await house.sign_in("admin"))["authorization"].removeprefix("Bearer ")

    assert (await profile(client, {"cookie": f"auth_token={token}"})).status_code == 200
    assert (
        await profile(client, {"cookie": f"auth_token={token}", "authorization": "Basic abc"})
    ).status_code == 200


async def test_a_bad_bearer_token_hides_a_good_cookie(client: httpx.AsyncClient, house: House) -> None:
    token = (await house.sign_in("admin"))["authorization"].removeprefix("Bearer ")

    response = await profile(client, {"cookie": f"auth_token={token}", "authorization": "bearer bad"})
    assert response.status_code == 401
    assert "set-cookie" not in response.headers


async def test_a_token_without_its_session_clears_the_cookies(
    client: httpx.AsyncClient, house: House
) -> None:
    response = await profile(client, house.bearer("admin", uuid4()))

    assert (response.status_code, response.headers.get_list("set-cookie")) == (401, CLEARED)


async def test_an_expired_token_counts_as_none(client: httpx.AsyncClient, house: House) -> None:
    response = await profile(
        client, house.bearer("admin", uuid4(), now=datetime.now(UTC) - timedelta(hours=9))
    )

    assert response.status_code == 401
    assert "set-cookie" not in response.headers


async def test_a_session_is_its_users_only(client: httpx.AsyncClient, house: House) -> None:
    token = (await house.sign_in("employee"))["authorization"].removeprefix("Bearer ")
    session_id = jwt.decode(token, options={"verify_signature": False})["sid"]

    assert (await profile(client, house.bearer("superadmin", session_id))).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"sid": None},
        {"sid": "x"},
        {"sub": "api_key:1"},
        {"tenantId": "x"},
        {"orgId": "x"},
        {"tenantId": None},
    ],
)
async def test_ill_formed_claims_clear_the_cookies(
    client: httpx.AsyncClient, house: House, change: dict[str, Any]
) -> None:
    token = (await house.sign_in("admin"))["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False}) | change

    headers = {"authorization": f"Bearer {jwt.encode(claims, house.keys.jwt, 'HS256')}"}
    response = await profile(client, headers)
    assert (response.status_code, response.headers.get_list("set-cookie")) == (401, CLEARED)


@pytest.mark.parametrize("change", [{"aud": "customer"}, {"iss": "else"}, {"exp": 1}])
async def test_tokens_of_somebody_else_count_as_none(
    client: httpx.AsyncClient, house: House, change: dict[str, Any]
) -> None:
    token = (await house.sign_in("admin"))["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False}) | change

    for encoded in (
        jwt.encode(claims, house.keys.jwt, "HS256"),
        jwt.encode(claims | {"aud": "staff"}, b"k" * 32, "HS256"),
        jwt.encode(claims, None, "none"),
    ):
        response = await profile(client, {"authorization": f"Bearer {encoded}"})
        assert response.status_code == 401
        assert "set-cookie" not in response.headers


async def test_a_customers_token_is_refused_even_beside_an_api_key(
    client: httpx.AsyncClient, house: House
) -> None:
    token = (await house.sign_in("admin"))["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False}) | {"type": "customer"}
    _, secret = await house.add_api_key(["admin"])

    headers = {"authorization": f"Bearer {jwt.encode(claims, house.keys.jwt, 'HS256')}", "x-api-key": secret}
    response = await profile(client, headers)
    assert (response.status_code, response.headers.get_list("set-cookie")) == (401, CLEARED)


async def test_a_closed_tenant_ends_every_session(client: httpx.AsyncClient, house: House) -> None:
    headers = await house.sign_in("admin")
    assert (await profile(client, headers)).status_code == 200

    await house.close(is_active=False)
    assert (await profile(client, headers)).status_code == 401


async def test_a_database_that_is_away_is_not_the_callers_fault(
    house: House, application: Application, tmp_path: Path
) -> None:
    away = Database(Target(f"postgresql:///x?host={tmp_path}", "backstep_app"))
    identity = Identity(away, application.settings, house.keys)
    house.application = type("Reachless", (), {"identity": identity})()  # type: ignore[assignment]

    with pytest.raises(Problem) as raised:
        await house.scope(house.bearer("admin", uuid4()))
    assert (raised.value.status, raised.value.headers, raised.value.cookies) == (
        503,
        {"retry-after": "2"},
        (),
    )


# API keys


@pytest.mark.parametrize("form", ["x-api-key: {}", "authorization: ApiKey {}", "authorization: Bearer {}"])
async def test_an_api_key_acts_with_its_roles(client: httpx.AsyncClient, house: House, form: str) -> None:
    key_id, secret = await house.add_api_key(["employee"])
    name, _, value = form.format(secret).partition(": ")

    scope = await house.scope({name: value})
    assert (scope.actor.kind, scope.actor.id, scope.actor.user_id) == (
        "api_key",
        key_id,
        house.users["admin"],
    )
    assert (scope.tenant_id, scope.roles, scope.is_super_admin) == (house.id, ("employee",), False)
    assert scope.can("dictionaries.view")
    assert not scope.can("dictionaries.manage")
    found = (await profile(client, {name: value})).json()
    assert (found["email"], found["roles"]) == (house.emails["admin"], ["employee"])


async def test_a_good_api_key_beside_a_bad_bearer_token(client: httpx.AsyncClient, house: House) -> None:
    _, secret = await house.add_api_key(["admin"])

    for bearer in ("bad", house.bearer("admin", uuid4())["authorization"].removeprefix("Bearer ")):
        response = await profile(client, {"authorization": f"Bearer {bearer}", "x-api-key": secret})
        assert response.status_code == 200


async def test_dead_api_keys(client: httpx.AsyncClient, house: House) -> None:
    _, expired = await house.add_api_key(["admin"], expires_in=timedelta(seconds=-1))
    deleted_id, deleted = await house.add_api_key(["admin"])
    _, good = await house.add_api_key(["admin"])
    assert (await profile(client, {"x-api-key": deleted})).status_code == 200
    await house.set(api_keys, deleted_id, deleted_at=datetime.now(UTC))

    for secret in (expired, deleted, good[:-1] + ("0" if good[-1] != "0" else "1"), good[:12], "omk_é"):
        raw = [(b"x-api-key", secret.encode("latin-1"))]
        assert (await client.get("/auth/profile", headers=raw)).status_code == 401  # type: ignore[arg-type]


async def test_a_key_dies_with_its_creator_its_organization_and_its_tenant(
    client: httpx.AsyncClient, house: House
) -> None:
    branch = await house.add_organization("Branch")
    await house.add_user("creator")
    _, personal = await house.add_api_key(["admin"], creator="creator")
    _, local = await house.add_api_key(["admin"], organization="Branch")
    _, plain = await house.add_api_key(["admin"], creator=None)
    assert (await profile(client, {"x-api-key": plain})).status_code == 404

    await house.set(users, house.users["creator"], deleted_at=datetime.now(UTC))
    await house.set(organizations, branch, is_active=False)
    assert (await profile(client, {"x-api-key": personal})).status_code == 401
    assert (await profile(client, {"x-api-key": local})).status_code == 401
    await house.close(is_active=False)
    assert (await profile(client, {"x-api-key": plain})).status_code == 401


async def test_a_key_of_one_organization_stays_in_it(house: House) -> None:
    branch = await house.add_organization("Branch")
    leaf = await house.add_organization("Leaf", "Branch")
    _, secret = await house.add_api_key(["admin"], organization="Branch")

    scope = await house.scope({"x-api-key": secret})
    assert (scope.selected_organization_id, scope.allowed_ids) == (branch, frozenset({branch, leaf}))
    away = await house.scope(
        {"x-api-key": secret, "cookie": f"om_selected_org={house.organizations['Home']}"}
    )
    assert away.selection_rejected


async def test_the_use_of_a_key_is_noted_outside_of_history(house: House) -> None:
    key_id, secret = await house.add_api_key(["admin"])
    await house.scope({"x-api-key": secret})

    async with house.application.database.system() as connection:
        used = await connection.fetchval("select last_used_at from api_key_usage where id = $1", key_id)
    assert datetime.now(UTC) - used < timedelta(minutes=1)


# The cost of knowing


@pytest.fixture
def identity(house: House) -> Identity:
    """One of its own, which no other process talks to."""
    return Identity(house.application.database, house.application.settings, house.keys)


async def test_one_statement_answers_and_the_next_request_needs_none(
    house: House, identity: Identity
) -> None:
    request = as_request(await house.sign_in("employee"))
    seen: list[str] = []
    logger = lambda record: seen.append(record.query)  # noqa: E731
    house.application.database.log_queries(logger)
    try:
        first, second = await identity.resolve(request), await identity.resolve(request)
        await asyncio.sleep(0.05)
    finally:
        house.application.database.stop_logging(logger)

    assert len([query for query in seen if "from users u" in query]) == 1
    assert first is second


async def test_only_what_changed_is_forgotten(house: House, identity: Identity, make_house: Any) -> None:
    other = await make_house()
    mine, theirs = as_request(await house.sign_in("admin")), as_request(await other.sign_in("superadmin"))
    visiting = as_request(await other.sign_in("superadmin") | {"cookie": f"om_selected_tenant={house.id}"})
    before = [await identity.resolve(request) for request in (mine, theirs, visiting)]

    identity.forget(house.id)
    after = [await identity.resolve(request) for request in (mine, theirs, visiting)]
    assert [one is two for one, two in zip(before, after, strict=True)] == [False, True, False]


async def test_what_is_looked_up_during_a_change_is_not_remembered(house: House, identity: Identity) -> None:
    request = as_request(await house.sign_in("admin"))
    lookup = asyncio.create_task(identity.resolve(request))
    await asyncio.sleep(0)
    identity.forget(house.id)

    assert await identity.resolve(request) is not await lookup


@pytest.mark.parametrize(
    ("headers", "locale"),
    [
        ({}, "en"),
        ({"accept-language": "fr, pl-PL;q=0.8, de;q=0.9"}, "de"),
        ({"accept-language": "es_MX"}, "es"),
        ({"accept-language": "de;q=0"}, "en"),
        ({"accept-language": "de", "cookie": "locale=pl"}, "pl"),
        ({"accept-language": "de", "cookie": "locale=fr"}, "de"),
    ],
)
async def test_the_language_of_a_request(house: House, headers: dict[str, str], locale: str) -> None:
    scope = await house.scope(headers | await house.sign_in("employee"))

    assert scope.locale == locale
