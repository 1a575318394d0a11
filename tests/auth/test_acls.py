"""Grants over HTTP, and that they count at once (contract: auth.md 7.13, 7.14, 8.5, 4.2 and 18)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.database import Database, Target
from app.main import Application, create_app
from app.settings import Settings
from tests.auth.office import Office, operation
from tests.conftest import MakeTenant, Person

UNKNOWN = "00000000-0000-4000-8000-00000000dead"
EMPTY = {"isSuperAdmin": False, "features": [], "organizations": None, "updatedAt": None}


async def put_role(office: Office, who: Person, role: UUID, **body: Any) -> httpx.Response:
    return await office.ask(who, "PUT", "/auth/roles/acl", json={"roleId": str(role), **body})


async def put_user(office: Office, who: Person, user: UUID, **body: Any) -> httpx.Response:
    return await office.ask(who, "PUT", "/auth/users/acl", json={"userId": str(user), **body})


async def features(office: Office, who: Person, *names: str) -> list[str]:
    answer = await office.ask(who, "POST", "/auth/feature-check", json={"features": list(names)})
    granted: list[str] = answer.json()["granted"]
    return granted


# Roles


async def test_a_role_without_grants_grants_nothing(office: Office) -> None:
    role = await office.make_role()
    assert await office.get(office.tenant.admin, "/auth/roles/acl", roleId=str(role)) == EMPTY


async def test_what_is_absent_stays_and_lists_are_tidied(office: Office) -> None:
    admin, role = office.tenant.admin, await office.make_role()
    saved = await put_role(
        office, admin, role, features=[" dictionaries.view ", "", "auth.*", "dictionaries.view"]
    )
    assert (saved.status_code, saved.json()) == (200, {"ok": True, "sanitized": False})
    found = await office.get(admin, "/auth/roles/acl", roleId=str(role))
    assert found["features"] == ["dictionaries.view", "auth.*"]
    for places in (["a", "b"], [], None):
        assert (await put_role(office, admin, role, organizations=places)).status_code == 200
        found = await office.get(admin, "/auth/roles/acl", roleId=str(role))
        assert (found["features"], found["organizations"]) == (["dictionaries.view", "auth.*"], places)
    assert found["updatedAt"].endswith("Z")


async def test_the_history_of_a_role_and_of_a_user_shows_their_grants(office: Office) -> None:
    admin, role = office.tenant.admin, await office.make_role()
    employee = office.tenant.employee.id
    await put_role(office, admin, role, features=["dictionaries.view"])
    await put_user(office, admin, employee, features=["dictionaries.view"])
    for kind, id in (("auth.role", role), ("auth.user", employee)):
        wanted = {"resourceKind": kind, "resourceId": str(id), "includeRelated": "true"}
        found = (await office.get(admin, "/audit_logs/audit-logs/actions", **wanted))["items"][0]
        assert found["commandId"] == f"{kind}_acls.update"
        assert (found["parentResourceKind"], found["parentResourceId"]) == (kind, str(id))


async def test_a_role_acl_is_a_command_with_undo(office: Office) -> None:
    admin, role = office.tenant.admin, await office.make_role(features=["dictionaries.view"])
    saved = await put_role(office, admin, role, features=["dictionaries.manage"])
    assert operation(saved)["commandId"] == "auth.role_acls.update"
    assert operation(saved)["resourceKind"] == "auth.role_acl"
    entry = (await office.get(admin, "/audit_logs/audit-logs/actions"))["items"][0]
    assert entry["changes"] == {"features": {"from": ["dictionaries.view"], "to": ["dictionaries.manage"]}}
    assert (await office.undo(admin, saved)).status_code == 200
    assert (await office.get(admin, "/auth/roles/acl", roleId=str(role)))["features"] == ["dictionaries.view"]
    same = await put_role(office, admin, role, features=["dictionaries.view"])
    assert same.status_code == 200
    assert "x-om-operation" not in same.headers


async def test_what_is_no_role_is_refused(office: Office, make_tenant: MakeTenant) -> None:
    admin, other = office.tenant.admin, await make_tenant()
    role = await office.make_role()
    for query, status in (({}, 400), ({"roleId": "nope"}, 400), ({"roleId": UNKNOWN}, 404)):
        assert (await office.ask(admin, "GET", "/auth/roles/acl", params=query)).status_code == status
    abroad = await office.ask(other.admin, "GET", "/auth/roles/acl", params={"roleId": str(role)})
    assert (abroad.status_code, abroad.json()) == (404, {"error": "Not found"})
    assert (await put_role(office, other.admin, role, features=[])).status_code == 404
    assert (await put_role(office, admin, role, features="x")).status_code == 400
    assert (await put_role(office, admin, role, features=[], tenantId=str(other.id))).status_code == 403
    boss = office.tenant.superadmin
    assert (await put_role(office, boss, role, features=[], tenantId=str(other.id))).status_code == 400
    elsewhere = await office.get(boss, "/auth/roles/acl", roleId=str(role), tenantId=str(other.id))
    assert elsewhere == EMPTY


async def test_the_optimistic_lock_is_about_the_grants(office: Office) -> None:
    admin, role = office.tenant.admin, await office.make_role()
    stale = {"x-om-ext-optimistic-lock-expected-updated-at": "2020-01-01T00:00:00.000Z"}
    body = {"roleId": str(role), "features": ["auth.*"]}
    first = await office.ask(admin, "PUT", "/auth/roles/acl", json=body, headers=stale)
    assert first.status_code == 200, "there was nothing to be stale"
    body = {"roleId": str(role), "features": ["dictionaries.*"]}
    second = await office.ask(admin, "PUT", "/auth/roles/acl", json=body, headers=stale)
    assert second.status_code == 409
    fresh = (await office.get(admin, "/auth/roles/acl", roleId=str(role)))["updatedAt"]
    good = {"x-om-ext-optimistic-lock-expected-updated-at": fresh}
    body["features"] = ["audit_logs.*"]
    assert (await office.ask(admin, "PUT", "/auth/roles/acl", json=body, headers=good)).status_code == 200


# Users


async def test_own_grants_replace_those_of_roles_until_they_are_taken_away(office: Office) -> None:
    admin, user = office.tenant.admin, await office.make_user(["admin"])
    person = await office.person(user)
    before = await office.get(admin, "/auth/users/acl", userId=str(user))
    assert before == {"hasCustomAcl": False, **EMPTY}
    saved = await put_user(office, admin, user, features=["dictionaries.view"])
    assert (saved.status_code, saved.json()) == (200, {"ok": True, "sanitized": False})
    assert operation(saved)["commandId"] == "auth.user_acls.update"
    assert (await office.get(admin, "/auth/users/acl", userId=str(user)))["hasCustomAcl"] is True
    asked = ("dictionaries.view", "auth.users.list")
    assert await features(office, person, *asked) == ["dictionaries.view"]
    taken = await put_user(office, admin, user, organizations=["x"])
    assert taken.status_code == 200
    assert await office.rows("user_acls", user_id=user) == []
    assert await features(office, person, *asked) == list(asked)
    assert (await office.undo(admin, taken)).status_code == 200
    assert await features(office, person, *asked) == ["dictionaries.view"]


async def test_what_single_users_do_not_get_from_an_admin_is_left_out(office: Office) -> None:
    clerk = await office.hire("auth.*", "directory.*", "dictionaries.*")
    user = await office.make_user()
    saved = await put_user(
        office, clerk, user, features=["dictionaries.view", "directory.tenants.view", "directory.*"]
    )
    assert (saved.status_code, saved.json()) == (200, {"ok": True, "sanitized": True})
    assert (await office.rows("user_acls", user_id=user))[0]["features"] == ["dictionaries.view"]
    boss = office.tenant.superadmin
    saved = await put_user(office, boss, user, features=["directory.*"])
    assert saved.json() == {"ok": True, "sanitized": False}


async def test_what_is_no_user_is_refused(office: Office, make_tenant: MakeTenant) -> None:
    admin, other, user = office.tenant.admin, await make_tenant(), await office.make_user()
    for query, status in (({}, 400), ({"userId": "nope"}, 400), ({"userId": UNKNOWN}, 404)):
        assert (await office.ask(admin, "GET", "/auth/users/acl", params=query)).status_code == status
    abroad = await office.ask(other.admin, "GET", "/auth/users/acl", params={"userId": str(user)})
    assert (abroad.status_code, abroad.json()) == (404, {"error": "User not found"})
    assert (await put_user(office, other.admin, user, features=["auth.*"])).status_code == 404


# What counts


async def test_a_role_named_superadmin_gives_nothing_without_the_flag(office: Office) -> None:
    boss = office.tenant.superadmin
    role = next(row["id"] for row in await office.rows("roles", name="superadmin"))
    second = await office.make_user([await office.make_role(features=["*"], is_super_admin=True)])
    assert (await put_role(office, boss, role, isSuperAdmin=False)).status_code == 200
    assert await features(office, boss, "directory.tenants.view") == ["directory.tenants.view"], (
        "a mere grant"
    )
    assert (await office.get(await office.person(second), "/auth/roles"))["isSuperAdmin"] is True
    assert (await office.ask(boss, "GET", "/auth/roles")).status_code == 403


async def test_the_star_covers_modules_but_gives_nothing_away(office: Office) -> None:
    person = await office.hire("*")
    assert await features(office, person, "customers.deals.view", "no_such_module.x") == [
        "customers.deals.view"
    ]
    role = await office.make_role()
    assert (await put_role(office, person, role, features=["dictionaries.view"])).status_code == 403
    assert await features(office, office.tenant.superadmin, "no_such_module.x") == []


async def test_no_organizations_means_none_and_all_means_all(office: Office) -> None:
    boss = office.tenant.superadmin
    role = await office.make_role(features=["dictionaries.view"], organizations=[])
    person = await office.person(await office.make_user([role]))
    assert await features(office, person, "dictionaries.view") == []
    assert (await put_role(office, boss, role, organizations=["__all__"])).status_code == 200
    assert await features(office, person, "dictionaries.view") == ["dictionaries.view"]


async def test_a_changed_grant_counts_in_the_next_request(office: Office) -> None:
    admin = office.tenant.admin
    role = await office.make_role(features=["dictionaries.view"])
    person = await office.person(await office.make_user([role]))
    for turn in range(4):
        wanted = ["dictionaries.manage"] if turn % 2 else ["dictionaries.view"]
        saved = await put_role(office, admin, role, features=wanted)
        if turn:
            assert await features(office, person, "dictionaries.view", "dictionaries.manage") == wanted
            assert (await office.undo(admin, saved)).status_code == 200
            assert await features(office, person, *wanted) == []
            assert (await office.redo(admin, saved)).status_code == 200
        assert await features(office, person, *wanted) == wanted


@pytest.fixture
async def elsewhere(target: Target, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a second server process over the same database: parts of its own, its own memory."""
    process = Application(settings, Database(target))
    await process.start()
    app = create_app(settings, process)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://other.test") as client:
        yield client
    await process.stop()


async def test_a_changed_grant_counts_in_other_processes_too(
    office: Office, elsewhere: httpx.AsyncClient
) -> None:
    role = await office.make_role(features=["dictionaries.view"])
    person = await office.person(await office.make_user([role]))

    async def there() -> int:
        return (await elsewhere.get("/dictionaries", headers=person.headers)).status_code

    assert await there() == 200
    assert (
        await put_role(office, office.tenant.admin, role, features=["audit_logs.view_self"])
    ).status_code == 200
    assert await within(5, there, 403), "remembered rights outlive their change"
    assert (
        await put_role(office, office.tenant.admin, role, features=["dictionaries.view"])
    ).status_code == 200
    assert await within(5, there, 200)
    gone = {"id": str(person.id)}
    assert (await office.ask(office.tenant.admin, "DELETE", "/auth/users", json=gone)).status_code == 200
    assert await within(5, there, 401)


async def within(seconds: float, ask: Any, wanted: int) -> bool:
    """Whether the answer comes to be as wanted in time; the memory of rights lasts 15 seconds."""
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        if await ask() == wanted:
            return True
        await asyncio.sleep(0.02)
    return False
