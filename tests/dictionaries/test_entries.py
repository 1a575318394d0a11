"""Creating, changing, moving and deleting entries (contract: dictionaries.md sections 3 and 6)."""

from typing import Any
from uuid import uuid4

import pytest

from tests.dictionaries.conftest import Desk

LOCK = "x-om-ext-optimistic-lock-expected-updated-at"


async def positions(desk: Desk, dictionary: str) -> list[tuple[str, int]]:
    return [(item["value"], item["position"]) for item in (await desk.get(f"{dictionary}/entries"))["items"]]


async def defaults(desk: Desk, dictionary: str) -> list[str]:
    return [item["value"] for item in (await desk.get(f"{dictionary}/entries"))["items"] if item["isDefault"]]


# Create


async def test_given_a_value_with_blanks_around_then_it_is_trimmed_and_the_rest_is_the_default(
    desk: Desk,
) -> None:
    path = await desk.dictionary()
    made = await desk.post(f"{path}/entries", {"value": " Red "}, 201)
    assert made == {
        "id": made["id"],
        "value": "Red",
        "label": "Red",
        "color": None,
        "icon": None,
        "position": 0,
        "isDefault": False,
        "createdAt": made["createdAt"],
        "updatedAt": made["createdAt"],
    }
    assert (await desk.get(f"{path}/entries"))["items"] == [made]


async def test_given_every_field_then_it_is_kept(desk: Desk) -> None:
    body = {
        "value": "v" * 150,
        "label": "l" * 150,
        "color": "#abcdef",
        "icon": "i" * 64,
        "position": 2_147_483_647,
    }
    made = await desk.post(f"{await desk.dictionary()}/entries", body, 201)
    assert {key: made[key] for key in body} == body


@pytest.mark.parametrize("value", ["RED", "red", "  Red  "])
async def test_given_another_case_of_a_value_that_exists_then_409(desk: Desk, value: str) -> None:
    path = await desk.dictionary()
    await desk.entries(path, "Red")
    assert (await desk.post(f"{path}/entries", {"value": value}, 409))["error"]
    assert await desk.values(path) == ["Red"]


async def test_given_the_same_value_in_two_dictionaries_then_both_have_it(desk: Desk) -> None:
    for key in ("colors", "hues"):
        await desk.entries(await desk.dictionary(key), "red")


WRONG: list[dict[str, Any]] = [
    *({"value": "   "}, {"value": ""}, {"value": "x" * 151}, {"value": 5}, {"value": None}),
    *({"value": "a", "color": "#abc"}, {"value": "a", "color": "red"}, {"value": "a", "color": "#12345g"}),
    *({"value": "a", "color": ""}, {"value": "a", "icon": ""}, {"value": "a", "icon": "x" * 65}),
    *({"value": "a", "position": -1}, {"value": "a", "position": 1.5}, {"value": "a", "position": "1"}),
    *({"value": "a", "position": 2**31}, {"value": "a", "position": None}, {"value": "a", "label": ""}),
    *({"value": "a", "label": "x" * 151}, {"value": "a", "label": None}),
]


@pytest.mark.parametrize("body", [*WRONG, {}])
async def test_given_a_wrong_field_then_400_with_details_and_nothing_is_made(
    desk: Desk, body: dict[str, Any]
) -> None:
    path = await desk.dictionary()
    answer = await desk.post(f"{path}/entries", body, 400)
    assert answer["error"] and answer["details"]
    assert await desk.values(path) == []


async def test_given_a_color_then_it_is_lower_case_and_null_is_none(desk: Desk) -> None:
    path = await desk.dictionary()
    assert (await desk.post(f"{path}/entries", {"value": "a", "color": " #ABCDEF "}, 201))[
        "color"
    ] == "#abcdef"
    assert (await desk.post(f"{path}/entries", {"value": "b", "color": None, "icon": None}, 201))[
        "color"
    ] is None


async def test_given_a_default_flag_at_creation_then_it_is_ignored(desk: Desk) -> None:
    made = await desk.post(f"{await desk.dictionary()}/entries", {"value": "a", "isDefault": True}, 201)
    assert made["isDefault"] is False


async def test_given_an_unknown_dictionary_then_404_and_garbage_then_400(desk: Desk) -> None:
    await desk.post(f"/dictionaries/{uuid4()}/entries", {"value": "a"}, 404)
    await desk.post("/dictionaries/abc/entries", {"value": "a"}, 400)
    await desk.get(f"/dictionaries/{uuid4()}/entries", 404)
    await desk.get("/dictionaries/abc/entries", 400)


# Update


async def test_given_another_case_of_its_own_value_then_nothing_changes(desk: Desk) -> None:
    path = await desk.dictionary()
    (id,) = await desk.entries(path, "Red")
    before = (await desk.get(f"{path}/entries"))["items"]
    answer = await desk.ask("PATCH", f"{path}/entries/{id}", {"value": " RED "})
    assert answer.status_code == 200 and answer.json()["value"] == "Red"
    assert "x-om-operation" not in answer.headers
    assert (await desk.get(f"{path}/entries"))["items"] == before


async def test_given_a_new_value_then_the_label_goes_with_it_unless_given(desk: Desk) -> None:
    path = await desk.dictionary()
    made = await desk.post(f"{path}/entries", {"value": "Red", "label": "Czerwony"}, 201)
    changed = await desk.patch(f"{path}/entries/{made['id']}", {"value": "Blue"})
    assert (changed["value"], changed["label"]) == ("Blue", "Blue")
    changed = await desk.patch(f"{path}/entries/{made['id']}", {"value": "Green", "label": "X"})
    assert (changed["value"], changed["label"]) == ("Green", "X")
    changed = await desk.patch(f"{path}/entries/{made['id']}", {"label": "Y"})
    assert (changed["value"], changed["label"]) == ("Green", "Y")


async def test_given_a_value_that_another_has_then_409_and_nothing_changes(desk: Desk) -> None:
    path = await desk.dictionary()
    _, blue = await desk.entries(path, "red", "blue")
    await desk.patch(f"{path}/entries/{blue}", {"value": "RED", "label": "X"}, 409)
    assert await desk.values(path) == ["red", "blue"]


@pytest.mark.parametrize(
    "body", [*({**wrong, "value": "b"} for wrong in WRONG if len(wrong) > 1), {}, {"foo": 1}]
)
async def test_given_a_wrong_change_then_400_and_nothing_changes(desk: Desk, body: dict[str, Any]) -> None:
    path = await desk.dictionary()
    (id,) = await desk.entries(path, "a")
    before = await desk.get(f"{path}/entries")
    assert (await desk.patch(f"{path}/entries/{id}", body, 400))["details"]
    assert await desk.get(f"{path}/entries") == before


async def test_given_null_then_colour_and_icon_are_cleared(desk: Desk) -> None:
    path = await desk.dictionary()
    made = await desk.post(f"{path}/entries", {"value": "a", "color": "#ffffff", "icon": "x"}, 201)
    changed = await desk.patch(f"{path}/entries/{made['id']}", {"color": None, "icon": None})
    assert (changed["color"], changed["icon"]) == (None, None)
    await desk.patch(f"{path}/entries/{made['id']}", {"label": None}, 400)


async def test_given_an_entry_of_another_dictionary_then_404(desk: Desk) -> None:
    path, other = await desk.dictionary("a"), await desk.dictionary("b")
    (id,) = await desk.entries(other, "red")
    await desk.patch(f"{path}/entries/{id}", {"label": "x"}, 404)
    await desk.patch(f"{path}/entries/{id}", {"value": "x"}, 404)
    await desk.delete(f"{path}/entries/{id}", 404)
    await desk.post(f"{path}/entries/set-default", {"entryId": id}, 404)
    assert await desk.values(other) == ["red"]


async def test_given_a_default_when_another_is_made_it_by_a_change_then_there_is_one(desk: Desk) -> None:
    path = await desk.dictionary()
    red, blue = await desk.entries(path, "red", "blue")
    await desk.patch(f"{path}/entries/{red}", {"isDefault": True})
    assert (await desk.patch(f"{path}/entries/{blue}", {"isDefault": True}))["isDefault"] is True
    assert await defaults(desk, path) == ["blue"]
    await desk.patch(f"{path}/entries/{blue}", {"isDefault": False})
    assert await defaults(desk, path) == []


async def test_given_a_stale_time_then_409_for_a_change_and_a_deletion(desk: Desk) -> None:
    path = await desk.dictionary()
    made = await desk.post(f"{path}/entries", {"value": "a"}, 201)
    where = f"{path}/entries/{made['id']}"
    changed = await desk.patch(where, {"label": "newer"})
    for method, body in (("PATCH", {"label": "mine"}), ("DELETE", None)):
        answer = await desk.ask(method, where, body, **{LOCK: made["updatedAt"]})
        assert (answer.status_code, answer.json()["code"]) == (409, "optimistic_lock_conflict")
    assert (await desk.ask("DELETE", where, None, **{LOCK: changed["updatedAt"]})).status_code == 200


# Delete


async def test_given_an_entry_when_deleted_twice_then_200_and_404(desk: Desk) -> None:
    path = await desk.dictionary()
    red, _ = await desk.entries(path, "red", "blue")
    assert await desk.delete(f"{path}/entries/{red}") == {"ok": True}
    await desk.delete(f"{path}/entries/{red}", 404)
    assert await desk.values(path) == ["blue"]
    await desk.delete(f"{path}/entries/abc", 400)


# Reorder


async def test_given_new_places_then_the_list_is_in_their_order_and_the_rest_stays(desk: Desk) -> None:
    path = await desk.dictionary()
    a, _, c = await desk.entries(path, "a", "b", "c")
    body = {"entries": [{"id": a, "position": 2}, {"id": c, "position": 0}]}
    assert await desk.post(f"{path}/entries/reorder", body) == {"ok": True}
    assert await positions(desk, path) == [("c", 0), ("b", 1), ("a", 2)]


async def test_given_the_same_place_then_entries_stand_by_label(desk: Desk) -> None:
    path = await desk.dictionary()
    for value in ("b", "C", "a"):
        await desk.post(f"{path}/entries", {"value": value}, 201)
    assert await desk.values(path) == ["a", "b", "C"]


async def test_given_an_id_twice_then_its_last_place_counts(desk: Desk) -> None:
    path = await desk.dictionary()
    a, _ = await desk.entries(path, "a", "b")
    await desk.post(
        f"{path}/entries/reorder", {"entries": [{"id": a, "position": 7}, {"id": a, "position": 5}]}
    )
    assert await positions(desk, path) == [("b", 1), ("a", 5)]


async def test_given_only_unknown_ids_then_200_and_nothing_to_undo(desk: Desk) -> None:
    path = await desk.dictionary()
    await desk.entries(path, "a")
    body = {"entries": [{"id": str(uuid4()), "position": 3}]}
    answer = await desk.ask("POST", f"{path}/entries/reorder", body)
    assert answer.status_code == 200 and "x-om-operation" not in answer.headers


async def test_given_an_entry_of_another_dictionary_then_it_stays_where_it_is_and_out_of_the_record(
    desk: Desk,
) -> None:
    path, other = await desk.dictionary("a"), await desk.dictionary("b")
    (mine,), (theirs,) = await desk.entries(path, "mine"), await desk.entries(other, "theirs")
    body = {"entries": [{"id": theirs, "position": 9}, {"id": mine, "position": 9}]}
    operation = await desk.did("POST", f"{path}/entries/reorder", body)
    assert await positions(desk, other) == [("theirs", 0)]
    action = (await desk.get("/audit_logs/audit-logs/actions?limit=1"))["items"][0]
    assert action["id"] == operation["id"]
    assert action["snapshotAfter"]["positions"] == [{"id": mine, "position": 9}]
    assert action["snapshotBefore"]["positions"] == [{"id": mine, "position": 0}]


@pytest.mark.parametrize(
    "body",
    [
        *(
            {"entries": []},
            {},
            {"entries": "x"},
            {"entries": [{}]},
            {"entries": [{"id": "x", "position": 0}]},
        ),
        {"entries": [{"id": "00000000-0000-4000-8000-000000000000", "position": -1}]},
        {"entries": [{"id": "00000000-0000-4000-8000-000000000000"}]},
    ],
)
async def test_given_a_wrong_list_of_places_then_400(desk: Desk, body: dict[str, Any]) -> None:
    path = await desk.dictionary()
    assert (await desk.post(f"{path}/entries/reorder", body, 400))["details"]


# Default


async def test_given_two_in_turn_then_the_last_is_the_default_and_undo_gives_the_first_again(
    desk: Desk,
) -> None:
    path = await desk.dictionary()
    a, b = await desk.entries(path, "a", "b")
    assert await desk.post(f"{path}/entries/set-default", {"entryId": a}) == {"ok": True}
    operation = await desk.did("POST", f"{path}/entries/set-default", {"entryId": b})
    assert await defaults(desk, path) == ["b"]
    await desk.undo(operation["undoToken"])
    assert await defaults(desk, path) == ["a"]
    await desk.redo(operation["id"])
    assert await defaults(desk, path) == ["b"]


async def test_given_no_entry_of_that_id_then_404_and_garbage_then_400(desk: Desk) -> None:
    path = await desk.dictionary()
    await desk.post(f"{path}/entries/set-default", {"entryId": str(uuid4())}, 404)
    for body in ({"entryId": "abc"}, {"entryId": None}, {}):
        await desk.post(f"{path}/entries/set-default", body, 400)
