"""Encrypted custom fields of records: all kinds, filters by equality, lists, exports, history."""

import httpx
import msgspec
import pytest

from app.database import Database
from app.main import Application
from tests.conftest import Tenant
from tests.encryption.conftest import define, save_map
from tests.heart.proofs import assert_proven

ENTITY = "user:patient"
RECORDS = "/entities/records"


@pytest.fixture
async def patients(admin: httpx.AsyncClient) -> httpx.AsyncClient:
    """A custom entity with encrypted fields and one that is not."""
    made = await admin.post("/entities/entities", json={"entityId": ENTITY, "label": "Patient"})
    assert made.status_code == 200, made.text
    await define(admin, ENTITY, "ssn", encrypted=True)
    await define(admin, ENTITY, "age", "integer", encrypted=True)
    await define(admin, ENTITY, "smokes", "boolean", encrypted=True)
    await define(admin, ENTITY, "allergies", "text", encrypted=True, multi=True)
    await define(admin, ENTITY, "city")
    return admin


async def add(client: httpx.AsyncClient, **values: object) -> str:
    answer = await client.post(RECORDS, json={"entityId": ENTITY, "values": values})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["item"]["recordId"])


async def listed(client: httpx.AsyncClient, **query: str) -> list[dict[str, object]]:
    answer = await client.get(RECORDS, params={"entityId": ENTITY, **query})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, object]] = answer.json()["items"]
    return items


async def at_rest(database: Database, tenant: Tenant, id: str) -> dict[str, object]:
    async with database.system() as connection:
        text = await connection.fetchval(
            "select custom_fields::text from entity_records where tenant_id = $1 and id = $2::uuid",
            tenant.id,
            id,
        )
    found: dict[str, object] = msgspec.json.decode(text)
    return found


async def test_given_encrypted_fields_then_rows_hold_tokens_and_lists_hold_values_with_their_types(
    patients: httpx.AsyncClient, tenant: Tenant, database: Database, secret: str
) -> None:
    values = {"ssn": secret, "age": 42, "smokes": False, "allergies": ["nuts", secret], "city": "Oslo"}
    id = await add(patients, **values)
    row = await at_rest(database, tenant, id)
    assert row["city"] == "Oslo"
    assert all(str(row[key]).startswith("bse1:") for key in ("ssn", "age", "smokes"))
    assert [str(one)[:5] for one in row["allergies"]] == ["bse1:", "bse1:"]  # type: ignore[union-attr]
    (found,) = await listed(patients)
    assert {key: found[key] for key in values} == values


async def test_given_a_filter_by_an_encrypted_field_then_equal_values_are_found_and_nothing_else(
    patients: httpx.AsyncClient, secret: str
) -> None:
    one = await add(patients, ssn=secret, age=42, smokes=True, allergies=["nuts", "bees"])
    other = await add(patients, ssn=f"{secret}x", age=43, smokes=False, allergies=["bees"])
    assert [each["id"] for each in await listed(patients, ssn=f" {secret.upper()}")] == [one]
    assert [each["id"] for each in await listed(patients, cf_age="43")] == [other]
    assert [each["id"] for each in await listed(patients, smokes="true")] == [one]
    assert [each["id"] for each in await listed(patients, cf_allergiesIn="nuts,cats")] == [one]
    assert {each["id"] for each in await listed(patients, allergies="bees")} == {one, other}
    assert await listed(patients, ssn=secret[:-1]) == []
    assert await listed(patients, search=secret, searchFields="ssn") == []


async def test_given_an_update_of_another_field_then_the_token_stays_and_undo_brings_everything_back(
    patients: httpx.AsyncClient, application: Application, tenant: Tenant, database: Database, secret: str
) -> None:
    id = await add(patients, ssn=secret, city="Oslo")
    before = await at_rest(database, tenant, id)
    body = {"entityId": ENTITY, "recordId": id, "values": {"city": "Bergen"}}
    assert (await patients.put(RECORDS, json=body)).status_code == 200
    after = await at_rest(database, tenant, id)
    assert after["ssn"] == before["ssn"] and after["city"] == "Bergen"
    body["values"] = {"ssn": f"{secret} new"}
    assert (await patients.put(RECORDS, json=body)).status_code == 200
    actions = "/audit_logs/audit-logs/actions"
    newest = (await patients.get(actions, params={"limit": "1"})).json()["items"][0]
    assert newest["changes"]["cf_ssn"] == {"from": secret, "to": f"{secret} new"}
    assert (
        await patients.post(f"{actions}/undo", json={"undoToken": newest["undoToken"]})
    ).status_code == 200
    assert await at_rest(database, tenant, id) == after
    await assert_proven(application, tenant.id)


@pytest.mark.parametrize("kind", ["csv", "json", "xml", "markdown"])
async def test_given_an_export_then_it_holds_values_written_as_its_format_wants_them(
    patients: httpx.AsyncClient, kind: str, secret: str
) -> None:
    await add(patients, ssn=f'={secret},"x"', age=42)
    answer = await patients.get(RECORDS, params={"entityId": ENTITY, "format": kind, "exportScope": "full"})
    assert answer.status_code == 200 and "bse1:" not in answer.text
    written = {
        "csv": f'"\'={secret},""x"""',
        "json": f'"={secret},\\"x\\""',
        "xml": f"={secret},&quot;x&quot;",
        "markdown": f'={secret},"x"',
    }
    assert written[kind] in answer.text and "42" in answer.text


async def test_given_a_map_with_a_hash_field_then_the_lookup_hash_is_answered_there(
    patients: httpx.AsyncClient, tenant: Tenant, database: Database, secret: str
) -> None:
    await define(patients, ENTITY, "city_hash")
    fields = [{"field": "cf_city", "hashField": "city_hash"}]
    saved = await patients.post("/entities/encryption", json={"entityId": ENTITY, "fields": fields})
    assert saved.status_code == 200
    row = await at_rest(database, tenant, await add(patients, city=secret))
    assert str(row["city_hash"]).startswith("bse1:"), (
        "it is sealed as well: it could be tried by whoever has keys"
    )
    async with database.system() as connection:
        looked_up = await connection.fetchval("select sealed_key($1)", row["city"])
    (found,) = await listed(patients)
    assert found["city_hash"] == f"v2:{looked_up.removeprefix('bse1:')}"
    assert len(await listed(patients, city_hash=str(found["city_hash"]))) == 1


async def test_given_a_batch_that_defines_and_fills_then_what_it_fills_is_sealed(
    patients: httpx.AsyncClient, tenant: Tenant, database: Database, secret: str
) -> None:
    define_it = {"entityId": ENTITY, "key": "pin", "kind": "text", "configJson": {"encrypted": True}}
    steps = [
        {"command": "entities.definitions.upsert", "input": define_it},
        {"command": "entities.records.create", "input": {"entityId": ENTITY, "values": {"pin": secret}}},
    ]
    answer = await patients.post("/commands/batch", json={"commands": steps})
    assert answer.status_code == 200, answer.text
    async with database.system() as connection:
        rows = await connection.fetch(
            "select custom_fields::text as f from entity_records where tenant_id = $1", tenant.id
        )
        logged = await connection.fetch(
            "select changes::text || input::text as f from action_logs where tenant_id = $1", tenant.id
        )
    assert any("bse1:" in row["f"] for row in rows)
    assert not any(secret in row["f"] for row in [*rows, *logged])


async def test_given_a_map_that_is_switched_off_then_new_values_are_plain_and_old_ones_still_open(
    admin: httpx.AsyncClient, tenant: Tenant, database: Database, secret: str
) -> None:
    await save_map(admin, "auth:user", "name")
    body = {"id": str(tenant.employee.id), "name": secret}
    assert (await admin.put("/auth/users", json=body)).status_code == 200
    await save_map(admin, "auth:user", "name", isActive=False)
    body = {"id": str(tenant.admin.id), "name": f"{secret} plain"}
    assert (await admin.put("/auth/users", json=body)).status_code == 200
    async with database.system() as connection:
        names = dict(await connection.fetch("select id, name from users where tenant_id = $1", tenant.id))
    assert names[tenant.admin.id] == f"{secret} plain" and names[tenant.employee.id].startswith("bse1:")
    seen = (await admin.get("/auth/users", params={"pageSize": "100"})).json()["items"]
    assert {one["name"] for one in seen} >= {secret, f"{secret} plain"}
