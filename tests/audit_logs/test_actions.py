"""GET actions: filters, pages, sorts, who sees what (audit-logs.md 2, 5, 10, 15)."""

from datetime import datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from tests.audit_logs.conftest import LOGS, Desk

KEYS = [
    "id",
    "commandId",
    "actionLabel",
    "executionState",
    "actorUserId",
    "actorUserName",
    "tenantId",
    "tenantName",
    "organizationId",
    "organizationName",
    "resourceKind",
    "resourceId",
    "parentResourceKind",
    "parentResourceId",
    "undoToken",
    "createdAt",
    "updatedAt",
    "snapshotBefore",
    "snapshotAfter",
    "changes",
    "context",
]


async def test_an_item_has_the_documented_keys_in_order(desk: Desk) -> None:
    entry, token = await desk.create("red")
    await desk.update(entry, label="Ruby", headers={"x-backstep-reason": "better", "x-correlation-id": "c-1"})
    created, updated = await desk.of(entry)
    assert list(created) == KEYS
    assert created["undoToken"] == token and created["executionState"] == "done"
    assert created["snapshotBefore"] is None and created["snapshotAfter"]["value"] == "red"
    assert created["snapshotAfter"]["dictionaryId"] == desk.dictionary and created["changes"] is None
    assert updated["changes"] == {"label": {"from": "Red", "to": "Ruby"}}
    assert updated["context"]["reason"] == "better" and updated["context"]["correlationId"] == "c-1"
    assert updated["actorUserName"] == "Admin" and updated["tenantId"] == str(desk.tenant.id)
    assert updated["organizationName"].startswith("Organization") and updated["tenantName"].startswith(
        "Tenant"
    )
    assert updated["createdAt"] == updated["updatedAt"]


async def test_without_rows_there_is_one_empty_page(desk: Desk) -> None:
    found = await desk.actions(after="2090-01-01T00:00:00Z")
    assert found == {
        "items": [],
        "canViewTenant": True,
        "page": 1,
        "pageSize": 50,
        "total": 0,
        "totalPages": 1,
    }


async def test_an_employee_sees_own_rows_only_whoever_is_asked_for(desk: Desk) -> None:
    await desk.create("red")
    found = await desk.actions(desk.tenant.employee, actorUserId=str(desk.tenant.admin.id))
    assert found["canViewTenant"] is False
    assert {item["actorUserId"] for item in found["items"]} <= {str(desk.tenant.employee.id)}


async def test_an_admin_sees_everybody_and_can_narrow_to_actors(desk: Desk) -> None:
    await desk.create("red")
    await desk.create("blue", by=desk.tenant.superadmin)
    admin, root = str(desk.tenant.admin.id), str(desk.tenant.superadmin.id)
    assert {admin, root} <= {item["actorUserId"] for item in (await desk.actions())["items"]}
    only = await desk.actions(actorUserId=f"{root}, {uuid4()}")
    assert {item["actorUserId"] for item in only["items"]} == {root}
    everybody = await desk.actions(actorUserId=" ")
    assert everybody["total"] == (await desk.actions())["total"]


@pytest.mark.parametrize(
    "query", [{"actorUserId": "abc"}, {"resourceKind": ""}, {"resourceId": ""}, {"organizationId": "abc"}]
)
@pytest.mark.parametrize("path", ["actions", "actions/export"])
async def test_bad_filters_are_refused(desk: Desk, path: str, query: dict[str, str]) -> None:
    answer = await desk.client.get(f"{LOGS}/{path}", params=query, headers=desk.tenant.admin.headers)
    assert answer.status_code == 400
    assert answer.json()["error"] == "Validation failed"
    assert answer.json()["details"][0]["path"] == list(query)


async def test_an_unknown_organization_of_an_unrestricted_caller_is_empty(desk: Desk) -> None:
    assert (await desk.actions(organizationId=str(uuid4())))["total"] == 0


async def test_action_types_fields_and_kinds_filter(desk: Desk) -> None:
    entry, _ = await desk.create("red")
    await desk.update(entry, label="Ruby", color="#aa0000")
    kind = {"resourceKind": "dictionaries.entry"}
    assert (await desk.actions(actionType="create,foo", **kind))["total"] == 1
    assert (await desk.actions(actionType="foo", **kind))["total"] == 2
    assert (await desk.actions(actionType="edit"))["total"] == 1
    for field in ("label", "color", "nothing, color"):
        assert (await desk.actions(fieldName=field))["total"] == 1, field
    assert (await desk.actions(fieldName="nothing"))["total"] == 0


async def test_pages(desk: Desk) -> None:
    for number in range(5):
        await desk.create(f"color {number}")
    every = await desk.actions()
    total, ids = every["total"], [item["id"] for item in every["items"]]
    clamped = await desk.actions(page="0", pageSize="9999")
    assert (clamped["page"], clamped["pageSize"]) == (1, 200)
    second = await desk.actions(page="2", pageSize="2.9")
    assert [item["id"] for item in second["items"]] == ids[2:4]
    assert second["totalPages"] == -(-total // 2) and second["total"] == total
    limited = await desk.actions(limit="2", offset="1")
    assert [item["id"] for item in limited["items"]] == ids[1:3]
    assert (limited["page"], limited["pageSize"]) == (1, 2)
    assert (await desk.actions(limit="2", offset="2"))["page"] == 2
    assert (await desk.actions(limit="x", page="x"))["pageSize"] == 50
    beyond = await desk.actions(page="1000000")
    assert beyond["items"] == [] and beyond["total"] == total


async def test_a_deep_page_is_the_same_as_a_shallow_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        await desk.create(f"color {number}")
    queries = [{"offset": "1", "limit": "3", "sortField": sort} for sort in ("createdAt", "user", "action")]
    shallow = [(await desk.actions(**query))["items"] for query in queries]
    monkeypatch.setattr("queries.audit_logs.actions._DEEP", 1)
    assert [(await desk.actions(**query))["items"] for query in queries] == shallow


async def test_a_remembered_total_keeps_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.http import audit_logs
    from queries.audit_logs import Totals

    monkeypatch.setattr(audit_logs, "Totals", lambda: Totals(worth=0))
    audit_logs._totals.clear()
    entry, _token = await desk.create("red")
    before, undoable = await desk.actions(), await desk.actions(undoableOnly="1")
    await desk.update(entry, label="Ruby")
    assert (await desk.actions())["total"] == before["total"] + 1
    assert (await desk.actions(undoableOnly="1"))["total"] == undoable["total"] + 1
    last = (await desk.actions(undoableOnly="1"))["items"][0]
    assert (await desk.undo(last["undoToken"])).status_code == 200
    assert (await desk.actions())["total"] == before["total"] + 2
    assert (await desk.actions(undoableOnly="1"))["total"] == undoable["total"]
    audit_logs._totals.clear()


async def test_history_of_a_record_pages_by_time(desk: Desk) -> None:
    entry, _ = await desk.create("red")
    for number in range(4):
        await desk.update(entry, label=f"Red {number}")
    record = {"resourceKind": "dictionaries.entry", "resourceId": entry, "includeRelated": "true"}
    first = await desk.actions(limit="2", **record)
    assert len(first["items"]) == 2
    rest = await desk.actions(before=first["items"][-1]["createdAt"], **record)
    seen = [item["id"] for item in (*first["items"], *rest["items"])]
    assert len(seen) == len(set(seen))
    assert (await desk.actions(before="garbage", after="rubbish", **record))["total"] == 5


async def test_after_is_strict(desk: Desk) -> None:
    entry, _ = await desk.create("red")
    made = datetime.fromisoformat((await desk.of(entry))[0]["createdAt"])
    assert len(await desk.of(entry, after=(made - timedelta(milliseconds=1)).isoformat())) == 1
    assert len(await desk.of(entry, after=(made + timedelta(milliseconds=1)).isoformat())) == 0


@pytest.mark.parametrize("sort", ["createdAt", "user", "action", "field", "source", "bogus"])
async def test_sorts(desk: Desk, sort: str) -> None:
    entry, _ = await desk.create("red")
    await desk.create("blue", by=desk.tenant.superadmin)
    await desk.update(entry, label="Ruby")
    down = await desk.actions(sortField=sort, sortDir="sideways")
    up = await desk.actions(sortField=sort, sortDir="asc")
    assert {item["id"] for item in down["items"]} == {item["id"] for item in up["items"]}
    if sort == "user":
        names = [item["actorUserName"] or "" for item in up["items"]]
        assert names == sorted(names)
    if sort in {"createdAt", "bogus"}:
        assert [item["id"] for item in down["items"]] == [item["id"] for item in up["items"]][::-1]


async def test_the_token_is_shown_to_those_who_may_use_it(desk: Desk, application: object) -> None:
    entry, token = await desk.create("red")
    for viewer in (desk.tenant.admin, desk.tenant.superadmin):
        items = (await desk.actions(viewer, resourceId=entry))["items"]
        assert items[0]["undoToken"] == token
    assert (await desk.undo(token)).status_code == 200
    undone, trace = await desk.of(entry)
    assert (undone["executionState"], undone["undoToken"]) == ("undone", None)
    assert (trace["executionState"], trace["undoToken"]) == ("done", None)
    assert trace["context"]["historyAction"] == "undo" and trace["context"]["sourceLogId"] == undone["id"]
    assert trace["context"]["sourceCommandId"] == undone["commandId"]
    assert trace["snapshotBefore"]["id"] == entry and trace["snapshotAfter"] is None
    assert undone["updatedAt"] == trace["createdAt"]
    assert [item["id"] for item in (await desk.actions(undoableOnly="yes"))["items"]].count(undone["id"]) == 0


async def test_nobody_sees_another_tenant(client: httpx.AsyncClient, desk: Desk, make_tenant: object) -> None:
    entry, token = await desk.create("red")
    other = await make_tenant()  # type: ignore[operator]
    stranger = await Desk(client, other).open()
    assert (await stranger.actions(resourceId=entry))["total"] == 0
    assert (await stranger.actions(organizationId=str(desk.tenant.organization_id)))["total"] == 0
    assert (await stranger.undo(token)).status_code == 400
    assert (await desk.of(entry))[0]["executionState"] == "done"


async def test_nobody_is_unauthorized(client: httpx.AsyncClient) -> None:
    for path in ("access", "actions", "actions/export"):
        answer = await client.get(f"/api{LOGS}/{path}")
        assert answer.status_code == 401 and answer.json() == {"error": "Unauthorized"}
