"""Organization scope and effective grants, from PostgreSQL to `Scope` (directory.md section 6, auth.md section 4)."""

from typing import Any
from uuid import uuid4

import pytest

from app.http.identity import require_valid_selection
from domain.auth import role_acls, user_acls
from domain.directory import organizations
from domain.errors import Problem
from domain.selection import select
from tests.auth.conftest import House

# The house has A (home) with child A1 and grandchild A2, B with child B1, and C; `gone` was deleted.


@pytest.fixture
async def tree(house: House) -> House:
    house.organizations["A"] = house.organizations["Home"]
    for name, parent in (("A1", "A"), ("A2", "A1"), ("B", None), ("B1", "B"), ("C", None), ("gone", None)):
        await house.add_organization(name, parent)
    await house.set(
        organizations, house.organizations["gone"], deleted_at="2026-01-01T00:00:00Z", is_active=False
    )
    await house.add_user("free", "A", role_names=["admin"])
    await house.add_user("bound", "A")
    await house.grant("bound", ["dictionaries.*"], ["A", "B"])
    await house.add_user("tied", "A")
    await house.grant("tied", ["dictionaries.*"], ["A"])
    await house.add_user("away", "C")
    await house.grant("away", ["dictionaries.*"], ["B"])
    await house.add_user("lost", "A")
    await house.grant("lost", ["dictionaries.*"], ["gone"])
    await house.add_user("nobody", "A")
    await house.add_user("open", "A")
    await house.grant("open", ["dictionaries.*"], ["B", "__all__"])
    return house


ALL = "all"


@pytest.mark.parametrize(
    ("user", "cookie", "selected", "filtered", "rejected"),
    [
        ("superadmin", None, None, ALL, False),
        ("superadmin", "__all__", None, ALL, False),
        ("superadmin", "", None, ALL, False),
        ("superadmin", "B", "B", ["B", "B1"], False),
        ("superadmin", "gone", "A", ["A", "A1", "A2"], True),
        ("free", None, "A", ["A", "A1", "A2"], False),
        ("free", "__all__", None, ALL, False),
        ("free", "gone", "A", ["A", "A1", "A2"], True),
        ("free", "unknown", "A", ["A", "A1", "A2"], True),
        ("free", "no uuid", "A", ["A", "A1", "A2"], True),
        ("free", "B", "B", ["B", "B1"], False),
        ("free", "A1", "A1", ["A1", "A2"], False),
        ("open", "C", "C", ["C"], False),
        ("open", "__all__", None, ALL, False),
        ("bound", None, "A", ["A", "A1", "A2"], False),
        ("bound", "__all__", "A", ["A", "A1", "A2"], False),
        ("bound", "B", "B", ["B", "B1"], False),
        ("bound", "B1", "B1", ["B1"], False),
        ("tied", "C", None, ["A", "A1", "A2"], True),
        ("tied", "A2", "A2", ["A2"], False),
        ("away", None, None, ["B", "B1"], False),
        ("away", "C", None, ["B", "B1"], True),
        ("lost", None, "A", ["A", "A1", "A2"], False),
        ("nobody", None, "A", ["A", "A1", "A2"], False),
    ],
)
async def test_the_selection(
    tree: House, user: str, cookie: str | None, selected: str | None, filtered: Any, rejected: bool
) -> None:
    headers = await tree.sign_in(user, "C" if user == "away" else "A")
    if cookie is not None:
        value = str(uuid4()) if cookie == "unknown" else tree.organizations.get(cookie, cookie)
        headers |= {"cookie": f"om_selected_org={value}"}

    scope = await tree.scope(headers)
    names = {id: name for name, id in tree.organizations.items() if name != "Home"}
    assert names.get(scope.selected_organization_id) == selected  # type: ignore[arg-type]
    assert (ALL if scope.filter_ids is None else [names[id] for id in scope.filter_ids]) == filtered
    assert scope.selection_rejected is rejected


async def test_the_whole_table_of_one_tenant_in_one_go(tree: House) -> None:
    scope = await tree.scope(await tree.sign_in("bound", "A"))

    wanted = {tree.organizations[name] for name in ("A", "A1", "A2", "B", "B1")}
    assert scope.allowed_ids == wanted
    assert scope.may_touch(tree.organizations["B1"])
    assert not scope.may_touch(tree.organizations["C"])


async def test_features_hold_in_descendants_of_the_granted_organizations(tree: House) -> None:
    headers = await tree.sign_in("tied", "A")

    for name in ("A", "A1", "A2"):
        scope = await tree.scope(headers | {"cookie": f"om_selected_org={tree.organizations[name]}"})
        assert scope.feature_organization_id == tree.organizations[name]
        assert scope.can("dictionaries.manage")


async def test_without_a_living_organization_nothing_is_granted(tree: House) -> None:
    for user in ("lost", "nobody"):
        scope = await tree.scope(await tree.sign_in(user, "A"))
        assert scope.features == ()
        assert not scope.can("dictionaries.view")


async def test_a_super_admin_may_select_another_tenant(house: House, make_house: Any) -> None:
    other = await make_house()
    headers = await house.sign_in("superadmin")

    there = await house.scope(headers | {"cookie": f"om_selected_tenant={other.id}"})
    assert (there.tenant_id, there.actor_tenant_id) == (other.id, house.id)
    assert (there.home_organization_id, there.selected_organization_id, there.filter_ids) == (
        None,
        None,
        None,
    )
    selected = f"om_selected_tenant={other.id}; om_selected_org={other.organizations['Home']}"
    inside = await house.scope(headers | {"cookie": selected})
    assert inside.selected_organization_id == other.organizations["Home"]

    for value in (uuid4(), "", "no uuid"):
        assert (await house.scope(headers | {"cookie": f"om_selected_tenant={value}"})).tenant_id == house.id
    await other.close(deleted_at="2026-01-01T00:00:00Z")
    assert (await house.scope(headers | {"cookie": f"om_selected_tenant={other.id}"})).tenant_id == house.id


async def test_nobody_else_may_select_another_tenant(house: House, make_house: Any) -> None:
    other = await make_house()
    for user in ("admin", "employee"):
        headers = await house.sign_in(user)
        scope = await house.scope(
            headers
            | {"cookie": f"om_selected_tenant={other.id}; om_selected_org={other.organizations['Home']}"}
        )
        assert scope.tenant_id == house.id
        assert scope.selection_rejected
        assert scope.selected_organization_id == house.organizations["Home"]


async def test_a_user_without_organization_sees_nothing_until_all_is_selected(house: House) -> None:
    await house.add_user("nomad", None, role_names=["admin"])
    headers = await house.sign_in("nomad", None)

    scope = await house.scope(headers)
    assert (scope.home_organization_id, scope.selected_organization_id, scope.filter_ids) == (None, None, ())
    assert (await house.scope(headers | {"cookie": "om_selected_org=__all__"})).filter_ids is None


async def test_a_rejected_selection_on_scoped_routes(house: House) -> None:
    scope = await house.scope(await house.sign_in("admin") | {"cookie": f"om_selected_org={uuid4()}"})

    for listing, cookies in ((False, ()), (True, ("om_selected_org=; Path=/; Max-Age=0; SameSite=Lax",))):
        with pytest.raises(Problem) as raised:
            require_valid_selection(scope, listing=listing)
        assert (raised.value.status, raised.value.code) == (422, "organization_selection_invalid")
        assert raised.value.cookies == cookies
    require_valid_selection(await house.scope(await house.sign_in("admin")))


# Grants


@pytest.mark.parametrize(
    ("role", "granted", "denied"),
    [
        (
            "superadmin",
            ["directory.tenants.manage", "auth.acl.manage", "analytics.view"],
            ["no_such_module.x"],
        ),
        (
            "admin",
            ["auth.acl.manage", "customers.deals.manage", "analytics.view"],
            ["directory.tenants.view"],
        ),
        (
            "employee",
            ["dictionaries.view", "audit_logs.undo_self"],
            ["dictionaries.manage", "audit_logs.redo_self"],
        ),
    ],
)
async def test_the_default_roles(house: House, role: str, granted: list[str], denied: list[str]) -> None:
    scope = await house.scope(await house.sign_in(role))

    assert scope.roles == (role,)
    assert scope.is_super_admin is (role == "superadmin")
    assert scope.can(*granted)
    assert scope.missing(denied) == denied


async def test_the_name_superadmin_gives_nothing(house: House) -> None:
    async def weaken(unit: Any) -> None:
        acl = await unit.fetchval("select a.id from role_acls a where a.is_super_admin")
        await unit.update(role_acls, acl, {"is_super_admin": False, "features": ["dictionaries.view"]})

    await house.write(weaken)
    scope = await house.scope(await house.sign_in("superadmin"))
    assert (scope.is_super_admin, scope.features) == (False, ("dictionaries.view",))


async def test_grants_of_several_roles_add_up(house: House) -> None:
    branch = await house.add_organization("Branch")
    await house.add_role("one", ["dictionaries.view"], [str(house.organizations["Home"])])
    await house.add_role("two", ["audit_logs.*", "dictionaries.view"], [str(branch)])
    await house.add_role("bare", None)
    await house.add_user("worker", role_names=["one", "two", "bare"])

    scope = await house.scope(await house.sign_in("worker"))
    assert scope.allowed_ids == {house.organizations["Home"], branch}
    assert set(scope.features) == {"dictionaries.view", "audit_logs.*"}
    assert set(scope.roles) == {"one", "two", "bare"}


async def test_own_grants_replace_those_of_the_roles(house: House) -> None:
    await house.grant("admin", ["dictionaries.view"], None)
    headers = await house.sign_in("admin")
    scope = await house.scope(headers)
    assert (scope.features, scope.roles) == (("dictionaries.view",), ("admin",))
    assert not scope.can("auth.users.list")

    async def withdraw(unit: Any) -> None:
        await unit.delete(user_acls, await unit.fetchval("select id from user_acls"))

    await house.write(withdraw)
    assert (await house.scope(headers)).can("auth.users.list")


async def test_a_star_grants_every_feature_of_a_known_module(house: House) -> None:
    await house.add_user("star")
    await house.grant("star", ["*"], None)

    scope = await house.scope(await house.sign_in("star"))
    assert not scope.is_super_admin
    assert scope.can("auth.users.list", "directory.tenants.manage")
    assert not scope.can("no_such_module.x")


async def test_a_super_admin_by_own_flag(house: House) -> None:
    await house.grant("employee", [], None, super_admin=True)

    scope = await house.scope(await house.sign_in("employee"))
    assert scope.is_super_admin
    assert scope.roles == ("employee", "superadmin")


def test_selecting_needs_no_database() -> None:
    a, b = uuid4(), uuid4()
    chosen = select({a: [b], b: []}, home=a, accessible=[str(b)], wanted=str(b).upper(), is_super_admin=False)

    assert (chosen.selected_id, chosen.filter_ids, chosen.rejected) == (b, (b,), False)
