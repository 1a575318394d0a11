"""Upgrade actions (contract: configs.md 6 and 7)."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app import VERSION
from app.main import Application
from commands import configs
from commands.configs import upgrade_action, version_order
from commands.dictionaries import dictionaries
from commands.unit import Unit
from domain.errors import Problem
from tests.configs.conftest import UPGRADES, Build, House
from tests.conftest import Person, Tenant
from tests.directory.conftest import cookies
from tests.heart.proofs import assert_proven

SYSTEM = "dictionaries.install-system"
ORPHANS = "feature_toggles.drop-orphaned-overrides"
TEXTS: dict[str, Any] = {
    "message": "m",
    "cta_label": "c",
    "success_message": "s",
    "loading_label": "l",
}


@pytest.fixture
async def house(build: Build) -> House:
    """A process that offers upgrade actions."""
    return await build(upgrade_actions=True)


@pytest.fixture
def declared() -> Iterator[dict[str, int]]:
    """Further actions for one test, and how often each was run."""
    before = dict(configs._actions)
    runs: dict[str, int] = {}

    @upgrade_action("tests.refuse", version="0.0.1", **TEXTS)
    async def refuse(unit: Unit, organization_id: UUID) -> None:
        await unit.insert(
            dictionaries, {"organization_id": organization_id, "key": "half", "name": "Half done"}
        )
        raise Problem.bad_request("It cannot be done")

    @upgrade_action("tests.break", version="0.0.1", **TEXTS)
    async def fail(unit: Unit, organization_id: UUID) -> None:
        raise ValueError("nobody knows why")

    @upgrade_action("tests.count", version="0.0.1", **TEXTS)
    async def count(unit: Unit, organization_id: UUID) -> None:
        runs["count"] = runs.get("count", 0) + 1
        await asyncio.sleep(0.05)

    @upgrade_action("tests.later", version="999.0.0", **TEXTS)
    async def later(unit: Unit, organization_id: UUID) -> None:
        raise AssertionError("never run")

    yield runs
    configs._actions.clear()
    configs._actions.update(before)


async def offered(house: House, by: Person) -> list[str]:
    answer = await house.get(UPGRADES, by)
    assert (answer.status_code, answer.json()["version"]) == (200, VERSION)
    return [action["id"] for action in answer.json()["actions"]]


async def execute(house: House, by: Person, action_id: Any) -> Any:
    return await house.post(UPGRADES, by, {"actionId": action_id})


async def test_given_the_mechanism_is_off_then_nothing_is_offered_and_nothing_runs(
    build: Build, tenant: Tenant
) -> None:
    plain = await build()
    answer = await plain.get(UPGRADES, tenant.admin)
    assert (answer.status_code, answer.json()) == (200, {"version": VERSION, "actions": []})
    refused = await execute(plain, tenant.admin, SYSTEM)
    assert (refused.status_code, set(refused.json())) == (403, {"error"})


async def test_given_pending_actions_then_one_is_offered_at_a_time_until_all_are_done(
    house: House, tenant: Tenant, application: Application
) -> None:
    assert await offered(house, tenant.admin) == [SYSTEM]
    first = await house.get(UPGRADES, tenant.admin)
    assert set(first.json()["actions"][0]) == {
        *("id", "version", "message", "ctaLabel", "successMessage", "loadingLabel")
    }
    done = await execute(house, tenant.admin, f" {SYSTEM} ")
    assert done.json() == {
        "status": "completed",
        "message": "The system dictionaries are ready.",
        "version": VERSION,
    }
    listed = await house.get("/dictionaries", tenant.admin)
    assert "currency" in [one["key"] for one in listed.json()["items"]]
    assert await offered(house, tenant.admin) == [ORPHANS]
    assert (await execute(house, tenant.admin, ORPHANS)).json()["status"] == "completed"
    assert await offered(house, tenant.admin) == []
    again = await execute(house, tenant.admin, SYSTEM)
    assert (again.status_code, again.json()["status"]) == (200, "already_completed")

    found = await house.get(
        "/audit_logs/audit-logs/actions", tenant.admin, resourceKind="configs.upgrade_action"
    )
    rows = [(row["resourceId"], row["undoToken"], row["actorUserId"]) for row in found.json()["items"]]
    assert rows == [(ORPHANS, None, str(tenant.admin.id)), (SYSTEM, None, str(tenant.admin.id))]
    await assert_proven(application, tenant.id)


async def test_given_another_organization_then_an_action_per_organization_waits_there_again(
    house: House, tenant: Tenant
) -> None:
    await execute(house, tenant.admin, SYSTEM)
    await execute(house, tenant.admin, ORPHANS)
    made = await house.post("/directory/organizations", tenant.admin, {"name": "By hand"})
    selected = cookies(om_selected_org=made.json()["id"])
    waiting = await house.get(UPGRADES, tenant.admin, selected)
    assert [one["id"] for one in waiting.json()["actions"]] == [SYSTEM], "the tenant's own is done"
    done = await house.post(UPGRADES, tenant.admin, {"actionId": SYSTEM}, selected)
    assert done.json()["status"] == "completed"
    listed = await house.get("/dictionaries", tenant.admin, selected)
    assert {one["organizationId"] for one in listed.json()["items"] if not one["isInherited"]} == {
        made.json()["id"]
    }
    assert (await house.get(UPGRADES, tenant.admin, selected)).json()["actions"] == []


async def test_given_values_of_toggles_that_are_gone_then_the_action_deletes_them(
    house: House, tenant: Tenant
) -> None:
    toggle = {"identifier": f"gone.{tenant.id.hex}", "name": "x", "type": "json", "defaultValue": 1}
    made = await house.post("/feature_toggles/global", tenant.superadmin, toggle)
    kept = await house.post(
        "/feature_toggles/global", tenant.superadmin, toggle | {"identifier": toggle["identifier"] + ".kept"}
    )
    for one in (made, kept):
        body = {"toggleId": one.json()["id"], "isOverride": True, "overrideValue": 2}
        answer = await house.client.put("/feature_toggles/overrides", json=body, headers=tenant.admin.headers)
        assert answer.status_code == 200
    from tests.directory.conftest import operation_of

    token = {"undoToken": operation_of(made)["undoToken"]}
    assert (
        await house.post("/audit_logs/audit-logs/actions/undo", tenant.superadmin, token)
    ).status_code == 200
    assert (await execute(house, tenant.admin, ORPHANS)).json()["status"] == "completed"
    async with house.application.database.system() as connection:
        left = await connection.fetch(
            "select toggle_id::text from feature_toggle_overrides where tenant_id = $1", tenant.id
        )
    assert [row[0] for row in left] == [kept.json()["id"]]


async def test_given_two_at_once_then_one_runs_it(
    house: House, tenant: Tenant, declared: dict[str, int]
) -> None:
    answers = await asyncio.gather(*(execute(house, tenant.admin, "tests.count") for _ in range(5)))
    statuses = sorted(answer.json()["status"] for answer in answers)
    assert statuses == ["already_completed"] * 4 + ["completed"]
    assert declared["count"] == 1


async def test_given_an_action_that_fails_then_500_and_nothing_is_left_of_it(
    house: House, tenant: Tenant, declared: dict[str, int], application: Application
) -> None:
    refused = await execute(house, tenant.admin, "tests.refuse")
    assert (refused.status_code, refused.json()) == (
        500,
        {"error": "The upgrade action failed", "details": "It cannot be done"},
    )
    assert "half" not in (await house.get("/dictionaries", tenant.admin)).text
    broken = await execute(house, tenant.admin, "tests.break")
    assert (broken.status_code, broken.json()["details"]) == (500, None), "faults of ours are not told"
    assert (await offered(house, tenant.admin))[0].startswith("tests."), "they are still pending"
    await assert_proven(application, tenant.id)


@pytest.mark.parametrize("action_id", ["no.such", "tests.later", "", "   ", None, 7])
async def test_given_no_such_action_then_400(
    house: House, tenant: Tenant, declared: dict[str, int], action_id: Any
) -> None:
    answer = await execute(house, tenant.admin, action_id)
    assert answer.status_code == 400, answer.text


async def test_given_rights_and_places_then_refusals_come_as_documented(house: House, tenant: Tenant) -> None:
    assert (await house.get(UPGRADES, tenant.employee)).status_code == 403
    assert (await house.client.get(UPGRADES)).status_code == 401
    broken = await house.client.post(UPGRADES, content=b"{", headers=tenant.admin.headers)
    assert broken.status_code == 400
    polish = await house.get(UPGRADES, tenant.admin, {"accept-language": "pl"})
    assert polish.json()["actions"][0]["ctaLabel"] == "Zainstaluj słowniki"


async def test_given_a_super_admin_in_a_tenant_without_organization_then_400(
    house: House, tenant: Tenant
) -> None:
    made = await house.post("/directory/tenants", tenant.superadmin, {"name": "Empty"})
    selected = cookies(om_selected_tenant=made.json()["id"])
    assert (await house.get(UPGRADES, tenant.superadmin, selected)).status_code == 400
    assert (await house.post(UPGRADES, tenant.superadmin, {"actionId": SYSTEM}, selected)).status_code == 400


def test_given_versions_then_they_are_compared_by_their_numbers() -> None:
    versions = ["0.10.0", "0.9.9", "1.0.0-rc.1", "0.0.1"]
    assert sorted(versions, key=version_order) == ["0.0.1", "0.9.9", "0.10.0", "1.0.0-rc.1"]
    assert msgspec.json.encode(version_order("1.2")) == b"[1,2]"
