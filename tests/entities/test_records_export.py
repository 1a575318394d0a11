"""Records as files (entities.md 3.2): four formats, exact bytes, any number of records."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from app.http.exports import export
from app.main import Application
from tests.conftest import Tenant
from tests.entities.conftest import THING, Desk
from tests.entities.test_records import PATH, create, remove

PINNED: list[dict[str, Any]] = [
    {
        "id": "1",
        "name": "=SUM(A1)",
        "qty": -3,
        "tags": ["a", "b"],
        "note": 'x,"y"\nz',
        "meta": {"a": 1},
        "updated_at": "2026-01-02T03:04:05.678Z",
        "updatedAt": "2026-01-02T03:04:05.678Z",
    },
    {"id": "2", "name": None, "qty": 0, "tags": [], "note": "p|q\\r"},
]
"""The rows of the contract's pinned example."""
STAMP = "2026-01-02T03:04:05.678Z"


async def pinned(kind: Any) -> str:
    """The pinned rows in a format, their columns found as they come."""

    async def rows() -> AsyncIterator[list[dict[str, Any]]]:
        yield PINNED

    answer = await export(kind, rows(), None, "user:todo")
    return b"".join([part async for part in answer.iterator]).decode()


async def test_the_pinned_example_as_csv() -> None:
    assert await pinned("csv") == (
        "Id,Name,Qty,Tags,Note,Meta,Updated At,UpdatedAt\n"
        f'1,\'=SUM(A1),-3,"a, b","x,""y""\nz","{{""a"":1}}",{STAMP},{STAMP}\n'
        "2,,0,,p|q\\r,,,"
    )


async def test_the_pinned_example_as_markdown_and_xml() -> None:
    lines = (await pinned("markdown")).split("\n")
    assert lines[1] == "| --- | --- | --- | --- | --- | --- | --- | --- |"
    assert lines[3].startswith("| 2 |   | 0 |   | p\\|q\\\\r |   |")
    assert "x,&quot;y&quot;\nz</note>" in await pinned("xml")


async def file_of(desk: Desk, query: str) -> httpx.Response:
    """The export of the desk's records."""
    answer = await desk.ask("GET", f"{PATH}?entityId={THING}{query}")
    assert answer.status_code == 200, answer.text
    return answer


@pytest.fixture
async def things(desk: Desk) -> Desk:
    """The fields of the pinned example, and its two records."""
    await desk.entity()
    kinds = {"name": "text", "qty": "integer", "tags": "select", "note": "text", "meta": "text"}
    for place, (key, kind) in enumerate(kinds.items()):
        await desk.define(key, kind, priority=place)
    for row in PINNED:
        await create(desk, **{key: row[key] for key in kinds if key in row})
    return desk


async def test_csv(things: Desk) -> None:
    """Given a cell `=SUM(A1)`, Then it is exported as text that no spreadsheet takes for a formula."""
    answer = await file_of(things, "&format=csv&sortField=cf:qty")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="user_thing.csv"'
    head, first, second = csv.reader(io.StringIO(answer.text))
    assert head == ["Id", "Name", "Qty", "Tags", "Note", "Meta", "Updated At", "UpdatedAt"]
    assert first[1:6] == ["'=SUM(A1)", "-3", "a, b", 'x,"y"\nz', '{"a":1}']
    assert second[1:6] == ["", "0", "", "p|q\\r", ""]
    assert first[6] == first[7] != ""
    assert not answer.text.endswith("\n") and not answer.text.startswith("\ufeff")


async def test_json(things: Desk) -> None:
    answer = await file_of(things, "&format=application/json&sortField=cf:qty")
    assert answer.headers["content-disposition"] == 'attachment; filename="user_thing.json"'
    assert answer.text.startswith('[\n  {\n    "Id": ')
    first, second = answer.json()
    assert (first["Qty"], first["Tags"], first["Meta"]) == (-3, ["a", "b"], {"a": 1})
    assert (second["Name"], second["Qty"], second["Tags"]) == (None, 0, [])


async def test_xml_and_markdown(things: Desk) -> None:
    answer = await file_of(things, "&format=XML&sortField=cf:qty")
    assert answer.headers["content-type"] == "application/xml; charset=utf-8"
    records = ElementTree.fromstring(answer.text)
    assert [record.findtext("note") for record in records] == ['x,"y"\nz', "p|q\\r"]
    assert "    <name></name>\n" in answer.text
    text = (await file_of(things, "&format=md&sortField=cf:qty")).text
    assert text.split("\n")[0] == "| Id | Name | Qty | Tags | Note | Meta | Updated At | UpdatedAt |"
    assert "p\\|q\\\\r" in text and 'x,"y"<br />z' in text


@pytest.mark.parametrize("query", ["&exportScope=full", "&export_scope=FULL", "&full=true"])
async def test_a_full_export_holds_raw_keys_and_no_stamps(things: Desk, query: str) -> None:
    answer = await file_of(things, f"&format=markdown{query}")
    assert answer.headers["content-disposition"] == 'attachment; filename="user_thing_full.md"'
    assert answer.text.split("\n")[0] == "| Id | Name | Qty | Tags | Note | Meta |"
    records = ElementTree.fromstring((await file_of(things, f"&format=xml{query}")).text)
    assert [field.tag for field in records[0]] == ["id", "cf_name", "cf_qty", "cf_tags", "cf_note", "cf_meta"]


async def test_filters_order_and_deleted_records_hold_in_both_scopes(things: Desk) -> None:
    id = await create(things, name="gone", qty=5)
    await remove(things, id)
    for scope in ("", "&exportScope=full"):
        rows = (await file_of(things, f"&format=json&sortField=cf:qty&sortDir=desc{scope}")).json()
        assert [row["Qty"] for row in rows] == [0, -3]
        rows = (await file_of(things, f"&format=json&sortField=cf:qty&withDeleted=true{scope}")).json()
        assert [row["Qty"] for row in rows] == [-3, 0, 5]
        rows = (await file_of(things, f"&format=json&tags=a{scope}")).json()
        assert [row["Qty"] for row in rows] == [-3]
        rows = (await file_of(things, f"&format=json&search=sum&searchFields=name{scope}")).json()
        assert [row["Qty"] for row in rows] == [-3]


async def test_nothing_to_export(things: Desk) -> None:
    empty = "&name=nothing"
    assert (await file_of(things, f"&format=csv{empty}")).text == "ID"
    assert (await file_of(things, f"&format=json{empty}")).json() == []
    assert (await file_of(things, f"&format=xml{empty}")).text == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<records>\n</records>'
    )


async def test_an_unknown_format_is_the_ordinary_list(things: Desk) -> None:
    assert (await file_of(things, "&format=pdf&exportScope=full")).json()["total"] == 2


async def test_all_of_1500_records_are_exported(
    things: Desk, application: Application, tenant: Tenant
) -> None:
    """Given 1500 records and format=json, Then all of them are exported, whatever page and size were asked for."""
    await many(application, tenant, 1500)
    rows = (await file_of(things, "&format=json&page=2&pageSize=5&name=bulk&sortField=cf:qty")).json()
    assert [row["Qty"] for row in rows] == list(range(1, 1501))
    listed = await things.get(f"{PATH}?entityId={THING}&all=true&name=bulk")
    assert len(listed["items"]) == 1000 and listed["total"] == 1500


async def many(application: Application, tenant: Tenant, count: int) -> None:
    """Records straight into the table, then indexed by a rebuild."""
    from projections.rebuild import rebuild

    transaction = await application.database.begin(tenant.id, "test.load")
    await transaction.connection.execute(
        "insert into entity_records"
        " (tenant_id, id, organization_id, entity_type, record_id, custom_fields, created_at, updated_at)"
        " select $1, id, $2, $3, id, jsonb_build_object('name', 'bulk', 'qty', i), now(), now()"
        " from (select i, gen_random_uuid() as id from generate_series(1, $4::int) i) x",
        tenant.id,
        tenant.organization_id,
        THING,
        count,
    )
    await transaction.commit()
    async for _ in rebuild(
        application.database, application.search_key, tenant_id=tenant.id, entity_type=THING
    ):
        pass
