"""`GET` and `POST /entities/encryption` (contract: entities.md 5.2 and 5.3)."""

from uuid import uuid4

import httpx
import pytest

from app.database import Database
from tests.conftest import MakeTenant, Tenant
from tests.encryption.conftest import save_map, stored

PATH = "/entities/encryption"
FIELDS = [{"field": "name"}]


async def test_given_no_map_then_no_fields_are_answered(admin: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await admin.get(PATH, params={"entityId": "auth:user"})
    assert answer.status_code == 200
    assert answer.json() == {
        "entityId": "auth:user",
        "tenantId": str(tenant.id),
        "organizationId": str(tenant.organization_id),
        "fields": [],
        "isActive": True,
        "updatedAt": None,
    }


async def test_given_a_saved_map_then_it_is_answered_and_saving_again_changes_the_same_row(
    admin: httpx.AsyncClient, tenant: Tenant
) -> None:
    body = {
        "entityId": "auth:user",
        "tenantId": None,
        "organizationId": None,
        "fields": [{"field": "name", "hashField": None}],
    }
    first = await admin.post(PATH, json=body)
    assert first.status_code == 200 and first.json()["ok"] is True
    assert "x-om-operation" not in first.headers
    found = (await admin.get(PATH, params={"entityId": "auth:user"})).json()
    assert found["fields"] == body["fields"] and found["updatedAt"] == first.json()["updatedAt"]
    await save_map(admin, "auth:user", "name", isActive=False, tenantId=str(tenant.id))
    assert (await admin.get(PATH, params={"entityId": "auth:user"})).json()["isActive"] is False


async def test_given_fields_that_cannot_be_sealed_then_the_answer_names_them(
    admin: httpx.AsyncClient,
) -> None:
    assert (await save_map(admin, "auth:user", "name", "email"))["notApplied"] == ["email"]
    assert "notApplied" not in await save_map(admin, "user:thing", "anything")
    assert (await save_map(admin, "customers:customer_deal", "title"))["notApplied"] == ["title"]
    assert (await save_map(admin, "dictionaries:entry", "label"))["notApplied"] == ["label"]


@pytest.mark.parametrize(
    "body",
    [
        {"entityId": "auth:user", "fields": []},
        {"entityId": "Auth User", "fields": FIELDS},
        {"entityId": "auth:user", "fields": [{"field": ""}]},
        {"entityId": "auth:user", "fields": [{"field": "x" * 201}]},
        {"entityId": "auth:user"},
        [],
    ],
)
async def test_given_a_wrong_body_then_400_with_details(admin: httpx.AsyncClient, body: object) -> None:
    refused = await admin.post(PATH, json=body)
    assert refused.status_code == 400
    assert set(refused.json()["details"]) == {"formErrors", "fieldErrors"}


async def test_given_no_entity_then_400_and_the_gates_come_first(
    client: httpx.AsyncClient, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    assert (await client.get(PATH)).status_code == 401
    client.headers.update(tenant.employee.headers)
    assert (await client.get(PATH)).json()["requiredFeatures"] == ["entities.definitions.manage"]
    client.headers.update(tenant.admin.headers)
    assert (await client.get(PATH)).status_code == 400
    foreign = {"entityId": "auth:user", "fields": FIELDS, "tenantId": str((await make_tenant()).id)}
    assert (await client.post(PATH, json=foreign)).status_code == 403


async def test_given_a_stale_version_then_409(admin: httpx.AsyncClient) -> None:
    await save_map(admin, "auth:user", "name")
    header = {"x-om-ext-optimistic-lock-expected-updated-at": "2020-01-01T00:00:00.000Z"}
    refused = await admin.post(PATH, json={"entityId": "auth:user", "fields": FIELDS}, headers=header)
    assert refused.status_code == 409 and refused.json()["code"] == "optimistic_lock_conflict"


async def test_given_a_map_of_one_organization_then_others_do_not_seal(
    admin: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    made = await admin.post("/directory/organizations", json={"name": f"Other {uuid4().hex[:6]}"})
    other = made.json()["id"]
    await save_map(admin, "auth:user", "name")
    names = {}
    for place in (str(tenant.organization_id), other):
        body = {
            "email": f"{uuid4().hex}@example.com",
            "password": "Passw0rd!",
            "organizationId": place,
            "name": "Ada",
        }
        user = await admin.post("/auth/users", json=body)
        assert user.status_code == 201, user.text
        names[place] = await stored(database, tenant, "users", "name", user.json()["id"])
    assert names[str(tenant.organization_id)].startswith("bse1:") and names[other] == "Ada"
