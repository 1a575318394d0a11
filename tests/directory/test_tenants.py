"""Tenants (contract: directory.md 4.6 to 4.9, 11)."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from app.main import Application
from tests.auth.conftest import House
from tests.conftest import MakeTenant, new_tenant
from tests.directory.conftest import ORGANIZATIONS, TENANTS, UNKNOWN, Desk, cookies
from tests.heart.proofs import assert_proven

LOCK = "x-om-ext-optimistic-lock-expected-updated-at"


async def made(desk: Desk, name: str, **fields: Any) -> str:
    answer = await desk.send("POST", TENANTS, {"name": name, **fields}, desk.tenant.superadmin)
    assert answer.status_code == 201, answer.text
    assert set(answer.json()) == {"id"}
    assert "x-om-operation" not in answer.headers
    return str(answer.json()["id"])


async def listed(desk: Desk, **query: Any) -> dict[str, Any]:
    answer = await desk.get(TENANTS, desk.tenant.superadmin, **query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_tenant_is_made_empty(desk: Desk) -> None:
    tag = uuid4().hex
    id = await made(desk, f" {tag} ", unknown=1)
    found = await listed(desk, id=id)
    assert (found["total"], found["page"], found["pageSize"], found["totalPages"]) == (1, 1, 50, 1)
    [item] = found["items"]
    assert set(item) == {"id", "name", "isActive", "createdAt", "updatedAt"}
    assert (item["name"], item["isActive"]) == (f" {tag} ", True)
    boss = desk.tenant.superadmin
    assert (await desk.get(ORGANIZATIONS, boss, tenantId=id)).json() == {"items": []}
    first = await desk.create("First", boss, tenantId=id)
    assert (await desk.get(ORGANIZATIONS, boss, tenantId=id)).json()["items"][0]["id"] == first


async def test_a_repeated_request_makes_one_tenant(desk: Desk) -> None:
    again = {"idempotency-key": uuid4().hex}
    name = {"name": uuid4().hex}
    boss = desk.tenant.superadmin
    answers = [await desk.send("POST", TENANTS, name, boss, again) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert (await listed(desk, search=name["name"]))["total"] == 1
    other = await desk.send("POST", TENANTS, {"name": "other"}, boss, again)
    assert other.status_code == 422


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "x" * 201}, {"name": 1}, {"name": "x", "isActive": "no"}]
)
async def test_bad_fields(desk: Desk, body: Any) -> None:
    answer = await desk.send("POST", TENANTS, body, desk.tenant.superadmin)
    assert (answer.status_code, answer.json()["error"]) == (400, "Invalid input")


async def test_the_list(desk: Desk) -> None:
    tag = uuid4().hex
    ids = [await made(desk, f"{name} {tag} 10%") for name in ("b", "A", "c")]
    await desk.send("PUT", TENANTS, {"id": ids[0], "isActive": False}, desk.tenant.superadmin)

    async def names(**query: Any) -> list[str]:
        return [item["name"][0] for item in (await listed(desk, **({"search": tag} | query)))["items"]]

    assert await names() == await names(sortDir="desc") == ["A", "b", "c"]
    assert await names(sortField="name", sortDir="desc") == ["c", "b", "A"]
    assert await names(sortField="createdAt") == ["b", "A", "c"]
    assert await names(sortField="updatedAt", sortDir="desc") == ["b", "c", "A"]
    assert await names(isActive="true") == ["A", "c"]
    assert await names(isActive="false") == ["b"]
    assert await names(search=f"{tag.upper()} 10%") == ["A", "b", "c"]
    assert await names(search=f"{tag}_10") == await names(search=f"{tag}  ") == []
    assert await names(page=2, pageSize=2) == ["c"]
    page = await listed(desk, search=tag, page=9, pageSize=2)
    assert (page["items"], page["total"], page["totalPages"]) == ([], 3, 2)
    assert (await listed(desk, search=f"no {tag}"))["totalPages"] == 1
    assert str(desk.tenant.id) in {
        item["id"] for item in (await listed(desk, id=str(desk.tenant.id)))["items"]
    }


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("pageSize", "1000", "Too big: expected number to be <=100"),
        ("page", "x", "Invalid input: expected number, received NaN"),
        ("page", "", "Too small: expected number to be >=1"),
        ("id", "x", "Invalid UUID"),
        ("id", "", "Invalid UUID"),
        ("sortField", "id", None),
        ("sortDir", "", None),
        ("isActive", "1", None),
    ],
)
async def test_a_bad_query(desk: Desk, name: str, value: str, message: str | None) -> None:
    answer = await desk.get(TENANTS, desk.tenant.superadmin, **{name: value})
    assert answer.status_code == 400
    body = answer.json()
    assert body["error"] == "Invalid query parameters"
    assert body["details"]["formErrors"] == []
    assert set(body["details"]["fieldErrors"]) == {name}
    assert message is None or body["details"]["fieldErrors"][name] == [message]


async def test_reading_is_noted(desk: Desk) -> None:
    await listed(desk, id=str(desk.tenant.id))
    [noted] = await desk.readings("directory.tenant", desk.tenant.superadmin)
    assert (noted["resourceId"], noted["accessType"]) == (str(desk.tenant.id), "read:item")


async def test_only_super_admins_whatever_the_grants(desk: Desk, house: House) -> None:
    await house.add_user("keen")
    await house.grant("keen", ["directory.*", "directory.tenants.*"], None)
    by = await house.sign_in("keen")
    own = str(house.id)
    assert (await desk.get(TENANTS, by)).status_code == 403
    for method, body in (
        *(("POST", {"name": "x"}), ("PUT", {"id": own, "name": "x"}), ("DELETE", {"id": own})),
        *(("PUT", {"id": str(desk.tenant.id), "name": "x"}), ("DELETE", {"id": str(desk.tenant.id)})),
    ):
        answer = await desk.send(method, TENANTS, body, by)
        assert answer.status_code == 403, (method, body)
    batch = {"commands": [{"command": "directory.tenants.update", "input": {"id": own, "name": "x"}}]}
    assert (await desk.send("POST", "/commands/batch", batch, by)).status_code == 400
    assert (await listed(desk, id=own))["items"][0]["name"] == "House"


async def test_an_update(desk: Desk) -> None:
    boss = desk.tenant.superadmin
    id = await made(desk, "Before")
    stored = (await listed(desk, id=id))["items"][0]
    stale = await desk.send("PUT", TENANTS, {"id": id, "name": "x"}, boss, {LOCK: "2020-01-01T00:00:00Z"})
    assert (stale.status_code, stale.json()["currentUpdatedAt"]) == (409, stored["updatedAt"])
    done = await desk.send("PUT", TENANTS, {"id": id, "name": "After"}, boss, {LOCK: stored["updatedAt"]})
    assert (done.status_code, done.json()) == (200, {"ok": True})
    assert "x-om-operation" not in done.headers
    after = (await listed(desk, id=id))["items"][0]
    assert (after["name"], after["createdAt"]) == ("After", stored["createdAt"])
    assert after["updatedAt"] > stored["updatedAt"]
    missing = await desk.send("PUT", TENANTS, {"id": UNKNOWN, "name": "x"}, boss)
    assert (missing.status_code, missing.json()) == (404, {"error": "Tenant not found"})
    assert (await desk.send("PUT", TENANTS, {"name": "x"}, boss)).status_code == 400


async def test_a_deletion(desk: Desk) -> None:
    boss = desk.tenant.superadmin
    first, second = await made(desk, "First"), await made(desk, "Second")
    assert (await desk.send("DELETE", f"{TENANTS}?id={first}", {"id": second}, boss)).status_code == 400
    assert (await desk.send("DELETE", f"{TENANTS}?id=x", None, boss)).status_code == 400
    none = await desk.send("DELETE", TENANTS, None, boss)
    assert (none.status_code, none.json()) == (400, {"error": "Tenant id required"})
    done = await desk.send("DELETE", TENANTS, {"id": first}, boss)
    assert (done.status_code, done.json()) == (200, {"ok": True})
    assert "x-om-operation" not in done.headers
    assert (await desk.send("DELETE", f"{TENANTS}?id={second}", None, boss)).status_code == 200
    again = await desk.send("DELETE", TENANTS, {"id": first}, boss)
    assert (again.status_code, again.json()) == (404, {"error": "Tenant not found"})
    assert (await listed(desk, id=first))["items"] == []
    assert first not in (await desk.get("/directory/organization-switcher", boss)).text


async def test_the_own_tenant_stays(desk: Desk, make_tenant: MakeTenant) -> None:
    boss, own = desk.tenant.superadmin, str(desk.tenant.id)
    elsewhere = cookies(om_selected_tenant=(await make_tenant()).id)
    for more in ({}, elsewhere):
        for method, body in (("DELETE", {"id": own}), ("PUT", {"id": own, "isActive": False})):
            answer = await desk.send(method, TENANTS, body, boss, more)
            assert (answer.status_code, answer.json()["code"]) == (400, "own_tenant")
    assert (
        await desk.send("PUT", TENANTS, {"id": own, "name": "Renamed", "isActive": True}, boss)
    ).status_code == 200


@pytest.mark.parametrize("way", ["deleted", "deactivated"])
async def test_nobody_stays_signed_in_to_a_tenant_that_is_no_more(
    desk: Desk, application: Application, way: str
) -> None:
    other = await new_tenant(application)
    id = str(other.id)
    assert (await desk.get("/auth/profile", other.admin)).status_code == 200
    body, method = ({"id": id}, "DELETE") if way == "deleted" else ({"id": id, "isActive": False}, "PUT")
    assert (await desk.send(method, TENANTS, body, desk.tenant.superadmin)).status_code == 200
    assert (await desk.get("/auth/profile", other.admin)).status_code == 401
    async with application.database.system() as connection:
        assert await connection.fetchval("select count(*) from sessions where tenant_id = $1", other.id) == 0
    if way == "deactivated":
        back = {"id": id, "isActive": True}
        assert (await desk.send("PUT", TENANTS, back, desk.tenant.superadmin)).status_code == 200
        assert (await desk.get("/auth/profile", other.admin)).status_code == 401
    assert (await desk.get("/auth/profile")).status_code == 200


async def test_the_log_is_the_tenants_own_and_has_no_token(desk: Desk) -> None:
    boss = desk.tenant.superadmin
    id = await made(desk, "Before")
    await desk.send("PUT", TENANTS, {"id": id, "name": "After", "isActive": False}, boss)
    there = cookies(om_selected_tenant=id)
    updated, created = await desk.actions(boss, there, resourceKind="directory.tenant")
    assert [one["actionLabel"] for one in (updated, created)] == ["Update tenant", "Create tenant"]
    assert set(updated["changes"]) == {"name", "isActive"}
    assert {one["actorUserId"] for one in (updated, created)} == {str(boss.id)}
    assert not updated.get("undoToken")
    assert not created.get("undoToken")
    own = await desk.actions(boss, resourceKind="directory.tenant")
    assert [one["commandId"] for one in own] == ["setup.tenants.install"]


async def test_every_tenant_is_its_own_history(desk: Desk, application: Application) -> None:
    id = await made(desk, "Proven")
    boss = desk.tenant.superadmin
    await desk.create("First", boss, tenantId=id)
    await desk.send("DELETE", TENANTS, {"id": id}, boss)
    await assert_proven(application, UUID(id))
    await assert_proven(application, desk.tenant.id)
