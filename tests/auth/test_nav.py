"""The catalogue of features, and menus made of them (contract: auth.md 7.15 to 7.17, 14 and 15)."""

from typing import Any
from uuid import uuid4

import pytest

from domain.features import catalogue, matches, usable
from domain.i18n import catalogue as catalogue_of
from domain.pages import PAGES
from tests.auth.office import Office
from tests.conftest import MakeTenant, Person


async def menus(office: Office, who: Person, **request: Any) -> Any:
    answer = await office.ask(who, "GET", "/auth/admin/nav", **request)
    assert answer.status_code == 200, answer.text
    return answer.json()


def hrefs(items: list[Any]) -> list[str]:
    return [href for item in items for href in (item["href"], *hrefs(item.get("children", [])))]


# Features


async def test_the_catalogue_is_sorted_complete_and_consistent(office: Office) -> None:
    found = await office.get(office.tenant.admin, "/auth/features")
    items = found["items"]
    assert [(i["module"], i["id"]) for i in items] == sorted((i["module"], i["id"]) for i in items)
    ids = [item["id"] for item in items]
    assert len(ids) == len(set(ids)) == len(catalogue()) == 78
    assert all(dependency in ids for item in items for dependency in item.get("dependsOn", []))
    assert all(item.get("dependsOn") != [] for item in items)
    modules = {module["id"]: module["title"] for module in found["modules"]}
    assert {item["module"] for item in items} <= modules.keys()
    assert modules["auth"] == "Authentication & Accounts"
    assert "events" in modules
    assert (await office.ask(office.tenant.employee, "GET", "/auth/features")).status_code == 403


async def test_a_check_echoes_what_is_granted(office: Office) -> None:
    person = await office.hire("auth.*")

    async def check(*features: str) -> Any:
        return (
            await office.ask(person, "POST", "/auth/feature-check", json={"features": list(features)})
        ).json()

    me = str(person.id)
    assert await check("auth.users.list", "directory.tenants.view") == {
        "ok": False,
        "granted": ["auth.users.list"],
        "userId": me,
    }
    twice = ["auth.users.list", "auth.users.list"]
    assert await check(*twice) == {"ok": True, "granted": twice, "userId": me}
    assert await check() == {"ok": True, "granted": [], "userId": me}


@pytest.mark.parametrize(
    "body",
    [{}, {"features": "x"}, {"features": [1]}, {"features": ["x"] * 51}, {"features": ["x" * 129]}, [], None],
)
async def test_a_check_of_something_else_is_refused(office: Office, body: Any) -> None:
    answer = await office.ask(office.tenant.admin, "POST", "/auth/feature-check", json=body)
    assert (answer.status_code, answer.json()["ok"]) == (400, False)
    broken = await office.ask(office.tenant.admin, "POST", "/auth/feature-check", content=b"{")
    assert broken.status_code == 400
    assert (await office.ask(None, "POST", "/auth/feature-check", json={"features": []})).status_code == 401


def test_usable_grants_are_of_modules_that_exist() -> None:
    assert usable(["auth.*", "no_such.x", "analytics.view", "analytics.*"]) == [
        "auth.*",
        "analytics.view",
        "analytics.*",
    ]
    everything = usable(["*"])
    assert "analytics.*" in everything
    assert all(any(matches(grant, feature.id) for grant in everything) for feature in catalogue())


def test_every_page_needs_features_that_exist_and_has_a_name_in_every_language() -> None:
    known = {feature.id for feature in catalogue()}
    assert len({page.href for page in PAGES}) == len(PAGES) == 44
    for page in PAGES:
        assert set(page.features) <= known
        for locale in ("pl", "es", "de"):
            assert {page.title, page.group.name} <= catalogue_of(locale).texts.keys()


# Menus


async def test_an_admin_sees_settings_in_groups_and_in_sections(office: Office) -> None:
    found = await menus(office, office.tenant.admin)
    assert set(found) == {
        *("groups", "settingsSections", "settingsPathPrefixes", "profileSections", "profilePathPrefixes"),
        *("grantedFeatures", "roles", "brand"),
    }
    groups = {group["id"]: group for group in found["groups"]}
    assert [group["id"] for group in found["groups"]][:3] == [
        "customers.nav.group",
        "entities.nav.group",
        "attachments.nav.group",
    ]
    assert hrefs(groups["settings.sections.auth"]["items"]) == [
        "/backend/users",
        "/backend/roles",
        "/backend/api-keys",
    ]
    assert {item["pageContext"] for item in groups["settings.sections.auth"]["items"]} == {"settings"}
    customers = groups["customers.nav.group"]
    assert (customers["name"], customers["defaultName"]) == ("Customers", "Customers")
    assert [item["title"] for item in customers["items"]] == [
        *("Calendar", "Companies", "Customer related tasks", "Deals", "People", "Deal settings"),
    ]
    deals = customers["items"][3]
    assert "pageContext" not in deals
    assert [child["href"] for child in deals["children"]] == [
        *(
            "/backend/customers/deals/create",
            "/backend/customers/deals/map",
            "/backend/customers/deals/pipeline",
        ),
    ]
    sections = found["settingsSections"]
    assert [(s["id"], s["order"]) for s in sections][:6] == [
        *(("system", 1), ("auth", 2), ("data-designer", 4)),
        *(("module-configs", 5), ("directory", 7), ("feature-toggles", 8)),
    ]
    auth = sections[1]
    assert (auth["label"], auth["labelKey"]) == ("Auth", "settings.sections.auth")
    assert auth["items"][0] | {"iconName": ""} == {
        "id": "backend-users",
        "label": "Users",
        "href": "/backend/users",
        "order": 1,
        "iconName": "",
    }
    assert found["settingsPathPrefixes"][:4] == [
        *("/backend/config", "/backend/config/system-status"),
        *("/backend/config/module-telemetry", "/backend/config/cache"),
    ]
    assert "/backend" not in found["settingsPathPrefixes"]
    assert "/backend/directory/tenants" not in hrefs([i for g in found["groups"] for i in g["items"]])
    assert found["profileSections"][0]["items"][0]["href"] == "/backend/profile/change-password"
    assert found["profilePathPrefixes"] == ["/backend/profile/"]
    assert "auth.*" in found["grantedFeatures"]
    assert found["roles"] == ["admin"]
    assert found["brand"] is None


async def test_hidden_is_told_of_every_item(office: Office) -> None:
    def check(items: list[Any]) -> None:
        for item in items:
            assert item["hidden"] is False
            assert item["enabled"] is True
            check(item.get("children", []))

    found = await menus(office, office.tenant.superadmin)
    for group in found["groups"]:
        check(group["items"])
    assert "/backend/directory/tenants" in hrefs([i for g in found["groups"] for i in g["items"]])
    assert "directory.*" in found["grantedFeatures"]


async def test_an_employee_sees_nothing_of_accounts(office: Office) -> None:
    found = await menus(office, office.tenant.employee)
    seen = hrefs([item for group in found["groups"] for item in group["items"]])
    assert seen
    assert not any(word in href for href in seen for word in ("users", "roles", "directory", "api-keys"))
    assert "customers.people.view" in found["grantedFeatures"]


async def test_who_has_no_organization_sees_nothing(office: Office) -> None:
    role = await office.make_role(features=["dictionaries.*"], organizations=[])
    found = await menus(office, await office.person(await office.make_user([role])))
    assert (found["groups"], found["grantedFeatures"], found["settingsSections"]) == ([], [], [])


@pytest.mark.parametrize(
    ("language", "name"), [("pl", "Klienci"), ("es", "Clientes"), ("de", "Kunden"), ("fr", "Customers")]
)
async def test_menus_speak_the_language_of_the_request(office: Office, language: str, name: str) -> None:
    found = await menus(office, office.tenant.admin, headers={"accept-language": language})
    assert found["groups"][0]["name"] == name
    assert [section["id"] for section in found["settingsSections"]][:2] == ["system", "auth"]


async def test_roles_and_people_arrange_their_menus(office: Office) -> None:
    boss, admin = office.tenant.superadmin, office.tenant.admin
    role = str((await office.rows("roles", name="admin"))[0]["id"])
    of_role = {
        "groupLabels": {"customers.nav.group": "Clients"},
        "itemLabels": {"/backend/customers/deals": "Chances"},
        "hiddenItems": ["/backend/calendar"],
        "scope": {"type": "role", "roleId": role},
    }
    saved = await office.ask(boss, "PUT", "/auth/sidebar/preferences", json=of_role)
    assert saved.status_code == 200, saved.text
    own = {
        "groupOrder": ["settings.sections.auth"],
        "groupLabels": {"customers.nav.group": "My clients"},
        "hiddenItems": ["/backend/customer-tasks"],
    }
    saved = await office.ask(admin, "PUT", "/auth/sidebar/preferences", json=own)
    assert saved.status_code == 200, saved.text
    found = await menus(office, admin)
    assert [group["id"] for group in found["groups"]][:2] == ["settings.sections.auth", "customers.nav.group"]
    customers = found["groups"][1]
    assert (customers["name"], customers["defaultName"]) == ("My clients", "Clients")
    items = {item["href"]: item for item in customers["items"]}
    assert items["/backend/customers/deals"]["title"] == "Chances"
    assert items["/backend/customers/deals"]["defaultTitle"] == "Chances"
    assert [href for href, item in items.items() if item["hidden"]] == [
        "/backend/calendar",
        "/backend/customer-tasks",
    ]


async def test_the_brand_is_that_of_an_organization_one_may_see(
    office: Office, make_tenant: MakeTenant
) -> None:
    admin, other = office.tenant.admin, await make_tenant()
    home = str(office.tenant.organization_id)
    body = {"id": home, "logoUrl": "https://example.com/logo.png"}
    assert (await office.ask(admin, "PUT", "/directory/organizations", json=body)).status_code == 200
    brand = (await menus(office, admin))["brand"]
    assert brand["logo"] == {"src": "https://example.com/logo.png", "alt": f"{brand['name']} logo"}
    assert (await menus(office, admin, params={"orgId": home}))["brand"] == brand
    own = await menus(office, admin)
    for foreign in (str(other.organization_id), str(uuid4()), "nonsense"):
        assert {**await menus(office, admin, params={"orgId": foreign}), "brand": 0} == {**own, "brand": 0}
    abroad = await office.ask(admin, "GET", "/auth/admin/nav", params={"tenantId": str(other.id)})
    assert abroad.status_code == 403
