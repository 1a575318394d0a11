"""How often one may try (contract: auth.md section 6)."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Request
from pydantic import SecretStr

from app.main import Application
from app.rate_limit import RateLimits, Rule, client_address
from app.settings import Settings, StartError
from domain.errors import Problem
from tests.auth.conftest import PASSWORD, House

Limit = Callable[..., RateLimits]


def strict(tmp_path: Path, **environment: str) -> RateLimits:
    return RateLimits(Settings(data=tmp_path, rate_limit_enabled=True), environment)


@pytest.fixture
def limited(application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RateLimits:
    """The application with its limits switched on."""
    limits = strict(tmp_path)
    monkeypatch.setattr(application, "rate_limits", limits)
    return limits


def request_of(headers: dict[str, str] | None = None, peer: str = "192.0.2.1") -> Request[Any, Any, Any]:
    raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return Request({"type": "http", "headers": raw, "client": (peer, 1)})  # type: ignore[typeddict-item]


async def attempt(client: httpx.AsyncClient, email: str, password: str = "wrong password") -> httpx.Response:
    return await client.post("/auth/login", data={"email": email, "password": password})


async def test_the_sixth_failure_for_one_email(
    client: httpx.AsyncClient, house: House, limited: RateLimits
) -> None:
    email = house.emails["admin"]
    for _ in range(5):
        assert (await attempt(client, email)).status_code == 401

    refused = await attempt(client, f" {email.upper()} ", PASSWORD)
    assert refused.status_code == 429
    assert set(refused.json()) == {"error"}
    assert refused.headers["x-ratelimit-limit"] == "5"
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert refused.headers["retry-after"] == refused.headers["x-ratelimit-reset"]
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    other = await attempt(client, house.emails["employee"])
    assert other.status_code == 401
    assert "x-ratelimit-limit" not in other.headers


async def test_a_success_forgets_the_failures(
    client: httpx.AsyncClient, house: House, limited: RateLimits
) -> None:
    email = house.emails["admin"]
    for _ in range(4):
        await attempt(client, email)
    assert (await attempt(client, email, PASSWORD)).status_code == 200

    assert {(await attempt(client, email)).status_code for _ in range(5)} == {401}


async def test_a_missing_role_forgets_nothing(
    client: httpx.AsyncClient, house: House, limited: RateLimits
) -> None:
    data = {"email": house.emails["employee"], "password": PASSWORD, "requireRole": "admin"}
    assert {(await client.post("/auth/login", data=data)).status_code for _ in range(5)} == {403}

    assert (await client.post("/auth/login", data=data)).status_code == 429


async def test_the_21st_try_from_one_address(client: httpx.AsyncClient, limited: RateLimits) -> None:
    for number in range(20):
        assert (await attempt(client, f"u{number}@example.com", "short")).status_code == 400

    refused = await client.post("/auth/login")
    assert (refused.status_code, refused.headers["x-ratelimit-limit"]) == (429, "20")


async def test_the_16th_refresh_with_one_token(client: httpx.AsyncClient, limited: RateLimits) -> None:
    for _ in range(15):
        assert (await client.post("/auth/session/refresh", json={"refreshToken": "t"})).status_code == 401

    refused = await client.post("/auth/session/refresh", json={"refreshToken": "t"})
    assert (refused.status_code, refused.headers["x-ratelimit-limit"]) == (429, "15")
    assert (await client.post("/auth/session/refresh", json={"refreshToken": "u"})).status_code == 401


async def test_a_block_ends(tmp_path: Path) -> None:
    limits, rule = strict(tmp_path), Rule("TEST", 1, 1, 1)
    await limits.hit(rule, request_of())
    for _ in range(2):
        with pytest.raises(Problem) as raised:
            await limits.hit(rule, request_of())
        assert (raised.value.status, raised.value.headers["retry-after"]) == (429, "1")
    await limits.hit(rule, request_of(peer="192.0.2.2"))

    for key in list(limits._storage.expirations):  # type: ignore[attr-defined]
        limits._storage.expirations[key] = 0  # type: ignore[attr-defined]
    await limits.hit(rule, request_of())


async def test_the_environment_tunes_a_rule(tmp_path: Path) -> None:
    limits = strict(tmp_path, RATE_LIMIT_TEST_POINTS="2", RATE_LIMIT_TEST_DURATION="x")
    for _ in range(2):
        await limits.hit(Rule("TEST", 1, 60, 60), request_of())
    with pytest.raises(Problem) as raised:
        await limits.hit(Rule("TEST", 1, 60, 60), request_of())
    assert raised.value.headers["x-ratelimit-limit"] == "2"


async def test_switched_off(tmp_path: Path) -> None:
    for limits in (
        RateLimits(Settings(data=tmp_path, rate_limit_enabled=False)),
        strict(tmp_path, OM_INTEGRATION_TEST="yes"),
    ):
        for _ in range(3):
            await limits.hit(Rule("TEST", 1, 60, 60), request_of())


async def test_a_broken_store_locks_nobody_out(tmp_path: Path) -> None:
    limits = strict(tmp_path)
    limits._storage = None  # type: ignore[assignment]
    for _ in range(3):
        await limits.hit(Rule("TEST", 1, 60, 60), request_of())


@pytest.fixture
async def redis_url(tmp_path: Path) -> AsyncIterator[str]:
    """A Redis server of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    server = await asyncio.create_subprocess_exec("redis-server", *options, stdout=asyncio.subprocess.DEVNULL)
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            break
        except OSError:
            await asyncio.sleep(0.05)
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    await server.wait()


async def test_processes_share_their_counters_through_redis(tmp_path: Path, redis_url: str) -> None:
    """Given two processes with REDIS_URL, when one is tried too often, then the other refuses as well."""
    settings = Settings(
        data=tmp_path, rate_limit_enabled=True, rate_limit_strategy="redis", redis_url=SecretStr(redis_url)
    )
    one, other = RateLimits(settings, {}), RateLimits(settings, {})
    rule = Rule("SHARED", 3, 60, 60)
    for limits in (one, other, one):
        await limits.hit(rule, request_of(), "somebody@example.com")
    with pytest.raises(Problem) as refused:
        await other.hit(rule, request_of(), "Somebody@example.com ")
    assert refused.value.status == 429
    await one.hit(rule, request_of(), "somebody.else@example.com")
    await one.hit(rule, request_of(peer="192.0.2.2"), "somebody@example.com")


def test_redis_must_be_reachable_by_settings(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="REDIS_URL"):
        RateLimits(Settings(data=tmp_path, rate_limit_strategy="redis"))


@pytest.mark.parametrize(
    ("depth", "headers", "address"),
    [
        (0, {"x-forwarded-for": "198.51.100.1"}, "192.0.2.1"),
        (1, {"x-forwarded-for": "203.0.113.9, 198.51.100.1"}, "198.51.100.1"),
        (2, {"x-forwarded-for": "203.0.113.9, 198.51.100.1"}, "203.0.113.9"),
        (3, {"x-forwarded-for": "203.0.113.9, 198.51.100.1"}, "192.0.2.1"),
        (1, {"x-real-ip": "198.51.100.7"}, "198.51.100.7"),
        (2, {"x-real-ip": "198.51.100.7"}, "192.0.2.1"),
    ],
)
def test_the_address_of_a_caller(depth: int, headers: dict[str, str], address: str) -> None:
    assert client_address(request_of(headers), depth) == address
