"""Cache statistics and purges, on lists that are really cached (contract: configs.md 2, 3, 5; command-bus.md 12.2)."""

import asyncio
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app.cache import PLATFORM, Cache, CacheDown
from app.http.openapi import all_operations
from app.main import Application
from app.settings import Settings
from domain.resources import all_resources
from projections.index import projections
from tests.configs.conftest import CACHE, STATUS, Build, House
from tests.conftest import MakeTenant, Person, Tenant
from tests.heart.requests import holdings_of, path_of

ENTRIES = "/dictionaries/{}/entries"


@pytest.fixture
async def house(build: Build) -> House:
    """A process that caches lists, in its memory."""
    return await build(crud_cache=True)


async def dictionary(house: House, by: Person) -> str:
    """A new dictionary with one entry: its id."""
    made = await house.post("/dictionaries", by, {"key": "colors", "name": "Colors"})
    assert made.status_code == 201, made.text
    id = str(made.json()["id"])
    await house.post(ENTRIES.format(id), by, {"value": "red"})
    return id


async def test_given_the_cache_is_off_then_lists_leave_nothing_in_it(build: Build, tenant: Tenant) -> None:
    plain = await build()
    assert plain.application.lists is None
    await dictionary(plain, tenant.admin)
    await plain.get("/dictionaries", tenant.admin)
    assert await plain.statistics(tenant) == {"total": 0, "segments": {}}


async def test_given_lists_then_they_are_counted_by_segment_and_segments_are_purged_alone(
    house: House, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    assert await house.statistics(tenant) == {"total": 0, "segments": {}}
    id = await dictionary(house, tenant.admin)
    for query in ({}, {"search": "r"}, {}):
        assert (await house.get(ENTRIES.format(id), tenant.admin, **query)).status_code == 200
    await house.get("/dictionaries", tenant.admin)
    await house.get("/feature_toggles/global", tenant.admin)
    there = await make_tenant()
    await house.get("/dictionaries", there.admin)
    found = await house.statistics(tenant)
    assert found == {"total": 4, "segments": {"dictionaries-dictionary": 1, "entries": 2, "global": 1}}

    # When segments are purged
    answer = await house.post(CACHE, tenant.admin, {"action": "purgeSegment", "segment": " entries "})
    assert answer.json() == {
        "action": "purgeSegment",
        "stats": {"total": 2, "segments": {"dictionaries-dictionary": 1, "global": 1}},
        "segment": "entries",
        "deleted": 2,
    }
    none = await house.post(CACHE, tenant.admin, {"action": "purgeSegment", "segment": "nothing"})
    assert (none.status_code, none.json()["deleted"]) == (200, 0)
    for body in (
        {"action": "purgeSegment"},
        {"action": "purgeSegment", "segment": "  "},
        {"action": "purgeSegment", "segment": 1},
    ):
        assert (await house.post(CACHE, tenant.admin, body)).status_code == 400
    assert (await house.statistics(tenant))["total"] == 2

    # When all is purged, by whatever body
    await house.application.toggles.resolve(tenant.id, "some_toggle")
    everything = await house.post(CACHE, tenant.admin, {})
    assert everything.json() == {"action": "purgeAll", "stats": {"total": 0, "segments": {}}}
    assert await house.application.cache.entries(tenant.id, "") == [], "not only the lists"
    assert (await house.statistics(there))["total"] == 1
    broken = await house.client.post(CACHE, content=b"{", headers=tenant.admin.headers)
    assert broken.json()["action"] == "purgeAll"


async def test_given_purges_then_the_log_says_who_and_what(house: House, tenant: Tenant) -> None:
    await house.get("/dictionaries", tenant.admin)
    dry = await house.post(CACHE, tenant.admin, {}, {"x-backstep-dry-run": "true"})
    assert dry.json()["dryRun"] is True
    assert (await house.statistics(tenant))["total"] == 1
    await house.post(CACHE, tenant.admin, {"action": "purgeSegment", "segment": "entries"})
    cleared = await house.post(STATUS, tenant.admin)
    assert cleared.json() == {"cleared": True}
    assert "x-om-operation" not in cleared.headers, "there is nothing to undo"
    assert (await house.statistics(tenant))["total"] == 0
    found = await house.get("/audit_logs/audit-logs/actions", tenant.admin, resourceKind="configs.cache")
    rows = [(row["commandId"], row["resourceId"], row["undoToken"]) for row in found.json()["items"]]
    assert rows == [("configs.cache.clear", None, None), ("configs.cache.purge", "entries", None)]


async def test_given_rights_then_each_may_do_what_they_say(house: House, tenant: Tenant) -> None:
    assert (await house.client.get(CACHE)).status_code == 401
    for answer in (
        await house.get(CACHE, tenant.employee),
        await house.post(CACHE, tenant.employee, {}),
        await house.post(STATUS, tenant.employee),
    ):
        assert answer.status_code == 403
    denied = await house.post(CACHE, tenant.employee, {})
    assert denied.json()["requiredFeatures"] == ["configs.cache.manage"]


async def test_given_a_cached_list_then_a_change_shows_at_once_and_undo_too(
    house: House, tenant: Tenant
) -> None:
    id = await dictionary(house, tenant.admin)
    path = ENTRIES.format(id)

    async def values() -> list[str]:
        return [item["value"] for item in (await house.get(path, tenant.admin)).json()["items"]]

    assert await values() == await values() == ["red"]
    made = await house.post(path, tenant.admin, {"value": "blue", "position": 1})
    assert await values() == ["red", "blue"]
    token = made.headers["x-om-operation"]
    from tests.directory.conftest import operation_of

    assert token
    await house.post(
        "/audit_logs/audit-logs/actions/undo", tenant.admin, {"undoToken": operation_of(made)["undoToken"]}
    )
    assert await values() == ["red"]


async def test_given_a_hit_then_the_database_is_not_asked_and_the_access_log_is_written_all_the_same(
    house: House, tenant: Tenant
) -> None:
    path = "/feature_toggles/overrides"
    toggle = {"identifier": f"cached.{tenant.id.hex}", "name": "x", "type": "boolean"}
    made = await house.post("/feature_toggles/global", tenant.superadmin, toggle)
    first = await house.get(path, tenant.admin, identifier=toggle["identifier"])
    asked: list[str] = []

    def note(record: Any) -> None:
        asked.append(record.query)

    house.application.database.log_queries(note)
    second = await house.get(path, tenant.admin, identifier=toggle["identifier"])
    await asyncio.sleep(0.01)
    house.application.database.stop_logging(note)
    assert first.content == second.content
    assert [sql for sql in asked if "feature_toggles_everywhere" in sql] == []
    rows = await house.get(
        "/audit_logs/audit-logs/access",
        tenant.admin,
        resourceKind="feature_toggles.override_list",
        pageSize=100,
    )
    assert [row["resourceId"] for row in rows.json()["items"]] == [made.json()["id"]] * 2


async def test_given_other_people_then_nobody_gets_an_answer_that_is_not_theirs(
    house: House, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    id = await dictionary(house, tenant.admin)
    there = await make_tenant()
    own = await house.get("/dictionaries", tenant.admin)
    assert id in own.text
    assert id not in (await house.get("/dictionaries", there.admin)).text
    selected = {"cookie": f"om_selected_org={there.organization_id}"}
    assert (await house.get("/dictionaries", tenant.admin, selected)).status_code == 422
    overrides = [
        await house.get("/feature_toggles/overrides", who) for who in (tenant.admin, tenant.superadmin)
    ]
    assert [answer.json()["isSuperAdmin"] for answer in overrides] == [False, True]


async def test_given_a_super_admin_who_sees_all_tenants_then_a_change_in_any_of_them_shows(
    house: House, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    path = "/directory/organizations"
    there = await make_tenant()

    async def seen() -> str:
        answer = await house.get(path, tenant.superadmin, view="manage", search=name)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["total"])

    name = f"Branch {there.id.hex[:8]}"
    assert await seen() == "0"
    await house.post(path, there.admin, {"name": name})
    assert await seen() == "1"


async def test_given_two_processes_then_a_change_in_one_reaches_the_lists_of_the_other(
    build: Build, tenant: Tenant
) -> None:
    here, there = await build(start=True, crud_cache=True), await build(start=True, crud_cache=True)
    async with asyncio.timeout(15):
        while there.application.relay.seconds_since_heard() is None:
            await asyncio.sleep(0.01)
    id = await dictionary(here, tenant.admin)
    path = ENTRIES.format(id)
    await asyncio.sleep(0.3)
    assert len((await there.get(path, tenant.admin)).json()["items"]) == 1
    await here.post(path, tenant.admin, {"value": "blue"})
    async with asyncio.timeout(3):
        while len((await there.get(path, tenant.admin)).json()["items"]) != 2:
            await asyncio.sleep(0.005)
    await here.post(CACHE, tenant.admin, {"action": "purgeSegment", "segment": "entries"})
    async with asyncio.timeout(3):
        while (await there.statistics(tenant))["total"]:
            await asyncio.sleep(0.005)


CACHED = [pytest.param(item, id=f"{item.method} {item.path}") for item in all_operations() if item.reads]


@pytest.mark.parametrize("item", CACHED)
async def test_given_a_cached_operation_then_it_declares_every_table_that_its_statements_name(
    application: Application, house: House, tenant: Tenant, item: Any
) -> None:
    ids = (await holdings_of(application.bus, tenant)).ids
    known = {resource.name for resource in all_resources()}
    assert item.method == "GET" and set(item.reads) <= known
    asked: list[str] = []

    def note(record: Any) -> None:
        asked.append(record.query)

    for person in (tenant.admin, tenant.superadmin):
        for query in ({}, {"search": "abc", "page": "1"}, {"view": "manage"}, {"view": "tree"}):
            await house.client.get("/health")
            await house.get(
                "/feature_toggles/check/json", person, identifier="warm"
            )  # who it is, is known now
            await asyncio.sleep(0.01)
            house.application.database.log_queries(note)
            answer = await house.get(path_of(item, ids), person, **query)
            await asyncio.sleep(0.01)
            house.application.database.stop_logging(note)
            assert answer.status_code in (200, 400), answer.text
    sources = {projection.entity_type: projection.select for projection in projections()}
    housekeeping = ("access_logs", "select id from tenants order by id")  # of the access log, now and then
    text = " ".join(sql for sql in asked if not any(part in sql for part in housekeeping))
    text += " ".join(select for name, select in sources.items() if f"'{name}'" in text)
    words = set(re.findall(r"\w+", text))
    named = {name for name in known if name in words or f"{name}_everywhere" in words}
    assert named, "the list asks for something"
    assert named <= set(item.reads), [sql for sql in asked if any(n in sql for n in named - set(item.reads))]


# The store itself


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """The address of a Redis server of the test's own."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no Redis on this machine")
    port = free_port()
    server = subprocess.Popen(
        [program, "--port", str(port), "--save", "", "--dir", str(tmp_path)], stdout=subprocess.DEVNULL
    )
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        import time

        time.sleep(0.05)
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    server.wait(10)


@pytest.mark.parametrize("strategy", ["memory", "redis"])
async def test_given_a_store_then_values_are_found_until_a_tag_changes(
    settings: Settings, tenant: Tenant, strategy: str, request: pytest.FixtureRequest
) -> None:
    address = SecretStr(request.getfixturevalue("redis")) if strategy == "redis" else None
    chosen = settings.model_copy(update={"cache_strategy": strategy, "redis_url": address})
    cache, other = Cache(chosen), Cache(chosen)
    tags = ((tenant.id, "things"), (PLATFORM, "shared"))

    async def known(by: Cache = cache) -> bytes | None:
        return (await by.find(tenant.id, "a|b", tags))[0]

    async def keep(value: bytes) -> None:
        _, slot = await cache.find(tenant.id, "a|b", tags)
        await cache.keep(slot, value)

    assert await known() is None
    await keep(b"one\x00\xff")
    assert await known() == b"one\x00\xff"
    assert await known(other) == (b"one\x00\xff" if strategy == "redis" else None)
    for tag in (*tags, (tenant.id, "*")):
        cache.invalidate([tag])
        assert await known() is None, tag
        await keep(b"two")
        assert await known() == b"two"
    cache.invalidate([(tenant.id, "others")])
    assert await known() == b"two"

    # When a value was looked up before a change and is kept after it
    _, slot = await cache.find(tenant.id, "late", tags)
    cache.invalidate([tags[0]])
    await cache.find(tenant.id, "something else", tags)
    await cache.keep(slot, b"of before")
    assert (await cache.find(tenant.id, "late", tags))[0] is None

    await keep(b"three")
    assert await cache.entries(tenant.id, "a|") == ["a|b"], "what counts no more is not counted"
    assert await cache.delete(tenant.id, "a|") == 1
    assert await known() is None
    await keep(b"four")
    assert await cache.clear(tenant.id) == 0, "its tag is new already"
    assert await known() is None
    await cache.close()
    await other.close()


async def test_given_a_redis_that_is_away_then_answers_are_right_and_statistics_say_503(
    build: Build, tenant: Tenant
) -> None:
    address = SecretStr(f"redis://127.0.0.1:{free_port()}/0")
    house = await build(crud_cache=True, cache_strategy="redis", redis_url=address)
    async with asyncio.timeout(20):
        id = await dictionary(house, tenant.admin)
        assert len((await house.get(ENTRIES.format(id), tenant.admin)).json()["items"]) == 1
        missing = await house.get("/feature_toggles/check/json", tenant.admin, identifier="none")
        assert missing.status_code == 404
        for answer in (
            await house.get(CACHE, tenant.admin),
            await house.post(CACHE, tenant.admin, {}),
            await house.post(STATUS, tenant.admin),
        ):
            assert (answer.status_code, set(answer.json())) == (503, {"error"})
        with pytest.raises(CacheDown):
            await house.application.cache.entries(tenant.id, "")
