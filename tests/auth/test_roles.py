"""Roles over HTTP (contract: auth.md 7.9 to 7.12)."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.auth.office import Office, operation
from tests.conftest import MakeTenant

UNKNOWN = "00000000-0000-4000-8000-00000000dead"
NOTHING = {"items": [], "total": 0, "totalPages": 1}


async def test_the_list_shows_names_counts_and_tenants_in_order(office: Office) -> None:
    await office.make_role("Zebra")
    await office.make_user(["employee"])
    found = await office.get(office.tenant.admin, "/auth/roles")
    assert [item["name"] for item in found["items"]] == ["Zebra", "admin", "employee"]
    assert found["total"] == 3
    assert found["totalPages"] == 1
    assert found["isSuperAdmin"] is False
    assert "page" not in found
    employee = found["items"][2]
    tenant = str(office.tenant.id)
    assert employee["usersCount"] == 2
    assert (employee["tenantId"], employee["tenantIds"]) == (tenant, [tenant])
    assert employee["tenantName"].startswith("Tenant ")
    assert employee["updatedAt"].endswith("Z")


async def test_a_super_admin_sees_every_tenant_and_what_makes_super_admins(
    office: Office, make_tenant: MakeTenant
) -> None:
    other = await make_tenant()
    found = await office.get(office.tenant.superadmin, "/auth/roles", tenantId=str(other.id))
    assert [item["name"] for item in found["items"]] == ["admin", "employee", "superadmin"]
    assert {item["tenantId"] for item in found["items"]} == {str(other.id)}
    assert found["isSuperAdmin"] is True
    everywhere = await office.get(office.tenant.superadmin, "/auth/roles", search="superadmin", pageSize=100)
    assert everywhere["total"] >= 2


async def test_a_role_with_the_flag_is_hidden_from_others_whatever_its_name(office: Office) -> None:
    await office.make_role("Harmless", [], is_super_admin=True)
    found = await office.get(office.tenant.admin, "/auth/roles", search="Harm")
    assert found["items"] == []


@pytest.mark.parametrize(
    "query",
    [{"id": "nope"}, {"page": "0"}, {"page": "1.5"}, {"pageSize": "101"}, {"pageSize": "x"}, {"page": "-1"}],
)
async def test_a_query_that_makes_no_sense_finds_nothing(office: Office, query: dict[str, str]) -> None:
    answer = await office.ask(office.tenant.admin, "GET", "/auth/roles", params=query)
    assert (answer.status_code, answer.json()) == (200, NOTHING)


async def test_pages_and_searches(office: Office) -> None:
    for name in ("100%_a", "100 b", "Other"):
        await office.make_role(name)
    admin = office.tenant.admin
    assert [i["name"] for i in (await office.get(admin, "/auth/roles", search="100%_"))["items"]] == [
        "100%_a"
    ]
    second = await office.get(admin, "/auth/roles", page=2, pageSize=2)
    assert (len(second["items"]), second["total"], second["totalPages"]) == (2, 5, 3)
    assert (await office.get(admin, "/auth/roles", id=UNKNOWN))["total"] == 0
    assert (await office.get(admin, "/auth/roles", page="", search=""))["total"] == 5


async def test_reading_is_noted(office: Office) -> None:
    role = await office.make_role("Seen")
    await office.get(office.tenant.admin, "/auth/roles", id=str(role))
    rows = await office.rows("access_logs", resource_id=str(role))
    assert [(row["resource_kind"], row["access_type"]) for row in rows] == [("auth.role", "read:item")]


@pytest.mark.parametrize(
    ("body", "path"),
    [({}, ["name"]), ({"name": "x"}, ["name"]), ({"name": "x" * 101}, ["name"]), ({"name": 5}, ["name"])],
)
async def test_a_name_has_2_to_100_characters(office: Office, body: Any, path: list[str]) -> None:
    answer = await office.ask(office.tenant.admin, "POST", "/auth/roles", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"] == "Invalid input"
    assert answer.json()["details"][0]["path"] == path


@pytest.mark.parametrize("name", ["superadmin", " Admin ", "ADMIN"])
async def test_reserved_names_are_refused(office: Office, name: str) -> None:
    answer = await office.ask(office.tenant.superadmin, "POST", "/auth/roles", json={"name": name})
    assert answer.status_code == 400
    assert answer.json()["details"][0]["path"] == ["name"]


async def test_a_taken_name_is_refused_with_an_issue(office: Office) -> None:
    await office.make_role("Taken")
    answer = await office.ask(office.tenant.admin, "POST", "/auth/roles", json={"name": "Taken", "cf_x": 1})
    assert answer.status_code == 400
    assert answer.json()["details"][0]["path"] == ["name"]


async def test_creating_can_be_taken_back_and_put_forward_with_the_same_id(office: Office) -> None:
    admin = office.tenant.admin
    made = await office.ask(admin, "POST", "/auth/roles", json={"name": "Passing"})
    assert operation(made)["commandId"] == "auth.roles.create"
    assert operation(made)["resourceId"] == made.json()["id"]
    id = UUID(made.json()["id"])
    assert (await office.undo(admin, made)).status_code == 200
    assert await office.row("roles", id) is None
    assert (await office.redo(admin, made)).status_code == 200
    assert (await office.row("roles", id))["name"] == "Passing"


async def test_a_foreign_tenant_is_for_super_admins(office: Office, make_tenant: MakeTenant) -> None:
    other = await make_tenant()
    body = {"name": "Abroad", "tenantId": str(other.id)}
    assert (await office.ask(office.tenant.admin, "POST", "/auth/roles", json=body)).status_code == 403
    made = await office.ask(office.tenant.superadmin, "POST", "/auth/roles", json=body)
    assert made.status_code == 201
    async with office.application.database.system() as connection:
        place = await connection.fetchval(
            "select tenant_id from roles where id = $1", UUID(made.json()["id"])
        )
    assert place == other.id
    nowhere = {"name": "Nowhere", "tenantId": str(uuid4())}
    assert (
        await office.ask(office.tenant.superadmin, "POST", "/auth/roles", json=nowhere)
    ).status_code == 400
    none = {"name": "Nowhere", "tenantId": None}
    assert (await office.ask(office.tenant.superadmin, "POST", "/auth/roles", json=none)).status_code == 400
    assert (await office.ask(office.tenant.admin, "POST", "/auth/roles", json=none)).status_code == 403


async def test_renaming_needs_a_role_that_nobody_has(office: Office) -> None:
    admin, role = office.tenant.admin, await office.make_role("Before")
    renamed = await office.ask(admin, "PUT", "/auth/roles", json={"id": str(role), "name": "After"})
    assert (renamed.status_code, renamed.json()) == (200, {"ok": True})
    await office.make_user([role])
    refused = await office.ask(admin, "PUT", "/auth/roles", json={"id": str(role), "name": "Later"})
    assert refused.status_code == 400
    same = await office.ask(admin, "PUT", "/auth/roles", json={"id": str(role), "name": "After"})
    assert same.status_code == 200
    assert (await office.row("roles", role))["name"] == "After"


async def test_renaming_to_a_reserved_or_taken_name_is_refused(office: Office) -> None:
    role = await office.make_role("Mine")
    for name in ("admin", "employee"):
        body = {"id": str(role), "name": name}
        assert (await office.ask(office.tenant.admin, "PUT", "/auth/roles", json=body)).status_code == 400


async def test_undoing_a_rename_leaves_later_grants_alone(office: Office) -> None:
    admin, role = office.tenant.admin, await office.make_role("Old", ["dictionaries.view"])
    renamed = await office.ask(admin, "PUT", "/auth/roles", json={"id": str(role), "name": "New"})
    later = {"roleId": str(role), "features": ["dictionaries.manage"]}
    assert (await office.ask(admin, "PUT", "/auth/roles/acl", json=later)).status_code == 200
    assert (await office.undo(admin, renamed)).status_code == 200
    assert (await office.row("roles", role))["name"] == "Old"
    assert [r["features"] for r in await office.rows("role_acls", role_id=role)] == [["dictionaries.manage"]]


async def test_a_role_stays_in_its_tenant(office: Office, make_tenant: MakeTenant) -> None:
    other, role = await make_tenant(), await office.make_role()
    body = {"id": str(role), "tenantId": str(other.id)}
    assert (await office.ask(office.tenant.superadmin, "PUT", "/auth/roles", json=body)).status_code == 400
    assert (await office.ask(office.tenant.admin, "PUT", "/auth/roles", json=body)).status_code == 403


async def test_a_role_of_another_tenant_does_not_exist(office: Office, make_tenant: MakeTenant) -> None:
    other, role = await make_tenant(), await office.make_role()
    put = await office.ask(other.admin, "PUT", "/auth/roles", json={"id": str(role), "name": "Stolen"})
    delete = await office.ask(other.admin, "DELETE", "/auth/roles", params={"id": str(role)})
    assert (put.status_code, put.json()) == (404, {"error": "Role not found"})
    assert delete.status_code == 404
    by_super_admin = await office.ask(
        other.superadmin, "PUT", "/auth/roles", json={"id": str(role), "name": "Moved on"}
    )
    assert by_super_admin.status_code == 200


async def test_the_optimistic_lock_holds(office: Office) -> None:
    admin, role = office.tenant.admin, await office.make_role("Locked")
    stale = {"x-om-ext-optimistic-lock-expected-updated-at": "2020-01-01T00:00:00.000Z"}
    answer = await office.ask(
        admin, "PUT", "/auth/roles", json={"id": str(role), "name": "Lost"}, headers=stale
    )
    assert answer.status_code == 409
    assert answer.json()["code"] == "optimistic_lock_conflict"
    gone = await office.ask(admin, "DELETE", "/auth/roles", params={"id": str(role)}, headers=stale)
    assert gone.status_code == 409


async def test_deleting_takes_the_grants_along_and_undo_brings_all_back(office: Office) -> None:
    admin, role = office.tenant.admin, await office.make_role("Gone", ["dictionaries.view"])
    before = await office.rows("role_acls", role_id=role)
    deleted = await office.ask(admin, "DELETE", "/auth/roles", params={"id": str(role)})
    assert (deleted.status_code, deleted.json()) == (200, {"ok": True})
    assert await office.row("roles", role) is None
    assert await office.rows("role_acls", role_id=role) == []
    assert (await office.undo(admin, deleted)).status_code == 200
    after = await office.rows("role_acls", role_id=role)
    assert [(row["id"], row["features"]) for row in after] == [(row["id"], row["features"]) for row in before]
    assert (await office.row("roles", role))["name"] == "Gone"


async def test_deleting_refuses_what_is_in_use_missing_malformed_or_contradictory(office: Office) -> None:
    admin, role, other = office.tenant.admin, await office.make_role(), await office.make_role()
    await office.make_user([role])

    async def status(**request: Any) -> int:
        return (await office.ask(admin, "DELETE", "/auth/roles", **request)).status_code

    assert await status(params={"id": str(role)}) == 400
    assert await status() == 400
    assert await status(params={"id": "nope"}) == 400
    assert await status(params={"id": UNKNOWN}) == 404
    assert await status(params={"id": str(other)}, json={"id": str(role)}) == 400
    assert await status(json={"id": str(other)}) == 200
    assert await office.row("roles", role) is not None
