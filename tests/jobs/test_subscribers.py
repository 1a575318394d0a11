"""Subscribers hear every event of a committed command, each on its own, until it is dealt with (events.md 3, 8)."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from app.jobs.subscribers import Delivery, matches, subscribed_events, subscriber
from app.main import Application
from tests.conftest import MakeTenant, Tenant
from tests.heart.scenes import label, scene, token_of
from tests.jobs.conftest import until, until_async

heard: dict[str, dict[UUID, list[Delivery]]] = defaultdict(lambda: defaultdict(list))
failures: dict[UUID, int] = defaultdict(int)


@subscriber("dictionaries.*.created", id="tests.made")
async def made(delivery: Delivery) -> None:
    heard["made"][delivery.tenant_id].append(delivery)


@subscriber("dictionaries.entry.updated", id="tests.stumbling")
async def stumbling(delivery: Delivery) -> None:
    heard["stumbling"][delivery.tenant_id].append(delivery)
    if len(heard["stumbling"][delivery.tenant_id]) <= failures[delivery.tenant_id]:
        raise RuntimeError("stumbled")


@subscriber("dictionaries.entry.updated", id="tests.steady")
async def steady(delivery: Delivery) -> None:
    heard["steady"][delivery.tenant_id].append(delivery)


@subscriber("*", id="tests.all")
async def everything(delivery: Delivery) -> None:
    heard["all"][delivery.tenant_id].append(delivery)


@pytest.mark.parametrize(
    ("pattern", "event", "expected"),
    [
        ("customers.deal.won", "customers.deal.won", True),
        ("customers.deal.won", "customers.deal.lost", False),
        ("*", "a.b", True),
        ("customers.*.created", "customers.deal.created", True),
        ("customers.*.created", "customers.deal.stage.created", False),
        ("customers.*", "customers.deal.created", False),
        ("*.*.created", "auth.user.created", True),
    ],
)
def test_patterns(pattern: str, event: str, expected: bool) -> None:
    assert matches(pattern, event) is expected


async def test_an_event_reaches_each_matching_subscriber_once(
    application: Application, tenant: Tenant
) -> None:
    place = await scene(application.bus, tenant.admin.scope, "red")
    await until(lambda: len(heard["made"][tenant.id]) == 2)
    dictionary, entry = sorted(heard["made"][tenant.id], key=lambda one: one.event)
    assert (dictionary.event, entry.event) == (
        "dictionaries.dictionary.created",
        "dictionaries.entry.created",
    )
    assert entry.payload == {
        "id": str(place.entry_ids[0]),
        "organizationId": str(tenant.organization_id),
        "tenantId": str(tenant.id),
    }
    assert entry.organization_id == tenant.organization_id
    assert entry.key == f"{entry.log_id}:1:tests.made"
    assert "dictionaries.entry.created" in subscribed_events()
    await until(lambda: any(one.event == "audit_logs.action.recorded" for one in heard["all"][tenant.id]))


async def test_given_one_that_fails_twice_then_it_runs_three_times_and_the_others_once(
    application: Application, tenant: Tenant
) -> None:
    failures[tenant.id] = 2
    place = await scene(application.bus, tenant.admin.scope, "red")
    await label(application.bus, tenant.admin.scope, place, "Rot")
    await until(lambda: len(heard["stumbling"][tenant.id]) == 3)
    await _done(application, tenant.id)
    assert [one.attempt for one in heard["stumbling"][tenant.id]] == [1, 2, 3]
    assert len({one.key for one in heard["stumbling"][tenant.id]}) == 1
    assert len(heard["steady"][tenant.id]) == 1


async def test_given_a_command_that_is_taken_back_or_fails_then_nothing_is_delivered_of_it(
    application: Application, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    place = await scene(application.bus, tenant.admin.scope, "red")
    dry = await label(application.bus, tenant.admin.scope, place, "Rot", dry_run=True)
    assert dry.dry_run is not None
    done = await label(application.bus, tenant.admin.scope, place, "Rosso")
    await application.bus.undo(token_of(done), tenant.admin.scope)
    await until(lambda: len(heard["steady"][tenant.id]) == 2)
    await _done(application, tenant.id)
    assert len(heard["steady"][tenant.id]) == 2
    other = await make_tenant()
    assert heard["steady"][other.id] == []


async def test_given_a_crash_between_outbox_and_delivery_then_it_is_still_delivered(
    application: Application, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.jobs import relay

    deliver_later: Callable[..., Awaitable[int]] = relay.deliver_later
    broken = asyncio.Event()

    async def lost(connection: object, taken: str | None) -> int:
        if taken is not None and str(tenant.id) in taken and not broken.is_set():
            broken.set()
            await deliver_later(connection, taken)
            raise OSError("the connection is gone")
        return await deliver_later(connection, taken)

    place = await scene(application.bus, tenant.admin.scope, "red")
    await _done(application, tenant.id)
    monkeypatch.setattr(relay, "deliver_later", lost)
    await label(application.bus, tenant.admin.scope, place, "Rot")
    await until(lambda: heard["steady"][tenant.id])
    await _done(application, tenant.id)
    assert broken.is_set()
    assert len(heard["steady"][tenant.id]) == 1


async def _done(application: Application, tenant_id: UUID) -> None:
    async def idle() -> bool:
        async with application.database.system() as connection:
            waiting = await connection.fetchval(
                "select exists (select from outbox where tenant_id = $1) or exists (select from jobs.pgqueuer"
                " where headers ->> 'tenant' = $1::text and status <> 'failed')",
                tenant_id,
            )
        return not waiting

    await until_async(idle)
