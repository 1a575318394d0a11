"""The sealer: behind the backs of the writers, once, complete, and in the background of a running server."""

import asyncio
from uuid import UUID

import asyncpg
import pytest

from app.database import Database
from app.jobs import sealer
from app.main import Application
from domain.seals import MOST
from tests.conftest import Tenant
from tests.heart.scenes import Scene, label
from tests.seals.conftest import Seal, Verify


async def _sealed_rows(database: Database, tenant_id: UUID) -> int:
    async with database.system() as connection:
        return int(
            await connection.fetchval(
                "select coalesce(sum(row_count), 0) from log_seals where tenant_id = $1", tenant_id
            )
        )


async def test_given_a_running_server_then_a_new_tenant_is_sealed_soon(
    application: Application, tenant: Tenant, place: Scene, verify: Verify
) -> None:
    for _ in range(150):
        if (await verify(tenant.id)).unsealed == 0:
            break
        await asyncio.sleep(0.2)
    report = await verify(tenant.id)
    assert report.intact and report.unsealed == 0 and report.rows > 8


async def test_given_two_sealers_at_once_then_no_row_is_sealed_twice_and_none_is_left_out(
    application: Application, tenant: Tenant, place: Scene, seal: Seal, verify: Verify
) -> None:
    for number in range(6):
        await label(application.bus, tenant.admin.scope, place, f"Rot {number}")
        await asyncio.gather(*(seal(tenant.id) for _ in range(3)))
    report = await verify(tenant.id)
    assert report.intact and report.unsealed == 0
    assert report.rows == await _sealed_rows(application.database, tenant.id)


async def test_given_a_transaction_under_way_then_what_it_may_precede_is_not_sealed_yet(
    application: Application, tenant: Tenant, place: Scene, seal: Seal, verify: Verify
) -> None:
    await seal(tenant.id)
    link = await application.database.connect("backstep_system")
    try:
        async with link.transaction():
            await link.fetchval("select pg_current_xact_id()")
            await label(application.bus, tenant.admin.scope, place, "Rosa")
            async with application.database.system() as other:
                keys = sealer.seal_keys(application.settings)
                assert [step async for step in sealer.sealed(other, keys, [tenant.id])] == []
            assert (await verify(tenant.id)).unsealed == 1
    finally:
        await link.close()
    for _ in range(100):  # other tests' transactions may be under way, too
        if await seal(tenant.id) or (await verify(tenant.id)).unsealed == 0:
            break
        await asyncio.sleep(0.05)
    assert (await verify(tenant.id)).unsealed == 0


async def test_given_a_tenant_that_writes_on_then_sealing_it_ends_with_what_was_there(
    application: Application, tenant: Tenant, place: Scene, seal: Seal, verify: Verify
) -> None:
    await seal(tenant.id)
    await label(application.bus, tenant.admin.scope, place, "Rosa")
    steps = 0
    async with application.database.system() as link:
        for attempt in range(100):  # the server's own sealer may be first
            async for step in sealer.sealed(link, sealer.seal_keys(application.settings), [tenant.id]):
                assert step.tenant_id == tenant.id
                steps += 1
                await label(application.bus, tenant.admin.scope, place, f"Rot {steps}")
            if steps:
                break
            await label(application.bus, tenant.admin.scope, place, f"Blau {attempt}")
            await asyncio.sleep(0.05)
    assert steps == 1
    await seal(tenant.id)
    assert (await verify(tenant.id)).unsealed == 0


async def test_given_more_rows_than_a_seal_holds_then_there_are_more_seals(
    application: Application, tenant: Tenant, place: Scene, seal: Seal, verify: Verify
) -> None:
    await seal(tenant.id)
    async with application.database.system() as connection, connection.transaction():
        await connection.execute(
            "insert into action_log_marks (tenant_id, log_id, origin, undone, marked_at)"
            " select $1, gen_random_uuid(), gen_random_uuid(), true, now() from generate_series(1, $2)",
            tenant.id,
            MOST * sealer._AT_ONCE + 10,
        )
    await label(application.bus, tenant.admin.scope, place, "Rosa")
    for _ in range(100):
        await seal(tenant.id)
        report = await verify(tenant.id)
        if report.unsealed == 0:
            break
        await asyncio.sleep(0.05)
    assert report.intact and report.unsealed == 0
    assert report.rows > MOST * sealer._AT_ONCE and report.seals >= sealer._AT_ONCE + 2


async def test_the_applications_roles_can_neither_change_nor_forge_seals(
    application: Application, tenant: Tenant, place: Scene, seal: Seal
) -> None:
    await seal(tenant.id)
    for role in ("backstep_app", "backstep_system"):
        link = await application.database.connect(role)
        await link.execute(f"set app.tenant_id = '{tenant.id}'")
        try:
            for statement in ("update log_seals set number = 7", "delete from log_seals"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await link.execute(statement)
            if role == "backstep_app":
                assert await link.fetchval("select count(*) from log_seals") > 0
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await link.execute("insert into log_seals select * from log_seals")
        finally:
            await link.close()


async def test_no_tenant_sees_the_seals_of_another(
    application: Application, tenant: Tenant, place: Scene, seal: Seal
) -> None:
    await seal(tenant.id)
    async with application.database.read(UUID(int=1)) as connection:
        assert await connection.fetchval("select count(*) from log_seals") == 0
