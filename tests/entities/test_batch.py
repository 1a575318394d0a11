"""Saving definitions and fieldsets at once (contract: entities.md 1.6, 1.7 and 2.4)."""

from typing import Any

import pytest

from app.main import Application
from commands.entities.batch import DefinitionEntry, UpsertDefinitions
from tests.conftest import Tenant
from tests.entities.conftest import THING, Desk

DEAL = "customers:customer_deal"
LOCK = "x_om_ext_optimistic_lock_expected_updated_at"


def entry(key: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    return {"key": key, "kind": kind, **more}


async def test_given_definitions_then_their_order_is_their_priority_and_others_stay(desk: Desk) -> None:
    await desk.define("kept", priority=1)
    answer = await desk.batch(entry("b", configJson={"priority": 9}), entry("a"), entry("note", "multiline"))
    assert answer["ok"] is True and answer["version"] == (await desk.managed())["version"]
    fields = {item["key"]: item for item in await desk.fields()}
    assert {key: item["priority"] for key, item in fields.items()} == {"b": 0, "a": 1, "kept": 1, "note": 2}
    assert fields["note"]["editor"] == "markdown" and fields["a"]["label"] == "a"


async def test_given_priorities_then_definitions_take_their_places_among_the_others(
    desk: Desk, elsewhere: Desk
) -> None:
    """One field of the tenant is moved in an organization; the others stay shared."""
    moved = entry("requires_legal_review", "boolean", priority=0.5)
    await desk.post("/entities/definitions.batch", {"entityId": DEAL, "definitions": [moved]})
    order = ["competitive_risk", "requires_legal_review", "implementation_complexity", "estimated_seats"]
    assert await desk.keys(DEAL) == order
    own = [item["key"] for item in (await desk.managed(DEAL))["items"] if item["organizationId"]]
    assert own == ["requires_legal_review"]
    assert (await elsewhere.keys(DEAL))[-1] == "requires_legal_review"
    bad = {"entityId": DEAL, "definitions": [entry("estimated_seats", "integer", priority="first")]}
    await desk.post("/entities/definitions.batch", bad, 400)


async def test_given_one_key_twice_then_the_later_one_counts(desk: Desk) -> None:
    await desk.batch(entry("a", "text"), entry("b"), entry("a", "integer"))
    assert [(item["key"], item["kind"]) for item in await desk.fields()] == [("b", "text"), ("a", "integer")]
    assert len((await desk.managed())["items"]) == 2


async def test_given_an_inactive_definition_then_an_inherited_field_is_hidden_and_keeps_its_configuration(
    desk: Desk, elsewhere: Desk
) -> None:
    answer = await elsewhere.post(
        "/entities/definitions.batch",
        {"entityId": DEAL, "definitions": [entry("competitive_risk", "select", isActive=False)]},
    )
    assert answer["ok"] is True
    assert "competitive_risk" not in await elsewhere.keys(DEAL)
    assert "competitive_risk" in await desk.keys(DEAL)
    await elsewhere.post("/entities/definitions.restore", {"entityId": DEAL, "key": "competitive_risk"})
    item = next(one for one in await elsewhere.fields(DEAL) if one["key"] == "competitive_risk")
    assert [one["value"] for one in item["options"]] == ["low", "medium", "high"]


async def test_given_a_free_configuration_then_a_batch_takes_what_a_single_definition_does_not(
    desk: Desk,
) -> None:
    config = {
        "optionsUrl": "/api/things",
        "options": [{"value": "a", "label": "A"}],
        "group": "main",
        "x": None,
    }
    await desk.batch(entry("size", "select", configJson=config), entry("none", configJson=None))
    item = (await desk.fields())[0]
    assert item["optionsUrl"] == "/api/things" and item["group"] == {"code": "main"}
    assert item["options"] == [{"value": "a", "label": "A"}]


@pytest.mark.parametrize(
    "definition",
    [
        entry("Bad Key"),
        entry("a", "number"),
        entry("a", configJson=5),
        entry("a", configJson={"validation": [{"rule": "lt", "message": "x"}]}),
        entry("a", configJson={"validation": "required"}),
        entry("a", "dictionary"),
        entry("a", "boolean", configJson={"defaultValue": "true"}),
        entry("a", configJson={"label": 5}),
        {"kind": "text"},
    ],
)
async def test_given_one_wrong_definition_then_400_and_none_is_saved(
    desk: Desk, definition: dict[str, Any]
) -> None:
    assert (await desk.batch(entry("good"), definition, status=400))["error"]
    assert await desk.keys() == []


async def test_given_a_row_that_cannot_be_stored_then_none_is_saved(
    desk: Desk, application: Application, tenant: Tenant
) -> None:
    """PostgreSQL refuses the second definition, as the shape of a request never lets one through."""
    broken = UpsertDefinitions(
        entity_id=THING,
        definitions=[
            DefinitionEntry(key="good", kind="text"),
            DefinitionEntry(key="bad", kind="nonsense"),  # type: ignore[arg-type]
        ],
    )
    with pytest.raises(Exception, match="field_definitions_kind_check"):
        await application.bus.execute(broken, tenant.admin.scope)
    assert await desk.keys() == []


async def test_given_1001_definitions_then_400_and_given_none_with_fieldsets_then_200(desk: Desk) -> None:
    await desk.batch(*(entry(f"k{n}") for n in range(1001)), status=400)
    assert await desk.keys() == []
    await desk.batch(fieldsets=[{"code": "basic", "label": "Basic"}])
    managed = await desk.managed()
    assert managed["fieldsets"] == [{"code": "basic", "label": "Basic"}]
    assert managed["version"] is not None


async def test_given_1000_definitions_then_200(desk: Desk) -> None:
    await desk.batch(*(entry(f"k{n}") for n in range(1000)))
    assert await desk.keys() == [f"k{n}" for n in range(1000)]


async def test_given_half_of_the_fieldsets_then_the_other_half_stays(desk: Desk) -> None:
    sets = [
        {
            "code": "basic",
            "label": "Basic",
            "icon": "star",
            "groups": [{"code": "g", "title": "G", "hint": "H"}],
        },
        {"code": "basic", "label": "Again"},
        {"code": "more", "label": "More", "description": "Text"},
    ]
    await desk.batch(fieldsets=sets, singleFieldsetPerRecord=False)
    await desk.batch(singleFieldsetPerRecord=True)
    managed = await desk.managed()
    assert managed["fieldsets"] == [sets[0], sets[2]]
    assert managed["settings"] == {"singleFieldsetPerRecord": True}
    await desk.batch(fieldsets=[])
    answer = await desk.get(f"/entities/definitions?entityId={THING}")
    assert answer["fieldsetsByEntity"] == {THING: []}
    assert answer["entitySettings"] == {THING: {"singleFieldsetPerRecord": True}}


@pytest.mark.parametrize(
    "sets",
    [
        [{"code": "Not a code", "label": "x"}],
        [{"code": "a", "label": ""}],
        [{"code": "a", "label": "x" * 256}],
        [{"code": "a", "label": "x", "icon": "x" * 101}],
        [{"code": "a", "label": "x", "groups": [{"code": "a", "title": "x" * 201}]}],
        [{"code": f"c{n}", "label": "x"} for n in range(21)],
    ],
)
async def test_given_wrong_fieldsets_then_400(desk: Desk, sets: list[Any]) -> None:
    answer = await desk.batch(fieldsets=sets, status=400)
    assert list(answer["details"]["fieldErrors"]) == ["fieldsets"]


async def test_given_an_old_version_then_409_and_without_one_200(desk: Desk) -> None:
    version = (await desk.batch(entry("a")))["version"]
    body = {"entityId": THING, "definitions": [entry("b")]}
    stale = await desk.ask("POST", "/entities/definitions.batch", body, **{LOCK: "2020-01-01T00:00:00Z"})
    assert stale.status_code == 409
    assert stale.json() == {
        "error": "record_modified",
        "code": "optimistic_lock_conflict",
        "currentUpdatedAt": version,
        "expectedUpdatedAt": "2020-01-01T00:00:00.000Z",
    }
    assert await desk.keys() == ["a"]
    fresh = await desk.ask("POST", "/entities/definitions.batch", body, **{LOCK: version})
    assert fresh.status_code == 200
    assert (await desk.ask("POST", "/entities/definitions.batch", body, **{LOCK: version})).status_code == 409
    assert (await desk.ask("POST", "/entities/definitions.batch", body, **{LOCK: "soon"})).status_code == 200
    assert (await desk.ask("POST", "/entities/definitions.batch", body)).status_code == 200


async def test_given_an_entity_without_definitions_then_any_version_passes(desk: Desk) -> None:
    body = {"entityId": THING, "definitions": [entry("b")]}
    answer = await desk.ask("POST", "/entities/definitions.batch", body, **{LOCK: "2020-01-01T00:00:00Z"})
    assert answer.status_code == 200


async def test_given_a_reserved_entity_then_400(desk: Desk) -> None:
    body = {"entityId": "entities:custom_field_def", "definitions": [entry("a")]}
    assert (await desk.post("/entities/definitions.batch", body, 400))["error"]


async def test_given_a_batch_then_the_history_shows_lists_and_undo_takes_all_of_it_back(desk: Desk) -> None:
    await desk.define("a", "text", label="Old")
    before = await desk.fields()
    done = await desk.did(
        "POST",
        "/entities/definitions.batch",
        {
            "entityId": THING,
            "definitions": [entry("a", "integer"), entry("b")],
            "fieldsets": [{"code": "basic", "label": "Basic"}],
        },
    )
    assert done["resourceKind"] == "entities.field_definition" and done["resourceId"] == THING
    after = await desk.fields()
    undone = await desk.undo(done["undoToken"])
    assert await desk.fields() == before and (await desk.managed())["fieldsets"] == []
    await desk.redo(undone["logId"])
    assert await desk.fields() == after
    assert (await desk.managed())["fieldsets"] == [{"code": "basic", "label": "Basic"}]


async def test_given_a_deleted_inherited_field_then_undo_brings_it_back_and_the_history_shows_it(
    desk: Desk,
) -> None:
    path = "/entities/definitions"
    done = await desk.did("DELETE", path, {"entityId": DEAL, "key": "estimated_seats"})
    log = await desk.get(f"/audit_logs/audit-logs/actions?resourceKind={done['resourceKind']}")
    entry_of = next(item for item in log["items"] if item["id"] == done["id"])
    assert entry_of["snapshotBefore"]["key"] == "estimated_seats" and entry_of["snapshotAfter"] is None
    await desk.undo(done["undoToken"])
    assert "estimated_seats" in await desk.keys(DEAL)
