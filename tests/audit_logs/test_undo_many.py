"""Taking back many actions in one step (design.md section 5)."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.main import Application
from commands import eligibility, history, spill, undo_net
from commands.batch import Batch, Step
from tests.audit_logs.test_history import Desk
from tests.conftest import MakeTenant, Tenant
from tests.heart.proofs import assert_proven

ACTIONS = "/audit_logs/audit-logs/actions"
DRY = {"x-backstep-dry-run": "true"}


@pytest.fixture
def desk(client: httpx.AsyncClient, tenant: Tenant) -> Desk:
    """The administrator's."""
    return Desk(client, tenant.admin)


async def undo_many(desk: Desk, status: int = 200, dry: bool = False, **body: Any) -> Any:
    return await desk.ask("POST", f"{ACTIONS}/undo-many", status, json=body, headers=DRY if dry else {})


async def imported(desk: Desk, count: int, correlation: str = "import-7") -> str:
    """A dictionary, and an import of entries into it: each is created, renamed, and some are deleted."""
    dictionary = await desk.dictionary(f"d{uuid4().hex[:8]}")
    path, headers = f"/dictionaries/{dictionary}/entries", {"x-correlation-id": correlation}
    for number in range(count):
        body = {"value": f"v{number}", "label": f"one {number}", "isDefault": number == 0}
        made = await desk.ask("POST", path, 201, json=body, headers=headers)
        await desk.ask("PATCH", f"{path}/{made['id']}", json={"label": f"two {number}"}, headers=headers)
        if number % 3 == 2:
            await desk.ask("DELETE", f"{path}/{made['id']}", headers=headers)
    return dictionary


async def entries(desk: Desk, dictionary: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await desk.ask("GET", f"/dictionaries/{dictionary}/entries"))["items"]
    return sorted(
        ({k: v for k, v in one.items() if k != "updatedAt"} for one in found), key=lambda one: one["id"]
    )


async def state_of(desk: Desk, log_id: str) -> str:
    items = (await desk.ask("GET", ACTIONS, params={"pageSize": 200}))["items"]
    return str(next(one["executionState"] for one in items if one["id"] == log_id))


async def test_an_import_is_taken_back_and_put_forward_in_one_step(desk: Desk) -> None:
    dictionary = await imported(desk, 7)
    before = await entries(desk, dictionary)
    done = await undo_many(desk, filter={"correlationId": "import-7"})
    assert (done["ok"], done["total"], len(done["actions"])) == (True, 16, 16)
    assert await entries(desk, dictionary) == []
    oldest = done["actions"][-1]
    assert (oldest["commandId"], await state_of(desk, oldest["logId"])) == (
        "dictionaries.entries.create",
        "undone",
    )
    undo = await desk.ask("POST", f"{ACTIONS}/undo", json={"undoToken": done["undoToken"]})
    assert await entries(desk, dictionary) == before
    assert await state_of(desk, oldest["logId"]) == "done"
    await desk.ask("POST", f"{ACTIONS}/redo", json={"logId": undo["logId"]})
    assert await entries(desk, dictionary) == []


async def test_the_tokens_of_the_actions_rest_while_the_step_stands(desk: Desk) -> None:
    dictionary = await imported(desk, 1)
    done = await undo_many(desk, filter={"correlationId": "import-7"})
    newest = done["actions"][0]["logId"]
    items = (await desk.ask("GET", ACTIONS))["items"]
    assert next(one["undoToken"] for one in items if one["id"] == newest) is None
    again = await undo_many(desk, 400, filter={"correlationId": "import-7"})
    assert again["code"] == "nothing_to_undo"
    await desk.ask("POST", f"{ACTIONS}/undo", json={"undoToken": done["undoToken"]})
    items = (await desk.ask("GET", ACTIONS))["items"]
    token = next(one["undoToken"] for one in items if one["id"] == newest)
    await desk.ask("POST", f"{ACTIONS}/undo", json={"undoToken": token})
    assert [one["label"] for one in await entries(desk, dictionary)] == ["one 0"]


async def test_a_preview_shows_the_plan_and_changes_nothing(desk: Desk) -> None:
    dictionary = await imported(desk, 2)
    before = await entries(desk, dictionary)
    plan = await undo_many(desk, dry=True, filter={"correlationId": "import-7"})
    assert (plan["dryRun"], plan["ok"], plan["total"], plan["rows"]) == (True, True, 4, 2)
    assert [one["change"] for one in plan["changes"]] == ["delete", "delete"]
    assert await entries(desk, dictionary) == before
    assert (await undo_many(desk, filter={"correlationId": "import-7"}))["total"] == 4


async def test_a_later_change_by_others_stands_in_the_way_and_is_named(desk: Desk) -> None:
    dictionary = await imported(desk, 2)
    entry = (await entries(desk, dictionary))[0]["id"]
    await desk.ask("PATCH", f"/dictionaries/{dictionary}/entries/{entry}", json={"label": "mine"})
    plan = await undo_many(desk, dry=True, filter={"correlationId": "import-7"})
    refused = await undo_many(desk, 409, filter={"correlationId": "import-7"})
    assert (plan["ok"], refused["code"]) == (False, "undo_many_blocked")
    assert plan["blocked"] == refused["blocked"]
    (obstacle,) = refused["blocked"]
    assert (obstacle["resourceKind"], obstacle["resourceId"]) == ("dictionaries.entry", entry)
    assert obstacle["changedBy"]["commandId"] == "dictionaries.entries.update"
    assert len(await entries(desk, dictionary)) == 2


async def test_a_change_between_the_actions_stands_in_the_way(desk: Desk) -> None:
    dictionary = await imported(desk, 1)
    entry = (await entries(desk, dictionary))[0]["id"]
    path = f"/dictionaries/{dictionary}/entries/{entry}"
    await desk.ask("PATCH", path, json={"label": "mine"})
    await desk.ask("PATCH", path, json={"label": "three"}, headers={"x-correlation-id": "import-7"})
    refused = await undo_many(desk, 409, filter={"correlationId": "import-7"})
    assert refused["blocked"][0]["changedBy"]["actionLabel"] == "Update dictionary entry"
    assert (await entries(desk, dictionary))[0]["label"] == "three"


async def test_named_actions_are_taken_back(desk: Desk) -> None:
    dictionary = await imported(desk, 2)
    items = (await desk.ask("GET", ACTIONS))["items"]
    updates = [one["id"] for one in items if one["commandId"] == "dictionaries.entries.update"]
    done = await undo_many(desk, logIds=updates)
    assert done["total"] == 2
    assert [one["label"] for one in await entries(desk, dictionary)] == ["one 0", "one 1"]
    assert (await undo_many(desk, 400, logIds=updates))["code"] == "not_available"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"filter": {}},
        {"filter": {"actor": "x"}},
        {"logIds": []},
        {"filter": {"after": "soon"}},
        {"logIds": ["x"]},
    ],
)
async def test_a_request_that_names_nothing_is_refused(desk: Desk, body: dict[str, Any]) -> None:
    await imported(desk, 1)
    await desk.ask("POST", f"{ACTIONS}/undo-many", 400, json=body)


async def test_a_name_and_a_filter_together_are_refused(desk: Desk) -> None:
    await undo_many(desk, 400, logIds=[str(uuid4())], filter={"correlationId": "x"})
    await undo_many(desk, 400, logIds=[str(uuid4())])


async def test_others_actions_and_tenants_are_out_of_reach(
    client: httpx.AsyncClient, desk: Desk, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    dictionary = await imported(desk, 1)
    before = await entries(desk, dictionary)
    log = (await desk.ask("GET", ACTIONS))["items"][0]["id"]
    employee, stranger = Desk(client, tenant.employee), Desk(client, (await make_tenant()).admin)
    for other in (employee, stranger):
        assert (await undo_many(other, 400, filter={"correlationId": "import-7"}))[
            "code"
        ] == "nothing_to_undo"
        assert (await undo_many(other, 400, logIds=[log]))["code"] == "not_available"
    assert await entries(desk, dictionary) == before


async def test_of_two_at_a_time_one_wins(desk: Desk) -> None:
    dictionary = await imported(desk, 2)
    body = {"filter": {"correlationId": "import-7"}}
    answers = await asyncio.gather(
        *(desk.client.post(f"{ACTIONS}/undo-many", json=body, headers=desk.headers) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    assert await entries(desk, dictionary) == []


async def test_the_default_moves_back_over_several_steps(desk: Desk) -> None:
    dictionary = await imported(desk, 5, "setup")
    path = f"/dictionaries/{dictionary}/entries"
    ids = [one["id"] for one in sorted(await entries(desk, dictionary), key=lambda one: str(one["value"]))]
    await desk.ask("POST", f"{path}/set-default", json={"entryId": ids[0]})
    for way in (ids[1:], list(reversed(ids[1:]))):  # the order of the rows is not that of the steps
        for id in way:
            headers = {"x-correlation-id": way[0]}
            await desk.ask("POST", f"{path}/set-default", json={"entryId": id}, headers=headers)
        done = await undo_many(desk, filter={"correlationId": way[0]})
        assert (done["total"], done["rows"]) == (3, 2)
        assert [one["id"] for one in await entries(desk, dictionary) if one["isDefault"]] == [ids[0]]


async def test_what_does_not_fit_into_memory_is_put_down_piece_by_piece(
    desk: Desk, application: Application, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limits are lowered so that 120 rows are many."""
    monkeypatch.setattr(spill, "HELD", 50)
    monkeypatch.setattr(undo_net, "CHUNK", 20)
    monkeypatch.setattr(history, "_CHUNK", 20)
    for name in ("_UNDO", "_REDO"):
        text = getattr(eligibility, name).replace(f"<= {eligibility.LARGE}", "<= 50")
        monkeypatch.setattr(eligibility, name, text)
    dictionary = await desk.dictionary("many")
    steps = [
        Step(
            command="dictionaries.entries.create",
            input={"dictionaryId": dictionary, "value": f"v{n}", "label": f"it's {n}"},
        )
        for n in range(120)
    ]
    made = await application.bus.execute(Batch(commands=steps), tenant.admin.scope)
    before = await entries(desk, dictionary)
    assert made.log is not None and len(before) == 120
    done = await undo_many(desk, logIds=[str(made.log.id)])
    assert (done["rows"], await entries(desk, dictionary)) == (120, [])
    undo = await desk.ask("POST", f"{ACTIONS}/undo", json={"undoToken": done["undoToken"]})
    assert await entries(desk, dictionary) == before
    redo = await desk.ask("POST", f"{ACTIONS}/redo", json={"logId": undo["logId"]})
    assert await entries(desk, dictionary) == []
    await desk.ask("POST", f"{ACTIONS}/undo", json={"undoToken": redo["undoToken"]})
    assert await entries(desk, dictionary) == before
    assert len(await desk.history("dictionaries.entry", before[0]["id"])) == 5
    await assert_proven(application, tenant.id)
