"""Liveness and readiness."""

import asyncio

import pytest

from app.http.system import NotReady, age_probe


def test_health_needs_nothing(client):
    assert client.get("/health").json() == {"ok": True}


def test_readiness_tells_which_part_is_not_ready(client, application):
    async def fine() -> str:
        return "0001"

    async def behind() -> None:
        raise NotReady("schema is at 1, expected 2")

    async def broken() -> None:
        raise RuntimeError("password=secret")

    async def slow() -> None:
        await asyncio.sleep(30)

    application.probes = {"fine": fine}
    assert client.get("/ready").status_code == 200
    application.probes = {"fine": fine, "behind": behind, "broken": broken, "slow": slow}
    response = client.get("/api/ready")
    checks = response.json()["checks"]
    assert (response.status_code, response.json()["ok"]) == (503, False)
    assert {name: check["ok"] for name, check in checks.items()} == {
        "fine": True,
        "behind": False,
        "broken": False,
        "slow": False,
    }
    assert [checks[name].get("note") for name in ("fine", "behind", "broken", "slow")] == [
        "0001",
        "schema is at 1, expected 2",
        "failed",
        "no answer in time",
    ]
    assert "secret" not in response.text


async def test_background_work_must_show_itself():
    assert await age_probe(lambda: 1.0, 5)() == "1.0 s ago"
    for age, reason in ((None, "has not started"), (9.0, "silent for 9 s")):
        with pytest.raises(NotReady, match=reason):
            await age_probe(lambda age=age: age, 5)()  # type: ignore[misc]
