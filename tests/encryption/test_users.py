"""The name of a user, the first column that can be sealed: in, out, back and forth."""

import httpx
import msgspec

from app.database import Database
from app.main import Application
from tests.conftest import Tenant
from tests.encryption.conftest import save_map, stored
from tests.heart.proofs import assert_proven
from tests.replay.finale import spoil

UNDO = "/audit_logs/audit-logs/actions/undo"


async def new_user(client: httpx.AsyncClient, tenant: Tenant, name: str) -> str:
    body = {
        "email": f"{name.lower()}@example.com",
        "password": "Passw0rd!",
        "organizationId": str(tenant.organization_id),
        "roles": [],
        "name": name,
    }
    answer = await client.post("/auth/users", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_given_a_map_when_a_user_is_made_then_its_name_is_sealed_in_the_table_and_plain_in_answers(
    admin: httpx.AsyncClient, tenant: Tenant, database: Database, secret: str
) -> None:
    await save_map(admin, "auth:user", "name")
    id = await new_user(admin, tenant, secret)
    at_rest = await stored(database, tenant, "users", "name", id)
    assert at_rest.startswith("bse1:1:") and secret not in at_rest
    listed = (await admin.get("/auth/users", params={"id": id})).json()
    assert [one["name"] for one in listed["items"]] == [secret]
    actions = (await admin.get("/audit_logs/audit-logs/actions", params={"limit": "1"})).json()["items"]
    assert actions[0]["snapshotAfter"]["name"] == secret


async def test_given_a_sealed_name_then_the_log_holds_it_sealed_input_and_image_alike(
    admin: httpx.AsyncClient, tenant: Tenant, database: Database, secret: str
) -> None:
    await save_map(admin, "auth:user", "name")
    id = await new_user(admin, tenant, secret)
    token = await stored(database, tenant, "users", "name", id)
    async with database.system() as connection:
        row = await connection.fetchrow(
            "select input::text, changes::text from action_logs where tenant_id = $1 and resource_id = $2",
            tenant.id,
            id,
        )
    assert token in row["changes"] and token in row["input"]
    assert secret not in row["changes"] + msgspec.json.decode(row["input"])["name"]


async def test_given_the_same_name_again_then_nothing_changes_and_undo_and_redo_bring_back_the_same_token(
    admin: httpx.AsyncClient, application: Application, tenant: Tenant, database: Database, secret: str
) -> None:
    await save_map(admin, "auth:user", "name")
    id = await new_user(admin, tenant, secret)
    token = await stored(database, tenant, "users", "name", id)
    again = await admin.put("/auth/users", json={"id": id, "name": secret})
    assert again.status_code == 200 and "x-om-operation" not in again.headers
    changed = await admin.put("/auth/users", json={"id": id, "name": f"{secret} two"})
    assert "x-om-operation" in changed.headers
    newest = (await admin.get("/audit_logs/audit-logs/actions", params={"limit": "1"})).json()["items"][0]
    assert newest["changes"]["name"] == {"from": secret, "to": f"{secret} two"}
    assert (await admin.post(UNDO, json={"undoToken": newest["undoToken"]})).status_code == 200
    assert await stored(database, tenant, "users", "name", id) == token
    redone = await admin.post("/audit_logs/audit-logs/actions/redo", json={"logId": newest["id"]})
    assert redone.status_code == 200
    listed = (await admin.get("/auth/users", params={"id": id})).json()["items"][0]
    assert listed["name"] == f"{secret} two"
    await assert_proven(application, tenant.id)


async def test_given_two_users_of_one_name_then_their_tokens_tell_nothing_and_their_lookup_hashes_are_the_same(
    admin: httpx.AsyncClient, tenant: Tenant, database: Database, secret: str
) -> None:
    await save_map(admin, "auth:user", "name")
    one, other = await new_user(admin, tenant, secret), None
    body = {"id": str(tenant.employee.id), "name": f" {secret.upper()} "}
    assert (await admin.put("/auth/users", json=body)).status_code == 200
    other = await stored(database, tenant, "users", "name", str(tenant.employee.id))
    first = await stored(database, tenant, "users", "name", one)
    assert first.split(":")[2] != other.split(":")[2], "masked where they are stored"
    async with database.system() as connection:
        looked_up = [await connection.fetchval("select sealed_key($1)", token) for token in (first, other)]
    assert looked_up[0] == looked_up[1] and looked_up[0] not in (first, other)


async def test_given_a_text_in_the_form_of_a_sealed_value_then_it_is_refused(
    admin: httpx.AsyncClient, tenant: Tenant, database: Database, secret: str
) -> None:
    await save_map(admin, "auth:user", "name")
    token = await stored(database, tenant, "users", "name", await new_user(admin, tenant, secret))
    for name in ("bse1:", " bse1:x", token, f"see {token}"):
        refused = await admin.put("/auth/users", json={"id": str(tenant.employee.id), "name": name})
        assert refused.status_code == 400, name
    escaped = f'{{"id":"{tenant.employee.id}","name":"\\u0062se1:1:x"}}'
    sent = await admin.put("/auth/users", content=escaped, headers={"content-type": "application/json"})
    assert sent.status_code == 400


async def test_given_a_sealed_value_that_cannot_be_opened_then_it_is_answered_as_stored(
    admin: httpx.AsyncClient, tenant: Tenant, database: Database, secret: str
) -> None:
    await save_map(admin, "auth:user", "name")
    id = await new_user(admin, tenant, secret)
    spoil(tenant.id)
    token: str = await stored(database, tenant, "users", "name", id)
    broken = token[:-2] + ("AA" if not token.endswith("AA") else "BB")
    async with database.system() as connection, connection.transaction():
        await connection.execute("set local app.command_id = 'test.tamper'")
        await connection.execute("update users set name = $2 where id = $1::uuid", id, broken)
    answer = await admin.get("/auth/users", params={"id": id})
    assert answer.status_code == 200
    async with database.system() as connection:
        assert await connection.fetchval("select name from users where id = $1::uuid", id) == broken
    assert broken in answer.text and secret not in answer.text
