"""Creating, changing and deleting dictionaries (contract: dictionaries.md sections 3 and 6)."""

from uuid import UUID, uuid4

import pytest

from app.main import Application
from commands.dictionaries import SeedDictionary, SeedEntry
from domain.scope import system_scope
from tests.conftest import Tenant
from tests.dictionaries.conftest import Desk

LOCK = "x-om-ext-optimistic-lock-expected-updated-at"


async def seeded(
    application: Application, tenant: Tenant, key: str, *values: str, visibility: str = "default"
) -> str:
    """The path of a system dictionary, made as an installation makes it."""
    command = SeedDictionary(
        organization_id=tenant.organization_id,
        key=key,
        name=key,
        visibility="hidden" if visibility == "hidden" else "default",
        entries=[SeedEntry(value=value) for value in values],
    )
    outcome = await application.bus.execute(command, system_scope(tenant.id))
    return f"/dictionaries/{outcome.result['id']}"


async def test_given_nothing_but_key_and_name_then_the_defaults_are_the_documented_ones(
    desk: Desk, tenant: Tenant
) -> None:
    made = await desk.post("/dictionaries", {"key": "colors", "name": "  Colors "}, 201)
    assert UUID(made["id"]).version == 4
    assert made == {
        "id": made["id"],
        "key": "colors",
        "name": "Colors",
        "description": None,
        "isSystem": False,
        "isActive": True,
        "managerVisibility": "default",
        "entrySortMode": "label_asc",
        "organizationId": str(tenant.organization_id),
        "isInherited": False,
        "createdAt": made["createdAt"],
        "updatedAt": made["createdAt"],
    }
    assert await desk.get(f"/dictionaries/{made['id']}") == made
    assert (await desk.get("/dictionaries"))["items"] == [made]


@pytest.mark.parametrize(
    "body",
    [
        *({"key": "Colors", "name": "x"}, {"key": "_a", "name": "x"}, {"key": "-a", "name": "x"}, {}),
        *({"key": "a.b", "name": "x"}, {"key": "a b", "name": "x"}, {"key": "ä", "name": "x"}, {"key": "a"}),
        *({"key": "", "name": "x"}, {"key": "a", "name": ""}, {"key": "a", "name": "   "}, {"name": "x"}),
        *({"key": "a" * 101, "name": "x"}, {"key": "a", "name": "x" * 201}),
        *(
            {"key": "a", "name": "x", "description": "x" * 2001},
            {"key": "a", "name": "x", "description": None},
        ),
        *({"key": "a", "name": "x", "isSystem": 1}, {"key": "a", "name": "x", "entrySortMode": "upwards"}),
    ],
)
async def test_given_a_wrong_field_then_400_and_nothing_is_made(desk: Desk, body: dict[str, object]) -> None:
    assert (await desk.post("/dictionaries", body, 400))["error"]
    assert (await desk.get("/dictionaries"))["items"] == []


async def test_given_the_longest_texts_then_they_are_kept(desk: Desk) -> None:
    body = {"key": "k" * 100, "name": "ñ" * 200, "description": "d" * 2000}
    made = await desk.post("/dictionaries", body, 201)
    assert {key: made[key] for key in body} == body


async def test_given_an_empty_description_then_it_is_null(desk: Desk) -> None:
    assert (await desk.post("/dictionaries", {"key": "a", "name": "A", "description": ""}, 201))[
        "description"
    ] is None


async def test_given_unknown_keys_and_a_visibility_then_they_are_dropped(desk: Desk) -> None:
    made = await desk.post(
        "/dictionaries", {"key": "a", "name": "A", "managerVisibility": "hidden", "x": 1}, 201
    )
    assert made["managerVisibility"] == "default" and "x" not in made


async def test_given_a_taken_key_then_409(desk: Desk) -> None:
    await desk.dictionary("colors")
    assert (await desk.post("/dictionaries", {"key": "colors", "name": "x"}, 409))["error"]


async def test_given_a_deleted_dictionary_then_its_key_is_free_again(desk: Desk) -> None:
    first = await desk.dictionary("colors")
    await desk.delete(first)
    assert await desk.dictionary("colors") != first


async def test_given_a_hidden_dictionary_then_it_is_listed(
    desk: Desk, application: Application, tenant: Tenant
) -> None:
    await seeded(application, tenant, "sales.order_status", "draft", visibility="hidden")
    assert [item["managerVisibility"] for item in (await desk.get("/dictionaries"))["items"]] == ["hidden"]


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        *(
            ("", ["active"]),
            ("?includeInactive=true", ["active", "sleeping"]),
            ("?includeInactive=banana", ["active"]),
        ),
        *(
            ("?includeInactive=1", ["active", "sleeping"]),
            ("?includeInactive=%20YES%20", ["active", "sleeping"]),
        ),
        *(
            ("?includeInactive=false", ["active"]),
            ("?includeInactive=", ["active"]),
            ("?page=7&foo=1", ["active"]),
        ),
    ],
)
async def test_given_one_made_inactive_then_it_is_listed_only_when_asked_for(
    desk: Desk, query: str, keys: list[str]
) -> None:
    await desk.dictionary("active")
    sleeping = await desk.dictionary("sleeping", isActive=False)
    assert [item["key"] for item in (await desk.get(f"/dictionaries{query}"))["items"]] == keys
    assert (await desk.get(sleeping))["isActive"] is False


async def test_given_several_then_they_are_listed_by_name(desk: Desk) -> None:
    for key, name in (("a", "Zebra"), ("b", "apple"), ("c", "Mango")):
        await desk.post("/dictionaries", {"key": key, "name": name}, 201)
    assert [item["name"] for item in (await desk.get("/dictionaries"))["items"]] == [
        "apple",
        "Mango",
        "Zebra",
    ]


# Update


async def test_given_fields_then_they_change_and_the_rest_stays(desk: Desk) -> None:
    path = await desk.dictionary("colors", description="old")
    before = await desk.get(path)
    changes = {"key": "hues", "name": "Hues", "entrySortMode": "value_desc"}
    after = await desk.patch(path, changes)
    assert (
        after == {**before, **changes, "updatedAt": after["updatedAt"]}
        and after["updatedAt"] > before["updatedAt"]
    )
    assert (await desk.patch(path, {"description": ""}))["description"] is None
    assert await desk.get(path) == await desk.patch(path, {"isSystem": True})


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"foo": 1}, {"key": "Bad Key!"}, {"key": "_x"}, {"key": ""}, {"name": ""}, {"name": 1}),
        *(
            {"isActive": "no"},
            {"managerVisibility": "hidden"},
            {"description": None},
            {"entrySortMode": None},
        ),
        {"key": "x" * 101},
    ],
)
async def test_given_a_wrong_change_then_400_and_nothing_changes(desk: Desk, body: dict[str, object]) -> None:
    path = await desk.dictionary()
    before = await desk.get(path)
    assert (await desk.patch(path, body, 400))["error"]
    assert await desk.get(path) == before


async def test_given_is_system_in_a_change_then_it_has_no_effect(desk: Desk) -> None:
    assert (await desk.patch(await desk.dictionary(), {"isSystem": True}))["isSystem"] is False


async def test_given_a_system_dictionary_then_its_own_key_is_accepted_as_it_is(
    desk: Desk, application: Application, tenant: Tenant
) -> None:
    path = await seeded(application, tenant, "sales.order_status")
    await desk.dictionary("taken")
    assert (await desk.patch(path, {"key": "sales.order_status", "name": "N"}))["name"] == "N"
    await desk.patch(path, {"key": "Bad Key!"}, 400)
    await desk.patch(path, {"key": "sales.other"}, 400)
    await desk.patch(path, {"key": "taken"}, 409)
    assert (await desk.get(path))["key"] == "sales.order_status"
    assert (await desk.patch(path, {"key": " NEW "}))["key"] == "new"


@pytest.mark.parametrize("key", ["currency", "currencies"])
async def test_given_the_currency_dictionary_then_it_is_protected(
    desk: Desk, application: Application, tenant: Tenant, key: str
) -> None:
    path = await seeded(application, tenant, key, "EUR")
    await desk.patch(path, {"key": "cur"}, 400)
    await desk.patch(path, {"isActive": False}, 400)
    await desk.delete(path, 400)
    assert (await desk.patch(path, {"name": "Money", "description": "d"}))["name"] == "Money"
    assert (await desk.patch(path, {"key": f"{key.upper()} "}))["key"] == key
    assert (await desk.patch(path, {"isActive": True}))["isActive"] is True
    (entry,) = (await desk.get(f"{path}/entries"))["items"]
    await desk.delete(f"{path}/entries/{entry['id']}")
    assert await desk.values(path) == []


async def test_given_a_deactivated_dictionary_then_it_is_gone(desk: Desk) -> None:
    path = await desk.dictionary()
    assert (await desk.patch(path, {"isActive": False}))["isActive"] is False
    await desk.get(path, 404)
    await desk.get(f"{path}/entries", 404)
    await desk.patch(path, {"isActive": True}, 404)
    assert (await desk.get("/dictionaries?includeInactive=true"))["items"] == []


async def test_given_a_deleted_dictionary_then_404_and_its_entries_stay_in_the_table(
    desk: Desk, application: Application
) -> None:
    path = await desk.dictionary()
    await desk.entries(path, "red", "blue")
    assert await desk.delete(path) == {"ok": True}
    assert (await desk.delete(path, 404))["error"]
    await desk.post(f"{path}/entries", {"value": "x"}, 404)
    async with application.database.system() as connection:
        kept = await connection.fetchval(
            "select count(*) from dictionary_entries where dictionary_id = $1", UUID(path.rpartition("/")[2])
        )
    assert kept == 2


# Ids and rights


async def test_given_an_id_that_is_none_then_400_and_an_unknown_one_then_404(desk: Desk) -> None:
    for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        assert (await desk.ask(method, "/dictionaries/abc", body)).status_code == 400
        assert (await desk.ask(method, f"/dictionaries/{uuid4()}", body)).status_code == 404


async def test_given_an_employee_then_they_may_look_but_not_change(desk: Desk, employee: Desk) -> None:
    path = await desk.dictionary()
    (entry,) = await desk.entries(path, "red")
    assert (await employee.get(path))["key"] == "colors" and await employee.values(path) == ["red"]
    for method, where, body in (
        ("POST", "/dictionaries", {"key": "a", "name": "A"}),
        ("PATCH", path, {"name": "A"}),
        ("DELETE", path, None),
        ("POST", f"{path}/entries", {"value": "x"}),
        ("PATCH", f"{path}/entries/{entry}", {"value": "x"}),
        ("DELETE", f"{path}/entries/{entry}", None),
        ("POST", f"{path}/entries/reorder", {"entries": [{"id": entry, "position": 1}]}),
        ("POST", f"{path}/entries/set-default", {"entryId": entry}),
    ):
        answer = await employee.ask(method, where, body)
        assert answer.status_code == 403, f"{method} {where}"
        assert answer.json()["requiredFeatures"] == ["dictionaries.manage"]


async def test_every_route_is_there_under_api_too(desk: Desk) -> None:
    path = await desk.dictionary()
    assert await desk.get(f"/api{path}") == await desk.get(path)


# Optimistic locking


async def test_given_a_stale_time_then_409_and_nothing_changes(desk: Desk) -> None:
    path = await desk.dictionary()
    seen = (await desk.get(path))["updatedAt"]
    changed = await desk.patch(path, {"name": "Newer"})
    for method, body in (("PATCH", {"name": "Mine"}), ("DELETE", None)):
        answer = await desk.ask(method, path, body, **{LOCK: seen})
        assert answer.status_code == 409
        assert answer.json() == {
            "error": "record_modified",
            "code": "optimistic_lock_conflict",
            "currentUpdatedAt": changed["updatedAt"],
            "expectedUpdatedAt": seen,
        }
    assert await desk.get(path) == changed
    answer = await desk.ask("PATCH", path, {"name": "Mine"}, **{LOCK: changed["updatedAt"]})
    assert answer.status_code == 200


@pytest.mark.parametrize("time", ["garbage", "", "2026-13-45", "null"])
async def test_given_a_time_that_is_none_then_it_is_ignored(desk: Desk, time: str) -> None:
    path = await desk.dictionary()
    assert (await desk.ask("PATCH", path, {"name": "Mine"}, **{LOCK: time})).status_code == 200
