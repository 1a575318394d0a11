"""What the jobs of the index do: rebuild, purge, partitions, orphans, poison, interruptions (query-index.md 6, 7)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.main import Application
from app.verify import verify
from tests.conftest import MakeTenant, Tenant
from tests.heart.scenes import Scene, label, scene
from tests.query_index.conftest import DICTIONARY, ENTRY, Operator, Pretend, idle


async def values(application: Application, tenant: Tenant, place: Scene) -> list[str]:
    """The values that the list of a dictionary's entries shows."""
    async with application.database.read(tenant.id) as connection:
        rows = await connection.fetch(
            "select doc::jsonb ->> 'value' as value from entity_index where entity_type = 'dictionaries:entry'"
            " and parent_id = $1 order by 1",
            place.dictionary_id,
        )
    return [row["value"] for row in rows]


async def assert_consistent(application: Application, tenant: Tenant) -> None:
    async for report in verify(application.database, application.settings, tenant.id):
        assert report.index_faults == []


async def test_given_a_purge_then_the_documents_are_gone_and_a_reindex_brings_them_back(
    operator: Operator, application: Application, tenant: Tenant
) -> None:
    await operator.field(ENTRY)
    place = await scene(application.bus, tenant.admin.scope, "red", "blue")
    before = await operator.item(ENTRY, "?refresh")
    assert (before["baseCount"], before["indexCount"], before["ok"]) == (2, 2, True)

    await operator.post("purge", {"entityType": ENTRY})
    await idle(application, tenant.id)
    status = await operator.status()
    (item,) = [one for one in status["items"] if one["entityId"] == ENTRY]
    assert (item["baseCount"], item["indexCount"], item["ok"]) == (2, 0, False)
    assert status["partial"] == {
        "type": "partial_index",
        "entity": ENTRY,
        "entityLabel": ENTRY,
        "baseCount": 2,
        "indexedCount": 0,
        "scope": str(tenant.organization_id),
    }
    assert await values(application, tenant, place) == []
    async with application.database.system() as connection:
        for table in ("entity_search", "entity_counters"):
            counted = "coalesce(sum(n), 0)" if table == "entity_counters" else "count(*)"
            found = await connection.fetchval(
                f"select {counted} from {table} where tenant_id = $1 and entity_type = 'dictionaries:entry'",
                tenant.id,
            )
            assert found == 0

    await operator.post("reindex", {"entityType": ENTRY})
    await idle(application, tenant.id)
    item = await operator.item(ENTRY)
    assert (item["baseCount"], item["indexCount"], item["ok"]) == (2, 2, True)
    job = item["job"]
    assert (job["status"], job["processedCount"], job["totalCount"], job["partitions"]) == ("idle", 2, 2, [])
    assert job["finishedAt"] >= job["startedAt"]
    assert job["scope"] == {"status": "completed", "processedCount": 2, "totalCount": 2}
    assert await values(application, tenant, place) == ["blue", "red"]
    await assert_consistent(application, tenant)
    messages = [one["message"] for one in (await operator.status())["logs"]]
    assert messages == ["completed", "started", "queued", "requested", "completed", "queued", "requested"]


async def test_partitions_share_the_records_and_are_summed(
    operator: Operator, application: Application, tenant: Tenant
) -> None:
    await scene(application.bus, tenant.admin.scope, *(f"v{n}" for n in range(12)))
    await operator.post("reindex", {"entityType": ENTRY})
    await idle(application, tenant.id)
    await operator.post("reindex", {"entityType": ENTRY, "partitionCount": 3})
    await idle(application, tenant.id)
    job = (await operator.item(ENTRY))["job"]
    assert (job["status"], job["processedCount"], job["totalCount"], job["scope"]) == ("idle", 12, 12, None)
    assert [(one["partitionIndex"], one["partitionCount"], one["status"]) for one in job["partitions"]] == [
        (0, 3, "completed"),
        (1, 3, "completed"),
        (2, 3, "completed"),
    ]
    await operator.post("reindex", {"entityType": ENTRY})
    await idle(application, tenant.id)
    job = (await operator.item(ENTRY))["job"]
    assert (job["partitions"], job["scope"]["processedCount"]) == ([], 12)


async def test_orphans_and_wrong_documents_are_put_right(
    operator: Operator, application: Application, tenant: Tenant
) -> None:
    place = await scene(application.bus, tenant.admin.scope, "red", "blue", "green")
    async with application.database.system() as connection:
        await connection.execute(
            "insert into entity_index select tenant_id, entity_type, gen_random_uuid(), organization_id, parent_id,"
            " doc, position, name_lc, created_at, updated_at, deleted_at, projection_version from entity_index"
            " where tenant_id = $1 and entity_id = $2",
            tenant.id,
            place.entry_ids[0],
        )
        await connection.execute(
            'update entity_index set doc = \'{"value":"wrong"}\' where tenant_id = $1 and entity_id = $2',
            tenant.id,
            place.entry_ids[1],
        )
        await connection.execute(
            "delete from entity_index where tenant_id = $1 and entity_id = $2", tenant.id, place.entry_ids[2]
        )
    await operator.post("reindex", {"entityType": ENTRY})
    await idle(application, tenant.id)
    assert await values(application, tenant, place) == ["blue", "green", "red"]
    await assert_consistent(application, tenant)


async def test_given_a_poisoned_record_then_it_is_set_aside_and_the_rest_goes_on(
    operator: Operator, application: Application, tenant: Tenant, pretend: Pretend
) -> None:
    place = await scene(application.bus, tenant.admin.scope, *(f"v{n}" for n in range(30)), "poison")
    poisoned = str(place.entry_ids[30])
    pretend(
        "dictionaries:entry",
        "t.position::bigint as position",
        "(case when t.value = 'poison' then 1 / (t.position * 0) else t.position + 7 end)::bigint as position",
        version=3,
    )
    await operator.post("reindex", {"entityType": ENTRY, "batchSize": 10})
    await idle(application, tenant.id)
    async with application.database.read(tenant.id) as connection:
        rows = await connection.fetch(
            "select entity_id, projection_version as version from entity_index where parent_id = $1",
            place.dictionary_id,
        )
    assert {str(row["entity_id"]) for row in rows if row["version"] == 2} == {poisoned}
    assert sum(row["version"] == 3 for row in rows) == 30
    job = (await operator.item(ENTRY))["job"]
    assert (job["status"], job["processedCount"], job["scope"]["status"]) == ("failed", 31, "failed")
    (error,) = (await operator.status())["errors"]
    assert (error["recordId"], error["entityType"], error["handler"]) == (
        poisoned,
        ENTRY,
        "query_index.reindex",
    )
    assert "division by zero" in error["message"]
    assert await values(application, tenant, place) == sorted([*(f"v{n}" for n in range(30)), "poison"])


async def test_given_nothing_can_be_indexed_then_the_run_fails_early_and_nothing_is_taken_away(
    operator: Operator, application: Application, tenant: Tenant, pretend: Pretend
) -> None:
    place = await scene(application.bus, tenant.admin.scope, *(f"v{n}" for n in range(40)))
    pretend(
        "dictionaries:entry", "t.position::bigint as position", "(1 / (t.position * 0))::bigint as position"
    )
    await operator.post("reindex", {"entityType": ENTRY, "force": True})
    await idle(application, tenant.id)
    assert (await operator.item(ENTRY))["job"]["status"] == "failed"
    assert len(await values(application, tenant, place)) == 40


async def test_given_a_run_of_another_organization_then_its_documents_stay(
    operator: Operator, application: Application, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    other = await make_tenant()
    there = await scene(application.bus, other.admin.scope, "red")
    await scene(application.bus, tenant.admin.scope, "red")
    await operator.post("purge", {"entityType": ENTRY})
    await idle(application, tenant.id)
    assert await values(application, other, there) == ["red"]
    assert await values(application, tenant, there) == []


async def test_given_a_live_run_then_a_second_is_skipped_unless_forced_or_the_first_is_stalled(
    operator: Operator, application: Application, tenant: Tenant
) -> None:
    await scene(application.bus, tenant.admin.scope, "red")
    await _running(application, tenant, timedelta(seconds=5))
    await operator.post("reindex", {"entityType": ENTRY})
    await idle(application, tenant.id)
    item = await operator.item(ENTRY)
    assert (item["job"]["status"], item["job"]["scope"]["status"]) == ("reindexing", "reindexing")
    assert (await operator.status())["logs"][0]["message"] == "skipped: a run is under way"

    await _running(application, tenant, timedelta(seconds=61))
    item = await operator.item(ENTRY)
    assert (item["job"]["status"], item["job"]["scope"]["status"]) == ("stalled", "stalled")
    await operator.post("reindex", {"entityType": ENTRY})
    await idle(application, tenant.id)
    assert (await operator.item(ENTRY))["job"]["status"] == "idle"

    await _running(application, tenant, timedelta(seconds=5))
    await operator.post("reindex", {"entityType": ENTRY, "force": True})
    await idle(application, tenant.id)
    assert (await operator.item(ENTRY))["job"]["status"] == "idle"


async def _running(application: Application, tenant: Tenant, silent: timedelta) -> None:
    async with application.database.system() as connection:
        await connection.execute("delete from entity_index_jobs where tenant_id = $1", tenant.id)
        await connection.execute(
            "insert into entity_index_jobs (tenant_id, id, organization_id, entity_type, run_id, status, total_count,"
            " heartbeat_at, started_at) values ($1, gen_random_uuid(), $2, $3, 0, 'reindexing', 9, $4, $4)",
            tenant.id,
            tenant.organization_id,
            ENTRY,
            datetime.now(UTC) - silent,
        )


async def test_given_a_stop_then_the_run_goes_on_where_it_was(
    operator: Operator, application: Application, tenant: Tenant
) -> None:
    place = await scene(application.bus, tenant.admin.scope)
    await _many(application, tenant, place, 3_000)
    await operator.post("reindex", {"entityType": ENTRY, "batchSize": 1})
    async with asyncio.timeout(20):
        while not ((await operator.item(ENTRY))["job"]["processedCount"] or 0):
            await asyncio.sleep(0.02)
    await application.jobs.stop()
    half = (await operator.item(ENTRY))["job"]["processedCount"]
    await application.jobs.start()
    await idle(application, tenant.id, 60)
    job = (await operator.item(ENTRY))["job"]
    assert 0 < half < 3_000
    assert (job["status"], job["processedCount"], job["totalCount"]) == ("idle", 3_000, 3_000)
    assert len([one for one in (await operator.status())["logs"] if one["message"] == "started"]) == 1


async def _many(application: Application, tenant: Tenant, place: Scene, count: int) -> None:
    """Entries that no command made, and no document shows."""
    transaction = await application.database.begin(tenant.id, "tests")
    await transaction.connection.execute(
        "insert into dictionary_entries (tenant_id, id, organization_id, dictionary_id, value, normalized_value, label,"
        " position, created_at, updated_at) select $1, gen_random_uuid(), $2, $3, 'm' || n, 'm' || n, 'Many ' || n, n,"
        " now(), now() from generate_series(1, $4::integer) n",
        tenant.id,
        tenant.organization_id,
        place.dictionary_id,
        count,
    )
    await transaction.commit()


async def test_given_a_new_version_then_documents_are_rebuilt_beside_live_traffic_and_no_list_misses_or_doubles_one(
    operator: Operator, application: Application, tenant: Tenant, pretend: Pretend
) -> None:
    place = await scene(application.bus, tenant.admin.scope, *(f"v{n:02}" for n in range(20)))
    await _many(application, tenant, place, 4_000)
    await operator.post("reindex", {"entityType": ENTRY})
    await idle(application, tenant.id, 60)
    pretend("dictionaries:entry", version=3)
    done = asyncio.Event()
    reader = asyncio.create_task(_read(operator, place, done))
    writer = asyncio.create_task(_write(application, tenant, place, done))
    started = application.jobs
    await started.stop()
    from app.jobs.reindex import look_for_stale_soon

    await started.start()
    await look_for_stale_soon(application)
    async with asyncio.timeout(60):
        while await _of_version(application, tenant, 2):
            await asyncio.sleep(0.05)
    done.set()
    reads, writes = await reader, await writer
    assert reads >= 3
    assert writes >= 3
    await idle(application, tenant.id, 60)
    await assert_consistent(application, tenant)


async def _of_version(application: Application, tenant: Tenant, version: int) -> int:
    async with application.database.system() as connection:
        return int(
            await connection.fetchval(
                "select count(*) from entity_index where tenant_id = $1 and entity_type = 'dictionaries:entry'"
                " and projection_version = $2",
                tenant.id,
                version,
            )
        )


async def _read(operator: Operator, place: Scene, done: asyncio.Event) -> int:
    """Whole lists until told to stop: each of 4,020 records is there exactly once."""
    reads = 0
    while not done.is_set():
        answer = await operator.ask("GET", f"/dictionaries/{place.dictionary_id}/entries")
        ids = [item["id"] for item in answer.json()["items"]]
        assert (len(ids), len(set(ids))) == (4_020, 4_020)
        reads += 1
    return reads


async def _write(application: Application, tenant: Tenant, place: Scene, done: asyncio.Event) -> int:
    writes = 0
    while not done.is_set():
        await label(application.bus, tenant.admin.scope, place, f"Label {writes}", number=writes % 20)
        writes += 1
    return writes


@pytest.mark.parametrize(
    "entity", [DICTIONARY, "auth:user", "auth:role", "directory:organization", "nothing:here"]
)
async def test_every_entity_can_be_rebuilt(
    operator: Operator, application: Application, tenant: Tenant, entity: str
) -> None:
    await operator.post("reindex", {"entityType": entity})
    await idle(application, tenant.id)
    await assert_consistent(application, tenant)
    status: dict[str, Any] = await operator.status()
    assert status["errors"] == []
