"""What may be asked of the index, by whom, and what is queued for it (query-index.md 2 and 12)."""

import httpx
import pytest

from app.main import Application
from commands.query_index import Reindex
from domain.errors import Problem
from domain.scope import Options
from tests.conftest import MakeTenant, Tenant
from tests.heart.scenes import scene
from tests.query_index.conftest import DICTIONARY, Operator, idle, queued


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "Missing entityType"),
        ({"entityType": ""}, "Missing entityType"),
        ({"entityType": 7}, "Missing entityType"),
        ([1, 2], "Missing entityType"),
        ({"entityType": "Users"}, "Invalid entityType"),
        ({"entityType": "auth"}, "Invalid entityType"),
        ({"entityType": "auth:user\n"}, "Invalid entityType"),
        ({"entityType": "a:" + "b" * 300}, "Invalid entityType"),
        (
            {"entityType": DICTIONARY, "partitionCount": 2, "partitionIndex": 2},
            "partitionIndex must be < partitionCount",
        ),
        ({"entityType": DICTIONARY, "partitionIndex": 1}, "partitionIndex must be < partitionCount"),
        ({"entityType": DICTIONARY, "partitionCount": 1_000_000}, "partitionCount must be <= 64"),
    ],
)
async def test_bad_reindex(operator: Operator, body: object, error: str) -> None:
    assert await operator.post("reindex", body, 400) == {"error": error}


async def test_an_unreadable_body_counts_as_empty(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await client.post("/query_index/reindex", content=b"{", headers=tenant.admin.headers)
    assert (answer.status_code, answer.json()) == (400, {"error": "Missing entityType"})


async def test_purge_wants_a_type_of_any_form(
    operator: Operator, paused: Application, tenant: Tenant
) -> None:
    assert await operator.post("purge", {}, 400) == {"error": "Missing entityType"}
    assert await operator.post("purge", {"entityType": "x" * 201}, 400) == {"error": "Invalid entityType"}
    assert await operator.post("purge", {"entityType": "Users"}) == {"ok": True}
    assert await queued(paused, tenant, "query_index.purge") == [
        {"entityType": "Users", "organizationId": str(tenant.organization_id)}
    ]


async def test_given_three_partitions_then_three_jobs_and_the_first_resets_the_coverage(
    operator: Operator, paused: Application, tenant: Tenant
) -> None:
    body = {"entityType": DICTIONARY, "force": "false", "batchSize": 9.7, "partitionCount": "3"}
    assert await operator.post("reindex", body) == {"ok": True}
    jobs = await queued(paused, tenant, "query_index.reindex")
    assert [(one["partitionIndex"], one["partitionCount"], one["resetCoverage"]) for one in jobs] == [
        (0, 3, True),
        (1, 3, False),
        (2, 3, False),
    ]
    assert all(one["force"] and one["batchSize"] == 9 for one in jobs)
    assert {one["organizationId"] for one in jobs} == {str(tenant.organization_id)}
    assert {one["requestedBy"] for one in jobs} == {str(tenant.admin.id)}


@pytest.mark.parametrize("body", [{"partitionIndex": 0}, {"partitionIndex": None}, {"batchSize": "12"}, {}])
async def test_given_no_count_then_one_job(
    operator: Operator, paused: Application, tenant: Tenant, body: dict[str, object]
) -> None:
    await operator.post("reindex", {"entityType": DICTIONARY, **body})
    (one,) = await queued(paused, tenant, "query_index.reindex")
    assert (one["partitionCount"], one["partitionIndex"], one["batchSize"]) == (1, 0, 500)


async def test_given_a_superadmin_of_all_organizations_then_401_and_the_status_is_the_tenants(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    super_admin = Operator(client, tenant.superadmin)
    super_admin.organization = "__all__"
    for path in ("reindex", "purge"):
        assert await super_admin.post(path, {"entityType": DICTIONARY}, 401) == {"error": "Unauthorized"}
    step = {"command": "query_index.index.purge", "input": {"entityType": DICTIONARY}}
    answer = await super_admin.ask("POST", "/commands/batch", {"commands": [step]})
    assert answer.status_code == 400  # what cannot be undone is no part of a batch
    assert (await super_admin.item("auth:user", "?refresh"))["baseCount"] == 3


async def test_given_no_active_definition_then_no_items(
    operator: Operator, application: Application, tenant: Tenant
) -> None:
    await operator.field("customers:customer_company_profile")
    status = await operator.status()
    (item,) = [one for one in status["items"] if one["entityId"] == "customers:customer_company_profile"]
    assert (item["baseCount"], item["indexCount"], item["ok"]) == (None, None, False)
    assert status["partial"] is None
    transaction = await application.database.begin(tenant.id, "tests")
    await transaction.connection.execute("update field_definitions set is_active = false")
    await transaction.commit()
    assert (await operator.status())["items"] == []


async def test_given_two_forced_refreshes_within_a_minute_then_the_second_uses_the_first_counts(
    operator: Operator, tenant: Tenant, application: Application
) -> None:
    assert (await operator.item(DICTIONARY, "?refresh=false"))["baseCount"] == 0
    await scene(application.bus, tenant.admin.scope)
    for query in ("?refresh=1", "?refresh", "?refresh=0", ""):
        assert (await operator.item(DICTIONARY, query))["baseCount"] == 0
    async with application.database.system() as connection:
        await connection.execute(
            "update entity_index_coverage set refreshed_at = refreshed_at - interval '61 seconds' where tenant_id = $1",
            tenant.id,
        )
    assert (await operator.item(DICTIONARY, "?refresh=0"))["baseCount"] == 0
    await idle(application, tenant.id)
    assert (await operator.item(DICTIONARY))["baseCount"] == 1


async def test_logs_show_the_newest_hundred(
    operator: Operator, application: Application, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    other = await make_tenant()
    async with application.database.system() as connection:
        for owner, organization in ((tenant.id, tenant.organization_id), (other.id, other.organization_id)):
            await connection.execute(
                "insert into indexer_status_logs (tenant_id, id, organization_id, source, handler, level, message,"
                " occurred_at) select $1, gen_random_uuid(), $2, 'tests', 'tests', 'info', n::text,"
                " now() - make_interval(secs => 200 - n) from generate_series(1, 120) n",
                owner,
                organization,
            )
    logs = (await operator.status())["logs"]
    assert [one["message"] for one in logs] == [str(n) for n in range(120, 20, -1)]
    assert {one["tenantId"] for one in logs} == {str(tenant.id)}


async def test_employees_have_none_of_it(client: httpx.AsyncClient, tenant: Tenant) -> None:
    employee = Operator(client, tenant.employee)
    for path, feature in (("reindex", "query_index.reindex"), ("purge", "query_index.purge")):
        refused = await employee.post(path, {"entityType": DICTIONARY}, 403)
        assert refused == {"error": "Forbidden", "requiredFeatures": [feature]}
    answer = await employee.ask("GET", "/query_index/status")
    assert answer.status_code == 403
    assert answer.json()["requiredFeatures"] == ["query_index.status.view"]


async def test_requests_are_on_record_but_not_undoable(
    operator: Operator, paused: Application, tenant: Tenant
) -> None:
    answer = await operator.ask(
        "POST", "/query_index/reindex", {"entityType": DICTIONARY, "partitionCount": 2}
    )
    assert "x-om-operation" not in answer.headers
    async with paused.database.system() as connection:
        row = await connection.fetchrow(
            "select resource_kind, resource_id, undo_token, input ->> 'partitionCount' as count, actor_user_id"
            " from action_logs where tenant_id = $1 and command_id = 'query_index.index.reindex'",
            tenant.id,
        )
    assert tuple(row) == ("query_index", DICTIONARY, None, "2", tenant.admin.id)
    logs = (await operator.status())["logs"]
    assert [one["message"] for one in logs] == ["queued", "requested"]


async def test_given_a_dry_run_or_a_refusal_then_no_job_is_written_down(
    paused: Application, tenant: Tenant
) -> None:
    command = Reindex(entity_type=DICTIONARY)
    outcome = await paused.bus.execute(command, tenant.admin.scope, Options(dry_run=True))
    assert outcome.dry_run is not None
    bad = Reindex(entity_type=DICTIONARY, partition_index=3)
    with pytest.raises(Problem, match="partitionIndex"):
        await paused.bus.execute(bad, tenant.admin.scope)
    assert await queued(paused, tenant, "query_index.reindex") == []


async def test_given_an_unknown_entity_then_it_is_accepted_and_nothing_happens(
    operator: Operator, application: Application, tenant: Tenant
) -> None:
    assert await operator.post("reindex", {"entityType": "nothing:at_all"}) == {"ok": True}
