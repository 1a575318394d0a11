"""The access log: written off the path, read by the rules, forgotten in time (audit-logs.md 3, 4, 13)."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.jobs.access_log import BATCH_ROWS, AccessLog, access_type_of
from tests.audit_logs.conftest import LOGS

KEYS = [
    "id",
    "resourceKind",
    "resourceId",
    "accessType",
    "actorUserId",
    "actorUserName",
    "tenantId",
    "tenantName",
    "organizationId",
    "organizationName",
    "fields",
    "context",
    "createdAt",
]


async def access(client: httpx.AsyncClient, person: Any, **query: Any) -> dict[str, Any]:
    answer = await client.get(f"{LOGS}/access", params=query, headers=person.headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_read_leaves_one_row_for_each_record(
    client: httpx.AsyncClient, application: Any, tenant: Any
) -> None:
    ids = [uuid4(), uuid4()]
    context = {"queryKeys": ["page"], "path": "/things"}
    log: AccessLog = application.access_log
    await log.record(tenant.admin.scope, "tests.thing", [*ids, ids[0]], "read:list", ["id", "name"], context)
    await log.record(tenant.admin.scope, "tests.thing", [], "read")
    found = await access(client, tenant.admin, resourceKind="tests.thing")
    assert found["total"] == 2 and found["totalPages"] == 1 and found["pageSize"] == 50
    first = found["items"][0]
    assert list(first) == KEYS
    assert {item["resourceId"] for item in found["items"]} == {str(one) for one in ids}
    assert first["fields"] == ["id", "name"] and first["actorUserName"] == "Admin"
    assert first["organizationId"] == str(tenant.organization_id) and first["tenantId"] == str(tenant.id)
    assert first["context"] == {"resultCount": 2, "accessType": "read:list", **context}


async def test_everybody_sees_own_reads_and_viewers_may_ask(
    client: httpx.AsyncClient, application: Any, tenant: Any
) -> None:
    for person in (tenant.admin, tenant.employee):
        await application.access_log.record(person.scope, "tests.thing", [uuid4()], "read:item")
    mine = await access(client, tenant.admin, resourceKind="tests.thing")
    assert {item["actorUserId"] for item in mine["items"]} == {str(tenant.admin.id)} and mine["canViewTenant"]
    other = await access(client, tenant.admin, actorUserId=str(tenant.employee.id), accessType="read:item")
    assert {item["actorUserId"] for item in other["items"]} == {str(tenant.employee.id)}
    hidden = await access(client, tenant.employee, actorUserId=str(tenant.admin.id))
    assert {item["actorUserId"] for item in hidden["items"]} == {str(tenant.employee.id)}
    assert hidden["canViewTenant"] is False


async def test_filters_and_pages(client: httpx.AsyncClient, application: Any, tenant: Any) -> None:
    for number in range(5):
        await application.access_log.record(tenant.admin.scope, "tests.thing", [f"n{number}"], "read")
    every = await access(client, tenant.admin, resourceKind="", accessType="", before="garbage")
    assert [item["resourceId"] for item in every["items"]][:5] == ["n4", "n3", "n2", "n1", "n0"]
    limited = await access(client, tenant.admin, limit="2")
    assert [item["resourceId"] for item in limited["items"]] == ["n4", "n3"]
    second = await access(client, tenant.admin, limit="2", pageSize="3", page="2")
    assert [item["resourceId"] for item in second["items"]] == ["n1", "n0"]
    assert (await access(client, tenant.admin, page="0", pageSize="9999"))["pageSize"] == 200
    assert (await access(client, tenant.admin, after="2090-01-01T00:00:00Z"))["items"] == []
    assert (await access(client, tenant.admin, after="2090-01-01T00:00:00Z"))["totalPages"] == 1


@pytest.mark.parametrize("query", [{"actorUserId": "abc"}, {"organizationId": "abc"}])
async def test_bad_filters_are_refused(client: httpx.AsyncClient, tenant: Any, query: dict[str, str]) -> None:
    answer = await client.get(f"{LOGS}/access", params=query, headers=tenant.admin.headers)
    assert answer.status_code == 400 and answer.json()["error"] == "Validation failed"


async def test_strange_values_are_written_in_a_normal_form(
    client: httpx.AsyncClient, application: Any, tenant: Any
) -> None:
    await application.access_log.record(tenant.admin.scope, " ", ["a\x00b", ""], "")
    found = (await access(client, tenant.admin))["items"]
    assert {item["resourceId"] for item in found} == {"ab", "unknown"}
    assert {(item["resourceKind"], item["accessType"]) for item in found} == {("unknown", "unknown")}


async def test_rows_that_wait_are_written_at_shutdown(database: Any, settings: Any, tenant: Any) -> None:
    log = AccessLog(database, settings.model_copy(update={"access_log_blocking": False}))
    await log.start()
    await log.record(tenant.admin.scope, "tests.many", [str(n) for n in range(BATCH_ROWS + 7)], "read:list")
    await log.stop()
    async with database.read(tenant.id) as connection:
        count = await connection.fetchval(
            "select count(*) from access_logs where resource_kind = 'tests.many'"
        )
    assert count == BATCH_ROWS + 7


async def test_rows_are_forgotten_in_time(database: Any, settings: Any, tenant: Any) -> None:
    log = AccessLog(database, settings)
    for kind in ("auth.role", "tests.aged"):
        await log.record(tenant.admin.scope, kind, ["young", "old", "ancient"], "read")
    async with database.system() as connection:
        for name, age in (("old", timedelta(days=1)), ("ancient", timedelta(days=8))):
            await connection.execute(
                "update access_logs set created_at = now() - $1::interval where resource_id = $2", age, name
            )
    assert await log.sweep() >= 3
    async with database.read(tenant.id) as connection:
        rows = await connection.fetch("select resource_kind, resource_id from access_logs order by 1, 2")
    assert [tuple(row) for row in rows] == [
        ("auth.role", "old"),
        ("auth.role", "young"),
        ("tests.aged", "young"),
    ]


@pytest.mark.parametrize(
    ("item", "count", "expected"),
    [("x", 1, "read:item"), (" ", 2, "read:list"), (None, 1, "read"), (None, 0, "read")],
)
def test_access_types(item: str | None, count: int, expected: str) -> None:
    assert access_type_of(item, count) == expected
