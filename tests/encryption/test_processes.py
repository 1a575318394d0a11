"""Two processes on one database: what one of them designates, the other seals."""

import asyncio

import httpx

from app.database import Database
from app.main import Application
from commands.auth import UpdateUser
from tests.conftest import Tenant
from tests.encryption.conftest import save_map, stored


async def test_a_map_that_another_process_saved_is_heard_of_and_obeyed(
    admin: httpx.AsyncClient, elsewhere: Application, tenant: Tenant, database: Database, secret: str
) -> None:
    rename = UpdateUser(id=tenant.employee.id, name="Plain")
    await elsewhere.bus.execute(rename, tenant.admin.scope)
    assert tenant.id in elsewhere.encryption._plans, "it remembers that nothing is sealed"
    await save_map(admin, "auth:user", "name")
    async with asyncio.timeout(5):
        while tenant.id in elsewhere.encryption._plans:
            await asyncio.sleep(0.02)
    await elsewhere.bus.execute(UpdateUser(id=tenant.employee.id, name=secret), tenant.admin.scope)
    assert (await stored(database, tenant, "users", "name", str(tenant.employee.id))).startswith("bse1:1:")
    seen = (await admin.get("/auth/users", params={"id": str(tenant.employee.id)})).json()["items"][0]
    assert seen["name"] == secret


async def test_two_processes_that_seal_first_at_the_same_time_use_the_same_keys(
    admin: httpx.AsyncClient, application: Application, elsewhere: Application, tenant: Tenant
) -> None:
    one, other = await asyncio.gather(
        application.encryption.keys(tenant.id, make=True), elsewhere.encryption.keys(tenant.id, make=True)
    )
    assert one is not None and other is not None
    for keys in (one, other):
        assert keys.lookup_hash("users", "name", "x") == one.lookup_hash("users", "name", "x")
