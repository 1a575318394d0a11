"""Rotating keys, sealing anew, and history across both."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.database import Database
from app.encryption import Encryption
from app.encryption_check import Finding, look
from app.main import Application, make_bus
from app.reencryption import reencrypted, rotated
from app.settings import Settings, StartError
from tests.conftest import SECRET, MakeTenant, Tenant
from tests.encryption.conftest import save_map, stored
from tests.encryption.vault_server import TOKEN, VaultServer
from tests.heart.proofs import assert_proven
from tests.replay.finale import spoil

ACTIONS = "/audit_logs/audit-logs/actions"


async def rename(client: httpx.AsyncClient, tenant: Tenant, name: str) -> httpx.Response:
    answer = await client.put("/auth/users", json={"id": str(tenant.employee.id), "name": name})
    assert answer.status_code == 200, answer.text
    return answer


async def token_of(database: Database, tenant: Tenant) -> str:
    name: str = await stored(database, tenant, "users", "name", str(tenant.employee.id))
    return name


async def settled(application: Application, tenant_id: UUID) -> None:
    """Wait until no re-encryption of the tenant waits or runs."""
    async with application.database.system() as connection:
        for _ in range(200):
            left = await connection.fetchval(
                "select count(*) from jobs.pgqueuer where entrypoint = 'encryption.reencrypt'"
                " and headers ->> 'tenant' = $1",
                str(tenant_id),
            )
            if not left:
                return
            await asyncio.sleep(0.05)
    raise AssertionError("the job never ended")


async def run(application: Application, tenant: Tenant) -> dict[str, Any]:
    steps = reencrypted(application.database, application.bus, tenant.id, ["users"])
    return {step.table: step async for step in steps}


async def test_given_a_new_key_then_old_values_open_and_new_ones_are_sealed_with_it(
    admin: httpx.AsyncClient, application: Application, tenant: Tenant, database: Database, secret: str
) -> None:
    await save_map(admin, "auth:user", "name")
    await settled(application, tenant.id)
    await rename(admin, tenant, secret)
    old = await token_of(database, tenant)
    number = await rotated(database, application.encryption, application.bus, tenant.id)
    assert number == 2 and await token_of(database, tenant) == old
    seen = (await admin.get("/auth/users", params={"id": str(tenant.employee.id)})).json()["items"][0]
    assert seen["name"] == secret
    await rename(admin, tenant, f"{secret} two")
    assert (await token_of(database, tenant)).startswith("bse1:2:")
    async with database.system() as connection:
        logged = await connection.fetchval(
            "select input::text from action_logs where tenant_id = $1 and command_id = $2",
            tenant.id,
            "entities.encryption_keys.rotate",
        )
    assert '"number": 2' in logged and 'wrapped"' not in logged


async def test_given_reencryption_then_all_rows_have_the_newest_key_and_history_still_opens(
    admin: httpx.AsyncClient, application: Application, tenant: Tenant, database: Database, secret: str
) -> None:
    await save_map(admin, "auth:user", "name")
    await settled(application, tenant.id)
    await rename(admin, tenant, secret)
    await rotated(database, application.encryption, application.bus, tenant.id)
    first = (await run(application, tenant))["users"]
    assert first.rewritten == first.done == 3 and first.unreadable == 0
    assert (await run(application, tenant))["users"].rewritten == 0
    assert (await token_of(database, tenant)).startswith("bse1:2:")
    items = (await admin.get(ACTIONS, params={"resourceKind": "auth.user"})).json()["items"]
    renamed = next(one for one in items if one["commandId"] == "auth.users.update")
    assert renamed["snapshotAfter"]["name"] == secret
    refused = await admin.post(f"{ACTIONS}/undo", json={"undoToken": renamed["undoToken"]})
    assert refused.status_code == 400 and refused.json()["code"] in ("changed_since", "not_latest")
    await assert_proven(application, tenant.id)


async def test_given_a_new_map_then_what_is_stored_is_sealed_in_the_background_and_not_logged_plain_again(
    admin: httpx.AsyncClient, application: Application, tenant: Tenant, database: Database, secret: str
) -> None:
    await rename(admin, tenant, secret)
    await save_map(admin, "auth:user", "name")
    await settled(application, tenant.id)
    assert (await token_of(database, tenant)).startswith("bse1:1:")
    async with database.system() as connection:
        rows = await connection.fetch(
            "select command_id, changes::text as changes from action_logs where tenant_id = $1 and changes::text ~ $2",
            tenant.id,
            secret,
        )
        document = await connection.fetchval(
            "select doc from entity_index where tenant_id = $1 and entity_id = $2",
            tenant.id,
            tenant.employee.id,
        )
    assert [row["command_id"] for row in rows] == ["auth.users.update"], "only what was before the map"
    assert document is None or secret not in document
    await assert_proven(application, tenant.id)


async def test_given_a_map_that_is_switched_off_then_reencryption_opens_what_is_stored(
    admin: httpx.AsyncClient, application: Application, tenant: Tenant, database: Database, secret: str
) -> None:
    await save_map(admin, "auth:user", "name")
    await rename(admin, tenant, secret)
    await save_map(admin, "auth:user", "name", isActive=False)
    await settled(application, tenant.id)
    assert await token_of(database, tenant) == secret


async def test_given_a_deletion_before_the_map_then_undoing_it_brings_the_row_back_sealed(
    admin: httpx.AsyncClient, application: Application, tenant: Tenant, database: Database, secret: str
) -> None:
    await rename(admin, tenant, secret)
    gone = await admin.delete("/auth/users", params={"id": str(tenant.employee.id)})
    assert gone.status_code == 200, gone.text
    newest = (await admin.get(ACTIONS, params={"limit": "1"})).json()["items"][0]
    await save_map(admin, "auth:user", "name")
    await settled(application, tenant.id)
    undone = await admin.post(f"{ACTIONS}/undo", json={"undoToken": newest["undoToken"]})
    assert undone.status_code == 200, undone.text
    assert (await token_of(database, tenant)).startswith("bse1:")
    redone = await admin.post(f"{ACTIONS}/redo", json={"logId": newest["id"]})
    assert redone.status_code == 200, redone.text
    await assert_proven(application, tenant.id)


async def test_given_another_tenant_then_its_keys_open_nothing_here(
    admin: httpx.AsyncClient,
    application: Application,
    tenant: Tenant,
    database: Database,
    make_tenant: MakeTenant,
) -> None:
    await save_map(admin, "auth:user", "name")
    await rename(admin, tenant, "Ada")
    token = await token_of(database, tenant)
    other = await make_tenant()
    await application.encryption.keys(other.id, make=True)
    content = f'{{"name":"{token}"}}'.encode()
    assert await application.encryption.opened(other.id, content) == content
    assert await application.encryption.opened(tenant.id, content) == b'{"name":"Ada"}'


async def test_a_look_at_what_is_stored_tells_what_is_plain_older_misplaced_and_unreadable(
    admin: httpx.AsyncClient, application: Application, tenant: Tenant, database: Database, secret: str
) -> None:
    spoil(tenant.id)
    assert await look(database, application.encryption, tenant.id) == []
    await save_map(admin, "auth:user", "name")
    await settled(application, tenant.id)
    await rename(admin, tenant, secret)

    async def users() -> Finding:
        found = await look(database, application.encryption, tenant.id)
        return next(one for one in found if one.table == "users")

    assert await users() == Finding("users", rows=3, values=3) and (await users()).ok
    await rotated(database, application.encryption, application.bus, tenant.id)
    assert (await users()).older == 3 and (await users()).ok
    token = await token_of(database, tenant)
    async with database.system() as connection, connection.transaction():
        await connection.execute("set local app.command_id = 'test.tamper'")
        for id, name in (
            (tenant.admin.id, token),
            (tenant.superadmin.id, "Plain"),
            (tenant.employee.id, f"{token}A"),
        ):
            await connection.execute("update users set name = $2 where id = $1", id, name)
    seen = await users()
    assert (seen.misplaced, seen.unreadable, seen.values) == (1, 1, 2) and seen.plain >= 2 and not seen.ok


async def test_given_another_process_then_it_learns_of_a_new_key_from_what_it_reads(
    admin: httpx.AsyncClient, application: Application, settings: Settings, tenant: Tenant, database: Database
) -> None:
    await save_map(admin, "auth:user", "name")
    await rename(admin, tenant, "Ada")
    other = Encryption(database, settings)
    await other.keys(tenant.id)
    await rotated(database, application.encryption, application.bus, tenant.id)
    await rename(admin, tenant, "Eve")
    other._keys[tenant.id].at -= 2.0  # as if it had read them a while ago
    token = await token_of(database, tenant)
    assert await other.opened(tenant.id, f'"{token}"'.encode()) == b'"Eve"'


async def test_given_encryption_switched_off_then_nothing_new_is_sealed_and_the_rest_still_opens(
    admin: httpx.AsyncClient, settings: Settings, tenant: Tenant, database: Database
) -> None:
    await save_map(admin, "auth:user", "name")
    await rename(admin, tenant, "Ada")
    off = Encryption(database, settings.model_copy(update={"tenant_data_encryption": False}))
    async with database.system() as connection:
        seals = await off.seals(connection, tenant.id)
    assert seals is not None and not seals.plan.tables
    token = await token_of(database, tenant)
    assert await off.opened(tenant.id, f'"{token}"'.encode()) == b'"Ada"'


async def test_given_a_vault_that_is_down_then_a_write_that_must_be_sealed_is_refused_and_others_are_not(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, tmp_path: Any, admin: httpx.AsyncClient
) -> None:
    from commands.auth import UpdateUser
    from domain.errors import Problem

    server = VaultServer()
    await server.start()
    spoil(tenant.id)
    settings = Settings.read(data=tmp_path, secret=SECRET, vault_addr=server.address, vault_token=TOKEN)
    bus = make_bus(database, settings, Encryption(database, settings))
    rename_it = UpdateUser(id=tenant.employee.id, name="Plain")
    await bus.execute(rename_it, tenant.admin.scope)
    async with database.system() as connection, connection.transaction():
        await connection.execute("set local app.command_id = 'test.map'")
        await connection.execute(
            "insert into encryption_maps (tenant_id, id, organization_id, entity_id, fields, created_at, updated_at)"
            " values ($1, gen_random_uuid(), null, 'auth:user', '[{\"field\": \"name\"}]', now(), now())",
            tenant.id,
        )
    server.status = 503
    down = make_bus(database, settings, Encryption(database, settings))
    with pytest.raises(Problem) as refused:
        await down.execute(UpdateUser(id=tenant.employee.id, name="Secret"), tenant.admin.scope)
    assert refused.value.status == 503
    assert await token_of(database, tenant) == "Plain"
    await server.stop()


async def test_a_missing_tenant_key_is_said_at_start(
    database: Database, settings: Settings, tenant: Tenant
) -> None:
    await Encryption(database, settings).keys(tenant.id, make=True)
    async with database.system() as connection:
        await connection.execute(
            "delete from data_keys where tenant_id = $1 and purpose = 'lookup'", tenant.id
        )
    with pytest.raises(StartError, match="are gone"):
        await Encryption(database, settings).check()
    async with database.system() as connection:
        await connection.execute("delete from data_keys where tenant_id = $1", tenant.id)
