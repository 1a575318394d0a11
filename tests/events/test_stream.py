"""GET /events/stream over the real application: what arrives, where, and how one resumes (events.md 2, 8)."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.jobs import hub as hubs
from tests.events.conftest import Listen, Publish, drained

QUIET = 0.3
"""Seconds in which nothing must arrive."""


async def test_the_stream_starts_at_once_and_says_what_it_is(listen: Listen, tenant: Any) -> None:
    async with listen(tenant.admin) as listener:
        assert listener.status == 200 and listener.body.startswith(b": connected\n\n")
        headers = {
            name: listener.headers[name] for name in ("content-type", "cache-control", "x-accel-buffering")
        }
        assert headers == {
            "content-type": "text/event-stream",
            "cache-control": "no-cache, no-transform",
            "x-accel-buffering": "no",
        }
        assert listener.headers["connection"] == "keep-alive"


async def test_a_command_is_heard_by_those_who_may(
    listen: Listen, client: httpx.AsyncClient, tenant: Any, make_tenant: Any
) -> None:
    other = await make_tenant()
    async with (
        listen(tenant.admin) as admin,
        listen(tenant.employee) as employee,
        listen(other.admin) as stranger,
    ):
        body = {"key": "colors", "name": "Colors"}
        made = await client.post("/dictionaries", json=body, headers=tenant.admin.headers)
        assert made.status_code == 201
        created, recorded = await admin.until_events(2)
        assert created["id"] == "dictionaries.dictionary.created" and created["place"] < recorded["place"]
        assert created["payload"] == {
            "id": made.json()["id"],
            "organizationId": str(tenant.organization_id),
            "tenantId": str(tenant.id),
        }
        assert created["organizationId"] == str(tenant.organization_id) and created["timestamp"] > 0
        assert recorded["id"] == "audit_logs.action.recorded"
        assert recorded["payload"]["actorUserId"] == str(tenant.admin.id)
        assert recorded["payload"]["resourceId"] == made.json()["id"]
        assert [one["id"] for one in await employee.until_events(1)] == [created["id"]]
        await asyncio.sleep(QUIET)
        assert len(employee.events) == 1, "the action of another is not for an employee"
        assert stranger.events == []


async def test_a_refused_command_is_not_heard(listen: Listen, client: httpx.AsyncClient, tenant: Any) -> None:
    async with listen(tenant.admin) as listener:
        body = {"key": "colors", "name": "Colors"}
        for status in (201, 409):
            made = await client.post("/dictionaries", json=body, headers=tenant.admin.headers)
            assert made.status_code == status
        await listener.until_events(2)
        await asyncio.sleep(QUIET)
        assert len(listener.events) == 2


async def test_only_broadcast_events_of_the_tenant_arrive(
    listen: Listen, publish: Publish, tenant: Any
) -> None:
    async with listen(tenant.admin) as admin, listen(tenant.employee) as employee:
        await publish(tenant, {"n": 0}, "directory.tenant.updated.never")
        await publish(tenant, {"n": 1, "recipientUserId": str(tenant.employee.id)})
        await publish(tenant, {"n": 2, "organizationId": str(uuid4())}, organizationId=str(uuid4()))
        await publish(tenant, {"n": 3})
        assert next(one["payload"]["n"] for one in await employee.until_events(2)) == 1
        await admin.until(lambda one: any(event["payload"]["n"] == 3 for event in one.events))
        assert 1 not in {event["payload"]["n"] for event in admin.events}
        assert 0 not in {event["payload"]["n"] for event in admin.events}


@pytest.mark.parametrize("by_header", [True, False])
async def test_a_client_resumes_where_it_left(
    listen: Listen, publish: Publish, tenant: Any, by_header: bool
) -> None:
    async with listen(tenant.admin) as first:
        last = first.place
        await publish(tenant, {"n": 1})
        await first.until_events(1)
    async with listen(tenant.admin) as other:
        for n in (2, 3):
            await publish(tenant, {"n": n})
        await other.until_events(2)
    given = {"headers": {"last-event-id": str(last)}} if by_header else {"lastEventId": last}
    async with listen(tenant.admin, **given) as again:
        await publish(tenant, {"n": 4})
        assert [one["payload"]["n"] for one in await again.until_events(4)] == [1, 2, 3, 4]
        places = [one["place"] for one in again.events]
        assert places == sorted(set(places))


async def test_who_missed_too_much_is_told_so(
    listen: Listen, publish: Publish, tenant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.http.events.MAX_MISSED", 2)
    async with listen(tenant.admin) as first:
        last = first.place
        for n in range(3):
            await publish(tenant, {"n": n})
        await first.until_events(3)
    for since in (last, 1 << 60):
        async with listen(tenant.admin, lastEventId=since) as again:
            assert any(block.get("event") == "reset" for block in again.blocks)
            assert again.events == []


async def test_nonsense_to_resume_from_is_ignored(listen: Listen, tenant: Any) -> None:
    for given in ("", "abc", "-1", "1e9", "9" * 40):
        async with listen(tenant.admin, headers={"last-event-id": given}, lastEventId=given) as listener:
            assert listener.status == 200 and listener.events == []
            assert not any(block.get("event") == "reset" for block in listener.blocks)


async def test_heartbeats_show_themselves_to_every_client(
    listen: Listen, application: Any, settings: Any, tenant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        application, "settings", settings.model_copy(update={"stream_heartbeat_seconds": 0.05})
    )
    async with listen(tenant.admin) as listener:
        await listener.until(lambda one: one.body.count(b":heartbeat\n\nevent: heartbeat\ndata: {") >= 2)
        assert listener.events == []


async def test_a_stream_ends_with_its_session(
    listen: Listen,
    client: httpx.AsyncClient,
    application: Any,
    settings: Any,
    tenant: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        application, "settings", settings.model_copy(update={"stream_heartbeat_seconds": 0.05})
    )
    async with listen(tenant.admin) as listener:
        assert (await client.post("/auth/logout", headers=tenant.admin.headers)).status_code == 302
        await listener.until(lambda one: one.ended)


async def test_a_user_holds_a_bounded_number_of_streams(
    listen: Listen, tenant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "MAX_STREAMS", 2)
    async with listen(tenant.admin) as oldest, listen(tenant.admin) as middle, listen(tenant.admin) as newest:
        await oldest.until(lambda one: one.ended)
        assert not middle.ended and not newest.ended


async def test_a_slow_client_is_cut_off_and_others_are_not(
    publish: Publish, listen: Listen, application: Any, tenant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "MAX_BACKLOG", 3)
    await drained(application)
    slow, _ = await application.relay.hub.open(tenant.admin.scope)
    async with listen(tenant.admin) as quick:
        for n in range(6):
            await publish(tenant, {"n": n})
            await quick.until_events(n + 1)
    assert slow.ended() and await slow.take(0) == []
    application.relay.hub.leave(slow)


async def test_a_client_that_leaves_leaves_nothing(listen: Listen, application: Any, tenant: Any) -> None:
    before = application.relay.hub.size
    async with listen(tenant.admin):
        assert application.relay.hub.size == before + 1
    assert application.relay.hub.size == before
