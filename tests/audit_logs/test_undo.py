"""Undo and redo by the rules of the contract (audit-logs.md 7, 8, 9, 15)."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest
from msgspec.structs import replace

from queries.audit_logs import ActionFilter, Totals, Window, action_logs
from tests.audit_logs.conftest import LOGS, Desk, operation_of


def refused(answer: httpx.Response, code: str) -> None:
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == code and answer.json()["error"], answer.text


async def states(desk: Desk, entry: str) -> list[tuple[str, bool]]:
    return [(item["executionState"], item["undoToken"] is not None) for item in await desk.of(entry)]


async def test_the_worked_sequence(desk: Desk) -> None:
    entry, t1 = await desk.create("red")
    assert await states(desk, entry) == [("done", True)]
    t2 = await desk.update(entry, label="Ruby")
    assert await states(desk, entry) == [("done", True), ("done", True)]
    created, updated = (item["id"] for item in await desk.of(entry))

    refused(await desk.undo(t1), "not_latest")
    answer = await desk.undo(t2)
    assert answer.status_code == 200 and answer.json() == {"ok": True, "logId": updated}
    assert "x-om-operation" not in answer.headers
    assert await states(desk, entry) == [("done", True), ("undone", False), ("done", False)]
    refused(await desk.undo(t2), "already_undone")

    assert (await desk.undo(t1)).json() == {"ok": True, "logId": created}
    undone = [("undone", False), ("undone", False), ("done", False), ("done", False)]
    assert await states(desk, entry) == undone

    refused(await desk.redo(updated), "not_latest")
    again = await desk.redo(created)
    assert again.status_code == 200, again.text
    body, header = again.json(), operation_of(again)
    assert body == {"ok": True, "logId": header["id"], "undoToken": header["undoToken"]}
    assert header["resourceId"] == entry and header["commandId"] == "dictionaries.entries.create"
    assert [state for state, _ in await states(desk, entry)][:2] == ["redone", "undone"]

    assert (await desk.redo(updated)).status_code == 200
    assert [state for state, _ in await states(desk, entry)][:2] == ["redone", "redone"]
    refused(await desk.redo(updated), "not_undone")
    shown = await desk.of(entry)
    assert shown[-1]["snapshotAfter"]["label"] == "Ruby" and shown[-1]["snapshotAfter"]["id"] == entry
    assert shown[-1]["context"]["historyAction"] == "redo" and shown[-1]["undoToken"] is not None


@pytest.mark.parametrize("token", [None, "", "   ", 5, [], {}])
async def test_no_token_is_an_invalid_token(desk: Desk, token: Any) -> None:
    answer = await desk.undo(token)
    assert answer.status_code == 400 and answer.json()["error"] == "Invalid undo token"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b"null"])
@pytest.mark.parametrize("action", ["undo", "redo"])
async def test_an_unreadable_body_is_refused(desk: Desk, action: str, body: bytes) -> None:
    headers = {**desk.tenant.admin.headers, "content-type": "application/json"}
    answer = await desk.client.post(f"{LOGS}/actions/{action}", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"] == ("Invalid undo token" if action == "undo" else "Invalid log id")


async def test_unknown_targets_are_not_available(desk: Desk) -> None:
    refused(await desk.undo("nope"), "not_available")
    refused(await desk.redo("nope"), "not_available")
    refused(await desk.redo(str(uuid4())), "not_available")
    assert (await desk.redo(5)).json()["error"] == "Invalid log id"


async def test_redo_needs_its_own_feature(desk: Desk) -> None:
    answer = await desk.redo(str(uuid4()), by=desk.tenant.employee)
    assert answer.status_code == 403
    assert answer.json() == {"error": "Forbidden", "requiredFeatures": ["audit_logs.redo_self"]}


async def test_nobody_may_do_nothing(client: httpx.AsyncClient) -> None:
    for action in ("undo", "redo"):
        answer = await client.post(f"{LOGS}/actions/{action}", json={"undoToken": "x", "logId": "x"})
        assert answer.status_code == 401


async def test_an_employee_cannot_undo_an_admins_action(desk: Desk) -> None:
    entry, token = await desk.create("red")
    refused(await desk.undo(token, by=desk.tenant.employee), "not_available")
    assert await states(desk, entry) == [("done", True)]


async def test_a_tenant_undoer_undoes_for_others(desk: Desk) -> None:
    entry, token = await desk.create("red")
    assert (await desk.undo(token, by=desk.tenant.superadmin)).status_code == 200
    trace = (await desk.of(entry))[-1]
    assert trace["actorUserId"] == str(desk.tenant.superadmin.id)
    assert (await desk.redo((await desk.of(entry))[0]["id"], by=desk.tenant.superadmin)).status_code == 200


async def test_later_actions_on_other_records_do_not_block(desk: Desk) -> None:
    _, token = await desk.create("red")
    await desk.create("blue")
    assert (await desk.undo(token)).status_code == 200


async def test_two_undos_of_one_token_have_one_winner(desk: Desk) -> None:
    entry, token = await desk.create("red")
    answers = await asyncio.gather(*(desk.undo(token) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    assert await states(desk, entry) == [("undone", False), ("done", False)]


async def test_an_undo_that_fails_can_be_tried_again(desk: Desk) -> None:
    entry, _ = await desk.create("red")
    token = await desk.update(entry, value="green")
    other, blocking = await desk.create("red", by=desk.tenant.superadmin)
    failed = await desk.undo(token)
    assert failed.status_code == 400 and (await states(desk, entry))[-1] == ("done", True)
    assert (await desk.undo(blocking, by=desk.tenant.superadmin)).status_code == 200, other
    assert (await desk.undo(token)).status_code == 200


async def test_a_dry_run_shows_and_changes_nothing(desk: Desk) -> None:
    entry, token = await desk.create("red")
    answer = await desk.undo(token, headers={"x-backstep-dry-run": "true"})
    assert answer.status_code == 200 and answer.json()["dryRun"] is True
    assert await states(desk, entry) == [("done", True)]


async def test_the_token_is_only_shown_to_those_who_may_use_it(desk: Desk, database: Any) -> None:
    entry, token = await desk.create("red")
    admin, employee = desk.tenant.admin, desk.tenant.employee
    view = ("audit_logs.view_self", "audit_logs.view_tenant")
    may_look = replace(employee.scope, features=view, is_super_admin=False)
    may_undo_own = replace(may_look, features=(*view, "audit_logs.undo_self"))
    owner = replace(may_undo_own, actor=admin.scope.actor)
    may_undo_all = replace(may_look, features=(*view, "audit_logs.undo_self", "audit_logs.undo_tenant"))
    expected = ((may_look, None), (may_undo_own, None), (owner, token), (may_undo_all, token))
    for scope, shown in expected:
        async with database.read(scope.tenant_id) as connection:
            wanted = ActionFilter(resource_id=entry)
            page = await action_logs(connection, scope, wanted, Window(0, 9, 1), Totals())
            undoable = ActionFilter(resource_id=entry, undoable_only=True)
            usable = await action_logs(connection, scope, undoable, Window(0, 9, 1), Totals())
        assert page.items[0].undo_token == shown
        assert usable.total == len(usable.items) == (shown is not None)
