"""What a single definition may be, and what is refused (contract: entities.md 0.3, 1.2, 1.3 and 2.2)."""

from typing import Any

import pytest

from tests.entities.conftest import THING, Desk


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"entityId": "Bad:Id"}, "entityId"),
        ({"entityId": "bad"}, "entityId"),
        ({"key": "Größe"}, "key"),
        ({"key": "x" * 101}, "key"),
        ({"key": ""}, "key"),
        ({"kind": "number"}, "kind"),
        ({"isActive": "yes"}, "isActive"),
        ({"configJson": None}, "configJson"),
        ({"configJson": {"label": "x" * 201}}, "configJson"),
        ({"configJson": {"description": "x" * 2001}}, "configJson"),
        ({"configJson": {"optionsUrl": "/api/things"}}, "configJson"),
        ({"configJson": {"options": [{"value": "a"}]}}, "configJson"),
        ({"configJson": {"multi": "true"}}, "configJson"),
        ({"configJson": {"priority": "1"}}, "configJson"),
        ({"configJson": {"dictionaryId": "x"}}, "configJson"),
        ({"configJson": {"fieldset": "Not A Code"}}, "configJson"),
        ({"configJson": {"group": {"title": "no code"}}}, "configJson"),
        ({"configJson": {"validation": [{"rule": "required", "message": ""}]}}, "configJson"),
        ({"configJson": {"validation": [{"rule": "lt", "message": "x"}]}}, "configJson"),
        ({"configJson": {"validation": [{"rule": "regex", "message": "x", "param": 5}]}}, "configJson"),
        ({"configJson": {"validation": [{"rule": "odd", "message": "x"}]}}, "configJson"),
        ({"configJson": {"validation": [{"rule": "date", "message": "x"}] * 33}}, "configJson"),
    ],
)
async def test_given_a_wrong_field_then_400_says_which(desk: Desk, body: dict[str, Any], field: str) -> None:
    answer = await desk.post(
        "/entities/definitions", {"entityId": THING, "key": "size", "kind": "text", **body}, 400
    )
    assert list(answer["details"]["fieldErrors"]) == [field] and answer["details"]["formErrors"] == []
    assert await desk.keys() == []


async def test_given_a_missing_field_or_no_json_then_400(desk: Desk) -> None:
    answer = await desk.post("/entities/definitions", {"entityId": THING}, 400)
    assert set(answer["details"]["fieldErrors"]) == {"key", "kind"}
    headers = {**desk.person.headers, "content-type": "application/json"}
    broken = await desk.client.post("/entities/definitions", content=b"{", headers=headers)
    assert broken.status_code == 400 and list(broken.json()) == ["error"]
    shapeless = await desk.ask("POST", "/entities/definitions", [1])
    assert shapeless.status_code == 400 and shapeless.json()["details"]["formErrors"]


async def test_given_unknown_keys_then_only_those_of_the_configuration_are_kept(desk: Desk) -> None:
    item = (
        await desk.post(
            "/entities/definitions",
            {
                "entityId": THING,
                "key": "size",
                "kind": "text",
                "extra": 1,
                "configJson": {"extra": [1, {"a": 2}]},
            },
        )
    )["item"]
    assert item["configJson"]["extra"] == [1, {"a": 2}] and "extra" not in item


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("dictionary", {}),
        ("boolean", {"defaultValue": "true"}),
        ("integer", {"defaultValue": 1.5}),
        ("integer", {"defaultValue": "1"}),
        ("integer", {"defaultValue": True}),
        ("float", {"defaultValue": "1.5"}),
        ("text", {"defaultValue": 1}),
        ("multiline", {"defaultValue": ["x"]}),
        ("date", {"defaultValue": 5}),
        ("currency", {"defaultValue": 5}),
        ("select", {"options": ["a", "b"], "defaultValue": "c"}),
        ("select", {"defaultValue": True}),
        ("relation", {"defaultValue": "x"}),
        ("attachment", {"defaultValue": "x"}),
    ],
)
async def test_given_a_default_that_does_not_fit_then_400_without_details(
    desk: Desk, kind: str, config: dict[str, Any]
) -> None:
    body = {"entityId": THING, "key": "size", "kind": kind, "configJson": config}
    answer = await desk.post("/entities/definitions", body, 400)
    assert list(answer) == ["error"] and await desk.keys() == []


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        *(
            ("boolean", {"defaultValue": False}),
            ("float", {"defaultValue": 1.5}),
            ("phone", {"defaultValue": 5}),
        ),
        *(("date", {"defaultValue": "whenever"}), ("select", {"options": ["a", 2], "defaultValue": "a"})),
        *(
            ("select", {"defaultValue": 5}),
            ("relation", {"defaultValue": None}),
            ("currency", {"defaultValue": "EUR"}),
        ),
    ],
)
async def test_given_a_default_that_fits_then_200(desk: Desk, kind: str, config: dict[str, Any]) -> None:
    await desk.define("size", kind, **config)
    assert (await desk.fields())[0]["defaultValue"] == config["defaultValue"]


@pytest.mark.parametrize(
    "value", [10**30, 10**19, -(10**25), 12345.678, 0.1, {"a": {"b": [{}] * 3}}, "\U0001f642", [[[[[[1]]]]]]]
)
async def test_given_a_strange_value_then_the_configuration_keeps_it_exactly(desk: Desk, value: Any) -> None:
    item = await desk.define("size", unit=value)
    assert item["configJson"]["unit"] == value
    assert (await desk.managed())["items"][0]["configJson"]["unit"] == value


@pytest.mark.parametrize("place", ['"entityId"', '"configJson": {"unit": ["x\\u0000"]}, "x"', '"x\\u0000"'])
async def test_given_a_nul_character_then_400(desk: Desk, place: str) -> None:
    body = f'{{"entityId": "user:thing", "key": "size", "kind": "text", {place}: "a\\u0000b"}}'
    headers = {**desk.person.headers, "content-type": "application/json"}
    for path in ("/entities/definitions", "/entities/definitions.batch", "/entities/entities"):
        answer = await desk.client.post(path, content=body.encode(), headers=headers)
        assert answer.status_code == 400, answer.text
    gone = await desk.client.request(
        "DELETE", "/entities/definitions", content=body.encode(), headers=headers
    )
    assert gone.status_code == 400
