"""Overrides of a tenant (contract: feature-toggles.md 2.6 and section 3)."""

from typing import Any

import httpx
import pytest

from app.database import Database
from app.main import Application
from tests.conftest import MakeTenant
from tests.feature_toggles.conftest import GLOBAL, OVERRIDES, UNKNOWN, Board, cookies, fresh, operation_of
from tests.heart.proofs import assert_proven


async def detail(board: Board, id: str, by: Any = None) -> dict[str, Any]:
    answer = await board.get(f"{GLOBAL}/{id}/override", by or board.tenant.admin)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def line(board: Board, identifier: str, by: Any = None) -> dict[str, Any]:
    answer = await board.get(OVERRIDES, by or board.tenant.admin, identifier=identifier)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["items"][0])


async def test_given_no_override_then_the_default_is_inherited(board: Board) -> None:
    id, identifier = await board.make("string", "hello", category=None)
    found = await detail(board, id)
    name = f"Tenant {board.tenant.id.hex[:6]}"
    assert found == {
        "id": "",
        "value": "hello",
        "tenantName": name,
        "tenantId": str(board.tenant.id),
        "toggleType": "string",
        "updatedAt": None,
    }
    assert await line(board, identifier) == {
        "id": "",
        "toggleId": id,
        "identifier": identifier,
        "name": "A toggle",
        "category": None,
        "tenantName": name,
        "tenantId": str(board.tenant.id),
        "isOverride": False,
        "updatedAt": None,
        "overrideState": "inherit",
        "defaultState": True,
    }


@pytest.mark.parametrize(
    ("kind", "default", "value", "state", "default_state"),
    [
        ("boolean", True, False, "disabled", True),
        ("boolean", False, True, "enabled", False),
        ("boolean", "yes", None, "enabled", False),
        ("json", None, {"a": None}, "enabled", False),
        ("number", 0, 0, "enabled", True),
        ("string", "", "false", "enabled", True),
    ],
)
async def test_given_an_override_then_its_state_and_value_show(
    board: Board, kind: str, default: Any, value: Any, state: str, default_state: bool
) -> None:
    id, identifier = await board.make(kind, default)
    answer = await board.override(id, overrideValue=value)
    assert answer.status_code == 200, answer.text
    made = answer.json()["overrideToggleId"]
    assert answer.json() == {"ok": True, "overrideToggleId": made}
    found = await line(board, identifier)
    assert (found["id"], found["isOverride"], found["overrideState"], found["defaultState"]) == (
        made,
        True,
        state,
        default_state,
    )
    own = await detail(board, id)
    assert (own["id"], own["value"]) == (made, value)
    assert own["updatedAt"] == found["updatedAt"] is not None


async def test_given_no_value_then_the_override_keeps_its_own_or_begins_with_the_default(
    board: Board,
) -> None:
    id, _ = await board.make("json", {"a": [1]})
    await board.override(id)
    assert (await detail(board, id))["value"] == {"a": [1]}
    await board.override(id, overrideValue=2)
    await board.override(id)
    assert (await detail(board, id))["value"] == 2
    nothing, _ = await board.make("json", None)
    await board.override(nothing)
    assert (await detail(board, nothing))["value"] is None


async def test_given_an_override_taken_away_then_it_is_inherited_again_and_twice_does_no_harm(
    board: Board,
) -> None:
    id, identifier = await board.make("boolean", True)
    await board.override(id, overrideValue=False)
    for _ in range(2):
        answer = await board.override(id, isOverride=False)
        assert answer.json() == {"ok": True, "overrideToggleId": None}
    assert await board.value(identifier) == (True, "default")
    assert (await detail(board, id))["id"] == ""


async def test_given_overrides_when_undone_then_the_value_before_is_back_with_its_id(
    board: Board, application: Application
) -> None:
    id, identifier = await board.make("number", 1)
    first = await board.override(id, overrideValue=2)
    second = await board.override(id, overrideValue=3)
    away = await board.override(id, isOverride=False)
    own = first.json()["overrideToggleId"]
    assert operation_of(second)["resourceKind"] == "feature_toggles.overrides"
    assert {operation_of(one)["resourceId"] for one in (first, second, away)} == {own}

    admin = board.tenant.admin
    assert (await board.undo(away, admin)).status_code == 200
    assert (await detail(board, id))["id"] == own
    assert await board.value(identifier, "number") == (3, "override")
    assert (await board.undo(second, admin)).status_code == 200
    assert await board.value(identifier, "number") == (2, "override")
    assert (await board.undo(first, admin)).status_code == 200
    assert await board.value(identifier, "number") == (1, "default")
    assert (await board.redo(operation_of(first)["id"], admin)).status_code == 200
    assert await board.value(identifier, "number") == (2, "override")
    await assert_proven(application, board.tenant.id)


async def test_given_two_tenants_then_an_override_is_its_tenants_own(
    board: Board, make_tenant: MakeTenant
) -> None:
    id, identifier = await board.make("boolean", True)
    there = await make_tenant()
    assert (await board.override(id, overrideValue=False)).status_code == 200
    assert await board.value(identifier, by=there.employee) == (True, "default")
    assert (await line(board, identifier, there.admin))["overrideState"] == "inherit"

    # When a super admin selects the other tenant
    selected = cookies(om_selected_tenant=there.id)
    answer = await board.override(id, board.tenant.superadmin, selected, overrideValue=None)
    assert answer.status_code == 200
    assert (await line(board, identifier, there.admin))["id"] == answer.json()["overrideToggleId"]
    assert await board.value(identifier) == (False, "override")
    listed = await board.send("GET", OVERRIDES, more=selected, identifier=identifier)
    assert listed.json()["items"][0]["tenantId"] == str(there.id)
    assert (await board.undo(answer, there.admin)).status_code == 200, "the log is the overridden tenant's"


async def test_given_faults_then_400_names_the_fields_and_403_and_404_come_as_documented(
    board: Board,
) -> None:
    headers = board.tenant.admin.headers
    broken = await board.client.put(OVERRIDES, content=b"{", headers=headers)
    assert broken.status_code == 400
    empty = await board.send("PUT", OVERRIDES, {}, board.tenant.admin)
    assert empty.json()["error"] == "Invalid payload"
    assert empty.json()["details"]["formErrors"] == []
    assert set(empty.json()["details"]["fieldErrors"]) == {"toggleId", "isOverride"}
    assert (await board.override("nope")).status_code == 400
    assert (await board.override(UNKNOWN)).status_code == 404
    assert (await board.override(UNKNOWN, board.tenant.employee)).status_code == 403
    assert (await board.get(f"{GLOBAL}/{UNKNOWN}/override")).status_code == 404
    assert (await board.get(f"{GLOBAL}/nope/override")).status_code == 400
    for bad in ({"page": 0}, {"pageSize": 101}, {"sortField": "type"}, {"sortDir": "up"}):
        answer = await board.get(OVERRIDES, **bad)
        assert (answer.status_code, set(answer.json())) == (400, {"error"}), bad


async def test_given_the_list_then_it_is_paged_sorted_and_narrowed_over_toggles(board: Board) -> None:
    mark = fresh("list")
    ids = [
        (await board.make(identifier=f"{mark}.{n}", name=f"N{9 - n} 100%_", category=f"C{n}"))[0]
        for n in range(3)
    ]
    await board.override(ids[1], overrideValue=False)

    async def found(**query: Any) -> list[str]:
        answer = await board.get(OVERRIDES, **{"identifier": mark.upper(), **query})
        return [item["toggleId"] for item in answer.json()["items"]]

    assert await found() == sorted(ids)
    assert await found(sortField="name", sortDir="desc") == ids
    assert await found(sortField="category", sortDir="desc") == ids[::-1]
    assert await found(name="0%_") and not await found(name="0_%")
    assert await found(category="c1") == [ids[1]]
    page = (await board.get(OVERRIDES, identifier=mark, sortField="identifier", page=2, pageSize=2)).json()
    assert [item["toggleId"] for item in page.pop("items")] == [ids[2]]
    assert page == {"total": 3, "totalPages": 2, "page": 2, "pageSize": 2, "isSuperAdmin": True}
    empty = (await board.get(OVERRIDES, board.tenant.admin, identifier=fresh("none"))).json()
    assert (empty["items"], empty["total"], empty["totalPages"], empty["isSuperAdmin"]) == ([], 0, 0, False)


async def test_given_a_tenant_without_a_row_then_400_and_checks_say_404(
    board: Board, database: Database, application: Application
) -> None:
    id, identifier = await board.make()
    transaction = await database.begin(board.tenant.id, "test.remove")
    await transaction.connection.execute(
        "update tenants set deleted_at = now() where id = $1", board.tenant.id
    )
    await transaction.commit()
    for answer in (await board.get(OVERRIDES), await board.get(f"{GLOBAL}/{UNKNOWN}/override")):
        assert answer.status_code in (400, 401), answer.text
    check: httpx.Response = await board.check(identifier)
    assert check.status_code in (401, 404)
    assert (await application.toggles.resolve(board.tenant.id, identifier)).tenant_known is False
