"""Organizations: views, fields and refusals (contract: directory.md 4.2 to 4.5, 7, 11)."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from app.main import Application
from commands import history
from commands.directory.organizations import CreateOrganization, DeleteOrganization, UpdateOrganization
from commands.log import events_of
from commands.registry import Command
from domain.directory import free_slug, slug_of
from tests.auth.conftest import House
from tests.conftest import MakeTenant
from tests.directory.conftest import ORGANIZATIONS, UNKNOWN, Desk, cookies, operation_of

LOCK = "x-om-ext-optimistic-lock-expected-updated-at"
OPTION = {
    *("id", "name", "logoUrl", "parentId", "parentName", "tenantId", "tenantName", "rootId", "isActive"),
    *("depth", "treePath"),
}
NODE = {
    *("id", "name", "parentId", "tenantId", "depth", "ancestorIds", "childIds", "descendantIds", "isActive"),
    *("treePath", "pathLabel", "children"),
}
ROW = {
    *(
        "id",
        "name",
        "slug",
        "logoUrl",
        "updatedAt",
        "tenantId",
        "tenantName",
        "parentId",
        "parentName",
        "depth",
    ),
    *("rootId", "treePath", "pathLabel", "ancestorIds", "childIds", "descendantIds", "childrenCount"),
    *("descendantsCount", "isActive"),
}


# Views


async def test_options_are_all_organizations_by_name(desk: Desk) -> None:
    a, b = await desk.chain("zeta", "Alpha")
    await desk.put(b, isActive=False)
    answer = await desk.get(ORGANIZATIONS, search="nothing", includeInactive="false")
    items = answer.json()["items"]
    assert set(answer.json()) == {"items"}
    assert [item["name"] for item in items if item["id"] != desk.home] == ["Alpha", "zeta"]
    assert all(set(item) == OPTION for item in items)
    alpha = next(item for item in items if item["id"] == b)
    assert (alpha["parentId"], alpha["parentName"], alpha["rootId"]) == (a, "zeta", a)
    assert (alpha["treePath"], alpha["depth"], alpha["isActive"]) == (f"{a}/{b}", 1, False)
    assert alpha["tenantName"] is None


async def test_status_and_ids_narrow(desk: Desk) -> None:
    a, b = await desk.chain("A", "B")
    await desk.put(b, isActive=False)

    async def found(view: str, **query: str) -> set[str]:
        return {row["id"] for row in (await desk.get(ORGANIZATIONS, view=view, **query)).json()["items"]}

    for view in ("options", "manage"):
        assert await found(view, status="active") == {a, desk.home}
        assert await found(view, status="inactive") == {b}
        assert await found(view, ids=f" {a} ,{a}, {b},x") == {a, b}
        assert await found(view, ids="x") == set()
        assert await found(view, ids="") == await found(view, status="all") == {a, b, desk.home}


async def test_the_tree_is_nested(desk: Desk) -> None:
    a, b, c = await desk.chain("A", "B", "C")
    d = await desk.create("a2", parentId=a)
    answer = (await desk.get(ORGANIZATIONS, view="tree", status="inactive", ids=c)).json()
    root = next(node for node in answer["items"] if node["id"] == a)
    assert set(root) == NODE
    assert [child["id"] for child in root["children"]] == [d, b] == root["childIds"]
    assert root["descendantIds"] == [d, b, c]
    leaf = root["children"][1]["children"][0]
    assert (leaf["pathLabel"], leaf["ancestorIds"], leaf["treePath"]) == ("A / B / C", [a, b], f"{a}/{b}/{c}")


async def test_manage_is_in_the_order_of_the_tree_and_paged(desk: Desk) -> None:
    a, b, c = await desk.chain("A", "B", "C")
    await desk.create("a2", parentId=a)
    rows = await desk.rows()
    names = [name for name in rows if rows[name]["id"] != desk.home]
    assert names == ["A", "a2", "B", "C"]
    assert all(set(row) == ROW for row in rows.values())
    assert (rows["B"]["childrenCount"], rows["A"]["descendantsCount"], rows["A"]["tenantName"]) == (
        1,
        3,
        None,
    )
    page = (await desk.get(ORGANIZATIONS, view="manage", page=2, pageSize=2)).json()
    assert (page["total"], page["page"], page["pageSize"], page["totalPages"]) == (5, 2, 2, 3)
    assert [row["name"] for row in page["items"]] == [row["name"] for row in rows.values()][2:4]
    assert page["isSuperAdmin"] is False
    past = (await desk.get(ORGANIZATIONS, view="manage", page=99)).json()
    assert (past["items"], past["total"], past["totalPages"]) == ([], 5, 1)
    none = (await desk.get(ORGANIZATIONS, view="manage", search="no such")).json()
    assert (none["items"], none["total"], none["totalPages"]) == ([], 0, 1)


async def test_search_finds_by_the_names_above(desk: Desk) -> None:
    await desk.chain("Parent 100%", "Child", "Leaf_1")
    assert set(await desk.rows(search="  cHILd ")) == {"Child", "Leaf_1"}
    assert set(await desk.rows(search="100% / child")) == {"Child", "Leaf_1"}
    assert set(await desk.rows(search="_")) == {"Leaf_1"}


@pytest.mark.parametrize(
    "query",
    [
        {"view": "x"},
        {"view": ""},
        {"page": "x"},
        {"page": "0"},
        {"page": ""},
        {"page": "1.5"},
        {"pageSize": "101"},
        {"pageSize": "0"},
        {"pageSize": ""},
        {"tenantId": ""},
        {"tenantId": "all"},
        {"status": "x"},
        {"status": ""},
        {"includeInactive": "yes"},
        {"includeInactive": ""},
    ],
)
async def test_a_bad_query(desk: Desk, query: dict[str, str]) -> None:
    answer = await desk.get(ORGANIZATIONS, desk.tenant.superadmin, **query)
    assert answer.status_code == 400
    assert answer.json()["items"] == []
    assert answer.json()["error"]


async def test_a_foreign_tenant_is_for_super_admins(desk: Desk, make_tenant: MakeTenant) -> None:
    other = await make_tenant()
    for query in ({"tenantId": str(other.id)}, {"tenantId": ""}, {"tenantId": "x"}):
        refused = await desk.get(ORGANIZATIONS, **query)
        assert (refused.status_code, refused.json()["error"]) == (
            403,
            "Not authorized to target this tenant.",
        )
    assert (await desk.get(ORGANIZATIONS, tenantId=str(desk.tenant.id))).status_code == 200
    boss = desk.tenant.superadmin
    for view in ("options", "tree", "manage"):
        found = (await desk.get(ORGANIZATIONS, boss, tenantId=str(other.id), view=view)).json()
        assert [row["id"] for row in found["items"]] == [str(other.organization_id)]
        nothing = (await desk.get(ORGANIZATIONS, boss, tenantId=UNKNOWN, view=view)).json()
        assert nothing["items"] == []
    own = (await desk.get(ORGANIZATIONS, boss)).json()["items"]
    assert [row["tenantName"] for row in own] == [f"Tenant {await tenant_name(desk)}"]


async def tenant_name(desk: Desk) -> str:
    answer = await desk.client.get("/directory/tenants/lookup", params={"tenantId": str(desk.tenant.id)})
    return str(answer.json()["tenant"]["name"].removeprefix("Tenant "))


async def test_a_super_admin_manages_all_tenants_at_once(desk: Desk, make_tenant: MakeTenant) -> None:
    other = Desk(desk.client, await make_tenant())
    tag = uuid4().hex
    for place in (desk, other):
        top = await place.create(f"top {tag}")
        await place.create(f"sub {tag}", parentId=top)
    answer = (await desk.get(ORGANIZATIONS, desk.tenant.superadmin, view="manage", search=tag)).json()
    assert answer["isSuperAdmin"] is True
    assert answer["total"] == 4
    order = [(row["tenantName"].lower(), row["pathLabel"]) for row in answer["items"]]
    assert order == sorted(order)
    assert {row["tenantId"] for row in answer["items"]} == {str(desk.tenant.id), str(other.tenant.id)}
    one = await desk.get(
        ORGANIZATIONS,
        desk.tenant.superadmin,
        view="manage",
        search=tag,
        tenantId=str(other.tenant.id),
        pageSize=1,
    )
    assert (one.json()["total"], one.json()["totalPages"]) == (2, 2)


async def test_the_restriction_of_an_actor_does_not_narrow_the_list(desk: Desk, house: House) -> None:
    await house.add_organization("A")
    await house.add_organization("B")
    await house.add_user("bound", "A")
    await house.grant("bound", ["directory.organizations.*"], ["A"])
    headers = await house.sign_in("bound", "A")
    names = {row["name"] for row in (await desk.get(ORGANIZATIONS, headers)).json()["items"]}
    assert names == {"Home", "A", "B"}


async def test_reading_is_noted(desk: Desk) -> None:
    a, _ = await desk.chain("A", "B")
    await desk.get(ORGANIZATIONS, view="tree")
    noted = await desk.readings("directory.organization")
    assert {one["resourceId"] for one in noted} == {a, desk.home}
    assert {one["accessType"] for one in noted} == {"read:list"}
    assert set(noted[0]["fields"]) == NODE
    await desk.get(ORGANIZATIONS, ids=a)
    newest = (await desk.readings("directory.organization"))[0]
    assert (newest["resourceId"], newest["accessType"]) == (a, "read:item")
    assert newest["context"]["path"] == ORGANIZATIONS


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", [ORGANIZATIONS, "/api/directory/tenants"])
async def test_an_employee_may_do_none_of_it(desk: Desk, method: str, path: str) -> None:
    answer = await desk.send(method, path, None if method == "GET" else {}, desk.tenant.employee)
    assert answer.status_code == 403
    kind = "tenants" if "tenants" in path else "organizations"
    needed = f"directory.{kind}.{'view' if method == 'GET' else 'manage'}"
    assert answer.json() == {"error": "Forbidden", "requiredFeatures": [needed]}


# Writing


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, ["name"]),
        ({"name": ""}, ["name"]),
        ({"name": "x" * 201}, ["name"]),
        ({"name": None}, ["name"]),
        ({"name": "x", "slug": "a b"}, ["slug"]),
        ({"name": "x", "slug": "a!"}, ["slug"]),
        ({"name": "x", "slug": ""}, ["slug"]),
        ({"name": "x", "slug": "a" * 151}, ["slug"]),
        ({"name": "x", "isActive": "true"}, ["isActive"]),
        ({"name": "x", "parentId": "x"}, ["parentId"]),
        ({"name": "x", "childIds": ["x"]}, ["childIds", 0]),
        ({"name": "x", "childIds": None}, ["childIds"]),
        ({"name": "x", "logoUrl": "javascript:alert(1)"}, ["logoUrl"]),
        ({"name": "x", "logoUrl": "/api/attachments/image/file/../../auth"}, ["logoUrl"]),
        ({"name": "x", "logoUrl": "https://x.example/" + "y" * 2048}, ["logoUrl"]),
    ],
)
async def test_bad_fields(desk: Desk, body: Any, path: list[Any]) -> None:
    answer = await desk.send("POST", ORGANIZATIONS, body)
    assert answer.status_code == 400
    assert [one["path"] for one in answer.json()["details"]] == [path]


async def test_what_is_sent_is_stored(desk: Desk) -> None:
    made = await desk.create(
        "  Name ", slug=" AbC ", logoUrl="https://x.example/l.png", isActive=False, unknown=1
    )
    row = (await desk.rows())["  Name "]
    assert (row["id"], row["slug"], row["isActive"]) == (made, "abc", False)
    assert row["logoUrl"] == "https://x.example/l.png"


async def test_a_slug_that_is_taken_gets_a_number(desk: Desk, make_tenant: MakeTenant) -> None:
    for name in ("one", "two", "three"):
        await desk.create(name, slug="same")
    other = Desk(desk.client, await make_tenant())
    await other.create("one", slug="same")
    rows = await desk.rows()
    assert [rows[name]["slug"] for name in ("one", "two", "three")] == ["same", "same-1", "same-2"]
    assert (await other.rows())["one"]["slug"] == "same"
    await desk.put(rows["two"]["id"], slug="same-2")
    await desk.put(rows["one"]["id"], slug="SAME")
    again = await desk.rows()
    assert [again[name]["slug"] for name in ("one", "two", "three")] == ["same", "same-2-1", "same-2"]
    await desk.put(rows["two"]["id"], slug=None)
    assert (await desk.rows())["two"]["slug"] is None


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Ünï  Cödé!", "n-c-d"), ("---", None), ("日本", None), ("A--b", "a--b"), ("x" * 200, "x" * 150)],
)
def test_the_slug_of_a_name(name: str, slug: str | None) -> None:
    assert slug_of(name) == slug


def test_a_slug_after_50_tries_is_made_from_the_time() -> None:
    taken = {"a", *(f"a-{number}" for number in range(1, 51))}
    assert free_slug("a", taken, datetime(2026, 1, 1, tzinfo=UTC)) == "a-19b76daa800"
    long = "x" * 150
    assert len(free_slug(long, {long}, datetime(2026, 1, 1, tzinfo=UTC))) == 150


async def test_the_slug_of_a_deleted_organization_is_free_again(desk: Desk) -> None:
    first = await desk.create("First", slug="reused")
    gone = await desk.delete(first)
    await desk.create("Second", slug="reused")
    assert (await desk.rows())["Second"]["slug"] == "reused"
    refused = await desk.undo(gone)
    assert (refused.status_code, refused.json()["code"]) == (400, "conflict")


async def test_an_update_keeps_what_is_absent(desk: Desk) -> None:
    a, b, c = await desk.chain("A", "B", "C")
    answer = await desk.put(b, name="B2")
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    row = (await desk.rows())["B2"]
    assert (row["parentId"], row["childIds"], row["slug"]) == (a, [c], "b")
    operation = operation_of(answer)
    assert operation["commandId"] == "directory.organizations.update"
    assert (operation["resourceKind"], operation["resourceId"]) == ("directory.organization", b)


async def test_refused_writes(desk: Desk, make_tenant: MakeTenant) -> None:
    other = await make_tenant()
    foreign = str(other.organization_id)
    a, b, c = await desk.chain("A", "B", "C")
    before = await desk.rows()

    async def refused(method: str, body: Any, status: int, error: str | None = None) -> None:
        answer = await desk.send(method, ORGANIZATIONS, body)
        assert answer.status_code == status, (body, answer.text)
        assert error is None or answer.json()["error"] == error

    await refused("POST", {"name": "x", "parentId": UNKNOWN}, 400, "Parent not found")
    await refused("POST", {"name": "x", "parentId": foreign}, 400, "Parent not found")
    await refused("POST", {"name": "x", "childIds": [foreign]}, 400, "Child not found")
    await refused("POST", {"name": "x", "parentId": c, "childIds": [a]}, 400)
    await refused(
        "POST", {"name": "x", "tenantId": str(other.id)}, 403, "Not authorized to target this tenant."
    )
    await refused("POST", {"name": "x", "tenantId": None}, 403)
    await refused("PUT", {"name": "x"}, 400, "Invalid input")
    await refused("PUT", {"id": UNKNOWN, "name": "x"}, 404, "Not found")
    await refused("PUT", {"id": foreign, "name": "x"}, 404, "Not found")
    await refused("PUT", {"id": a, "parentId": a}, 400, "Organization cannot be its own parent")
    await refused("PUT", {"id": a, "parentId": c}, 400)
    await refused("PUT", {"id": a, "childIds": [a]}, 400)
    await refused("PUT", {"id": b, "childIds": [a]}, 400)
    await refused("PUT", {"id": b, "parentId": None, "childIds": [a]}, 400)
    await refused("PUT", {"id": c, "parentId": desk.home, "childIds": [desk.home]}, 400)
    await refused("PUT", {"id": a, "parentId": foreign}, 400, "Parent not found")
    await refused("DELETE", {}, 400, "Organization id required")
    await refused("DELETE", {"id": "x"}, 400, "Invalid input")
    await refused("DELETE", {"id": UNKNOWN}, 404, "Not found")
    await refused("DELETE", {"id": foreign}, 404, "Not found")
    await refused("DELETE", {"id": desk.home}, 400)
    assert await desk.rows() == before


async def test_the_parent_is_silently_no_child(desk: Desk) -> None:
    a = await desk.create("A")
    await desk.create("B", parentId=a, childIds=[a])
    assert (await desk.rows())["A"]["childIds"] == [(await desk.rows())["B"]["id"]]


async def test_an_id_to_delete_in_the_body_the_query_or_both(desk: Desk) -> None:
    a, b, c = [await desk.create(name) for name in "ABC"]
    other = await desk.send("DELETE", f"{ORGANIZATIONS}?id={a}", {"id": b})
    assert other.status_code == 400
    assert (await desk.send("DELETE", f"{ORGANIZATIONS}?id=x")).status_code == 400
    assert (await desk.send("DELETE", f"{ORGANIZATIONS}?id=")).json() == {"error": "Organization id required"}
    for path, body in (
        (ORGANIZATIONS, {"id": a}),
        (f"{ORGANIZATIONS}?id={b}", None),
        (f"{ORGANIZATIONS}?id={c}", {"id": c}),
    ):
        answer = await desk.send("DELETE", path, body)
        assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert set(await desk.rows()) == {
        name for name, row in (await desk.rows()).items() if row["id"] == desk.home
    }


async def test_a_deleted_organization_is_nowhere(desk: Desk) -> None:
    slug = f"s-{uuid4().hex}"
    made = await desk.create("A", slug=slug)
    await desk.delete(made)
    for view in ("options", "tree", "manage"):
        assert made not in (await desk.get(ORGANIZATIONS, view=view)).text
    assert made not in (await desk.get("/directory/organization-switcher")).text
    assert (
        await desk.client.get("/directory/organizations/lookup", params={"slug": slug})
    ).status_code == 404
    assert (await desk.put(made, name="B")).status_code == 404
    assert (await desk.delete(made)).status_code == 404


async def test_the_last_organization_stays(desk: Desk, house: House) -> None:
    other = await house.add_organization("Other")
    await house.add_user("stray", None, role_names=["admin"])
    headers = await house.sign_in("stray", None)
    assert (await desk.delete(str(house.organizations["Home"]), headers)).status_code == 200
    refused = await desk.delete(str(other), headers)
    assert (refused.status_code, refused.json()["code"]) == (400, "last_organization")


async def test_the_lock(desk: Desk) -> None:
    a, b = await desk.chain("A", "B")
    rows = await desk.rows()
    stale = {LOCK: "2020-01-01T00:00:00.000Z"}
    for answer in (
        await desk.put(a, more=stale, name="X"),
        await desk.put(a, more=stale),
        await desk.delete(a, more=stale),
    ):
        assert answer.status_code == 409
        assert answer.json() == {
            "error": "record_modified",
            "code": "optimistic_lock_conflict",
            "currentUpdatedAt": rows["A"]["updatedAt"],
            "expectedUpdatedAt": "2020-01-01T00:00:00.000Z",
        }
    fresh = {LOCK: rows["A"]["updatedAt"]}
    assert (await desk.put(a, more=fresh, name="A2", childIds=[])).status_code == 200
    after = await desk.rows()
    assert after["A2"]["updatedAt"] > rows["A"]["updatedAt"]
    assert (await desk.put(a, more=fresh, name="A3")).status_code == 409
    assert (await desk.put(a, name="A3")).status_code == 200
    assert (await desk.put(b, more={LOCK: "nonsense"}, name="B2")).status_code == 200


async def test_only_what_was_edited_is_stamped(desk: Desk) -> None:
    a, b, c = await desk.chain("A", "B", "C")
    d = await desk.create("D")
    before = await desk.rows()
    await desk.put(b, parentId=d)
    after = await desk.rows()
    stamped = {name for name in before if before[name]["updatedAt"] != after[name]["updatedAt"]}
    assert stamped == {"B"}
    assert after["C"]["ancestorIds"] == [d, b]
    await desk.put(a, childIds=[c])
    last = await desk.rows()
    assert {name for name in after if after[name]["updatedAt"] != last[name]["updatedAt"]} == {"A", "C"}


async def test_a_super_admin_writes_in_another_tenant(desk: Desk, make_tenant: MakeTenant) -> None:
    other = Desk(desk.client, await make_tenant())
    boss = desk.tenant.superadmin
    made = await desk.create("Far", boss, tenantId=str(other.tenant.id), parentId=other.home)
    assert (await other.rows())["Far"]["parentId"] == other.home
    assert "Far" not in await desk.rows()
    assert (await desk.put(made, boss, name="Farther", tenantId=str(desk.tenant.id))).status_code == 400
    assert (await desk.put(made, boss, name="Farther", tenantId=str(other.tenant.id))).status_code == 200
    assert (await desk.put(made, boss, slug="farthest")).status_code == 200
    gone = await desk.delete(made, boss)
    assert gone.status_code == 200
    assert "Farther" not in await other.rows()
    logged = await other.actions(resourceKind="directory.organization", organizationId="")
    assert logged == [] or logged[0]["actorUserId"] == str(boss.id)
    there = cookies(om_selected_tenant=other.tenant.id)
    token = {"undoToken": operation_of(gone)["undoToken"]}
    undone = await desk.send("POST", "/audit_logs/audit-logs/actions/undo", token, boss, there)
    assert undone.status_code == 200
    assert "Farther" in await other.rows()
    for body, status in (({"name": "x", "tenantId": UNKNOWN}, 400), ({"name": "x", "tenantId": None}, 400)):
        assert (await desk.send("POST", ORGANIZATIONS, body, boss)).status_code == status
    assert (await desk.put(UNKNOWN, boss, name="x")).status_code == 404


async def test_a_restricted_actor_changes_only_what_is_below_its_own(desk: Desk, house: House) -> None:
    for name, parent in (("A", None), ("A1", "A"), ("B", None), ("B1", "B")):
        await house.add_organization(name, parent)
    await house.add_user("bound", "B")
    await house.grant("bound", ["directory.organizations.*", "audit_logs.*"], ["B"])
    by = await house.sign_in("bound", "B")
    ids = {name: str(id) for name, id in house.organizations.items()}
    assert (await desk.put(ids["B1"], by, name="mine")).status_code == 200
    assert (await desk.put(ids["A"], by, name="not mine")).status_code == 403
    assert (await desk.put(ids["B"], by, childIds=[ids["B1"], ids["A"]])).status_code == 403
    assert (await desk.put(ids["B1"], by, parentId=ids["A"])).status_code == 403
    assert (await desk.delete(ids["A1"], by)).status_code == 403
    refused = await desk.send("POST", ORGANIZATIONS, {"name": "x", "parentId": ids["A"]}, by)
    assert refused.status_code == 403
    own = await desk.send(
        "POST", ORGANIZATIONS, {"name": "x", "parentId": ids["B"], "childIds": [ids["B1"]]}, by
    )
    assert own.status_code == 201
    assert (await desk.undo(own, by)).status_code == 200
    gone = await desk.delete(ids["B1"], by)
    assert gone.status_code == 200
    assert (await desk.undo(gone, by)).status_code == 200


async def test_undo_does_not_give_a_restricted_actor_more(desk: Desk, house: House) -> None:
    for name in ("A", "B"):
        await house.add_organization(name)
    await house.add_user("bound", "B")
    await house.grant("bound", ["directory.organizations.*", "audit_logs.*"], ["B"])
    boss, by = await house.sign_in("admin"), await house.sign_in("bound", "B")
    ids = {name: str(id) for name, id in house.organizations.items()}
    everywhere = boss | cookies(om_selected_org="__all__")
    assert (await desk.put(ids["A"], everywhere, parentId=ids["B"])).status_code == 200
    freed = await desk.put(ids["A"], everywhere, parentId=None)
    refused = await desk.undo(freed, by)
    assert (refused.status_code, refused.json()["code"]) == (400, "not_available")
    assert (await desk.undo(freed, everywhere)).status_code == 200


async def test_the_log(desk: Desk) -> None:
    a, b = await desk.chain("A", "B")
    c = await desk.create("C")
    await desk.put(b, name="B2", parentId=c, slug="b")
    found = await desk.actions(resourceKind="directory.organization", resourceId=b)
    updated, created = found
    assert [one["actionLabel"] for one in found] == ["Update organization", "Create organization"]
    assert set(updated["changes"]) == {"name", "parentId"}
    assert updated["changes"]["parentId"] == {"from": a, "to": c}
    view = {
        *("id", "tenantId", "name", "slug", "logoUrl", "isActive", "parentId", "ancestorIds", "childIds"),
        *("descendantIds", "createdAt", "updatedAt"),
    }
    assert set(updated["snapshotBefore"]) == set(updated["snapshotAfter"]) == view
    assert (updated["snapshotBefore"]["ancestorIds"], updated["snapshotAfter"]["ancestorIds"]) == ([a], [c])
    assert created["snapshotBefore"] is None
    assert created["snapshotAfter"]["name"] == "B"
    assert created["organizationId"] == desk.home
    answer = await desk.put(a, childIds=[c])
    assert answer.status_code == 200
    newest = (await desk.actions(resourceKind="directory.organization", resourceId=a))[0]
    assert newest["changes"] == {"childIds": {"from": [], "to": [c]}}


async def test_events_are_about_what_was_edited(desk: Desk, application: Application) -> None:
    a, b = await desk.chain("A", "B")
    c = await desk.create("C")

    async def events(command: Command) -> list[tuple[str, str, str]]:
        log = (await application.bus.execute(command, desk.tenant.admin.scope)).log
        assert log is not None
        found = msgspec.json.decode(msgspec.json.encode(events_of(log, history.decode(bytes(log.changes)))))
        return [
            (one["event"], one["payload"]["id"], one["payload"]["organizationId"])
            for one in found
            if one["event"].startswith("directory.")
        ]

    assert await events(UpdateOrganization(id=UUID(b), parent_id=UUID(c))) == [
        ("directory.organization.updated", b, b)
    ]
    assert await events(DeleteOrganization(id=UUID(b))) == [("directory.organization.deleted", b, b)]
    [(event, made, place)] = await events(CreateOrganization(name="D", parent_id=UUID(a)))
    assert (event, made) == ("directory.organization.created", place)
