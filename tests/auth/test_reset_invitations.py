"""Invitations: sent with a new user, and sent again (contract: auth.md section 3 and 8.6)."""

from collections.abc import Awaitable, Callable
from uuid import uuid4

import httpx
import pytest

from app.main import Application
from app.rate_limit import RateLimits
from app.settings import Settings
from domain.auth import users
from tests.auth.conftest import House
from tests.auth.test_reset import NEW, Mailbox, confirm, login

INVITE = "/auth/users/resend-invite"


@pytest.fixture
async def mailbox(application: Application) -> Mailbox:
    box = Mailbox(application)
    await box.settled()
    return Mailbox(application)


@pytest.fixture
async def newcomer(house: House) -> str:
    """Somebody without a password."""
    await house.add_user("newcomer")
    await house.set(users, house.users["newcomer"], password_hash=None)
    return str(house.users["newcomer"])


async def test_a_new_user_is_invited_by_the_one_who_made_it(
    client: httpx.AsyncClient, house: House, mailbox: Mailbox
) -> None:
    email = f"fresh.{house.id.hex[:12]}@example.com"
    body = {
        "email": email,
        "organizationId": str(house.organizations["Home"]),
        "sendInviteEmail": True,
        "roles": ["employee"],
    }

    made = await client.post("/auth/users", json=body, headers=await house.sign_in("admin"))

    assert made.status_code == 201
    assert set(made.json()) == {"id"}
    (text,) = await mailbox.letters()
    assert f"To: {email}" in text and "48 hours" in text
    assert await login(client, email, NEW) == 401
    token = text.partition("/reset/")[2][:64]
    assert (await confirm(client, token)).status_code == 200
    assert await login(client, email, NEW) == 200


async def test_sending_again_makes_the_first_link_void(
    client: httpx.AsyncClient, house: House, newcomer: str, mailbox: Mailbox
) -> None:
    headers = await house.sign_in("admin")
    for _ in range(2):
        response = await client.post(INVITE, json={"id": newcomer}, headers=headers)
        assert (response.status_code, response.json()) == (200, {"ok": True})
        await mailbox.settled()
    first, second = await mailbox.tokens()

    answers = {(await confirm(client, first)).status_code, (await confirm(client, second)).status_code}

    assert answers == {400, 200}
    assert await login(client, house.emails["newcomer"], NEW) == 200


async def test_the_link_is_good_for_two_days_and_the_log_names_who_sent_it(
    client: httpx.AsyncClient, house: House, newcomer: str, application: Application
) -> None:
    await client.post(INVITE, json={"id": newcomer}, headers=await house.sign_in("admin"))

    async with application.database.system() as connection:
        hours = await connection.fetchval(
            "select extract(epoch from expires_at - created_at) / 3600 from password_resets where tenant_id = $1",
            house.id,
        )
        row = await connection.fetchrow(
            "select actor_user_id, resource_id, undo_token, input::text as input from action_logs"
            " where tenant_id = $1 and command_id = 'auth.invitations.send'",
            house.id,
        )
    assert hours == 48
    assert (row["actor_user_id"], row["resource_id"]) == (house.users["admin"], newcomer)
    assert row["undo_token"] is None
    assert row["input"] == f'{{"userId": "{newcomer}"}}'


async def test_who_has_a_password_is_not_invited(client: httpx.AsyncClient, house: House) -> None:
    body = {"id": str(house.users["employee"])}

    response = await client.post(INVITE, json=body, headers=await house.sign_in("admin"))

    assert (response.status_code, response.json()) == (409, {"error": "The user already has a password"})


@pytest.mark.parametrize("body", [{}, {"id": "nope"}, {"id": 7}, [], "x"])
async def test_a_bad_id_is_422(client: httpx.AsyncClient, house: House, body: object) -> None:
    response = await client.post(INVITE, json=body, headers=await house.sign_in("admin"))

    assert response.status_code == 422
    assert response.json() == {"error": "Validation failed", "fieldErrors": {"id": ["Invalid UUID"]}}


async def test_people_of_other_tenants_and_unknown_ones_are_404(
    client: httpx.AsyncClient, house: House, make_house: Callable[[], Awaitable[House]]
) -> None:
    other = await make_house()
    headers = await house.sign_in("admin")

    for id in (str(other.users["employee"]), str(uuid4())):
        response = await client.post(INVITE, json={"id": id}, headers=headers)
        assert (response.status_code, response.json()) == (404, {"error": "User not found"})


async def test_it_needs_the_feature(client: httpx.AsyncClient, house: House, newcomer: str) -> None:
    response = await client.post(INVITE, json={"id": newcomer}, headers=await house.sign_in("employee"))

    assert response.status_code == 403
    assert response.json()["requiredFeatures"] == ["auth.users.create"]


async def test_a_restricted_admin_reaches_the_own_organizations_only(
    client: httpx.AsyncClient, house: House, newcomer: str
) -> None:
    await house.add_organization("Branch")
    await house.add_user("local", "Branch")
    await house.grant("local", ["auth.users.create"], ["Branch"])

    response = await client.post(
        INVITE, json={"id": newcomer}, headers=await house.sign_in("local", "Branch")
    )

    assert response.status_code == 403


async def test_a_super_admin_invites_people_of_any_tenant(
    client: httpx.AsyncClient, house: House, newcomer: str, make_house: Callable[[], Awaitable[House]]
) -> None:
    other = await make_house()

    response = await client.post(INVITE, json={"id": newcomer}, headers=await other.sign_in("superadmin"))

    assert response.status_code == 200


async def test_the_limit(
    client: httpx.AsyncClient,
    house: House,
    newcomer: str,
    application: Application,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strict = Settings.read(data=application.settings.data, secret="x" * 32)
    monkeypatch.setattr(application, "rate_limits", RateLimits(strict, environment={}))
    headers = await house.sign_in("admin")

    answers = [await client.post(INVITE, json={"id": newcomer}, headers=headers) for _ in range(4)]

    assert [one.status_code for one in answers] == [200, 200, 200, 429]
