"""GET actions/export (audit-logs.md 6, 15)."""

import csv
import io

from tests.audit_logs.conftest import LOGS, Desk


async def lines_of(desk: Desk, **query: str) -> list[dict[str, str]]:
    answer = await desk.client.get(f"{LOGS}/actions/export", params=query, headers=desk.tenant.admin.headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="changelog-export.csv"'
    assert answer.text.startswith("When,User,Action,Field,Old Value,New Value,Source")
    return list(csv.DictReader(io.StringIO(answer.text)))


async def test_one_line_for_each_changed_field(desk: Desk) -> None:
    entry, _ = await desk.create("red")
    await desk.update(entry, label="Ruby", color="#aa0000")
    color, label, created = await lines_of(desk, resourceKind="dictionaries.entry", resourceId=entry)
    assert (color["Field"], color["Old Value"], color["New Value"]) == ("color", "", "#aa0000")
    assert (label["Field"], label["Old Value"], label["New Value"]) == ("label", "Red", "Ruby")
    assert (color["When"], color["User"]) == (label["When"], label["User"])
    assert color["User"] == "Admin" and color["Action"] == "Edit" and color["Source"] == "UI"
    assert (created["Action"], created["Field"], created["New Value"]) == ("Create", "", "")


async def test_formulas_are_neutralised(desk: Desk) -> None:
    entry, _ = await desk.create("red")
    await desk.update(entry, label='=SUM(A1),"x"')
    (line, _) = await lines_of(desk, resourceId=entry)
    assert line["New Value"] == '\'=SUM(A1),"x"'


async def test_more_than_one_page_is_exported_and_limit_counts(desk: Desk) -> None:
    entry, _ = await desk.create("red")
    for number in range(55):
        await desk.update(entry, label=f"Red {number}")
    assert len(await lines_of(desk, resourceId=entry)) == 56
    assert len(await lines_of(desk, resourceId=entry, limit="x")) == 56
    assert [line["New Value"] for line in await lines_of(desk, resourceId=entry, limit="2")] == [
        "Red 54",
        "Red 53",
    ]


async def test_nothing_is_a_header(desk: Desk) -> None:
    assert await lines_of(desk, resourceId="nothing") == []
