"""Settings of modules: the tenant's own, everyone's, the default; audited, undone, proven (configs.md section 8)."""

import asyncio

import pytest

from app.main import Application
from domain.configs import Setting, declare_settings
from domain.errors import Problem
from domain.scope import Options
from tests.configs.conftest import Build
from tests.conftest import MakeTenant, Tenant
from tests.heart.proofs import assert_proven

declare_settings(
    Setting("sample", "greeting", "hello", "Of the tests."), Setting("sample", "shared", [1], "Of the tests.")
)
NOW = Options()


async def read(application: Application, tenant: Tenant, name: str = "greeting") -> tuple[object, str]:
    found = await application.module_settings.get(tenant.id, "sample", name)
    return found.value, found.source


async def test_given_values_then_the_narrowest_holds_and_each_change_shows_at_once(
    application: Application, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    settings, there = application.module_settings, await make_tenant()
    assert await read(application, tenant) == ("hello", "default")
    await settings.set(tenant.superadmin.scope, "sample", "greeting", {"a": None}, NOW, for_everyone=True)
    assert await read(application, tenant) == await read(application, there) == ({"a": None}, "instance")
    await settings.set(tenant.admin.scope, "sample", "greeting", "own", NOW)
    assert await read(application, tenant) == ("own", "tenant")
    assert await read(application, there) == ({"a": None}, "instance")
    await settings.set(tenant.admin.scope, "sample", "greeting", None, NOW)
    assert await read(application, tenant) == ({"a": None}, "instance"), "null is no value"
    await settings.set(there.superadmin.scope, "sample", "greeting", 5, NOW, for_everyone=True)
    assert await read(application, tenant) == (5, "instance")
    await settings.restore(there.superadmin.scope, "sample", "greeting", NOW, for_everyone=True)
    await settings.restore(tenant.admin.scope, "sample", "greeting", NOW)
    assert await read(application, tenant) == ("hello", "default")
    for one in (tenant, there):
        await assert_proven(application, one.id)


async def test_given_a_value_then_it_is_undone_exactly_and_everyones_by_super_admins_only(
    application: Application, tenant: Tenant
) -> None:
    from commands.configs import SetSetting

    own = SetSetting(module="sample", name="greeting", value="one")
    await application.bus.execute(own, tenant.admin.scope)
    outcome = await application.bus.execute(
        SetSetting(module="sample", name="greeting", value="two"), tenant.admin.scope
    )
    assert outcome.log is not None and outcome.log.undo_token is not None
    assert await read(application, tenant) == ("two", "tenant")
    await application.bus.undo(outcome.log.undo_token, tenant.admin.scope)
    assert await read(application, tenant) == ("one", "tenant")
    everyone = SetSetting(module="sample", name="shared", value=[2], for_everyone=True)
    with pytest.raises(Problem) as refused:
        await application.bus.execute(everyone, tenant.admin.scope)
    assert refused.value.status == 403
    made = await application.bus.execute(everyone, tenant.superadmin.scope)
    assert made.log is not None and made.log.undo_token is not None
    with pytest.raises(Problem) as kept:
        await application.bus.undo(made.log.undo_token, tenant.admin.scope)
    assert kept.value.status == 400
    await application.bus.undo(made.log.undo_token, tenant.superadmin.scope)
    assert await read(application, tenant, "shared") == ([1], "default")
    await assert_proven(application, tenant.id)


async def test_given_a_setting_that_nobody_declared_then_404(
    application: Application, tenant: Tenant
) -> None:
    with pytest.raises(Problem) as unknown:
        await application.module_settings.get(tenant.id, "sample", "unknown")
    assert unknown.value.status == 404
    with pytest.raises(Problem) as refused:
        await application.module_settings.set(tenant.admin.scope, "sample", "unknown", 1, NOW)
    assert refused.value.status == 404


async def test_given_two_processes_then_a_setting_changed_in_one_is_forgotten_in_the_other(
    build: Build, tenant: Tenant
) -> None:
    here, there = await build(start=True), await build(start=True)
    async with asyncio.timeout(15):
        while there.application.relay.seconds_since_heard() is None:
            await asyncio.sleep(0.01)
    assert await read(there.application, tenant) == ("hello", "default")
    await here.application.module_settings.set(tenant.admin.scope, "sample", "greeting", "new", NOW)
    async with asyncio.timeout(3):
        while await read(there.application, tenant) != ("new", "tenant"):
            await asyncio.sleep(0.005)
