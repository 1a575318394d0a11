"""Custom entities and their settings (contract: entities.md 0.6, 4 and 10)."""

from typing import Any

import httpx
import pytest

from app.main import Application
from commands.auth.acls import UpdateRoleAcl
from domain.scope import system_scope
from tests.conftest import Tenant
from tests.entities.conftest import THING, Desk

LOCK = "x_om_ext_optimistic_lock_expected_updated_at"


async def listed(desk: Desk, entity: str = THING) -> dict[str, Any] | None:
    items = (await desk.get("/entities/entities"))["items"]
    return next((item for item in items if item["entityId"] == entity), None)


async def sidebar(desk: Desk) -> list[str]:
    return [item["entityId"] for item in (await desk.get("/entities/sidebar-entities"))["items"]]


async def test_given_a_fresh_tenant_then_the_entities_of_the_product_are_listed(desk: Desk) -> None:
    items = (await desk.get("/entities/entities"))["items"]
    assert items[0] == {"entityId": "auth:user", "source": "code", "label": "auth:user", "count": 0}
    by_id = {item["entityId"]: item for item in items}
    assert by_id["customers:customer_deal"]["count"] == 4
    assert by_id["entities:encryption_map"]["source"] == "code"
    assert not {id for id in by_id if id.startswith("entities:custom_field_def")}
    assert all(item["source"] == "code" for item in items)


async def test_given_a_custom_entity_then_it_is_listed_with_the_number_of_its_fields(desk: Desk) -> None:
    item = await desk.entity(description="What we have", labelField="name", defaultEditor="plain")
    assert item == {"id": item["id"], "entityId": THING, "label": "Things", "description": "What we have"}
    await desk.define("name")
    await desk.define("gone")
    await desk.undefine("gone")
    found = await listed(desk)
    assert found is not None and found.pop("updatedAt").endswith("Z")
    assert found == {
        "entityId": THING,
        "source": "custom",
        "label": "Things",
        "description": "What we have",
        "labelField": "name",
        "defaultEditor": "plain",
        "showInSidebar": False,
        "accessRestricted": False,
        "count": 1,
    }
    assert (await desk.get("/entities/entities"))["items"][-1]["entityId"] == THING


async def test_given_an_update_then_what_is_absent_stays_but_for_description_and_sidebar(desk: Desk) -> None:
    first = await desk.entity(
        description="x", labelField="name", defaultEditor="plain", showInSidebar=True, accessRestricted=True
    )
    assert (await desk.entity())["id"] == first["id"]
    found = await listed(desk)
    assert found is not None
    assert "description" not in found and found["showInSidebar"] is False
    assert (found["labelField"], found["defaultEditor"], found["accessRestricted"]) == ("name", "plain", True)


async def test_given_a_deleted_entity_then_it_is_gone_until_it_is_saved_again(desk: Desk) -> None:
    first = await desk.entity(accessRestricted=True)
    for _ in range(2):
        answer = await desk.ask("DELETE", "/entities/entities", {"entityId": THING})
        assert answer.json() == {"ok": True}
    assert await listed(desk) is None
    assert await catalogue(desk) == []
    assert (await desk.entity())["id"] == first["id"]
    assert await listed(desk) is not None and len(await catalogue(desk)) == 2


@pytest.mark.parametrize("body", [{}, {"entityId": ""}, {"entityId": 5}, []])
async def test_given_no_entity_then_400_and_given_an_unknown_one_404(desk: Desk, body: Any) -> None:
    assert (await desk.ask("DELETE", "/entities/entities", body)).status_code == 400
    assert (await desk.ask("DELETE", "/entities/entities", {"entityId": THING})).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"entityId": "Bad:Id"}, "entityId"),
        ({"label": ""}, "label"),
        ({"label": "x" * 201}, "label"),
        ({"description": "x" * 2001}, "description"),
        ({"labelField": None}, "labelField"),
        ({"labelField": "1st"}, "labelField"),
        ({"defaultEditor": "word"}, "defaultEditor"),
        ({"showInSidebar": 1}, "showInSidebar"),
        ({"accessRestricted": "no"}, "accessRestricted"),
    ],
)
async def test_given_a_wrong_field_then_400_says_which(desk: Desk, body: dict[str, Any], field: str) -> None:
    answer = await desk.post("/entities/entities", {"entityId": THING, "label": "Things", **body}, 400)
    assert list(answer["details"]["fieldErrors"]) == [field]
    assert await listed(desk) is None


async def test_given_a_null_description_then_it_is_fine(desk: Desk) -> None:
    assert "description" not in await desk.entity(description=None)


async def test_given_an_entity_of_the_product_then_400_with_a_code(desk: Desk) -> None:
    answer = await desk.post("/entities/entities", {"entityId": "auth:user", "label": "Users"}, 400)
    assert answer["code"] == "system_entity_records_blocked" and answer["entityId"] == "auth:user"
    await desk.post("/entities/entities", {"entityId": "entities:custom_entity", "label": "x"}, 400)


async def test_given_an_old_version_then_409(desk: Desk) -> None:
    await desk.entity()
    found = await listed(desk)
    assert found is not None
    body = {"entityId": THING, "label": "Changed"}
    stale = await desk.ask("POST", "/entities/entities", body, **{LOCK: "2020-01-01T00:00:00Z"})
    assert stale.status_code == 409 and stale.json()["currentUpdatedAt"] == found["updatedAt"]
    fresh = await desk.ask("POST", "/entities/entities", body, **{LOCK: found["updatedAt"]})
    assert fresh.status_code == 200
    gone = await desk.ask(
        "DELETE", "/entities/entities", {"entityId": THING}, **{LOCK: "2020-01-01T00:00:00Z"}
    )
    assert gone.status_code == 200


async def test_given_the_sidebar_then_it_shows_an_entity_at_once_and_by_label(desk: Desk) -> None:
    await desk.entity("user:zebra", label="a zebra", showInSidebar=True)
    await desk.entity("user:apple", label="The apple", showInSidebar=True)
    await desk.entity("user:hidden")
    answer = await desk.get("/entities/sidebar-entities")
    assert answer["items"][0] == {
        "entityId": "user:zebra",
        "label": "a zebra",
        "href": "/backend/entities/user/user%3Azebra/records",
    }
    assert await sidebar(desk) == ["user:zebra", "user:apple"]
    await desk.entity("user:zebra")
    assert await sidebar(desk) == ["user:apple"]


async def test_given_another_organization_then_its_entities_are_not_seen(desk: Desk, elsewhere: Desk) -> None:
    await desk.entity(showInSidebar=True)
    assert await sidebar(elsewhere) == [] and await listed(elsewhere) is None
    assert await sidebar(desk) == [THING]


async def test_given_a_restricted_entity_then_only_who_may_see_its_records_finds_it(
    desk: Desk, employee: Desk
) -> None:
    await desk.entity(showInSidebar=True, accessRestricted=True)
    assert await sidebar(desk) == [THING] and await sidebar(employee) == []
    await desk.entity(showInSidebar=True, accessRestricted=False)
    assert await sidebar(employee) == [THING]


async def catalogue(desk: Desk) -> list[dict[str, Any]]:
    items = (await desk.get("/auth/features"))["items"]
    return [item for item in items if THING in item["id"]]


async def test_given_a_restricted_entity_then_its_features_are_in_the_catalogue(
    desk: Desk, client: httpx.AsyncClient, application: Application, tenant: Tenant
) -> None:
    await desk.entity()
    assert await catalogue(desk) == []
    await desk.entity(accessRestricted=True)
    view, manage = f"entities.records.{THING}.view", f"entities.records.{THING}.manage"
    found = {item["id"]: item for item in await catalogue(desk)}
    assert found[view]["dependsOn"] == ["entities.records.view"]
    assert found[manage]["dependsOn"] == [view, "entities.records.manage"]
    assert found[view]["module"] == "entities" and found[view]["title"].endswith(": Things")
    asked = {"features": [view, manage, "entities.records.view"]}
    assert (await desk.post("/auth/feature-check", asked))["ok"] is True
    coarse = await with_features(client, application, tenant, "entities.records.view")
    assert (await coarse.post("/auth/feature-check", asked))["granted"] == ["entities.records.view"]
    fine = await with_features(client, application, tenant, view)
    assert (await fine.post("/auth/feature-check", asked))["granted"] == [view]


async def with_features(
    client: httpx.AsyncClient, application: Application, tenant: Tenant, *features: str
) -> Desk:
    """The employee, whose role now has these features and no others."""
    async with application.database.read(tenant.id) as connection:
        role = await connection.fetchval("select id from roles where name = 'employee'")
    command = UpdateRoleAcl(role_id=role, features=list(features))
    await application.bus.execute(command, system_scope(tenant.id))
    return Desk(client, tenant.employee)


async def test_given_the_settings_then_new_entities_follow_them(desk: Desk, employee: Desk) -> None:
    path = "/entities/entity-settings"
    assert await desk.get(path) == {"newEntitiesRestrictedByDefault": False}
    for _ in range(2):
        answer = await desk.ask("PUT", path, {"newEntitiesRestrictedByDefault": True})
        assert answer.json() == {"ok": True, "newEntitiesRestrictedByDefault": True}
    assert await desk.get(path) == {"newEntitiesRestrictedByDefault": True}
    await desk.entity()
    found = await listed(desk)
    assert found is not None and found["accessRestricted"] is True
    await desk.entity("user:open", accessRestricted=False)
    open_one = await listed(desk, "user:open")
    assert open_one is not None and open_one["accessRestricted"] is False
    for body in ({}, {"newEntitiesRestrictedByDefault": "yes"}):
        assert (await desk.ask("PUT", path, body)).status_code == 400
    assert (await employee.ask("GET", path)).status_code == 403
    assert (await employee.ask("PUT", path, {"newEntitiesRestrictedByDefault": False})).status_code == 403


async def test_given_a_change_of_an_entity_then_undo_and_redo_are_exact(desk: Desk) -> None:
    made = await desk.did("POST", "/entities/entities", {"entityId": THING, "label": "Things"})
    assert made["resourceKind"] == "entities.entity"
    changed = await desk.did(
        "POST", "/entities/entities", {"entityId": THING, "label": "Others", "showInSidebar": True}
    )
    undone = await desk.undo(changed["undoToken"])
    found = await listed(desk)
    assert found is not None and (found["label"], found["showInSidebar"]) == ("Things", False)
    await desk.redo(undone["logId"])
    assert await sidebar(desk) == [THING]
    deleted = await desk.did("DELETE", "/entities/entities", {"entityId": THING})
    assert await listed(desk) is None
    await desk.undo(deleted["undoToken"])
    assert await sidebar(desk) == [THING]


async def test_given_an_employee_then_lists_are_open_and_writing_is_not(employee: Desk) -> None:
    assert (await employee.get("/entities/entities"))["items"]
    body = {"entityId": THING, "label": "Things"}
    answer = await employee.post("/entities/entities", body, 403)
    assert answer["requiredFeatures"] == ["entities.definitions.manage"]
    assert (await employee.ask("DELETE", "/entities/entities", body)).status_code == 403
