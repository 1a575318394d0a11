"""What can be done about a change: header, undo, redo, dry run, idempotency, batches (audit-logs.md 7 to 9)."""

from typing import Any
from uuid import uuid4

import pytest

from app.main import Application
from tests.conftest import Tenant
from tests.dictionaries.conftest import Desk, operation_of
from tests.heart.proofs import assert_proven, differing, exact_state_of, state_of

ACTIONS = "/audit_logs/audit-logs/actions"


async def actions(desk: Desk, query: str = "") -> list[dict[str, Any]]:
    return list((await desk.get(f"{ACTIONS}{query}"))["items"])


async def rows_of(desk: Desk, id: str) -> list[tuple[str, bool, str | None]]:
    """The log rows of a record, oldest first: state, whether it has a token, and whether it is a trace."""
    found = await actions(desk, f"?resourceKind=dictionaries.entry&resourceId={id}")
    return [
        (row["executionState"], row["undoToken"] is not None, (row["context"] or {}).get("historyAction"))
        for row in reversed(found)
    ]


# The header


async def test_every_change_tells_how_to_take_it_back(desk: Desk) -> None:
    made = await desk.ask("POST", "/dictionaries", {"key": "colors", "name": "Colors"})
    path = f"/dictionaries/{made.json()['id']}"
    created = await desk.ask("POST", f"{path}/entries", {"value": "red"})
    entry = created.json()["id"]
    logged: list[tuple[str, str]] = []
    for answer, command, kind, id in (
        (made, "dictionaries.dictionaries.create", "dictionaries.dictionary", made.json()["id"]),
        (created, "dictionaries.entries.create", "dictionaries.entry", entry),
        (
            await desk.ask("PATCH", f"{path}/entries/{entry}", {"label": "Rot"}),
            *("dictionaries.entries.update", "dictionaries.entry", entry),
        ),
        (
            await desk.ask("POST", f"{path}/entries/reorder", {"entries": [{"id": entry, "position": 4}]}),
            *("dictionaries.entries.reorder", "dictionaries.dictionary", made.json()["id"]),
        ),
        (
            await desk.ask("POST", f"{path}/entries/set-default", {"entryId": entry}),
            *("dictionaries.entries.set_default", "dictionaries.dictionary", made.json()["id"]),
        ),
        (
            await desk.ask("DELETE", f"{path}/entries/{entry}"),
            *("dictionaries.entries.delete", "dictionaries.entry", entry),
        ),
        (
            await desk.ask("DELETE", path),
            *("dictionaries.dictionaries.delete", "dictionaries.dictionary", made.json()["id"]),
        ),
    ):
        operation = operation_of(answer.headers)
        assert (operation["commandId"], operation["resourceKind"], operation["resourceId"]) == (
            command,
            kind,
            id,
        )
        assert set(operation) == {
            *("id", "undoToken", "commandId", "actionLabel", "resourceKind", "resourceId", "executedAt")
        }
        logged.append((operation["id"], operation["undoToken"]))
    assert [(row["id"], row["undoToken"]) for row in await actions(desk, "?limit=7")] == logged[::-1]


# Undo


async def test_given_a_created_entry_when_undone_then_it_is_gone_and_redone_it_has_its_id_again(
    desk: Desk,
) -> None:
    path = await desk.dictionary()
    created = await desk.ask("POST", f"{path}/entries", {"value": "red", "position": 3})
    operation = operation_of(created.headers)
    assert await desk.undo(operation["undoToken"]) == {"ok": True, "logId": operation["id"]}
    assert await desk.values(path) == []
    again = await desk.ask("POST", f"{ACTIONS}/redo", {"logId": operation["id"]})
    assert again.status_code == 200 and again.json()["ok"] is True
    header = operation_of(again.headers)
    assert (header["id"], header["undoToken"]) == (again.json()["logId"], again.json()["undoToken"])
    (entry,) = (await desk.get(f"{path}/entries"))["items"]
    assert {**entry, "updatedAt": ""} == {**created.json(), "updatedAt": ""}


async def test_given_a_deleted_entry_when_undone_then_place_and_default_are_back_too(desk: Desk) -> None:
    path = await desk.dictionary()
    body = {"value": "red", "label": "Rot", "color": "#ff0000", "icon": "x", "position": 4}
    made = await desk.post(f"{path}/entries", body, 201)
    await desk.post(f"{path}/entries/set-default", {"entryId": made["id"]})
    before = (await desk.get(f"{path}/entries"))["items"]
    operation = await desk.did("DELETE", f"{path}/entries/{made['id']}")
    await desk.undo(operation["undoToken"])
    after = (await desk.get(f"{path}/entries"))["items"]
    assert [{**item, "updatedAt": ""} for item in after] == [{**item, "updatedAt": ""} for item in before]
    assert (after[0]["position"], after[0]["isDefault"]) == (4, True)


async def test_given_a_value_that_was_taken_meanwhile_when_undone_then_400_with_a_reason_and_nothing_changes(
    desk: Desk,
) -> None:
    path = await desk.dictionary()
    (id,) = await desk.entries(path, "A")
    renamed = await desk.did("PATCH", f"{path}/entries/{id}", {"value": "B"})
    await desk.entries(path, "A")
    answer = await desk.undo(renamed["undoToken"], 400)
    assert answer["code"] == "conflict" and "already exists" in answer["error"]
    assert sorted(await desk.values(path)) == ["A", "B"]
    taken = next(item for item in (await desk.get(f"{path}/entries"))["items"] if item["value"] == "A")
    await desk.delete(f"{path}/entries/{taken['id']}")
    await desk.undo(renamed["undoToken"])
    assert await desk.values(path) == ["A"]


async def test_given_a_dictionary_with_entries_when_its_creation_is_undone_then_400_in_use(
    desk: Desk,
) -> None:
    operation = await desk.did("POST", "/dictionaries", {"key": "colors", "name": "Colors"}, 201)
    path = f"/dictionaries/{operation['resourceId']}"
    created = await desk.did("POST", f"{path}/entries", {"value": "red"}, 201)
    assert (await desk.undo(operation["undoToken"], 400))["code"] == "in_use"
    await desk.undo(created["undoToken"])
    await desk.undo(operation["undoToken"])
    await desk.get(path, 404)


async def test_given_a_deleted_dictionary_when_undone_then_it_is_there_with_its_entries(desk: Desk) -> None:
    path = await desk.dictionary()
    await desk.entries(path, "red", "blue")
    operation = await desk.did("DELETE", path)
    await desk.undo(operation["undoToken"])
    assert await desk.values(path) == ["red", "blue"]


async def test_given_a_key_taken_after_the_deletion_when_undone_then_400(desk: Desk) -> None:
    operation = await desk.did("DELETE", await desk.dictionary("colors"))
    await desk.dictionary("colors")
    assert (await desk.undo(operation["undoToken"], 400))["code"] == "conflict"


async def test_given_new_places_when_undone_then_the_old_ones(desk: Desk) -> None:
    path = await desk.dictionary()
    a, b, c = await desk.entries(path, "a", "b", "c")
    body = {"entries": [{"id": id, "position": 5 - n} for n, id in enumerate((a, b, c))]}
    operation = await desk.did("POST", f"{path}/entries/reorder", body)
    assert await desk.values(path) == ["c", "b", "a"]
    await desk.undo(operation["undoToken"])
    assert await desk.values(path) == ["a", "b", "c"]


async def test_given_another_field_changed_by_somebody_else_then_undo_works_and_keeps_it(
    desk: Desk, client: Any, tenant: Tenant
) -> None:
    path = await desk.dictionary()
    (id,) = await desk.entries(path, "red")
    mine = await desk.did("PATCH", f"{path}/entries/{id}", {"label": "Rot"})
    await Desk(client, tenant.superadmin).patch(f"{path}/entries/{id}", {"color": "#ff0000"})
    await desk.undo(mine["undoToken"])
    (entry,) = (await desk.get(f"{path}/entries"))["items"]
    assert (entry["label"], entry["color"]) == ("red", "#ff0000")


async def test_given_the_same_field_changed_by_somebody_else_then_undo_says_by_what(
    desk: Desk, client: Any, tenant: Tenant
) -> None:
    path = await desk.dictionary()
    (id,) = await desk.entries(path, "red")
    mine = await desk.did("PATCH", f"{path}/entries/{id}", {"label": "Rot"})
    theirs = await Desk(client, tenant.superadmin).did("PATCH", f"{path}/entries/{id}", {"label": "Rouge"})
    answer = await desk.undo(mine["undoToken"], 400)
    assert answer["code"] == "changed_since" and answer["changedBy"]["logId"] == theirs["id"]
    (entry,) = (await desk.get(f"{path}/entries"))["items"]
    assert entry["label"] == "Rouge"


@pytest.mark.parametrize("token", ["", "  ", 5, None, [], {}])
async def test_given_no_token_then_400(desk: Desk, token: Any) -> None:
    body = {} if token == {} else {"undoToken": token}
    assert (await desk.post(f"{ACTIONS}/undo", body, 400))["error"] == "Invalid undo token"


async def test_given_an_unknown_token_or_log_id_then_400(desk: Desk) -> None:
    assert (await desk.undo(str(uuid4()), 400))["code"] == "not_available"
    assert (await desk.redo(str(uuid4()), 400))["code"] == "not_available"
    for id in ("abc", "' or true; --"):
        assert (await desk.redo(id, 400))["error"]


# The worked sequence (audit-logs.md 9)


async def test_the_worked_sequence(desk: Desk) -> None:
    path = await desk.dictionary()
    created = await desk.ask("POST", f"{path}/entries", {"value": "red"})
    id, c = created.json()["id"], operation_of(created.headers)
    u = await desk.did("PATCH", f"{path}/entries/{id}", {"label": "Rot"})
    assert await rows_of(desk, id) == [("done", True, None), ("done", True, None)]

    assert (await desk.undo(c["undoToken"], 400))["code"] == "not_latest"
    await desk.undo(u["undoToken"])
    assert await rows_of(desk, id) == [("done", True, None), ("undone", False, None), ("done", False, "undo")]
    assert (await desk.undo(u["undoToken"], 400))["code"] == "already_undone"
    await desk.undo(c["undoToken"])
    assert [state for state, _, _ in await rows_of(desk, id)] == ["undone", "undone", "done", "done"]

    assert (await desk.redo(u["id"], 400))["code"] == "not_latest"
    again = await desk.redo(c["id"])
    assert (await desk.get(f"{path}/entries"))["items"][0]["id"] == id
    rows = await rows_of(desk, id)
    assert (rows[0][0], rows[-1][:2]) == ("redone", ("done", True)) and again["undoToken"] != c["undoToken"]
    twice = await desk.redo(u["id"])
    assert (await desk.get(f"{path}/entries"))["items"][0]["label"] == "Rot"
    assert (await desk.redo(u["id"], 400))["code"] == "not_undone"

    await desk.undo(twice["undoToken"])
    await desk.undo(again["undoToken"])
    assert await desk.values(path) == []


# Dry run, reason, idempotency


async def test_given_a_dry_run_then_it_tells_the_changes_and_makes_none(
    desk: Desk, application: Application, tenant: Tenant
) -> None:
    path = await desk.dictionary()
    (id,) = await desk.entries(path, "red")
    before = await exact_state_of(application.database, tenant.id)
    answer = await desk.ask("PATCH", f"{path}/entries/{id}", {"label": "Rot"}, x_backstep_dry_run="true")
    assert answer.status_code == 200 and "x-om-operation" not in answer.headers
    told = answer.json()
    assert (told["dryRun"], told["commandId"]) == (True, "dictionaries.entries.update")
    assert told["changes"] == {"label": {"from": "red", "to": "Rot"}}
    for method, where, body in (
        ("POST", f"{path}/entries", {"value": "blue"}),
        ("DELETE", f"{path}/entries/{id}", None),
        ("DELETE", path, None),
        ("POST", f"{path}/entries/set-default", {"entryId": id}),
    ):
        assert (await desk.ask(method, where, body, x_backstep_dry_run="1")).json()["dryRun"] is True
    (newest,) = await actions(desk, "?limit=1")
    dry = await desk.ask(
        "POST", f"{ACTIONS}/undo", {"undoToken": newest["undoToken"]}, x_backstep_dry_run="true"
    )
    assert dry.json()["dryRun"] is True
    assert differing(before, await exact_state_of(application.database, tenant.id)) == {}


async def test_given_an_idempotency_key_then_the_first_answer_is_given_again(desk: Desk) -> None:
    path, key = await desk.dictionary(), uuid4().hex
    first = await desk.ask("POST", f"{path}/entries", {"value": "red"}, idempotency_key=key)
    again = await desk.ask("POST", f"{path}/entries", {"value": "red"}, idempotency_key=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json() and again.headers["idempotency-replayed"] == "true"
    assert operation_of(first.headers) == operation_of(again.headers)
    other = await desk.ask("POST", f"{path}/entries", {"value": "blue"}, idempotency_key=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await desk.values(path) == ["red"]


async def test_given_an_idempotency_key_then_undo_and_redo_happen_once(desk: Desk) -> None:
    path = await desk.dictionary()
    (id,) = await desk.entries(path, "red")
    done = await desk.did("PATCH", f"{path}/entries/{id}", {"label": "Rot"})
    body, key = {"undoToken": done["undoToken"]}, uuid4().hex
    answers = [await desk.ask("POST", f"{ACTIONS}/undo", body, idempotency_key=key) for _ in range(2)]
    assert [(a.status_code, a.json()) for a in answers] == [(200, {"ok": True, "logId": done["id"]})] * 2
    body, key = {"logId": done["id"]}, uuid4().hex
    redone = [await desk.ask("POST", f"{ACTIONS}/redo", body, idempotency_key=key) for _ in range(2)]
    assert redone[0].status_code == 200 and redone[0].json() == redone[1].json()
    assert redone[1].json()["undoToken"]


async def test_given_a_refused_request_then_its_idempotency_key_is_still_free(desk: Desk) -> None:
    path, key = await desk.dictionary(), uuid4().hex
    assert (await desk.ask("POST", f"{path}/entries", {"value": ""}, idempotency_key=key)).status_code == 400
    assert (await desk.ask("POST", f"{path}/entries", {"value": "a"}, idempotency_key=key)).status_code == 201


# Batches


async def test_given_a_batch_then_it_is_one_action_with_one_token(
    desk: Desk, application: Application, tenant: Tenant
) -> None:
    path = await desk.dictionary()
    id = path.rpartition("/")[2]
    (red,) = await desk.entries(path, "red")
    before = await state_of(application.database, tenant.id)
    steps = [
        {"command": "dictionaries.entries.create", "input": {"dictionaryId": id, "value": "  blue "}},
        {
            "command": "dictionaries.entries.update",
            "input": {"dictionaryId": id, "entryId": red, "value": "green"},
        },
        {
            "command": "dictionaries.entries.create",
            "input": {"dictionaryId": id, "value": "red", "position": 1},
        },
        {"command": "dictionaries.entries.set_default", "input": {"dictionaryId": id, "entryId": red}},
    ]
    answer = await desk.ask("POST", "/commands/batch", {"commands": steps, "label": "Paint"})
    assert answer.status_code == 200, answer.text
    assert [result.get("value") for result in answer.json()["results"]] == ["blue", "green", "red", None]
    assert sorted(await desk.values(path)) == ["blue", "green", "red"]
    operation = operation_of(answer.headers)
    assert operation["commandId"] == "backstep.batch"
    await desk.undo(operation["undoToken"])
    assert differing(before, await state_of(application.database, tenant.id)) == {}
    await desk.redo(operation["id"])
    assert sorted(await desk.values(path)) == ["blue", "green", "red"]
    await assert_proven(application, tenant.id)


async def test_given_a_batch_with_a_step_that_is_refused_then_nothing_of_it_happens(
    desk: Desk, application: Application, tenant: Tenant
) -> None:
    path = await desk.dictionary()
    id = path.rpartition("/")[2]
    await desk.entries(path, "red")
    before = await exact_state_of(application.database, tenant.id)
    good = {"command": "dictionaries.entries.create", "input": {"dictionaryId": id, "value": "blue"}}
    for step, status in (
        ({"command": "dictionaries.entries.create", "input": {"dictionaryId": id, "value": "RED"}}, 409),
        ({"command": "dictionaries.entries.create", "input": {"dictionaryId": id, "value": "   "}}, 400),
        (
            {"command": "dictionaries.entries.create", "input": {"dictionaryId": str(uuid4()), "value": "x"}},
            404,
        ),
        ({"command": "nothing.like.this", "input": {}}, 400),
        ({"command": "auth.sessions.logout", "input": {"sessionIds": []}}, 400),
    ):
        answer = await desk.post("/commands/batch", {"commands": [good, step]}, status)
        assert answer["error"]
        if status in (404, 409):
            assert answer["step"] == 1
    assert differing(before, await exact_state_of(application.database, tenant.id)) == {}


async def test_given_a_batch_in_which_one_step_changes_nothing_then_the_log_still_explains_every_row(
    desk: Desk, application: Application, tenant: Tenant
) -> None:
    path = await desk.dictionary()
    id = path.rpartition("/")[2]
    red, blue = await desk.entries(path, "red", "blue")
    same = {"dictionaryId": id, "entryId": red, "label": "red", "color": None}
    steps = [
        {"command": "dictionaries.entries.update", "input": same},
        {
            "command": "dictionaries.entries.update",
            "input": {"dictionaryId": id, "entryId": blue, "label": "Blau"},
        },
    ]
    before = (await desk.get(f"{path}/entries"))["items"][0]
    await desk.post("/commands/batch", {"commands": steps})
    assert (await desk.get(f"{path}/entries"))["items"][0] == before, "not even the time of its last change"
    await assert_proven(application, tenant.id)
