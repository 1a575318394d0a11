"""The index of custom values: what it knows of a value, and that it is always what a rebuild makes."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.main import Application
from commands.dictionaries import CreateDictionary
from projections import rebuild
from projections.values import number_text, value_text
from queries.custom_values import indexed_texts
from tests.conftest import Tenant
from tests.entities.conftest import THING, Desk
from tests.entities.test_records import PATH, create, put, remove
from tests.heart.proofs import assert_proven


async def rows_of(application: Application, tenant: Tenant, entity: str = THING) -> list[tuple[Any, ...]]:
    """The indexed values of a tenant's records of an entity."""
    async with application.database.system() as connection:
        rows = await connection.fetch(
            "select field, n, number, text, deleted from entity_values where tenant_id = $1 and entity_type = $2"
            " order by entity_id, field, n",
            tenant.id,
            entity,
        )
    return [tuple(row) for row in rows]


@pytest.fixture
async def things(desk: Desk) -> Desk:
    """Fields of each sort."""
    await desk.entity()
    for key in ("a", "b", "c"):
        await desk.define(key)
    return desk


async def test_one_row_a_scalar(things: Desk, application: Application, tenant: Tenant) -> None:
    await create(things, a=[1.50, "x", "x", True, None, {"no": 1}, "1.5"], b="text", c=None)
    assert await rows_of(application, tenant) == [
        ("a", 0, 1.5, "1.5", False),
        ("a", 1, None, "x", False),
        ("a", 3, None, "true", False),
        ("b", 0, None, "text", False),
    ]


async def test_only_what_changed_is_written(things: Desk, application: Application, tenant: Tenant) -> None:
    """Given a record with three values, When one is changed, Then the rows of the others are the same rows."""
    id = await create(things, a="1", b="2", c="3")

    async def places() -> dict[str, str]:
        async with application.database.system() as connection:
            rows = await connection.fetch(
                "select field, ctid::text from entity_values where tenant_id = $1", tenant.id
            )
        return {row["field"]: row["ctid"] for row in rows}

    before = await places()
    await put(things, id, b="changed")
    after = await places()
    assert (before["a"], before["c"]) == (after["a"], after["c"]) and before["b"] != after["b"]
    await put(things, id, b=None)
    assert (await places()).keys() == {"a", "c"}


async def test_the_index_is_kept_and_rebuilt_alike(
    things: Desk, application: Application, tenant: Tenant
) -> None:
    ids = [await create(things, a=n, b=["x", str(n)], c="y" * 250) for n in range(4)]
    await remove(things, ids[0])
    await put(things, ids[1], a=None, b=["z"])
    await assert_proven(application, tenant.id)
    kept = await rows_of(application, tenant)
    assert [row[4] for row in kept if row[0] == "a"].count(True) == 1
    async with application.database.system() as connection:
        await connection.execute("delete from entity_values where tenant_id = $1 and field = 'a'", tenant.id)
        await connection.execute(
            "update entity_values set text = 'other' where tenant_id = $1 and text = 'z'", tenant.id
        )
        found = await rebuild.differences(connection, tenant.id, application.search_key(tenant.id))
    assert {(one.kind, one.entity_type) for one in found} == {("values", THING)}
    assert {one.entity_id for one in found} == {*ids}
    async for _ in rebuild.rebuild(application.database, application.search_key, tenant_id=tenant.id):
        pass
    await assert_proven(application, tenant.id)
    assert await rows_of(application, tenant) == kept


async def test_rebuilding_removes_what_has_no_record(
    things: Desk, application: Application, tenant: Tenant
) -> None:
    await create(things, a="1")
    async with application.database.system() as connection:
        await connection.execute(
            "insert into entity_values (tenant_id, entity_type, entity_id, field, n, deleted, text)"
            " values ($1, 'user:orphan', gen_random_uuid(), 'a', 0, false, 'x')",
            tenant.id,
        )
        found = await rebuild.differences(connection, tenant.id, application.search_key(tenant.id))
    assert [(one.kind, one.entity_type) for one in found] == [("values", "user:orphan")]
    async for _ in rebuild.rebuild(application.database, application.search_key, tenant_id=tenant.id):
        pass
    await assert_proven(application, tenant.id)


async def test_other_entities_are_indexed_too(application: Application, tenant: Tenant) -> None:
    """Any table with custom fields has its values indexed, under the entity's own type."""
    scope = tenant.admin.scope
    made = await application.bus.execute(CreateDictionary(key="colors", name="Colors"), scope)
    id = UUID(msgspec.json.decode(made.result["id"]))
    transaction = await application.database.begin(tenant.id, "test.values")
    await transaction.connection.execute(
        'update dictionaries set custom_fields = \'{"shade": ["dark", 2]}\' where tenant_id = $1 and id = $2',
        tenant.id,
        id,
    )
    await transaction.commit()
    async for _ in rebuild.rebuild(
        application.database,
        application.search_key,
        tenant_id=tenant.id,
        entity_type="dictionaries:dictionary",
    ):
        pass
    found = await rows_of(application, tenant, "dictionaries:dictionary")
    assert found == [("shade", 0, None, "dark", False), ("shade", 1, 2.0, "2", False)]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("integer", "1", ["1"]),
        ("integer", " 01.0", ["1", " 01.0"]),
        ("float", "1e3", ["1000", "1e3"]),
        ("float", "-0", ["0", "-0"]),
        ("float", "nan", ["nan"]),
        ("float", "1e99999999", ["1e99999999"]),
        ("boolean", "yes", ["true", "yes"]),
        ("boolean", "maybe", ["maybe"]),
        ("text", "1", ["1"]),
        ("text", "yes", ["yes"]),
        (None, "1.0", ["1.0"]),
    ],
)
def test_typed_values_are_read_by_kind(kind: str | None, text: str, expected: list[str]) -> None:
    assert indexed_texts(kind, text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "a", "x" * 200, "x" * 201, "ü" * 300, "bse1:", "bse1:1:" + "0" * 32, "bse1:1:" + "0" * 32 + ":abc"],
)
async def test_database_and_server_know_a_text_by_the_same_form(application: Application, text: str) -> None:
    async with application.database.system() as connection:
        assert await connection.fetchval("select custom_text($1)", text) == value_text(text)


@pytest.mark.parametrize(
    "number",
    ["0", "-0", "1.10", "-1.500", "1E+5", "1e-7", "123456789012345678901234567890.5", "1e250", "1e299"],
)
async def test_database_and_server_know_a_number_by_the_same_form(
    application: Application, number: str
) -> None:
    async with application.database.system() as connection:
        found = await connection.fetchval(
            "select text from custom_values(jsonb_build_object('f', $1::text::numeric))", number
        )
    assert found == number_text(Decimal(number))


async def test_a_list_is_one_statement_over_its_index(things: Desk, application: Application) -> None:
    """Given a filter and an order by fields, Then one statement reads total and page, and no row is filtered out."""
    await create(things, a="1")
    seen: list[str] = []

    def note(record: Any) -> None:
        if "entity_values" in record.query:
            seen.append(record.query)

    application.database.log_queries(note)
    try:
        await things.get(f"{PATH}?entityId={THING}&a=1&sortField=b")
        await asyncio.sleep(0.05)  # the driver tells its listeners later
    finally:
        application.database.stop_logging(note)
    assert len(seen) == 1
