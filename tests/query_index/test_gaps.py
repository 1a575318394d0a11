"""Lists while documents are missing: they show every record, warn, and have the documents built (query-index.md 8)."""

from typing import Any

import httpx
import msgspec
import pytest
from msgspec import Struct

from app.http.partial_index import PARTIAL_HEADER
from app.jobs.reindex import look_for_stale_soon
from app.main import Application
from domain.query_index import REINDEX_JOB
from projections.coverage import part_of, recount
from projections.gaps import end_gap, note_gap
from projections.purge import purged
from queries.index_reading import has_gap
from tests.conftest import Tenant
from tests.query_index.conftest import DICTIONARY, ENTRY, Json, Operator, idle, queued

THING = "user:thing"


async def purge(application: Application, tenant: Tenant, entity: str) -> None:
    """Take the documents of an entity out, as the job does."""
    part = part_of(tenant.id, entity, tenant.organization_id)
    assert part is not None
    async for _ in purged(application.database, part):
        pass


async def gap(application: Application, tenant: Tenant, entity_type: str) -> bool:
    async with application.database.read(tenant.id) as connection:
        return await has_gap(connection, tenant.id, entity_type)


class Place(Struct):
    """A tenant with some of everything that lists show."""

    operator: Operator
    superadmin: Operator
    tenant: Tenant
    dictionary: str

    async def get(self, path: str, asker: Operator | None = None) -> httpx.Response:
        """The answer to a request that must work; `{dictionary}` stands for the id of the dictionary."""
        answer = await (asker or self.operator).ask("GET", path.format(dictionary=self.dictionary))
        assert answer.status_code == 200, answer.text
        return answer


async def sent(operator: Operator, path: str, body: Json) -> Json:
    answer = await operator.ask("POST", path, body)
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json())


@pytest.fixture
async def place(operator: Operator, client: httpx.AsyncClient, tenant: Tenant, paused: Application) -> Place:
    superadmin = Operator(client, tenant.superadmin)
    for entity in (ENTRY, "auth:user", "auth:role", "directory:organization", "directory:tenant"):
        await operator.field(entity)
    await sent(operator, "/entities/entities", {"entityId": THING, "label": "Rzeczy żółte Вещи"})
    for key, kind in (("name", "text"), ("size", "integer"), ("tags", "text")):
        body = {
            "entityId": THING,
            "key": key,
            "kind": kind,
            "configJson": {"label": key, "multi": key == "tags"},
        }
        await sent(operator, "/entities/definitions", body)
    made = await sent(operator, "/dictionaries", {"key": "colors", "name": "Colours"})
    await sent(operator, "/dictionaries", {"key": "sizes", "name": "Sizes"})
    for n, value in enumerate(("red", "green", "dark red", "blue")):
        body = {"value": value, "position": n, "cf_mark": f"m{n % 2}"}
        await sent(operator, f"/dictionaries/{made['id']}/entries", body)
    for n in range(7):
        values = (
            {"name": f"Thing {n}", "size": n % 3, "tags": ["a", f"t{n}"]} if n != 5 else {"name": "Ówdzie"}
        )
        await sent(operator, "/entities/records", {"entityId": THING, "values": values})
    user = {"organizationId": str(tenant.organization_id), "password": "Secret-1x", "cf_mark": tenant.id.hex}
    for name in (f"Ada Lovel{tenant.id.hex[:8]}", "Grace Lovelace"):
        email = f"{name.split()[0]}.{tenant.id.hex[:8]}@example.com"
        await sent(superadmin, "/auth/users", {**user, "email": email, "name": name, "roles": ["employee"]})
    await sent(superadmin, "/auth/roles", {"name": "Support", "cf_mark": tenant.id.hex})
    await sent(superadmin, "/directory/organizations", {"name": "Below", "cf_mark": tenant.id.hex})
    await sent(superadmin, "/directory/tenants", {"name": f"T {tenant.id.hex[:8]}", "cf_mark": tenant.id.hex})
    return Place(operator, superadmin, tenant, made["id"])


RECORDS = f"/entities/records?entityId={THING}"
ENTRIES = "/dictionaries/{dictionary}/entries"


@pytest.mark.parametrize(
    ("entity", "path", "total"),
    [
        (DICTIONARY, "/dictionaries", 2),
        (DICTIONARY, "/dictionaries/{dictionary}", None),
        (ENTRY, ENTRIES, 4),
        (ENTRY, f"{ENTRIES}?page=2&pageSize=3&sortField=label&sortDir=desc", 4),
        (ENTRY, f"{ENTRIES}?search=red&page=1", 2),
        (ENTRY, f"{ENTRIES}?search=d&page=1", 1),
        (ENTRY, f"{ENTRIES}?cf_mark=m1&page=1", 2),
        (THING, RECORDS, 7),
        (THING, f"{RECORDS}&page=2&pageSize=3&sortField=updated_at&sortDir=desc", 7),
        (THING, f"{RECORDS}&sortField=cf:size&sortDir=desc", 7),
        (THING, f"{RECORDS}&sortField=name&page=2&pageSize=4", 7),
        (THING, f"{RECORDS}&cf_size=1&sortField=cf:name", 2),
        (THING, f"{RECORDS}&cf_tagsIn=t1,t2&cf_size=1", 1),
        (THING, f"{RECORDS}&search=owd&searchFields=name", 1),
        (THING, f"{RECORDS}&withDeleted=true&sortField=created_at", 7),
    ],
)
async def test_a_list_shows_the_same_without_documents(
    place: Place, paused: Application, entity: str, path: str, total: int | None
) -> None:
    before = await place.get(path)
    assert PARTIAL_HEADER not in before.headers
    if total is not None:
        body = before.json()
        assert body.get("total", len(body["items"])) == total
    await purge(paused, place.tenant, entity)
    during = await place.get(path)
    shown = during.json()
    warned = shown.pop("meta", None)
    assert shown == before.json()
    if total is not None:
        assert warned["partialIndexWarning"]["indexedCount"] == 0


@pytest.mark.parametrize(
    ("entity", "path", "found"),
    [
        ("auth:user", "/auth/users?search=lovel{short}", 1),
        ("auth:user", "/auth/users?search=lovel&cf_mark={tenant}", 2),
        ("auth:user", "/auth/users?cf_mark={tenant}", 2),
        ("auth:role", "/auth/roles?cf_mark={tenant}", 1),
        ("directory:organization", "/directory/organizations?view=manage&cf_mark={tenant}", 1),
        ("directory:tenant", "/directory/tenants?cf_mark={tenant}", 1),
    ],
)
async def test_a_filtered_list_of_the_product_shows_the_same_without_documents(
    place: Place, paused: Application, entity: str, path: str, found: int
) -> None:
    path = path.format(tenant=place.tenant.id.hex, short=place.tenant.id.hex[:8])
    before = (await place.get(path, place.superadmin)).json()
    assert len(before["items"]) == before["total"] == found
    async with paused.database.system() as connection:
        marked = "select distinct tenant_id from entity_values where text = $1"
        tenants = [row["tenant_id"] for row in await connection.fetch(marked, place.tenant.id.hex)]
    assert len(tenants) == 2, "the tenant, and the one that it made"
    for tenant_id in tenants:
        part = part_of(tenant_id, entity, None)
        assert part is not None
        async for _ in purged(paused.database, part):
            pass
    during = (await place.get(path, place.superadmin)).json()
    during.pop("meta", None)
    assert during == before


async def test_the_warning_tells_the_entity_the_counts_and_the_scope(
    place: Place, paused: Application, client: httpx.AsyncClient
) -> None:
    async with paused.database.system() as connection:
        await connection.execute(
            "delete from entity_index where tenant_id = $1 and entity_type = $2 and entity_id in (select entity_id"
            " from entity_index where tenant_id = $1 and entity_type = $2 limit 2)",
            place.tenant.id,
            THING,
        )
        # What nobody noted is found when records and documents are counted.
        await recount(connection, place.tenant.id, THING, None)
    answer = await place.get(RECORDS)
    expected = {
        "entity": THING,
        "entityLabel": "Rzeczy żółte Вещи",
        "baseCount": 7,
        "indexedCount": 5,
        "scope": "scoped",
    }
    assert answer.json()["meta"] == {"partialIndexWarning": expected}
    assert msgspec.json.decode(answer.headers[PARTIAL_HEADER]) == {"type": "partial_index", **expected}
    assert len(answer.json()["items"]) == answer.json()["total"] == 7

    everywhere = Operator(client, place.tenant.superadmin)
    everywhere.organization = "__all__"
    answer = await place.get(RECORDS, everywhere)
    assert answer.json()["meta"]["partialIndexWarning"]["scope"] == "global"


@pytest.mark.parametrize("kind", ["csv", "json", "xml", "markdown"])
async def test_an_export_has_every_record_and_the_header(
    place: Place, paused: Application, kind: str
) -> None:
    paths = {THING: f"{RECORDS}&format={kind}", ENTRY: f"{ENTRIES}?format={kind}"}
    for entity, path in paths.items():
        before = await place.get(path)
        assert PARTIAL_HEADER not in before.headers
        await purge(paused, place.tenant, entity)
        during = await place.get(path)
        assert during.content == before.content
        assert msgspec.json.decode(during.headers[PARTIAL_HEADER])["entity"] == entity


async def test_what_is_written_in_a_gap_is_shown_with_the_rest(place: Place, paused: Application) -> None:
    await purge(paused, place.tenant, ENTRY)
    made = await sent(
        place.operator, f"/dictionaries/{place.dictionary}/entries", {"value": "white", "position": 9}
    )
    items = (await place.get(ENTRIES)).json()["items"]
    assert [item["value"] for item in items] == ["red", "green", "dark red", "blue", "white"]
    await place.operator.ask("DELETE", f"/dictionaries/{place.dictionary}/entries/{made['id']}")
    assert len((await place.get(ENTRIES)).json()["items"]) == 4


async def test_the_first_list_has_the_documents_built_and_the_next_five_minutes_none_has(
    place: Place, paused: Application
) -> None:
    await purge(paused, place.tenant, ENTRY)
    for _ in range(3):
        await place.get(ENTRIES)
    assert [one["entityType"] for one in await queued(paused, place.tenant, REINDEX_JOB)] == [ENTRY]
    await paused.jobs.start()
    await idle(paused, place.tenant.id)
    assert not await gap(paused, place.tenant, "dictionaries:entry")
    answer = await place.get(ENTRIES)
    assert PARTIAL_HEADER not in answer.headers and "meta" not in answer.json()

    await paused.jobs.stop()
    await purge(paused, place.tenant, ENTRY)
    assert PARTIAL_HEADER in (await place.get(ENTRIES)).headers
    assert await queued(paused, place.tenant, REINDEX_JOB) == []
    async with paused.database.system() as connection:
        await connection.execute(
            "update entity_index_gaps set scheduled_at = scheduled_at - interval '301 seconds' where tenant_id = $1",
            place.tenant.id,
        )
    await place.get(ENTRIES)
    assert len(await queued(paused, place.tenant, REINDEX_JOB)) == 1


async def test_given_the_setting_then_no_list_has_documents_built(
    place: Place, paused: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paused, "settings", paused.settings.model_copy(update={"auto_reindex": False}))
    await purge(paused, place.tenant, ENTRY)
    assert PARTIAL_HEADER in (await place.get(ENTRIES)).headers
    assert await queued(paused, place.tenant, REINDEX_JOB) == []


async def test_given_a_forced_index_then_lists_show_what_it_has_and_warn(
    place: Place, paused: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paused, "settings", paused.settings.model_copy(update={"force_partial_index": True}))
    await purge(paused, place.tenant, ENTRY)
    await purge(paused, place.tenant, THING)
    for path in (f"{ENTRIES}?page=1", RECORDS):
        answer = await place.get(path)
        assert answer.json()["items"] == []
        assert PARTIAL_HEADER in answer.headers


async def test_the_counts_of_a_warning_are_kept_for_a_while(
    place: Place, paused: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def counted_at() -> Any:
        async with paused.database.system() as connection:
            return await connection.fetchval(
                "select refreshed_at from entity_index_coverage where tenant_id = $1 and entity_type = $2",
                place.tenant.id,
                ENTRY,
            )

    await purge(paused, place.tenant, ENTRY)
    await place.get(ENTRIES)
    first = await counted_at()
    await place.get(ENTRIES)
    assert first is not None and await counted_at() == first
    await purge(paused, place.tenant, ENTRY)
    body = {"value": "white", "position": 9}
    await sent(place.operator, f"/dictionaries/{place.dictionary}/entries", body)
    await purge(paused, place.tenant, ENTRY)
    warned = (await place.get(ENTRIES)).json()["meta"]["partialIndexWarning"]
    assert (warned["baseCount"], warned["indexedCount"]) == (5, 0), "older than the gap: counted anew"
    monkeypatch.setattr(paused, "settings", paused.settings.model_copy(update={"coverage_cache_ms": 0}))
    second = await counted_at()
    await place.get(ENTRIES)
    assert await counted_at() > second


async def test_a_gap_of_one_organization_is_no_warning_in_another(
    place: Place, paused: Application, client: httpx.AsyncClient
) -> None:
    below = (await sent(place.superadmin, "/directory/organizations", {"name": "Other"}))["id"]
    elsewhere = Operator(client, place.tenant.superadmin)
    elsewhere.organization = below
    await sent(elsewhere, "/entities/records", {"entityId": THING, "values": {}})
    await purge(paused, place.tenant, THING)
    answer = await place.get(RECORDS, elsewhere)
    assert len(answer.json()["items"]) == 1
    assert PARTIAL_HEADER not in answer.headers


async def test_a_gap_ends_only_when_every_record_has_a_document(
    place: Place, paused: Application, client: httpx.AsyncClient
) -> None:
    below = (await sent(place.superadmin, "/directory/organizations", {"name": "Other"}))["id"]
    elsewhere = Operator(client, place.tenant.superadmin)
    elsewhere.organization = below
    await sent(elsewhere, "/entities/records", {"entityId": THING, "values": {}})
    part = part_of(place.tenant.id, THING, None)
    assert part is not None
    async for _ in purged(paused.database, part):
        pass
    async with paused.database.system() as connection:
        assert not await end_gap(connection, part)
    await paused.jobs.start()
    await place.operator.post("reindex", {"entityType": THING})
    await idle(paused, place.tenant.id)
    assert await gap(paused, place.tenant, THING), "one organization of two"
    await elsewhere.post("reindex", {"entityType": THING})
    await idle(paused, place.tenant.id)
    assert not await gap(paused, place.tenant, THING)
    await paused.jobs.stop()


async def test_a_gap_that_opens_while_another_is_being_closed_stays(
    place: Place, paused: Application
) -> None:
    """What is taken out after every record was seen to have a document is noted anew, and the note is not lost."""
    part = part_of(place.tenant.id, THING, None)
    assert part is not None
    async with paused.database.system() as connection:
        await note_gap(connection, place.tenant.id, THING)

        class Interrupted:
            """A connection on which another process takes documents out before the last statement."""

            fetchval = staticmethod(connection.fetchval)

            @staticmethod
            async def execute(*args: Any) -> Any:
                await purge(paused, place.tenant, THING)
                return await connection.execute(*args)

        assert not await end_gap(Interrupted(), part)
    assert await gap(paused, place.tenant, THING)
    assert (await place.get(RECORDS)).json()["total"] == 7


async def test_a_process_that_starts_notes_what_lacks_documents(
    place: Place, paused: Application, tenant: Tenant
) -> None:
    async with paused.database.system() as connection:
        for table in ("entity_index", "entity_counters", "entity_search", "entity_values"):
            await connection.execute(
                f"delete from {table} where tenant_id = $1 and entity_type in ('dictionaries:entry', $2)",
                tenant.id,
                THING,
            )
    assert (await place.get(ENTRIES)).json()["items"] == [], "nobody noted it"
    await look_for_stale_soon(paused)
    await paused.jobs.start()
    async with paused.database.system() as connection:
        while await connection.fetchval(
            "select exists (select from jobs.pgqueuer where entrypoint = $1)", UPGRADE
        ):
            pass
    await paused.jobs.stop()
    assert len((await place.get(ENTRIES)).json()["items"]) == 4
    assert (await place.get(RECORDS)).json()["total"] == 7
    assert not await gap(paused, tenant, "dictionaries:dictionary")


UPGRADE = "query_index.upgrade"
