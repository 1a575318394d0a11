"""Records of custom entities: what is written, and by whom (entities.md 3.1, 3.3 to 3.6)."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from app.main import Application
from projections import rebuild
from tests.conftest import Tenant, sign_in
from tests.dictionaries.conftest import Json, operation_of
from tests.entities.conftest import THING, Desk, desk_of
from tests.heart.proofs import assert_proven

PATH = "/entities/records"


async def listed(desk: Desk, query: str = "", entity: str = THING) -> list[Json]:
    """The items of the list."""
    return list((await desk.get(f"{PATH}?entityId={entity}{query}"))["items"])


async def create(desk: Desk, record_id: str | None = None, entity: str = THING, **values: Any) -> str:
    """The id of a new record."""
    body: Json = {"entityId": entity, "values": values}
    if record_id is not None:
        body["recordId"] = record_id
    made = await desk.post(PATH, body)
    assert made["ok"] is True and made["item"]["entityId"] == entity
    return str(made["item"]["recordId"])


async def put(desk: Desk, record_id: str, status: int = 200, entity: str = THING, **values: Any) -> Json:
    """The answer to an update."""
    return await desk._send(
        "PUT", PATH, {"entityId": entity, "recordId": record_id, "values": values}, status
    )


async def remove(desk: Desk, record_id: str, status: int = 200, entity: str = THING) -> Json:
    """The answer to a deletion."""
    return await desk._send("DELETE", PATH, {"entityId": entity, "recordId": record_id}, status)


@pytest.fixture
async def things(desk: Desk) -> Desk:
    """A custom entity with a field of each sort."""
    await desk.entity()
    for key, kind in (
        *(("name", "text"), ("qty", "integer"), ("price", "float"), ("done", "boolean")),
        *(("labels", "select"), ("note", "multiline")),
    ):
        await desk.define(key, kind, **({"multi": True} if key == "labels" else {}))
    return desk


async def test_values_come_back_as_they_went_in(things: Desk) -> None:
    """Given an entity with definitions, When values are posted, Then they come back with bare keys and JSON types."""
    id = await create(things, name="Widget", qty=42, price=1.5, done=True, labels=["ops", "x y"], cf_note="n")
    (item,) = await listed(things)
    assert next(iter(item)) == "id" and list(item)[-2:] == ["updated_at", "updatedAt"]
    assert {k: v for k, v in item.items() if k not in ("updated_at", "updatedAt")} == {
        "id": id,
        "name": "Widget",
        "qty": 42,
        "price": 1.5,
        "done": True,
        "labels": ["ops", "x y"],
        "note": "n",
    }
    assert item["updated_at"] == item["updatedAt"] and item["updatedAt"].endswith("Z")


@pytest.mark.parametrize("text", ["yes", "no", "on", "1", "0", "true", "off"])
async def test_texts_that_look_like_booleans_stay_texts(things: Desk, text: str) -> None:
    """Weak spot W7: nothing guesses a type from a text, in lists and in filters."""
    await create(things, name=text, labels=[text])
    (item,) = await listed(things, f"&name={text}")
    assert item["name"] == text and item["labels"] == [text]


async def test_missing_values_are_null(things: Desk) -> None:
    await create(things)
    (item,) = await listed(things)
    assert [item[key] for key in ("name", "qty", "price", "done", "labels", "note")] == [None] * 6


async def test_an_undeclared_key_is_refused_and_nothing_stored(things: Desk) -> None:
    answer = await things.post(PATH, {"entityId": THING, "values": {"name": "x", "strange": 1}}, 400)
    assert answer == {
        "error": "Validation failed",
        "fields": {"cf_strange": "[internal] Unknown custom field"},
    }
    assert await listed(things) == []


async def test_rules_are_checked_with_their_own_messages(things: Desk) -> None:
    await things.define("code", validation=[{"rule": "required", "message": "Code, please"}])
    assert (await things.post(PATH, {"entityId": THING, "values": {}}, 400))["fields"] == {
        "cf_code": "Code, please"
    }
    id = await create(things, code="A")
    answer = await put(things, id, 400, name="no code")
    assert answer["fields"] == {"cf_code": "Code, please"}, "rules run on the submitted values only"


async def test_rich_text_is_made_harmless(things: Desk) -> None:
    await things.define("html", "multiline", editor="htmlRichText")
    await create(things, html="<p>Hi<script>alert(1)</script></p>")
    assert (await listed(things))[0]["html"] == "<p>Hi</p>"


async def test_an_edit_form_may_send_everything_back(things: Desk) -> None:
    """Given the edit form echoes id, updated_at and updatedAt, Then PUT succeeds."""
    id = await create(things, name="a")
    (item,) = await listed(things)
    echoed = {**item, "name": "b", "created_at": "x", "deletedAt": "y"}
    await put(things, id, **echoed)
    assert [(item["id"], item["name"]) for item in await listed(things)] == [(id, "b")]


async def test_put_merges_and_keeps_nulls(things: Desk) -> None:
    id = await create(things, name="a", qty=1, price=12345678901234567890.5)
    await put(things, id, name=None, done=False)
    (item,) = await listed(things)
    assert (item["name"], item["qty"], item["done"]) == (None, 1, False)


@pytest.mark.parametrize("sentinel", ["create", "new", "null", "undefined", " ", "not-a-uuid", "42"])
async def test_a_placeholder_makes_a_new_record(things: Desk, sentinel: str) -> None:
    """Given PUT or POST with a recordId that is no UUID, Then a new UUID is returned."""
    made = (await put(things, sentinel, name="n"))["item"]["recordId"]
    assert str(UUID(made)) == made != sentinel
    posted = await create(things, record_id=sentinel, name="n")
    assert str(UUID(posted)) == posted != made


@pytest.mark.parametrize(
    "id",
    [
        "0b4a3d5e-1111-4222-8333-123456789abc",
        "01890a5d-ac96-774b-bcce-b302099a8057",  # version 7
        "0B4A3D5E-1111-1222-A333-123456789ABC",
    ],
)
async def test_an_unknown_uuid_becomes_the_id(things: Desk, id: str) -> None:
    assert (await put(things, id, name="x"))["item"]["recordId"] == id.lower()
    await put(things, id, qty=1)
    (item,) = await listed(things)
    assert (item["id"], item["name"], item["qty"]) == (id.lower(), "x", 1)


async def test_post_on_an_existing_record_overwrites_it(things: Desk) -> None:
    id = await create(things, name="a", qty=1)
    assert await create(things, record_id=id, name="b") == id
    assert [(item["name"], item["qty"]) for item in await listed(things)] == [("b", None)]
    await remove(things, id)
    await create(things, record_id=id, name="c")
    assert [item["name"] for item in await listed(things)] == ["c"]


async def test_a_deleted_record_is_revived_by_put(things: Desk) -> None:
    id = await create(things, name="a")
    assert await remove(things, id) == {"ok": True}
    assert await listed(things) == []
    assert [item["id"] for item in await listed(things, "&withDeleted=true")] == [id]
    await remove(things, id, 404)
    await put(things, id, qty=2)
    assert [(item["name"], item["qty"]) for item in await listed(things)] == [("a", 2)]


async def test_delete_takes_its_ids_from_query_or_body(things: Desk) -> None:
    id = await create(things)
    await things.delete(f"{PATH}?entityId={THING}&recordId={id}")
    await things.delete(f"{PATH}?entityId={THING}&recordId={id}", 404)
    await things.delete(f"{PATH}?entityId={THING}&recordId=", 400)
    for body in ({}, {"entityId": THING}, {"entityId": "", "recordId": id}):
        answer = await things._send("DELETE", PATH, body, 400)
        assert answer["error"] and answer["details"]
    await remove(things, "no uuid", 404)
    await remove(things, str(uuid4()), 404)


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("POST", {"values": {}}),
        ("POST", {"entityId": "", "values": {}}),
        ("POST", {"entityId": THING, "values": [1]}),
        ("POST", {"entityId": THING, "recordId": ""}),
        ("PUT", {"entityId": THING}),
        ("PUT", {"entityId": THING, "recordId": ""}),
        ("PUT", {"entityId": 1, "recordId": "new"}),
        ("PUT", [1]),
    ],
)
async def test_malformed_bodies_are_refused(things: Desk, method: str, body: Any) -> None:
    assert (await things._send(method, PATH, body, 400))["error"]
    assert await listed(things) == []


async def test_put_takes_values_that_are_no_object_for_none(things: Desk) -> None:
    body = {"entityId": THING, "recordId": "new", "values": "text"}
    await things._send("PUT", PATH, body, 200)
    assert len(await listed(things)) == 1


@pytest.mark.parametrize("entity", ["customers:customer_deal", "dictionaries:entry", "auth:user"])
async def test_entities_of_the_product_have_no_records_here(superadmin: Desk, entity: str) -> None:
    """Given an entity of the product, When any verb is tried, Then 400 with its code."""
    expected = {
        "error": "Records are available for custom entities only",
        "code": "system_entity_records_blocked",
        "entityId": entity,
    }
    assert await superadmin.get(f"{PATH}?entityId={entity}", 400) == expected
    body = {"entityId": entity, "recordId": str(uuid4()), "values": {}}
    for method in ("POST", "PUT", "DELETE"):
        assert await superadmin._send(method, PATH, body, 400) == expected


async def test_records_of_a_deleted_entity_stay(things: Desk) -> None:
    id = await create(things, name="a")
    await things._send("DELETE", "/entities/entities", {"entityId": THING}, 200)
    await put(things, id, qty=3)
    assert [(item["name"], item["qty"]) for item in await listed(things)] == [("a", 3)]


async def test_a_restricted_entity_needs_its_own_feature(
    things: Desk, superadmin: Desk, client: httpx.AsyncClient, tenant: Tenant, application: Application
) -> None:
    """Given a restricted entity and only the coarse features, Then 403 on all verbs; with its own, writes pass."""
    id = await create(things, name="a")
    clerk = await clerk_of(superadmin, client, tenant, application, [])
    await things.entity(accessRestricted=True)
    for method in ("POST", "PUT", "DELETE"):
        await clerk._send(method, PATH, {"entityId": THING, "recordId": id, "values": {}}, 403)
    await clerk.get(f"{PATH}?entityId={THING}", 403)
    other = await clerk_of(superadmin, client, tenant, application, [f"entities.records.{THING}.manage"])
    await put(other, id, name="b")
    await other.get(f"{PATH}?entityId={THING}", 403)
    assert [item["name"] for item in await listed(things)] == ["b"], "entities.* covers it"


async def test_undo_needs_the_right_to_a_restricted_entity_too(
    things: Desk, superadmin: Desk, client: httpx.AsyncClient, tenant: Tenant, application: Application
) -> None:
    clerk = await clerk_of(superadmin, client, tenant, application, [])
    done = await clerk.did("POST", PATH, {"entityId": THING, "values": {"name": "a"}})
    await things.entity(accessRestricted=True)
    answer = await clerk.undo(done["undoToken"], 400)
    assert answer["code"] == "not_permitted"
    assert len(await listed(things)) == 1


async def test_the_history_of_a_record_needs_what_its_records_need(
    things: Desk, superadmin: Desk, client: httpx.AsyncClient, tenant: Tenant, application: Application
) -> None:
    """Given the coarse features, Then a record's history is theirs; of a restricted entity, only with its own."""
    id = await create(things, name="a")
    history = f"/audit_logs/audit-logs/history/entities.record/{id}"
    clerk = await clerk_of(superadmin, client, tenant, application, ["audit_logs.view_tenant"])
    nobody = await clerk_of(superadmin, client, tenant, application, ["audit_logs.view_tenant"], coarse=False)
    reader = await clerk_of(
        superadmin, client, tenant, application, ["audit_logs.view_tenant", f"entities.records.{THING}.view"]
    )
    moments = (history, f"{history}/state?at=2100-01-01T00:00:00Z")
    for path in moments:
        for desk in (things, clerk, reader):
            await desk.get(path)
        assert (await nobody.get(path, 403))["requiredFeatures"] == ["entities.records.view"]

    await things.entity(accessRestricted=True)
    for path in moments:
        await clerk.get(path, 403)
        for desk in (things, reader):
            await desk.get(path)
    at = (await things.get(history))["items"][-1]["id"]
    await clerk.post(f"{history}/restore", {"at": at}, 403)

    # And so it stays once the record is gone, because its making was undone
    done = await things.did("POST", PATH, {"entityId": THING, "values": {"name": "b"}})
    made = (await things.get("/audit_logs/audit-logs/actions?limit=1"))["items"][0]["resourceId"]
    await things.undo(done["undoToken"])
    gone = f"/audit_logs/audit-logs/history/entities.record/{made}"
    await clerk.get(gone, 403)
    assert len((await reader.get(gone))["items"]) == 2


async def test_who_may_not_see_the_log_sees_their_own_part_of_a_records_history(
    things: Desk, superadmin: Desk, client: httpx.AsyncClient, tenant: Tenant, application: Application
) -> None:
    id = await create(things, name="a")
    clerk = await clerk_of(superadmin, client, tenant, application, [])
    await put(clerk, id, name="b")
    items = (await clerk.get(f"/audit_logs/audit-logs/history/entities.record/{id}"))["items"]
    assert [item["commandId"] for item in items] == ["entities.records.update"]


async def clerk_of(
    superadmin: Desk,
    client: httpx.AsyncClient,
    tenant: Tenant,
    application: Application,
    features: list[str],
    *,
    coarse: bool = True,
) -> Desk:
    """Somebody with the coarse features of records (unless not `coarse`), and some more."""
    name = f"clerk {uuid4().hex[:6]}"
    role = (await superadmin.post("/auth/roles", {"name": name}, 201))["id"]
    held = ["audit_logs.undo_self", "audit_logs.view_self", *features]
    if coarse:
        held += ["entities.records.view", "entities.records.manage"]
    acl = {"roleId": role, "features": held, "isSuperAdmin": False, "organizations": None}
    await superadmin._send("PUT", "/auth/roles/acl", acl, 200)
    email = f"{uuid4().hex}@example.com"
    user = {
        "email": email,
        "password": "Correct-horse-9",
        "organizationId": str(tenant.organization_id),
        "roles": [name],
    }
    made = (await superadmin.post("/auth/users", user, 201))["id"]
    person = await sign_in(application, tenant.id, tenant.organization_id, UUID(made), email)
    return desk_of(client, person)


async def test_an_unregistered_entity_is_for_super_admins(
    desk: Desk, superadmin: Desk, employee: Desk
) -> None:
    """Given an unregistered id and somebody who is no super admin, Then 403."""
    for method in ("POST", "PUT", "DELETE"):
        await desk._send(method, PATH, {"entityId": "some:thing", "recordId": str(uuid4())}, 403)
    await desk.get(f"{PATH}?entityId=some:thing", 403)
    refused = await employee.get(f"{PATH}?entityId=some:thing", 403)
    assert refused["requiredFeatures"] == ["entities.records.view"]
    await superadmin.define("name", entity="some:thing")
    id = await create(superadmin, entity="some:thing", name="x")
    assert await listed(superadmin, entity="some:thing") == [{"id": id, "cf_name": "x"}]


async def test_a_stale_write_is_refused_and_the_record_kept(things: Desk) -> None:
    """Given a stale header on PUT or DELETE, Then 409 and the record is as it was."""
    lock = "x-om-ext-optimistic-lock-expected-updated-at"
    id = await create(things, name="a")
    (item,) = await listed(things)
    body = {"entityId": THING, "recordId": id, "values": {"name": "b"}}
    for method in ("PUT", "DELETE"):
        answer = await things.ask(method, PATH, body, **{lock: "2020-01-01T00:00:00.000Z"})
        assert answer.status_code == 409
        assert answer.json() == {
            "error": "record_modified",
            "code": "optimistic_lock_conflict",
            "currentUpdatedAt": item["updatedAt"],
            "expectedUpdatedAt": "2020-01-01T00:00:00.000Z",
        }
    assert await listed(things) == [item]
    fresh = await things.ask("PUT", PATH, body, **{lock: item["updatedAt"]})
    assert fresh.status_code == 200
    again = await things.ask("PUT", PATH, body, **{lock: item["updatedAt"]})
    assert again.status_code == 409


async def test_every_write_can_be_taken_back_exactly(
    things: Desk, application: Application, tenant: Tenant
) -> None:
    async def did(method: str, body: Json) -> Json:
        answer = await things.ask(method, PATH, body)
        assert answer.status_code == 200, answer.text
        return operation_of(answer.headers)

    done = await did("POST", {"entityId": THING, "values": {"name": "a", "labels": ["x", "y"]}})
    id = done["resourceId"]
    (created,) = await listed(things)
    assert created["id"] == id and done["resourceKind"] == "entities.record"
    states = [[], [created]]
    tokens = [done]
    for method, body in (
        ("PUT", {"entityId": THING, "recordId": id, "values": {"labels": ["y"], "qty": 3}}),
        ("POST", {"entityId": THING, "recordId": id, "values": {"name": "over"}}),
        ("DELETE", {"entityId": THING, "recordId": id}),
    ):
        tokens.append(await did(method, body))
        states.append(await listed(things))
        await assert_proven(application, tenant.id)
    undone = []
    for done, before in zip(reversed(tokens), reversed(states[:-1]), strict=True):
        undone.append((await things.undo(done["undoToken"]))["logId"])
        assert stripped(await listed(things)) == stripped(before)
        await assert_proven(application, tenant.id)
    for log_id, after in zip(reversed(undone), states[1:], strict=True):
        await things.redo(log_id)
        assert stripped(await listed(things)) == stripped(after)
        await assert_proven(application, tenant.id)


def stripped(items: list[Json]) -> list[Json]:
    """Without the stamps, which undo makes anew."""
    return [{k: v for k, v in item.items() if k not in ("updated_at", "updatedAt")} for item in items]


async def test_the_log_shows_the_fields(things: Desk) -> None:
    id = await create(things, name="a", qty=1)
    await put(things, id, name="b")
    log = await things.get(f"/audit_logs/audit-logs/actions?resourceKind=entities.record&resourceId={id}")
    newest = log["items"][0]
    assert newest["commandId"] == "entities.records.update"
    assert newest["changes"] == {"cf_name": {"from": "a", "to": "b"}}
    assert newest["parentResourceKind"] == "entities.entity" and newest["parentResourceId"] == THING


async def test_one_id_may_stand_in_two_entities_and_two_organizations(
    things: Desk, elsewhere: Desk, application: Application, tenant: Tenant
) -> None:
    """The same record id is another record in another entity, and in another organization."""
    id = str(uuid4())
    await things.entity("user:other")
    await things.define("name", entity="user:other")
    await create(things, record_id=id, name="one")
    await create(things, record_id=id, entity="user:other", name="two")
    await elsewhere.define("name")
    await create(elsewhere, record_id=id, name="three")
    await put(elsewhere, id, name="three!")
    assert [item["name"] for item in await listed(things, entity="user:other")] == ["two"]
    assert sorted(item["name"] for item in await listed(things)) == ["one", "three!"]
    assert [(item["id"], item["name"]) for item in await listed(elsewhere)] == [(id, "three!")]
    async with application.database.system() as connection:
        found = await rebuild.differences(connection, tenant.id, application.search_key(tenant.id))
    assert [one for one in found if one.entity_type.startswith("user:")] == []
