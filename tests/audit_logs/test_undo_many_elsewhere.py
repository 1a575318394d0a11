"""Taking back many actions is work in one tenant: what a super admin reaches of others and of platform records."""

import httpx
import pytest

from app.main import Application
from tests.audit_logs.test_history import Desk
from tests.audit_logs.test_undo_many import ACTIONS, entries, imported, undo_many
from tests.conftest import MakeTenant, Tenant
from tests.feature_toggles.conftest import GLOBAL, fresh
from tests.heart.proofs import assert_proven

TOGGLES = {"filter": {"resourceKind": "feature_toggles.global"}}


def selected(desk: Desk, tenant: Tenant) -> Desk:
    """The same person, with a tenant selected."""
    made = Desk(desk.client, tenant.superadmin)
    made.headers = desk.headers | {"cookie": f"om_selected_tenant={tenant.id}"}
    return made


@pytest.fixture
def desk(client: httpx.AsyncClient, tenant: Tenant) -> Desk:
    """The super admin's."""
    return Desk(client, tenant.superadmin)


async def toggle(desk: Desk, by: Desk) -> tuple[str, str]:
    """A toggle that is filed under the tenant of `desk`, renamed by somebody: its id, and that of the action."""
    body = {"identifier": fresh(), "name": "One", "type": "boolean", "defaultValue": True}
    made = await desk.ask("POST", GLOBAL, 201, json=body)
    await by.ask("PUT", GLOBAL, json={"id": made["id"], "name": "Two"})
    items = (await desk.ask("GET", ACTIONS))["items"]
    return made["id"], next(one["id"] for one in items if one["commandId"] == "feature_toggles.global.update")


async def name_of(desk: Desk, id: str) -> str:
    return str((await desk.ask("GET", f"{GLOBAL}/{id}"))["name"])


async def test_in_a_selected_tenant_it_is_the_actions_there_and_no_others(
    desk: Desk, make_tenant: MakeTenant, application: Application
) -> None:
    other = await make_tenant()
    theirs, there = Desk(desk.client, other.admin), selected(desk, other)
    own, dictionary = await imported(desk, 1), await imported(theirs, 1)
    done = await undo_many(there, filter={"correlationId": "import-7"})
    assert (done["total"], await entries(theirs, dictionary)) == (2, [])
    assert len(await entries(desk, own)) == 1
    await there.ask("POST", f"{ACTIONS}/undo", json={"undoToken": done["undoToken"]})
    assert len(await entries(theirs, dictionary)) == 1
    await assert_proven(application, other.id)


async def test_actions_on_platform_records_are_taken_back_where_they_are_filed(
    desk: Desk, make_tenant: MakeTenant, tenant: Tenant, application: Application
) -> None:
    there = selected(desk, await make_tenant())
    id, log_id = await toggle(desk, there)
    assert (await undo_many(there, 400, **TOGGLES))["code"] == "nothing_to_undo"
    assert (await undo_many(there, 400, logIds=[log_id]))["code"] == "not_available"
    assert await name_of(desk, id) == "Two"
    done = await undo_many(desk, logIds=[log_id])
    assert (done["total"], await name_of(there, id)) == (1, "One")
    await there.ask("POST", f"{ACTIONS}/undo", 400, json={"undoToken": done["undoToken"]})
    await desk.ask("POST", f"{ACTIONS}/undo", json={"undoToken": done["undoToken"]})
    assert await name_of(there, id) == "Two"
    await assert_proven(application, tenant.id)


async def test_nobody_but_a_super_admin_takes_them_back(desk: Desk, tenant: Tenant) -> None:
    id, log_id = await toggle(desk, desk)
    admin = Desk(desk.client, tenant.admin)
    for wanted in ({"logIds": [log_id]}, TOGGLES):
        await undo_many(admin, 403, **wanted)
    assert await name_of(desk, id) == "Two"
