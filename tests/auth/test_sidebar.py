"""Sidebar layouts and saved ones (contract: auth.md 8.7 and 8.8)."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.auth.conftest import House

PATH = "/auth/sidebar/preferences"
VARIANTS = "/auth/sidebar/variants"
EMPTY = {
    "version": 2,
    "groupOrder": [],
    "groupLabels": {},
    "itemLabels": {},
    "hiddenItems": [],
    "itemOrder": {},
}
LAYOUT = EMPTY | {"groupOrder": ["b", "a"], "hiddenItems": ["/backend/users"], "itemLabels": {"/x": "Mine"}}

Headers = dict[str, str]


@pytest.fixture
async def admin(house: House) -> Headers:
    return await house.sign_in("admin")


async def role_id(house: House, name: str) -> str:
    async with house.application.database.system() as connection:
        sql = "select id from roles where tenant_id = $1 and name = $2"
        return str(await connection.fetchval(sql, house.id, name))


async def undo_last(client: httpx.AsyncClient, headers: Headers) -> httpx.Response:
    items = (await client.get("/audit_logs/audit-logs/actions", headers=headers)).json()["items"]
    token = items[0]["undoToken"]
    return await client.post(
        "/audit_logs/audit-logs/actions/undo", json={"undoToken": token}, headers=headers
    )


async def put(client: httpx.AsyncClient, headers: Headers, body: Any) -> httpx.Response:
    return await client.put(PATH, json=body, headers=headers)


async def test_the_layout_is_empty_at_first(client: httpx.AsyncClient, house: House, admin: Headers) -> None:
    body = (await client.get(PATH, headers=admin)).json()

    assert body == {
        "locale": "en",
        "settings": EMPTY,
        "canApplyToRoles": True,
        "scope": {"type": "user"},
        "updatedAt": None,
        "roles": body["roles"],
    }
    assert [(one["name"], one["hasPreference"]) for one in body["roles"]] == [
        ("admin", False),
        ("employee", False),
        ("superadmin", False),
    ]


async def test_who_may_not_manage_sees_no_roles_and_changes_nothing(
    client: httpx.AsyncClient, house: House
) -> None:
    headers = await house.sign_in("employee")

    body = (await client.get(PATH, headers=headers)).json()
    assert "roles" not in body and body["canApplyToRoles"] is False
    for response in (
        await put(client, headers, LAYOUT),
        await client.delete(PATH, params={"roleId": str(uuid4())}, headers=headers),
        await client.get(PATH, params={"roleId": str(uuid4())}, headers=headers),
        await client.post(VARIANTS, json={}, headers=headers),
    ):
        assert response.status_code == 403
        assert response.json()["requiredFeatures"] == ["auth.sidebar.manage"]
    assert (await client.get(VARIANTS, headers=headers)).json() == {"locale": "en", "variants": []}


async def test_a_layout_is_replaced_as_a_whole_tidied_and_undone(
    client: httpx.AsyncClient, admin: Headers
) -> None:
    messy = {
        "groupOrder": [" b ", "a", "b", "  "],
        "groupLabels": {"b": "  "},
        "itemLabels": {"/x": " Mine "},
        "hiddenItems": ["/backend/users", "/backend/users"],
        "itemOrder": {"g": [" "], "": ["x"]},
        "version": 1,
        "unknown": True,
    }

    response = await put(client, admin, messy)

    assert response.status_code == 200
    body = response.json()
    assert body["settings"] == LAYOUT
    assert (body["appliedRoles"], body["clearedRoles"]) == ([], [])
    assert body["updatedAt"] is not None
    assert response.headers["x-om-operation"].startswith("omop:")
    replaced = await put(client, admin, {"groupOrder": ["z"]})
    assert replaced.json()["settings"] == EMPTY | {"groupOrder": ["z"]}
    assert (await undo_last(client, admin)).status_code == 200
    assert (await client.get(PATH, headers=admin)).json()["settings"] == LAYOUT


async def test_a_layout_is_given_to_roles_and_taken_away(
    client: httpx.AsyncClient, house: House, admin: Headers
) -> None:
    employee, boss = await role_id(house, "employee"), await role_id(house, "admin")

    given = (await put(client, admin, LAYOUT | {"applyToRoles": [employee, boss, employee]})).json()
    taken = (await put(client, admin, LAYOUT | {"clearRoleIds": [boss]})).json()

    assert (given["appliedRoles"], given["clearedRoles"]) == ([employee, boss], [])
    assert {one["name"]: one["hasPreference"] for one in given["roles"]}["employee"] is True
    assert (taken["appliedRoles"], taken["clearedRoles"]) == ([], [boss])
    shown = (await client.get(PATH, params={"roleId": employee}, headers=admin)).json()
    assert (shown["settings"], shown["scope"]) == (LAYOUT, {"type": "role", "roleId": employee})
    assert (await undo_last(client, admin)).status_code == 200
    assert (await client.get(PATH, params={"roleId": boss}, headers=admin)).json()["settings"] == LAYOUT


async def test_the_layout_of_a_role(client: httpx.AsyncClient, house: House, admin: Headers) -> None:
    employee = await role_id(house, "employee")
    scope = {"scope": {"type": "role", "roleId": employee}}

    assert (await put(client, admin, LAYOUT | scope)).json()["scope"] == scope["scope"]

    assert (await client.get(PATH, headers=admin)).json()["settings"] == EMPTY
    for _ in range(2):
        cleared = await client.delete(PATH, params={"roleId": employee}, headers=admin)
        assert (cleared.status_code, cleared.json()) == (200, {"ok": True, **scope})
    assert (await client.get(PATH, params={"roleId": employee}, headers=admin)).json()["settings"] == EMPTY


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"groupOrder": "x"}, ["groupOrder"]),
        ({"groupOrder": ["x"] * 201}, ["groupOrder"]),
        ({"hiddenItems": ["x"] * 501}, ["hiddenItems"]),
        ({"hiddenItems": [""]}, ["hiddenItems"]),
        ({"groupLabels": {"a": "x" * 121}}, ["groupLabels"]),
        ({"itemOrder": {"g": ["x"] * 501}}, ["itemOrder"]),
        ({"applyToRoles": ["x"]}, ["applyToRoles"]),
        ({"scope": {"type": "team"}}, ["scope"]),
        ({"scope": {"type": "role"}}, ["scope"]),
        (
            {"scope": {"type": "role", "roleId": str(uuid4())}, "applyToRoles": [str(uuid4())]},
            ["applyToRoles"],
        ),
    ],
)
async def test_bad_layouts(
    client: httpx.AsyncClient, admin: Headers, body: dict[str, Any], fields: list[str]
) -> None:
    response = await put(client, admin, body)

    assert response.status_code == 400
    assert response.json()["error"] == "Invalid payload"
    assert list(response.json()["details"]["fieldErrors"]) == fields


async def test_bad_bodies_and_roles(client: httpx.AsyncClient, house: House, admin: Headers) -> None:
    headers = admin | {"content-type": "application/json"}
    broken = await client.put(PATH, content=b"{bad", headers=headers)
    listed = await client.put(PATH, content=b"[]", headers=headers)
    unknown = str(uuid4())
    missing = await put(client, admin, LAYOUT | {"applyToRoles": [unknown]})
    absent = await put(client, admin, LAYOUT | {"scope": {"type": "role", "roleId": unknown}})

    assert (broken.status_code, broken.json()) == (400, {"error": "Invalid JSON"})
    assert listed.json()["details"]["formErrors"]
    assert (missing.status_code, missing.json()) == (400, {"error": "Invalid roles", "missing": [unknown]})
    assert (absent.status_code, absent.json()) == (404, {"error": "Role not found"})
    assert (await client.delete(PATH, headers=admin)).status_code == 400
    assert (await client.get(PATH, params={"roleId": unknown}, headers=admin)).status_code == 404
    assert (await client.get(PATH, params={"roleId": "x"}, headers=admin)).status_code == 400


async def test_roles_of_other_tenants_are_unknown(
    client: httpx.AsyncClient, admin: Headers, make_house: Callable[[], Awaitable[House]]
) -> None:
    foreign = await role_id(await make_house(), "employee")

    assert (await put(client, admin, LAYOUT | {"applyToRoles": [foreign]})).status_code == 400
    assert (await client.get(PATH, params={"roleId": foreign}, headers=admin)).status_code == 404


async def test_a_stale_layout_is_refused(client: httpx.AsyncClient, admin: Headers) -> None:
    first = (await put(client, admin, LAYOUT)).json()["updatedAt"]
    lock = {"x-om-ext-optimistic-lock-expected-updated-at": first}

    assert (await put(client, admin | lock, EMPTY)).status_code == 200
    refused = await put(client, admin | lock, LAYOUT)

    assert (refused.status_code, refused.json()["code"]) == (409, "optimistic_lock_conflict")


async def test_keys_without_a_person_have_no_layout(client: httpx.AsyncClient, house: House) -> None:
    _, secret = await house.add_api_key(["admin"], creator=None)

    response = await put(client, {"x-api-key": secret}, LAYOUT)

    assert response.status_code == 403


async def test_people_have_layouts_of_their_own(
    client: httpx.AsyncClient, house: House, admin: Headers
) -> None:
    await put(client, admin, LAYOUT)
    await house.add_user("second", role_names=["admin"])

    other = await client.get(PATH, headers=await house.sign_in("second"))

    assert other.json()["settings"] == EMPTY


# Variants


async def make(client: httpx.AsyncClient, headers: Headers, **body: Any) -> dict[str, Any]:
    response = await client.post(VARIANTS, json=body, headers=headers)
    assert response.status_code == 200, response.text
    assert set(response.json()) == {"locale", "variant"}
    return response.json()["variant"]


async def test_unnamed_variants_are_numbered(client: httpx.AsyncClient, admin: Headers) -> None:
    names = [(await make(client, admin))["name"] for _ in range(3)]
    assert names == ["My preferences", "My preferences 2", "My preferences 3"]

    listed = await client.get(VARIANTS, headers=admin)
    await client.delete(f"{VARIANTS}/{listed.json()['variants'][1]['id']}", headers=admin)

    assert (await make(client, admin))["name"] == "My preferences 2"
    assert listed.headers["cache-control"].startswith("no-store")
    assert [one["name"] for one in listed.json()["variants"]] == names


async def test_a_variant_through_its_life(client: httpx.AsyncClient, admin: Headers) -> None:
    made = await make(client, admin, name="  Work  ", settings={"groupOrder": ["b", "a"]})
    assert set(made) == {"id", "name", "isActive", "settings", "createdAt", "updatedAt"}
    assert (made["name"], made["isActive"]) == ("Work", False)
    assert made["settings"] == EMPTY | {"groupOrder": ["b", "a"]}
    place = f"{VARIANTS}/{made['id']}"

    changed = await client.put(place, json={"name": "Play", "isActive": True}, headers=admin)

    assert changed.status_code == 200
    assert changed.headers["x-om-operation"].startswith("omop:")
    shown = (await client.get(place, headers=admin)).json()["variant"]
    assert shown == changed.json()["variant"]
    assert (shown["name"], shown["isActive"], shown["settings"]) == ("Play", True, made["settings"])
    gone = await client.delete(place, headers=admin)
    assert (gone.status_code, gone.json()) == (200, {"ok": True})
    assert (await client.get(place, headers=admin)).status_code == 404
    assert (await undo_last(client, admin)).status_code == 200
    assert (await client.get(place, headers=admin)).json()["variant"]["name"] == "Play"


async def test_one_variant_is_in_use_at_a_time(client: httpx.AsyncClient, admin: Headers) -> None:
    first = await make(client, admin, isActive=True)
    second = await make(client, admin, isActive=True)
    await client.put(f"{VARIANTS}/{first['id']}", json={"isActive": True}, headers=admin)

    found = (await client.get(VARIANTS, headers=admin)).json()["variants"]

    assert {one["id"]: one["isActive"] for one in found} == {first["id"]: True, second["id"]: False}
    assert (await undo_last(client, admin)).status_code == 200
    found = (await client.get(VARIANTS, headers=admin)).json()["variants"]
    assert {one["id"]: one["isActive"] for one in found} == {first["id"]: False, second["id"]: True}


async def test_names_are_unique(client: httpx.AsyncClient, admin: Headers) -> None:
    await make(client, admin, name="Work")
    other = await make(client, admin, name="Play")

    created = await client.post(VARIANTS, json={"name": " Work "}, headers=admin)
    renamed = await client.put(f"{VARIANTS}/{other['id']}", json={"name": "Work"}, headers=admin)

    for response in (created, renamed):
        assert (response.status_code, response.json()["code"]) == (409, "duplicate_name")
    assert (
        await client.put(f"{VARIANTS}/{other['id']}", json={"name": "Play"}, headers=admin)
    ).status_code == 200


@pytest.mark.parametrize("body", [{"name": " "}, {"name": "x" * 121}, {"settings": {"groupOrder": 1}}])
async def test_bad_variants(client: httpx.AsyncClient, admin: Headers, body: dict[str, Any]) -> None:
    assert (await client.post(VARIANTS, json=body, headers=admin)).status_code == 400


async def test_variants_of_others_are_unknown(
    client: httpx.AsyncClient, house: House, admin: Headers
) -> None:
    mine = await make(client, admin)
    await house.add_user("second", role_names=["admin"])
    other = await house.sign_in("second")
    place = f"{VARIANTS}/{mine['id']}"

    assert (await client.get(place, headers=other)).status_code == 404
    assert (await client.put(place, json={"name": "x"}, headers=other)).status_code == 404
    assert (await client.delete(place, headers=other)).status_code == 404
    assert (await client.get(VARIANTS, headers=other)).json()["variants"] == []
    assert (await client.get(f"{VARIANTS}/nope", headers=other)).status_code == 400
