"""The organization switcher (contract: directory.md 4.1, 11)."""

from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from queries import directory as queries
from tests.auth.conftest import House
from tests.conftest import MakeTenant
from tests.directory.conftest import UNKNOWN, Desk, cookies

PATH = "/directory/organization-switcher"
KEYS = {"items", "selectedId", "canManage", "canViewAllOrganizations", "tenantId", "tenants", "isSuperAdmin"}


@pytest.fixture
async def town(house: House) -> House:
    """Home; A with the child B with the child C; D. One is bound to B, one to nothing that lives."""
    for name, parent in (("A", None), ("B", "A"), ("C", "B"), ("D", None)):
        await house.add_organization(name, parent)
    await house.add_user("bound", "B")
    await house.grant("bound", ["dictionaries.view"], ["B"])
    await house.add_user("away", "D")
    await house.grant("away", ["dictionaries.view"], ["B"])
    await house.add_user("open", "D")
    await house.grant("open", ["dictionaries.view"], None)
    return house


async def menu(client: httpx.AsyncClient, headers: dict[str, str], **query: Any) -> dict[str, Any]:
    answer = await client.get(PATH, headers=headers, params=query)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == KEYS
    return dict(answer.json())


def flat(nodes: list[dict[str, Any]]) -> dict[str, tuple[int, bool]]:
    """Name to depth and selectable, in order."""
    found: dict[str, tuple[int, bool]] = {}
    for node in nodes:
        assert set(node) == {"id", "name", "depth", "selectable", "children"}
        found |= {node["name"]: (node["depth"], node["selectable"])} | flat(node["children"])
    return found


async def test_an_unrestricted_actor(client: httpx.AsyncClient, town: House) -> None:
    found = await menu(client, await town.sign_in("open", "D"))
    assert list(flat(found["items"]).items()) == [
        *(("A", (0, True)), ("B", (1, True)), ("C", (2, True)), ("D", (0, True)), ("Home", (0, True)))
    ]
    assert (found["selectedId"], found["tenantId"]) == (str(town.organizations["D"]), str(town.id))
    assert (found["canManage"], found["canViewAllOrganizations"]) == (False, True)
    assert (found["tenants"], found["isSuperAdmin"]) == ([], False)


async def test_a_restricted_actor_sees_what_is_above_but_cannot_select_it(
    client: httpx.AsyncClient, town: House
) -> None:
    found = await menu(client, await town.sign_in("bound", "B"))
    assert flat(found["items"]) == {"A": (0, False), "B": (1, True), "C": (2, True)}
    assert found["selectedId"] == str(town.organizations["B"])
    assert found["canViewAllOrganizations"] is False


@pytest.mark.parametrize(
    ("user", "home", "cookie", "selected"),
    [
        ("open", "D", "__all__", None),
        ("open", "D", "C", "C"),
        ("open", "D", "gone", "D"),
        ("bound", "B", "__all__", None),
        ("bound", "B", "C", "C"),
        ("bound", "B", "D", None),
        ("bound", "B", "gone", None),
        ("away", "D", None, None),
        ("superadmin", "Home", None, "Home"),
        ("superadmin", "Home", "C", "C"),
        ("superadmin", "Home", "gone", "Home"),
        ("superadmin", "Home", "__all__", None),
    ],
)
async def test_what_is_selected(
    client: httpx.AsyncClient, town: House, user: str, home: str, cookie: str | None, selected: str | None
) -> None:
    headers = await town.sign_in(user, home)
    if cookie is not None:
        headers |= cookies(
            om_selected_org=town.organizations.get(cookie, uuid4()) if cookie != "__all__" else cookie
        )
    found = await menu(client, headers)
    assert found["selectedId"] == (str(town.organizations[selected]) if selected else None)


async def test_an_admin_may_manage(desk: Desk) -> None:
    found = await menu(desk.client, desk.tenant.admin.headers)
    assert (found["canManage"], found["isSuperAdmin"]) == (True, False)
    assert found["selectedId"] == desk.home
    assert (await desk.client.get(PATH)).status_code == 401


async def test_a_super_admin_chooses_the_tenant(desk: Desk, make_tenant: MakeTenant) -> None:
    other = await make_tenant()
    boss = desk.tenant.superadmin.headers
    own = await menu(desk.client, boss)
    assert own["tenantId"] == str(desk.tenant.id)
    assert {str(desk.tenant.id), str(other.id)} <= {one["id"] for one in own["tenants"]}
    names = [one["name"].lower() for one in own["tenants"]]
    assert names == sorted(names)
    assert all(set(one) == {"id", "name", "isActive"} for one in own["tenants"])
    chosen = (
        await menu(desk.client, boss, tenantId=str(other.id)),
        await menu(desk.client, boss | cookies(om_selected_tenant=other.id)),
        await menu(desk.client, boss | cookies(om_selected_tenant=UNKNOWN), tenantId=str(other.id)),
    )
    for found in chosen:
        assert (found["tenantId"], found["selectedId"]) == (str(other.id), None)
        assert [node["id"] for node in found["items"]] == [str(other.organization_id)]
        assert found["canManage"] is True
    for found in (
        await menu(desk.client, boss, tenantId=UNKNOWN),
        await menu(desk.client, boss | cookies(om_selected_tenant=UNKNOWN)),
        await menu(desk.client, boss, tenantId="x"),
    ):
        assert found["tenantId"] == found["tenants"][0]["id"]


async def test_nobody_else_does(desk: Desk, make_tenant: MakeTenant) -> None:
    other = await make_tenant()
    refused = await desk.get(PATH, tenantId=str(other.id))
    assert (refused.status_code, refused.json()) == (403, {"error": "Not authorized to target this tenant."})
    ignored = await menu(desk.client, desk.tenant.admin.headers | cookies(om_selected_tenant=other.id))
    assert ignored["tenantId"] == str(desk.tenant.id)
    assert str(other.organization_id) not in str(ignored)


async def test_reading_is_noted(desk: Desk) -> None:
    await desk.create("Below", parentId=desk.home)
    await menu(desk.client, desk.tenant.admin.headers)
    noted = await desk.readings("directory.organization_switcher")
    assert [one["resourceId"] for one in noted] == [desk.home]


async def test_a_failure_is_an_empty_menu(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any) -> Any:
        raise asyncpg.DiskFullError("no space")

    monkeypatch.setattr(queries, "organization_names", fail)
    answer = await desk.get(PATH)
    assert answer.status_code == 500
    assert set(answer.json()) == KEYS
    assert answer.json()["items"] == []


async def test_a_deleted_selection(desk: Desk) -> None:
    gone = await desk.create("Gone")
    await desk.delete(gone)
    chosen = cookies(om_selected_org=gone)
    refused = await desk.send("POST", "/dictionaries", {"key": "k", "name": "n"}, more=chosen)
    assert (refused.status_code, refused.json()["code"]) == (422, "organization_selection_invalid")
    assert "set-cookie" not in refused.headers
    listed = await desk.get("/dictionaries", more=chosen)
    assert (listed.status_code, listed.json()["code"]) == (422, "organization_selection_invalid")
    assert listed.headers["set-cookie"] == "om_selected_org=; Path=/; Max-Age=0; SameSite=Lax"
    assert (await desk.get("/dictionaries")).json()["items"] == []
    found = await menu(desk.client, desk.tenant.admin.headers | chosen)
    assert found["selectedId"] == desk.home
