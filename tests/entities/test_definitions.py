"""Single definitions of custom fields (contract: entities.md 2.1 to 2.3, 2.5 and 2.6)."""

from typing import Any

import pytest

from app.database import Database
from app.main import Application
from tests.conftest import MakeTenant, Tenant, sign_in
from tests.entities.conftest import THING, Desk

DEAL = "customers:customer_deal"


async def rows(database: Database, tenant: Tenant, key: str) -> list[Any]:
    async with database.read(tenant.id) as connection:
        return list(
            await connection.fetch(
                "select organization_id, is_active, deleted_at, kind from field_definitions where key = $1",
                key,
            )
        )


async def test_given_a_definition_then_it_is_stored_complete_and_listed(desk: Desk, tenant: Tenant) -> None:
    item = await desk.define("size", "integer", label="  ", defaultValue=3.0, unit="cm")
    config = {"label": "size", "formEditable": True, "listVisible": True, "defaultValue": 3, "unit": "cm"}
    assert item == {
        "id": item["id"],
        "key": "size",
        "kind": "integer",
        "configJson": config,
        "isActive": True,
    }
    assert await desk.fields() == [
        {
            "key": "size",
            "kind": "integer",
            "label": "size",
            "multi": False,
            "filterable": False,
            "formEditable": True,
            "listVisible": True,
            "defaultValue": 3,
            "priority": 0,
            "entityId": THING,
        }
    ]
    managed = await desk.managed()
    assert managed["items"] == [
        {**item, "organizationId": str(tenant.organization_id), "tenantId": str(tenant.id)}
    ]
    assert managed["deletedKeys"] == [] and managed["fieldsets"] == []
    assert managed["settings"] == {"singleFieldsetPerRecord": True}


async def test_given_a_fresh_tenant_then_it_has_the_declared_fields(desk: Desk) -> None:
    answer = await desk.get(f"/entities/definitions?entityId={DEAL}")
    assert [(item["key"], item["kind"], item["priority"]) for item in answer["items"]] == [
        ("competitive_risk", "select", 0),
        ("implementation_complexity", "select", 1),
        ("estimated_seats", "integer", 2),
        ("requires_legal_review", "boolean", 3),
    ]
    risk, _, seats, review = answer["items"]
    assert risk["options"] == [{"value": name, "label": name} for name in ("low", "medium", "high")]
    assert risk["filterable"] and seats["filterable"] and review["defaultValue"] is False
    assert answer["fieldsetsByEntity"] == {DEAL: []}
    assert answer["entitySettings"] == {DEAL: {"singleFieldsetPerRecord": True}}
    assert len(await desk.keys("customers:customer_person_profile")) == 3
    assert len(await desk.keys("customers:customer_company_profile")) == 4
    assert len(await desk.keys("customers:customer_activity")) == 3
    assert (await desk.managed(DEAL))["items"][0]["organizationId"] is None


async def test_given_an_inherited_field_when_one_organization_deletes_it_then_another_keeps_it(
    desk: Desk, elsewhere: Desk, database: Database, tenant: Tenant
) -> None:
    answer = await elsewhere.undefine("estimated_seats", DEAL)
    assert answer["ok"] is True and answer["version"].endswith("Z")
    assert [bool(row["deleted_at"]) for row in await rows(database, tenant, "estimated_seats")].count(
        True
    ) == 1
    assert "estimated_seats" not in await elsewhere.keys(DEAL)
    assert (await elsewhere.managed(DEAL))["deletedKeys"] == ["estimated_seats"]
    assert "estimated_seats" in await desk.keys(DEAL)
    await elsewhere.post("/entities/definitions.restore", {"entityId": DEAL, "key": "estimated_seats"})
    assert "estimated_seats" in await elsewhere.keys(DEAL)


async def test_given_a_deleted_key_when_it_is_defined_again_then_the_same_row_is_back(desk: Desk) -> None:
    first = await desk.define("size", "integer")
    await desk.undefine("size")
    assert await desk.keys() == [] and (await desk.managed())["deletedKeys"] == ["size"]
    second = await desk.define("size", "text")
    assert second["id"] == first["id"] and second["kind"] == "text"
    assert (await desk.managed())["deletedKeys"] == []


async def test_given_a_deleted_key_when_it_is_deleted_again_then_200_and_nothing_to_undo(desk: Desk) -> None:
    await desk.define("size")
    await desk.undefine("size")
    answer = await desk.ask("DELETE", "/entities/definitions", {"entityId": THING, "key": "size"})
    assert answer.status_code == 200 and "x-om-operation" not in answer.headers


async def test_given_a_tombstone_of_the_tenant_then_a_field_of_the_organization_is_seen(
    desk: Desk, database: Database, tenant: Tenant
) -> None:
    transaction = await database.begin(tenant.id, "test.tombstone")
    await transaction.connection.execute(
        "update field_definitions set deleted_at = now(), is_active = false where tenant_id = $1 and key = $2",
        tenant.id,
        "estimated_seats",
    )
    await transaction.commit()
    assert "estimated_seats" not in await desk.keys(DEAL)
    await desk.undefine("estimated_seats", DEAL, 404)
    await desk.define("estimated_seats", "integer", DEAL)
    assert "estimated_seats" in await desk.keys(DEAL)
    assert (await desk.managed(DEAL))["deletedKeys"] == []


async def test_given_an_inactive_definition_then_it_hides_the_field(desk: Desk) -> None:
    body = {"entityId": THING, "key": "size", "kind": "text", "isActive": False}
    assert (await desk.post("/entities/definitions", body))["item"]["isActive"] is False
    assert await desk.keys() == [] and (await desk.managed())["deletedKeys"] == ["size"]


async def test_given_no_such_field_then_404(desk: Desk) -> None:
    await desk.undefine("nothing", status=404)
    await desk.post("/entities/definitions.restore", {"entityId": THING, "key": "nothing"}, 404)
    await desk.post("/entities/definitions.restore", {"entityId": DEAL, "key": "estimated_seats"}, 404)


async def test_given_an_active_row_then_restoring_it_changes_nothing(desk: Desk) -> None:
    await desk.define("size")
    body = {"entityId": THING, "key": "size"}
    answer = await desk.ask("POST", "/entities/definitions.restore", body)
    assert answer.json() == {"ok": True} and "x-om-operation" not in answer.headers


@pytest.mark.parametrize("body", [{}, {"entityId": THING}, {"key": "x"}, {"entityId": "", "key": "x"}, [], 5])
async def test_given_no_entity_or_key_then_400(desk: Desk, body: Any) -> None:
    assert (await desk.ask("DELETE", "/entities/definitions", body)).status_code == 400
    assert (await desk.ask("POST", "/entities/definitions.restore", body)).status_code == 400


async def test_given_a_dictionary_field_then_its_default_must_be_an_entry(desk: Desk) -> None:
    dictionary = await desk.dictionary("colors")
    await desk.entries(dictionary, "red")
    id = dictionary.rpartition("/")[2]
    body = {"entityId": THING, "key": "color", "kind": "dictionary"}
    for default, status in (("blue", 400), ("red", 200)):
        config = {"dictionaryId": id, "defaultValue": default}
        await desk.post("/entities/definitions", {**body, "configJson": config}, status)
    item = (await desk.fields())[0]
    assert item["optionsUrl"] == f"/api/dictionaries/{id}/entries"
    assert item["dictionaryId"] == id and item["dictionaryInlineCreate"] is True


async def test_given_the_default_of_a_dictionary_that_does_not_exist_then_400(desk: Desk) -> None:
    config = {"dictionaryId": "00000000-0000-4000-8000-000000000000", "defaultValue": "red"}
    body = {"entityId": THING, "key": "color", "kind": "dictionary", "configJson": config}
    await desk.post("/entities/definitions", body, 400)


async def test_given_options_then_clients_read_the_clean_ones(desk: Desk) -> None:
    await desk.define("size", "select", options=["low", 2, " b ", ""])
    assert (await desk.fields())[0]["options"] == [
        {"value": "low", "label": "low"},
        {"value": "b", "label": "b"},
    ]
    await desk.batch(
        {"key": "size", "kind": "select", "configJson": {"options": ["a", " b ", "", 2, {"value": "c"},
         {"value": "d", "label": " D "}, {"value": 3}, None]}}
    )  # fmt: skip
    shown = [(one["value"], one["label"]) for one in (await desk.fields())[0]["options"]]
    assert shown == [("a", "a"), ("b", "b"), ("c", "c"), ("d", "D")]


async def test_given_a_currency_then_its_options_are_the_fixed_ones(desk: Desk) -> None:
    item = await desk.define("price", "currency", options=["EUR"])
    assert "options" not in item["configJson"]
    assert item["configJson"]["optionsUrl"] == "/api/currencies/currencies/options"
    assert "options" not in (await desk.fields())[0]


async def test_given_several_lines_then_the_editor_is_markdown_unless_said(desk: Desk) -> None:
    assert (await desk.define("note", "multiline"))["configJson"]["editor"] == "markdown"
    assert (await desk.define("page", "multiline", editor="plain"))["configJson"]["editor"] == "plain"


async def test_given_all_options_then_the_public_item_shows_them_and_hides_the_inner_ones(desk: Desk) -> None:
    await desk.define(
        "file",
        "attachment",
        description="Help",
        group={"code": "papers", "title": "Papers"},
        fieldset="basic",
        validation=[{"rule": "required", "message": "Needed"}],
        maxAttachmentSizeMb=5,
        acceptExtensions=["pdf"],
        input="listbox",
        encrypted=True,
        relatedEntityId="auth:user",
        required=True,
    )
    item = (await desk.fields())[0]
    assert {"encrypted", "relatedEntityId", "required"}.isdisjoint(item)
    assert item["group"] == {"code": "papers", "title": "Papers"}
    assert item["fieldset"] == "basic" and "fieldsets" not in item
    assert item["validation"] == [{"rule": "required", "message": "Needed"}]
    assert (item["maxAttachmentSizeMb"], item["acceptExtensions"], item["input"]) == (5, ["pdf"], "listbox")
    assert (await desk.managed())["items"][0]["configJson"]["encrypted"] is True


async def test_given_two_entities_with_one_key_then_the_one_that_shows_more_stays(desk: Desk) -> None:
    await desk.define("name", "text", "user:one", listVisible=False)
    await desk.define("name", "text", "user:two", priority=7)
    await desk.define("Other".lower(), "text", "user:one", priority=3)
    path = "/entities/definitions?entityId=user:one&entityIds=user:two,,user:one&entityId="
    answer = await desk.get(path)
    assert [(one["key"], one["entityId"]) for one in answer["items"]] == [
        ("other", "user:one"),
        ("name", "user:two"),
    ]
    assert list(answer["fieldsetsByEntity"]) == ["user:one", "user:two"]


async def test_given_a_fieldset_then_only_its_fields_are_listed(desk: Desk) -> None:
    await desk.batch(
        {"key": "a", "kind": "text", "configJson": {"fieldset": "basic"}},
        {"key": "b", "kind": "text", "configJson": {"fieldsets": ["more", "basic"], "fieldset": "other"}},
        {"key": "c", "kind": "text"},
    )
    assert await desk.keys(more="&fieldset=%20basic%20") == ["a", "b"]
    assert await desk.keys(more="&fieldset=other") == []
    assert await desk.keys() == ["a", "b", "c"]
    assert (await desk.fields())[1]["fieldsets"] == ["more", "basic"]


async def test_given_no_entity_or_only_reserved_ones_then_400_or_nothing(desk: Desk) -> None:
    for query in ("", "?entityId=", "?entityIds=,%20,"):
        await desk.get(f"/entities/definitions{query}", 400)
    reserved = await desk.get("/entities/definitions?entityId=entities:custom_field_def")
    assert reserved == {"items": []}
    await desk.get("/entities/definitions.manage", 400)
    await desk.get("/entities/definitions.manage?entityId=", 400)
    body = {"entityId": "entities:custom_entity", "key": "x", "kind": "text"}
    assert "details" not in await desk.post("/entities/definitions", body, 400)


async def test_given_an_employee_then_reading_is_allowed_and_writing_is_not(employee: Desk) -> None:
    assert await employee.keys(DEAL)
    body = {"entityId": THING, "key": "size", "kind": "text"}
    answer = await employee.post("/entities/definitions", body, 403)
    assert answer["requiredFeatures"] == ["entities.definitions.manage"]
    for method, path in (
        ("DELETE", "/entities/definitions"),
        ("POST", "/entities/definitions.batch"),
        ("GET", "/entities/definitions.manage?entityId=x"),
        ("POST", "/entities/definitions.restore"),
    ):
        assert (await employee.ask(method, path, {})).status_code == 403


async def test_given_nobody_then_401(desk: Desk) -> None:
    for method, path in (
        ("GET", "/entities/definitions"),
        ("POST", "/entities/definitions"),
        ("GET", "/entities/entities"),
        ("GET", "/entities/sidebar-entities"),
        ("GET", "/entities/relations/options"),
    ):
        assert (await desk.client.request(method, path)).status_code == 401


async def test_given_a_wrong_selection_then_nothing_is_written(desk: Desk) -> None:
    desk.organization = "00000000-0000-4000-8000-000000000000"
    body = {"entityId": THING, "key": "size", "kind": "text"}
    assert (await desk.post("/entities/definitions", body, 422))["code"] == "organization_selection_invalid"


async def test_given_a_stale_version_then_a_single_definition_is_saved_all_the_same(desk: Desk) -> None:
    stale = {"x_om_ext_optimistic_lock_expected_updated_at": "2020-01-01T00:00:00Z"}
    body = {"entityId": THING, "key": "size", "kind": "text"}
    for _ in range(2):
        assert (await desk.ask("POST", "/entities/definitions", body, **stale)).status_code == 200
    assert (await desk.ask("DELETE", "/entities/definitions", body, **stale)).status_code == 200


async def test_given_a_super_admin_without_organization_then_reading_is_of_the_tenant_and_writing_is_400(
    superadmin: Desk, make_tenant: MakeTenant
) -> None:
    other = await make_tenant()
    cookie = {"cookie": f"om_selected_tenant={other.id}"}
    managed = await superadmin.ask("GET", f"/entities/definitions.manage?entityId={DEAL}", **cookie)
    assert [item["organizationId"] for item in managed.json()["items"]] == [None] * 4
    assert {item["tenantId"] for item in managed.json()["items"]} == {str(other.id)}
    for method, path, body in (
        ("POST", "/entities/definitions", {"entityId": THING, "key": "size", "kind": "text"}),
        ("POST", "/entities/definitions.batch", {"entityId": THING, "definitions": []}),
        ("DELETE", "/entities/definitions", {"entityId": DEAL, "key": "estimated_seats"}),
        ("POST", "/entities/entities", {"entityId": THING, "label": "Things"}),
    ):
        answer = await superadmin.ask(method, path, body, **cookie)
        assert answer.status_code == 400 and "details" not in answer.json(), answer.text


async def test_given_somebody_without_organization_then_401(
    desk: Desk, application: Application, tenant: Tenant
) -> None:
    transaction = await application.database.begin(tenant.id, "test.homeless")
    await transaction.connection.execute(
        "update users set organization_id = null where id = $1", tenant.admin.id
    )
    await transaction.commit()
    application.identity.forget(tenant.id)
    nowhere: Any = None
    person = await sign_in(application, tenant.id, nowhere, tenant.admin.id, tenant.admin.email)
    desk = Desk(desk.client, person)
    for path in (f"definitions.manage?entityId={DEAL}", "entities", "sidebar-entities", "relations/options"):
        await desk.get(f"/entities/{path}", 401)
    body = {"entityId": THING, "key": "size", "kind": "text"}
    await desk.post("/entities/definitions", body, 401)
    assert len(await desk.keys(DEAL)) == 4
