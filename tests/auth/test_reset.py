"""Forgotten passwords (contract: auth.md 7.5, 7.6, section 3, W5, W11)."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.main import Application, create_app
from app.settings import Settings
from domain.auth import users
from tests.auth.conftest import PASSWORD, House

NEW = "New-Passw0rd!"
LINK = re.compile(r"(\S+)/reset/([0-9a-f]{64})")


class Mailbox:
    """The letters that the application wrote into its folder."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.folder = application.settings.data / "mail"
        self.seen = set(self._files())

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.eml")) if self.folder.exists() else []

    async def settled(self) -> None:
        """Everything that waits is done."""
        async with asyncio.timeout(15):
            while True:
                async with self.application.database.system() as connection:
                    if not await connection.fetchval(
                        "select exists (select from mail_outbox where state = 'waiting')"
                    ):
                        return
                await asyncio.sleep(0.02)

    async def letters(self) -> list[str]:
        """The texts that came since the last look."""
        from email import message_from_bytes, policy

        await self.settled()
        new = [path for path in self._files() if path not in self.seen]
        self.seen.update(new)
        found = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in new]
        return [f"To: {one['To']}\n{one.get_body(('plain',)).get_content()}" for one in found]

    async def tokens(self) -> list[str]:
        return [LINK.search(text)[2] for text in await self.letters()]  # type: ignore[index]


@pytest.fixture
async def mailbox(application: Application) -> Mailbox:
    box = Mailbox(application)
    await box.settled()
    return Mailbox(application)


async def ask(client: httpx.AsyncClient, email: str, **headers: str) -> httpx.Response:
    return await client.post("/auth/reset", data={"email": email}, headers=headers)


async def confirm(client: httpx.AsyncClient, token: str, password: str = NEW) -> httpx.Response:
    return await client.post("/auth/reset/confirm", data={"token": token, "password": password})


async def login(client: httpx.AsyncClient, email: str, password: str) -> int:
    return (await client.post("/auth/login", data={"email": email, "password": password})).status_code


async def links(house: House) -> int:
    async with house.application.database.system() as connection:
        return await connection.fetchval(
            "select count(*) from password_resets where tenant_id = $1", house.id
        )


async def waiting(application: Application) -> int:
    async with application.database.system() as connection:
        return await connection.fetchval("select count(*) from mail_outbox")


# Asking


async def test_a_known_address_gets_a_link(client: httpx.AsyncClient, house: House, mailbox: Mailbox) -> None:
    response = await ask(client, house.emails["admin"].upper())

    assert (response.status_code, response.json()) == (200, {"ok": True})
    (text,) = await mailbox.letters()
    assert f"To: {house.emails['admin']}" in text
    assert LINK.search(text)[1].startswith("http://")  # type: ignore[index]
    assert await links(house) == 1


async def test_an_unknown_address_gets_the_same_answer_and_nothing_else(
    client: httpx.AsyncClient, house: House, mailbox: Mailbox
) -> None:
    known = await ask(client, house.emails["admin"])
    await mailbox.letters()

    unknown = await ask(client, "nobody@example.com")

    assert (unknown.status_code, unknown.content) == (known.status_code, known.content)
    assert await mailbox.letters() == []


async def test_the_request_itself_does_the_same_for_everybody(
    client: httpx.AsyncClient, house: House, application: Application
) -> None:
    statements: dict[str, list[str]] = {}
    await application.delivery.stop()
    try:
        for email in (house.emails["admin"], "nobody@example.com"):
            said: list[str] = []

            def note(query: Any, said: list[str] = said) -> None:
                if "mail_outbox" in query.query or "users" in query.query or "password" in query.query:
                    said.append(query.query)

            application.database.log_queries(note)
            await ask(client, email)
            await asyncio.sleep(0.05)  # the driver tells its listeners a little later
            application.database.stop_logging(note)
            statements[email] = said
    finally:
        await application.delivery.start()
    one, other = statements.values()
    assert one == other
    assert len(one) == 1


async def test_one_letter_for_each_tenant_that_has_the_address(
    client: httpx.AsyncClient, make_house: Callable[[], Awaitable[House]], mailbox: Mailbox
) -> None:
    houses = [await make_house(), await make_house()]
    email = f"both.{houses[0].id.hex[:12]}@example.com"
    for one in houses:
        await one.add_user("both", email=email)

    await ask(client, email)

    assert len(await mailbox.tokens()) == 2
    assert [await links(one) for one in houses] == [1, 1]


async def test_the_letter_speaks_the_language_of_the_request(
    client: httpx.AsyncClient, house: House, mailbox: Mailbox
) -> None:
    await ask(client, house.emails["admin"], **{"accept-language": "pl"})

    (text,) = await mailbox.letters()
    assert "Ustaw nowe hasło" in text


@pytest.mark.parametrize("email", ["", "nope", "a@b", "x" * 400 + "@example.com", "a b@example.com"])
async def test_a_bad_address_is_422(client: httpx.AsyncClient, email: str) -> None:
    response = await ask(client, email)

    assert response.status_code == 422
    assert response.json() == {
        "error": "Validation failed",
        "fieldErrors": {"email": ["Invalid email address"]},
    }


async def test_a_body_that_is_no_form_is_422(client: httpx.AsyncClient) -> None:
    response = await client.post("/auth/reset", json={"email": "a@example.com"})

    assert response.status_code == 422


async def test_nobody_can_fill_a_mailbox(client: httpx.AsyncClient, house: House, mailbox: Mailbox) -> None:
    for _ in range(8):
        await ask(client, house.emails["admin"])

    assert len(await mailbox.letters()) == 5


async def test_people_of_closed_tenants_and_deleted_people_get_nothing(
    client: httpx.AsyncClient, house: House, mailbox: Mailbox
) -> None:
    await house.set(users, house.users["employee"], deleted_at="2026-01-01T00:00:00Z")
    await ask(client, house.emails["employee"])
    await house.close(is_active=False)
    await ask(client, house.emails["admin"])

    assert await mailbox.letters() == []


# Origins


@pytest.fixture
async def site(application: Application) -> AsyncIterator[Callable[..., httpx.AsyncClient]]:
    """Clients of the same application under other settings."""
    before = application.settings
    opened: list[httpx.AsyncClient] = []

    def make(base_url: str, **given: Any) -> httpx.AsyncClient:
        application.settings = Settings.read(
            data=before.data, secret="x" * 32, rate_limit_enabled=False, log_level="error", **given
        )
        transport = httpx.ASGITransport(create_app(application.settings, application))
        opened.append(httpx.AsyncClient(transport=transport, base_url=base_url))
        return opened[-1]

    yield make
    application.settings = before
    for one in opened:
        await one.aclose()


APP = {"app_url": "https://office.example.com/", "app_allowed_origins": "https://other.example.com"}


@pytest.mark.parametrize(
    ("base", "headers", "status"),
    [
        ("https://office.example.com", {}, 200),
        ("https://other.example.com", {}, 200),
        ("http://office.example.com", {"x-forwarded-proto": "https"}, 200),
        ("http://10.0.0.5:8000", {"host": "office.example.com"}, 200),
        ("http://office.example.com", {"x-forwarded-proto": "http"}, 400),
        ("https://office.example.com", {"x-forwarded-host": "evil.example.net"}, 400),
        ("https://office.example.com", {"x-forwarded-host": "other.example.com"}, 200),
        ("https://evil.example.net", {}, 400),
        ("https://office.example.com.evil.net", {}, 400),
        ("https://office.example.com:8443", {}, 400),
        ("http://localhost:8000", {}, 200),
        ("http://127.0.0.1:8000", {}, 200),
    ],
)
async def test_a_request_for_another_site_is_refused(
    site: Callable[..., httpx.AsyncClient],
    house: House,
    mailbox: Mailbox,
    base: str,
    headers: dict[str, str],
    status: int,
) -> None:
    response = await ask(site(base, **APP), house.emails["admin"], **headers)

    assert response.status_code == status
    letters = await mailbox.letters()
    if status == 400:
        assert response.json() == {"error": "Invalid request origin"}
        assert letters == []
        assert await links(house) == 0
    else:
        assert "\nhttps://office.example.com/reset/" in letters[0]


async def test_production_trusts_the_own_machine_on_allowed_ports_only(
    site: Callable[..., httpx.AsyncClient],
) -> None:
    given = {"environment": "production", "app_url": "https://office.example.com"}
    allowed = given | {"app_allowed_origins": "http://localhost:9000"}

    assert (await ask(site("http://localhost:9000", **given), "a@example.com")).status_code == 400
    assert (await ask(site("http://127.0.0.1:9000", **allowed), "a@example.com")).status_code == 200
    assert (await ask(site("http://127.0.0.1:9001", **allowed), "a@example.com")).status_code == 400


async def test_production_without_an_address_of_its_own_cannot_mail(
    site: Callable[..., httpx.AsyncClient], application: Application
) -> None:
    response = await ask(site("https://office.example.com", environment="production"), "a@example.com")

    assert response.status_code == 500
    assert response.json() == {"error": "APP_URL is not configured"}


# Confirming


@pytest.fixture
async def token(client: httpx.AsyncClient, house: House, mailbox: Mailbox) -> str:
    """The secret of a link that was mailed to the admin."""
    await ask(client, house.emails["admin"])
    (found,) = await mailbox.tokens()
    return found


async def test_a_link_sets_the_password_once(client: httpx.AsyncClient, house: House, token: str) -> None:
    headers = await house.sign_in("admin")
    other = await house.sign_in("employee")

    first, again = await confirm(client, token), await confirm(client, token, "Other-Passw0rd!")

    assert (first.status_code, first.json()) == (200, {"ok": True, "redirect": "/login"})
    assert (again.status_code, again.json()) == (400, {"ok": False, "error": "Invalid or expired token"})
    assert await login(client, house.emails["admin"], NEW) == 200
    assert await login(client, house.emails["admin"], PASSWORD) == 401
    assert (await client.get("/auth/profile", headers=headers)).status_code == 401
    assert (await client.get("/auth/profile", headers=other)).status_code == 200


async def test_two_at_once_and_one_wins(client: httpx.AsyncClient, house: House, token: str) -> None:
    answers = await asyncio.gather(*(confirm(client, token, f"Passw0rd-{n}!") for n in range(5)))

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]


async def test_all_other_links_are_void_afterwards(
    client: httpx.AsyncClient, house: House, mailbox: Mailbox, token: str
) -> None:
    await ask(client, house.emails["admin"])
    (second,) = await mailbox.tokens()

    assert (await confirm(client, second)).status_code == 200
    assert (await confirm(client, token, "Other-Passw0rd!")).status_code == 400


async def test_asking_again_leaves_the_first_link_good(
    client: httpx.AsyncClient, house: House, mailbox: Mailbox, token: str
) -> None:
    await ask(client, house.emails["admin"])
    await mailbox.tokens()

    assert (await confirm(client, token)).status_code == 200


@pytest.mark.parametrize(
    ("password", "text"),
    [
        ("short", "Password must have at least 6 characters."),
        ("nodigits!A", "Password must contain a digit."),
        ("no-upper-1", "Password must contain an upper-case letter."),
        ("NoSpecial1", "Password must contain a special character."),
        ("A1!" + "x" * 300, "Password must have at most 256 characters."),
        ("", "Password must have at least 6 characters."),
    ],
)
async def test_a_weak_password_is_refused_and_the_link_stays_good(
    client: httpx.AsyncClient, token: str, password: str, text: str
) -> None:
    refused = await confirm(client, token, password)

    assert (refused.status_code, refused.json()) == (400, {"ok": False, "error": text})
    assert (await confirm(client, token)).status_code == 200


@pytest.mark.parametrize("bad", ["", "short", "0123456789abcdef", "x" * 5000])
async def test_unknown_links_are_refused(client: httpx.AsyncClient, bad: str) -> None:
    response = await confirm(client, bad)

    assert response.status_code == 400
    assert response.json()["ok"] is False


async def test_ended_links_and_links_of_deleted_people_are_refused(
    client: httpx.AsyncClient, house: House, application: Application, token: str
) -> None:
    async with application.database.system() as connection, connection.transaction():
        await connection.execute("set local app.command_id = 'tests.prepare'")
        await connection.execute(
            "update password_resets set expires_at = now() - interval '1 second' where tenant_id = $1",
            house.id,
        )
    assert (await confirm(client, token)).status_code == 400
    async with application.database.system() as connection, connection.transaction():
        await connection.execute("set local app.command_id = 'tests.prepare'")
        await connection.execute(
            "update password_resets set expires_at = now() + interval '1 hour' where tenant_id = $1", house.id
        )
    await house.set(users, house.users["admin"], deleted_at="2026-01-01T00:00:00Z")
    assert (await confirm(client, token)).status_code == 400


async def test_only_the_hash_of_a_link_is_stored_and_it_opens_nothing(
    client: httpx.AsyncClient, house: House, application: Application, token: str
) -> None:
    async with application.database.system() as connection:
        stored = await connection.fetchval(
            "select token_hash from password_resets where tenant_id = $1", house.id
        )

    assert token not in stored
    assert (await confirm(client, stored)).status_code == 400


async def test_the_log_tells_of_it_without_secrets_and_cannot_undo_it(
    client: httpx.AsyncClient, house: House, application: Application, token: str
) -> None:
    await confirm(client, token)

    async with application.database.system() as connection:
        rows = await connection.fetch(
            "select command_id, undo_token, resource_kind, resource_id, to_jsonb(l)::text as whole"
            " from action_logs l where tenant_id = $1 and command_id like 'auth.password_resets.%' order by seq",
            house.id,
        )
    assert [(row["command_id"], row["resource_kind"]) for row in rows] == [
        ("auth.password_resets.request", "auth.password_reset"),
        ("auth.password_resets.confirm", "auth.user"),
    ]
    assert {row["resource_id"] for row in rows} == {str(house.users["admin"])}
    assert [row["undo_token"] for row in rows] == [None, None]
    for row in rows:
        assert token not in row["whole"]
        assert NEW not in row["whole"]
        assert "$argon2id" not in row["whole"]
    shown = (await client.get("/audit_logs/audit-logs/actions", headers=await house.sign_in("admin"))).text
    assert "password_hash" not in shown and "passwordHash" not in shown and "sealed:" not in shown


async def test_events_tell_of_both(
    client: httpx.AsyncClient, house: House, application: Application, mailbox: Mailbox
) -> None:
    events = await _events_while(application, house, lambda: _reset(client, house, mailbox))

    ids = {
        "id": str(house.users["admin"]),
        "tenantId": str(house.id),
        "organizationId": str(house.organizations["Home"]),
    }
    assert ("auth.password.reset.requested", ids) in events
    assert ("auth.password.reset.completed", ids) in events


async def _reset(client: httpx.AsyncClient, house: House, mailbox: Mailbox) -> None:
    await ask(client, house.emails["admin"])
    (token,) = await mailbox.tokens()
    assert (await confirm(client, token)).status_code == 200


async def _events_while(
    application: Application, house: House, act: Callable[[], Awaitable[Any]]
) -> list[tuple[str, Any]]:
    """What reached the outbox of the tenant while `act` ran, with the relay held back."""
    import json

    await application.relay.stop()
    try:
        async with application.database.system() as connection:
            before = await connection.fetchval("select coalesce(max(seq), 0) from outbox")
        await act()
        async with application.database.system() as connection:
            rows = await connection.fetch(
                "select e ->> 'event' as event, (e -> 'payload')::text as payload"
                " from outbox o, jsonb_array_elements(o.events) e where o.tenant_id = $1 and o.seq > $2"
                " order by o.seq",
                house.id,
                before,
            )
    finally:
        await application.relay.start()
    return [(row["event"], json.loads(row["payload"])) for row in rows]


# Limits


async def test_the_limits_of_asking_and_confirming(
    application: Application, site: Callable[..., httpx.AsyncClient]
) -> None:
    from app.rate_limit import RateLimits

    client = site("http://localhost:3000")
    before = application.rate_limits
    application.rate_limits = RateLimits(
        Settings.read(data=application.settings.data, secret="x" * 32), environment={}
    )
    try:
        asked = [await ask(client, "nobody@example.com") for _ in range(4)]
        assert [one.status_code for one in asked] == [200, 200, 200, 429]
        assert asked[-1].headers["x-ratelimit-limit"] == "3"
        assert (await ask(client, "somebody@example.com")).status_code == 200
        tried = [await confirm(client, "0123456789abcdef") for _ in range(6)]
        assert [one.status_code for one in tried] == [400] * 5 + [429]
        assert tried[-1].headers["x-ratelimit-limit"] == "5"
        assert 200 <= int(tried[-1].headers["retry-after"]) <= 300
    finally:
        application.rate_limits = before
