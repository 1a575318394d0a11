"""No tenant sees or touches another, no request works without somebody, and rights that are gone are gone."""

import httpx
import pytest
from msgspec import Struct

from app.http.operation import Operation
from app.main import Application
from domain.auth import user_acls
from tests.conftest import MakeTenant, Person, Tenant
from tests.heart.proofs import assert_proven, differing
from tests.heart.requests import Holdings, ask, holdings_of, operations, whole_of

INSTALLATION_WIDE = ("/directory/", "/auth/", "/api_keys/")
"""Where a super admin rightly reaches every tenant; tests of those modules say how far."""


class Strangers(Struct, frozen=True):
    """Two tenants that have nothing to do with each other; only the second one's holdings are asked for."""

    here: Tenant
    there: Tenant
    theirs: Holdings


@pytest.fixture
async def strangers(application: Application, make_tenant: MakeTenant) -> Strangers:
    here, there = await make_tenant(), await make_tenant()
    await holdings_of(application.bus, here, "Apfelstrudel")
    return Strangers(here, there, await holdings_of(application.bus, there))


@pytest.mark.parametrize("item", operations(auth=True))
async def test_given_ids_of_another_tenant_then_nothing_is_told_and_nothing_changes(
    client: httpx.AsyncClient, application: Application, strangers: Strangers, item: Operation
) -> None:
    before = await whole_of(application, strangers.there)
    people = [strangers.here.admin, strangers.here.employee]
    if not item.path.startswith(INSTALLATION_WIDE):
        people.append(strangers.here.superadmin)
    for person in people:
        for query in (None, {"tenantId": str(strangers.there.id)}):
            answer = await ask(client, item, strangers.theirs.ids, person.headers, query)
            assert answer.status_code < 500, answer.text
            if item.path_parameters:
                assert answer.status_code in (400, 401, 403, 404, 422), answer.text
            assert strangers.theirs.named_in(answer.text) == []
    assert differing(before, await whole_of(application, strangers.there)) == {}


@pytest.mark.parametrize("item", operations(auth=True))
async def test_given_nobody_then_401_and_nothing_changes(
    client: httpx.AsyncClient, application: Application, tenant: Tenant, item: Operation
) -> None:
    ids = (await holdings_of(application.bus, tenant)).ids
    before = await whole_of(application, tenant)
    forged = tenant.admin.headers["authorization"][:-6] + "AAAAAA"
    for headers in (
        {},
        {"authorization": "Bearer nonsense"},
        {"authorization": forged},
        {"x-api-key": "omk_x.y"},
    ):
        answer = await ask(client, item, ids, headers)
        assert answer.status_code == 401, answer.text
        assert answer.json() == {"error": "Unauthorized"}
    assert differing(before, await whole_of(application, tenant)) == {}


async def demote(application: Application, tenant: Tenant, person: Person, *features: str) -> None:
    """Give a person these features only, as the grants of their own that replace those of their roles."""
    transaction = await application.database.begin(tenant.id, "test.demote")
    await transaction.connection.execute(
        f"insert into {user_acls.name} (tenant_id, id, user_id, features, is_super_admin, created_at, updated_at)"
        " values ($1, gen_random_uuid(), $2, $3, false, now(), now())",
        tenant.id,
        person.id,
        list(features),
    )
    await transaction.commit()
    application.identity.forget(tenant.id)


@pytest.mark.parametrize("item", [item for item in operations(auth=True) if item.values[0].features])
async def test_given_a_person_without_rights_then_403_and_nothing_changes(
    client: httpx.AsyncClient, application: Application, tenant: Tenant, item: Operation
) -> None:
    ids = (await holdings_of(application.bus, tenant)).ids
    await demote(application, tenant, tenant.admin)
    before = await whole_of(application, tenant)
    answer = await ask(client, item, ids, tenant.admin.headers)
    assert answer.status_code == 403
    assert answer.json() == {"error": "Forbidden", "requiredFeatures": list(item.features)}
    assert differing(before, await whole_of(application, tenant)) == {}


async def test_given_a_person_who_lost_the_right_to_change_when_they_undo_or_redo_then_nothing_changes(
    client: httpx.AsyncClient, application: Application, tenant: Tenant
) -> None:
    ids = (await holdings_of(application.bus, tenant)).ids
    await demote(application, tenant, tenant.admin, "audit_logs.*", "dictionaries.view")
    before = await whole_of(application, tenant)
    for path, body in (("undo", {"undoToken": ids["undoToken"]}), ("redo", {"logId": ids["logId"]})):
        answer = await client.post(
            f"/audit_logs/audit-logs/actions/{path}", json=body, headers=tenant.admin.headers
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "not_available")
    batch = {
        "commands": [
            {
                "command": "dictionaries.entries.delete",
                "input": {k: ids[k] for k in ("dictionaryId", "entryId")},
            }
        ]
    }
    answer = await client.post("/commands/batch", json=batch, headers=tenant.admin.headers)
    assert answer.status_code == 403
    assert differing(before, await whole_of(application, tenant)) == {}


async def test_given_a_batch_of_commands_only_for_the_system_then_nobody_may_run_it(
    client: httpx.AsyncClient, application: Application, tenant: Tenant
) -> None:
    before = await whole_of(application, tenant)
    for command in (
        "setup.tenants.install",
        "auth.sessions.login",
        "dictionaries.dictionaries.seed",
        "backstep.batch",
    ):
        body = {"commands": [{"command": command, "input": {}}]}
        answer = await client.post("/commands/batch", json=body, headers=tenant.superadmin.headers)
        assert answer.status_code == 400, answer.text
    assert differing(before, await whole_of(application, tenant)) == {}


async def test_given_an_employee_then_their_view_is_theirs_and_their_changes_are_refused(
    client: httpx.AsyncClient, application: Application, tenant: Tenant
) -> None:
    ids = (await holdings_of(application.bus, tenant)).ids
    actions = await client.get(
        "/audit_logs/audit-logs/actions",
        params={"actorUserId": str(tenant.admin.id)},
        headers=tenant.employee.headers,
    )
    assert actions.status_code == 200 and actions.json()["items"] == []
    for path, body in (("undo", {"undoToken": ids["undoToken"]}), ("redo", {"logId": ids["logId"]})):
        answer = await client.post(
            f"/audit_logs/audit-logs/actions/{path}", json=body, headers=tenant.employee.headers
        )
        assert answer.status_code == (400 if path == "undo" else 403)
    await assert_proven(application, tenant.id)


async def test_given_a_super_admin_who_selected_another_tenant_then_tokens_of_the_first_do_not_work(
    client: httpx.AsyncClient, application: Application, strangers: Strangers
) -> None:
    before = await whole_of(application, strangers.there)
    headers = {**strangers.there.superadmin.headers, "cookie": f"om_selected_tenant={strangers.here.id}"}
    body = {"undoToken": strangers.theirs.ids["undoToken"]}
    answer = await client.post("/audit_logs/audit-logs/actions/undo", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "not_available")
    listed = await client.get("/dictionaries", headers=headers)
    assert listed.status_code == 200 and strangers.theirs.ids["dictionaryId"] not in listed.text
    assert differing(before, await whole_of(application, strangers.there)) == {}


async def test_given_an_admin_who_selects_another_tenant_then_it_has_no_effect(
    client: httpx.AsyncClient, application: Application, strangers: Strangers
) -> None:
    for cookie in (
        f"om_selected_tenant={strangers.there.id}",
        f"om_selected_org={strangers.there.organization_id}",
    ):
        headers = {**strangers.here.admin.headers, "cookie": cookie}
        answer = await client.get("/dictionaries", headers=headers)
        assert answer.status_code in (200, 422) and strangers.theirs.ids["dictionaryId"] not in answer.text
