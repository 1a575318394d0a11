"""The definitions of toggles: gates, writes, history (contract: feature-toggles.md sections 2, 5, 9 and 11)."""

from typing import Any

import httpx
import pytest

from app.database import Database
from app.main import Application
from commands.feature_toggles import SeedToggles
from domain.feature_toggles import DEFAULTS
from domain.scope import system_scope
from tests.conftest import MakeTenant
from tests.feature_toggles.conftest import GLOBAL, UNKNOWN, Board, cookies, fresh, operation_of
from tests.heart.proofs import assert_proven


async def test_given_people_then_each_may_do_what_their_features_say(board: Board) -> None:
    body = {"identifier": fresh(), "name": "x", "type": "boolean"}
    people = board.tenant
    assert (await board.client.get(GLOBAL)).status_code == 401
    assert (await board.get(GLOBAL, people.employee)).status_code == 403
    assert (await board.get(GLOBAL, people.admin)).status_code == 200
    assert (await board.send("POST", GLOBAL, body, people.employee)).status_code == 403
    id, _ = await board.make()
    for answer in (
        await board.send("POST", GLOBAL, body, people.admin),
        await board.put(id, people.admin, name="y"),
        await board.delete(id, people.admin),
        await board.put(UNKNOWN, people.admin, name="y"),
    ):
        assert answer.status_code == 403, answer.text
        assert set(answer.json()) == {"error"}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"identifier": "BadKey-123"}, 400),
        ({"identifier": "9invalid"}, 400),
        ({"identifier": ""}, 400),
        ({"name": ""}, 400),
        ({"name": None}, 400),
        ({"type": "date"}, 400),
        ({"type": None}, 400),
        ({"defaultValue": "yes", "tooMuch": 1}, 201),
        ({"description": None, "category": None, "defaultValue": None}, 201),
    ],
)
async def test_given_a_definition_then_only_its_form_is_checked(
    board: Board, fields: dict[str, Any], status: int
) -> None:
    body = {"identifier": fresh("customers.x.y-z"), "name": "x", "type": "boolean", **fields}
    answer = await board.send("POST", GLOBAL, body)
    assert answer.status_code == status, answer.text
    if status == 400:
        assert answer.json()["details"][0]["path"] == [next(iter(fields))]


async def test_given_no_fields_or_no_json_then_400(board: Board) -> None:
    answer = await board.send("POST", GLOBAL, {})
    assert {issue["path"][0] for issue in answer.json()["details"]} == {"identifier", "name", "type"}
    headers = {**board.tenant.superadmin.headers, "content-type": "application/json"}
    for method in ("POST", "PUT"):
        broken = await board.client.request(method, GLOBAL, content=b"{", headers=headers)
        assert broken.status_code == 400


async def test_given_a_used_identifier_then_400_also_when_its_toggle_was_deleted(board: Board) -> None:
    id, identifier = await board.make()
    other, _ = await board.make()
    body = {"identifier": identifier, "name": "x", "type": "string"}
    assert (await board.send("POST", GLOBAL, body)).status_code == 400
    assert (await board.put(other, identifier=identifier)).status_code == 400
    assert (await board.put(id, identifier=identifier)).status_code == 200, "its own is free for it"
    assert (await board.delete(id)).status_code == 200
    assert (await board.send("POST", GLOBAL, body)).status_code == 400


async def test_given_an_update_then_what_is_absent_stays_and_null_clears(board: Board) -> None:
    id, _ = await board.make("json", {"a": [1, 2.5, None]}, description="about", category="sales")
    before = (await board.get(f"{GLOBAL}/{id}")).json()
    assert before["defaultValue"] == {"a": [1, 2.5, None]}
    answer = await board.put(id, name="Renamed")
    assert (answer.status_code, answer.json()) == (200, {"id": id})
    after = (await board.get(f"{GLOBAL}/{id}")).json()
    assert after == {**before, "name": "Renamed", "updatedAt": after["updatedAt"]}
    await board.put(id, description=None, category=None, defaultValue=None, type="string")
    cleared = (await board.get(f"{GLOBAL}/{id}")).json()
    assert [cleared[key] for key in ("description", "category", "defaultValue", "type")] == [
        None,
        None,
        None,
        "string",
    ]
    assert (await board.put(UNKNOWN, name="x")).status_code == 404
    assert (await board.put(id, name="")).status_code == 400
    assert (await board.send("PUT", GLOBAL, {"name": "x"})).status_code == 400


async def test_given_a_deleted_toggle_then_it_is_gone_but_its_overrides_stay(
    board: Board, database: Database
) -> None:
    id, identifier = await board.make()
    await board.override(id, overrideValue=False)
    assert (await board.delete(id)).json() == {"id": id}
    assert (await board.get(f"{GLOBAL}/{id}")).status_code == 404
    assert (await board.get(GLOBAL, identifier=identifier)).json()["total"] == 0
    assert (await board.get(GLOBAL, identifier=identifier, withDeleted="true")).json()["total"] == 1
    assert (await board.delete(id)).status_code == 404
    assert (await board.put(id, name="x")).status_code == 404
    assert (await board.override(id)).status_code == 404
    async with database.system() as connection:
        left = await connection.fetchval(
            "select count(*) from feature_toggle_overrides where toggle_id::text = $1", id
        )
    assert left == 1


async def test_given_an_id_in_the_body_or_none_when_deleting(board: Board) -> None:
    id, _ = await board.make()
    assert (await board.send("DELETE", GLOBAL)).status_code == 400
    assert (await board.delete("nope")).status_code == 400
    assert (await board.delete(UNKNOWN)).status_code == 404
    assert (await board.send("DELETE", GLOBAL, {"id": id})).status_code == 200
    assert (await board.get(f"{GLOBAL}/nope")).status_code == 400


async def test_given_a_stale_header_then_409_and_nothing_changes(board: Board) -> None:
    id, identifier = await board.make()
    row = (await board.get(f"{GLOBAL}/{id}")).json()
    lock = "x-om-ext-optimistic-lock-expected-updated-at"
    stale, fresh_one = {lock: "2020-01-01T00:00:00.000Z"}, {lock: row["updatedAt"]}
    for answer in (await board.put(id, more=stale, name="x"), await board.delete(id, more=stale)):
        assert answer.status_code == 409
        assert answer.json()["code"] == "optimistic_lock_conflict"
    assert (await board.get(f"{GLOBAL}/{id}")).json() == row
    assert (await board.override(id, more=stale, overrideValue=False)).status_code == 200, (
        "no row yet, no check"
    )
    assert (await board.override(id, more=stale, overrideValue=True)).status_code == 409
    assert await board.value(identifier) == (False, "override")
    assert (await board.put(id, more=fresh_one, name="x")).status_code == 200


async def test_given_a_history_then_undo_and_redo_are_exact_and_proven(
    board: Board, application: Application
) -> None:
    answer = await board.send(
        "POST", GLOBAL, {"identifier": fresh(), "name": "x", "type": "number", "defaultValue": 1}
    )
    id, made = answer.json()["id"], operation_of(answer)
    assert (made["resourceKind"], made["resourceId"]) == ("feature_toggles.global", id)
    first = (await board.get(f"{GLOBAL}/{id}")).json()

    changed = await board.put(id, name="y", defaultValue={"any": "thing"})
    assert (await board.undo(changed)).status_code == 200
    again = (await board.get(f"{GLOBAL}/{id}")).json()
    assert again == {**first, "updatedAt": again["updatedAt"]}

    gone = await board.delete(id)
    assert (await board.undo(gone)).status_code == 200
    assert (await board.get(f"{GLOBAL}/{id}")).status_code == 200

    assert (await board.undo(answer)).status_code == 200
    assert (await board.get(f"{GLOBAL}/{id}")).status_code == 404
    assert (await board.redo(made["id"])).status_code == 200
    back = (await board.get(f"{GLOBAL}/{id}")).json()
    assert (back["id"], back["createdAt"]) == (id, first["createdAt"])
    await assert_proven(application, board.tenant.id)


async def test_given_a_creation_taken_back_then_its_identifier_is_free_and_its_overrides_do_nothing(
    board: Board, application: Application
) -> None:
    identifier = fresh()
    answer = await board.send("POST", GLOBAL, {"identifier": identifier, "name": "x", "type": "boolean"})
    await board.override(answer.json()["id"], overrideValue=True)
    assert (await board.undo(answer)).status_code == 200
    assert (await board.check(identifier)).status_code == 404
    id, _ = await board.make(identifier=identifier, default=False)
    assert await board.value(identifier) == (False, "default")
    assert id != answer.json()["id"]
    await assert_proven(application, board.tenant.id)


async def test_given_an_admin_then_a_super_admins_action_cannot_be_taken_back(board: Board) -> None:
    id, identifier = await board.make()
    answer = await board.put(id, defaultValue=False)
    refused = await board.undo(answer, board.tenant.admin)
    assert refused.status_code == 400, refused.text
    assert await board.value(identifier) == (False, "default")


async def test_given_another_tenants_super_admin_then_toggles_are_theirs_too(
    board: Board, make_tenant: MakeTenant, application: Application
) -> None:
    id, identifier = await board.make()
    there = await make_tenant()
    assert (await board.get(f"{GLOBAL}/{id}", there.admin)).status_code == 200
    changed = await board.put(id, there.superadmin, name="From elsewhere")
    assert changed.status_code == 200, changed.text
    assert (await board.get(f"{GLOBAL}/{id}")).json()["name"] == "From elsewhere"
    undone = await board.undo(changed, there.superadmin)
    assert undone.status_code == 200, undone.text
    assert (await board.get(f"{GLOBAL}/{id}")).json()["name"] == "A toggle"
    assert (await board.redo(operation_of(changed)["id"], there.superadmin)).status_code == 200
    assert (await board.get(f"{GLOBAL}/{id}")).json()["name"] == "From elsewhere"
    body = {"identifier": identifier, "name": "x", "type": "boolean"}
    assert (await board.send("POST", GLOBAL, body, there.superadmin)).status_code == 400
    assert (await board.delete(id, there.superadmin)).status_code == 200
    for tenant_id in (board.tenant.id, there.id):
        await assert_proven(application, tenant_id)


async def test_given_a_selected_tenant_then_a_new_toggle_is_filed_under_the_actors_own(
    board: Board, make_tenant: MakeTenant, database: Database
) -> None:
    there = await make_tenant()
    body = {"identifier": fresh(), "name": "x", "type": "boolean"}
    selected = cookies(om_selected_tenant=there.id)
    answer = await board.send("POST", GLOBAL, body, more=selected)
    assert answer.status_code == 201
    async with database.system() as connection:
        filed = await connection.fetchval(
            "select tenant_id from feature_toggles where identifier = $1", body["identifier"]
        )
        logged = await connection.fetchval(
            "select tenant_id from action_logs where id::text = $1", operation_of(answer)["id"]
        )
    assert filed == logged == board.tenant.id
    assert (await board.undo(answer, more=selected)).status_code == 200
    assert (await board.get(f"{GLOBAL}/{answer.json()['id']}")).status_code == 404


async def test_given_two_who_take_one_identifier_at_once_then_one_gets_it(
    board: Board, make_tenant: MakeTenant
) -> None:
    import asyncio

    there = await make_tenant()
    body = {"identifier": fresh(), "name": "x", "type": "boolean"}
    answers: list[httpx.Response] = await asyncio.gather(
        *(board.send("POST", GLOBAL, body, one.superadmin) for one in (board.tenant, there) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [201, *[400] * 7]


async def test_given_the_index_then_a_document_stands_while_the_toggle_lives(
    board: Board, database: Database
) -> None:
    id, _ = await board.make(default={"deep": [1]}, kind="json")

    async def indexed() -> Any:
        async with database.system() as connection:
            return await connection.fetchrow(
                "select deleted_at, doc::jsonb->'defaultValue' as value, organization_id from entity_index"
                " where entity_type = 'feature_toggles:feature_toggle' and entity_id::text = $1",
                id,
            )

    row = await indexed()
    assert (row["deleted_at"], row["value"], row["organization_id"]) == (None, '{"deep": [1]}', None)
    await board.delete(id)
    assert (await indexed())["deleted_at"] is not None


async def test_given_the_log_then_the_action_stands_in_the_actors_tenant(board: Board) -> None:
    id, _ = await board.make()
    await board.put(id, name="y", defaultValue=True)
    found = await board.get(
        "/audit_logs/audit-logs/actions", resourceKind="feature_toggles.global", resourceId=id
    )
    newest = found.json()["items"][0]
    assert newest["commandId"] == "feature_toggles.global.update"
    assert newest["changes"] == {"name": {"from": "A toggle", "to": "y"}}, "an equal JSON value is no change"


async def test_given_the_installations_setup_then_default_toggles_are_made_once(
    board: Board, application: Application
) -> None:
    seeding = SeedToggles()
    await application.bus.execute(seeding, system_scope(board.tenant.id))
    for one in DEFAULTS:
        kept = (await board.get(GLOBAL, identifier=one.identifier, sortField="identifier")).json()["items"][0]
        assert (kept["name"], kept["type"], kept["category"]) == (one.name, one.type, one.category)
        assert (await board.check(one.identifier, one.type)).status_code == 200
    again = await application.bus.execute(seeding, system_scope(board.tenant.id))
    assert (again.result, again.log) == (0, None)
