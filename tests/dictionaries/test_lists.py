"""Paging, search, sorting and exports of entries, and what an inherited dictionary is."""

import csv
import io
import json
from uuid import UUID
from xml.etree import ElementTree

import pytest

from app.main import Application
from tests.conftest import MakeTenant, Tenant
from tests.dictionaries.conftest import Desk, new_organization


async def ten(desk: Desk) -> str:
    """A dictionary with the entries v0 … v9 in this order."""
    path = await desk.dictionary()
    await desk.entries(path, *(f"v{n}" for n in range(10)))
    return path


async def test_given_no_page_then_all_entries_and_no_counts(desk: Desk) -> None:
    answer = await desk.get(f"{await ten(desk)}/entries")
    assert set(answer) == {"items"} and len(answer["items"]) == 10


@pytest.mark.parametrize(
    ("query", "values", "page", "size", "pages"),
    [
        ("page=1&pageSize=4", ["v0", "v1", "v2", "v3"], 1, 4, 3),
        ("page=3&pageSize=4", ["v8", "v9"], 3, 4, 3),
        ("page=4&pageSize=4", [], 4, 4, 3),
        ("pageSize=2", ["v0", "v1"], 1, 2, 5),
        ("page=0&pageSize=3", ["v0", "v1", "v2"], 1, 3, 4),
        ("page=2&pageSize=9999", [], 2, 100, 1),
        ("page=x&pageSize=y", [f"v{n}" for n in range(10)], 1, 50, 1),
    ],
)
async def test_given_a_page_then_its_entries_and_the_counts(
    desk: Desk, query: str, values: list[str], page: int, size: int, pages: int
) -> None:
    answer = await desk.get(f"{await ten(desk)}/entries?{query}")
    assert [item["value"] for item in answer["items"]] == values
    counts = {"total": 10, "page": page, "pageSize": size, "totalPages": pages}
    assert {key: answer[key] for key in counts} == counts


async def test_given_deletions_and_undos_then_the_total_is_right(desk: Desk) -> None:
    path = await ten(desk)
    first = (await desk.get(f"{path}/entries"))["items"][0]["id"]
    gone = await desk.did("DELETE", f"{path}/entries/{first}")
    assert (await desk.get(f"{path}/entries?page=1"))["total"] == 9
    await desk.undo(gone["undoToken"])
    assert (await desk.get(f"{path}/entries?page=1"))["total"] == 10


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("sortField=label&sortDir=desc", ["c", "b", "a"]),
        ("sortField=label", ["a", "b", "c"]),
        ("sortField=position&sortDir=desc", ["b", "a", "c"]),
        ("sortField=createdAt", ["c", "a", "b"]),
        ("sortField=nonsense&sortDir=nonsense", ["c", "a", "b"]),
    ],
)
async def test_given_a_sort_then_the_entries_are_in_its_order(
    desk: Desk, query: str, values: list[str]
) -> None:
    path = await desk.dictionary()
    await desk.entries(path, "c", "a", "b")
    assert await desk.values(path, f"?{query}") == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        *(
            ("straße", ["Straße"]),
            ("STRA", ["Straße"]),
            ("raß", ["Straße"]),
            ("cafe", ["Café"]),
            ("CAFÉ", ["Café"]),
        ),
        *(("afé n", ["Café"]), ("100%", ["100%"]), ("a_b", ["a_b"]), ("a\\b", ["a\\b"]), ("'; --", [])),
        *(
            ("ca", ["Café"]),
            ("c", ["Café"]),
            ("fé", []),
            ("xyz", []),
            ("%", []),
            ("___", []),
            ("e\u0301t", []),
        ),
        *(("noir", ["Café"]), ("   ", ["Café", "Straße", "100%", "a_b", "a\\b"]), ("ca\u0301", [])),
    ],
)
async def test_given_a_search_then_the_entries_that_have_it_in_value_or_label(
    desk: Desk, text: str, values: list[str]
) -> None:
    path = await desk.dictionary()
    await desk.post(f"{path}/entries", {"value": "Café", "label": "Café noir"}, 201)
    for position, value in enumerate(("Straße", "100%", "a_b", "a\\b"), 1):
        await desk.post(f"{path}/entries", {"value": value, "position": position}, 201)
    answer = await desk.client.get(
        f"{path}/entries", params={"search": text, "page": 1}, headers=desk.person.headers
    )
    found = [item["value"] for item in answer.json()["items"]]
    assert (found, answer.json()["total"]) == (values, len(values))


async def test_given_a_changed_label_then_search_finds_the_new_one_and_after_undo_the_old_one(
    desk: Desk,
) -> None:
    path = await desk.dictionary()
    (id,) = await desk.entries(path, "crimson")
    changed = await desk.did("PATCH", f"{path}/entries/{id}", {"value": "scarlet"})
    assert (await desk.values(path, "?search=crim"), await desk.values(path, "?search=scar")) == (
        [],
        ["scarlet"],
    )
    await desk.undo(changed["undoToken"])
    assert (await desk.values(path, "?search=crim"), await desk.values(path, "?search=scar")) == (
        ["crimson"],
        [],
    )


async def test_given_ids_then_only_these_and_bad_ones_match_nothing(desk: Desk) -> None:
    path = await desk.dictionary()
    a, _, c = await desk.entries(path, "a", "b", "c")
    assert await desk.values(path, f"?ids={a},{c},{a},nonsense") == ["a", "c"]
    assert await desk.values(path, "?ids=nonsense") == []
    assert await desk.values(path, "?ids=") == ["a", "b", "c"]
    assert (await desk.get(f"{path}/entries?page=1&ids={a}"))["total"] == 1


# Exports


async def shop(desk: Desk) -> str:
    path = await desk.dictionary()
    await desk.post(
        f"{path}/entries", {"value": "=SUM(A1)", "label": 'say "hi", <b>&', "color": "#ff0000"}, 201
    )
    await desk.post(f"{path}/entries", {"value": "two\nlines | here", "position": 1}, 201)
    return path


async def exported(desk: Desk, path: str, kind: str, more: str = "") -> tuple[str, str]:
    """The text of an export, after a look at its headers."""
    answer = await desk.ask("GET", f"{path}/entries?format={kind}{more}")
    assert answer.status_code == 200, answer.text
    name = "dictionaries_entry" + ("_full" if "full" in more else "")
    extension = "md" if kind == "markdown" else kind
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}.{extension}"'
    return answer.text, answer.headers["content-type"]


async def test_given_csv_then_a_header_and_a_line_each_and_formulas_are_disarmed(desk: Desk) -> None:
    text, media_type = await exported(desk, await shop(desk), "csv")
    assert media_type == "text/csv; charset=utf-8"
    header, first, second = list(csv.reader(io.StringIO(text)))
    assert header == [
        "Id",
        "Value",
        "Label",
        "Color",
        "Icon",
        "Position",
        "IsDefault",
        "CreatedAt",
        "UpdatedAt",
    ]
    assert first[1:4] == ["'=SUM(A1)", 'say "hi", <b>&', "#ff0000"]
    assert second[1] == "two\nlines | here"


async def test_given_json_then_the_values_are_as_they_are(desk: Desk) -> None:
    path = await shop(desk)
    text, media_type = await exported(desk, path, "json")
    assert media_type == "application/json; charset=utf-8"
    assert [item["Value"] for item in json.loads(text)] == ["=SUM(A1)", "two\nlines | here"]
    assert json.loads(text)[0]["Id"] == (await desk.get(f"{path}/entries"))["items"][0]["id"]


async def test_given_xml_then_it_can_be_parsed_and_says_the_same(desk: Desk) -> None:
    text, media_type = await exported(desk, await shop(desk), "xml")
    assert media_type == "application/xml; charset=utf-8"
    records = list(ElementTree.fromstring(text))
    assert [record.findtext("value") for record in records] == ["=SUM(A1)", "two\nlines | here"]
    assert records[0].findtext("label") == 'say "hi", <b>&'


async def test_given_markdown_then_a_table_that_no_cell_breaks(desk: Desk) -> None:
    text, media_type = await exported(desk, await shop(desk), "markdown")
    assert media_type == "text/markdown; charset=utf-8"
    lines = text.strip().split("\n")
    assert lines[0].startswith("| Id | Value |") and set(lines[1]) <= set("| -:") and len(lines) == 4


async def test_given_a_filter_then_the_export_has_it_unless_everything_is_asked_for(desk: Desk) -> None:
    path = await ten(desk)
    text, _ = await exported(desk, path, "json", "&search=v3")
    assert [item["Value"] for item in json.loads(text)] == ["v3"]
    await desk.entries(path, "special")
    text, _ = await exported(desk, path, "json", "&search=speci&pageSize=1")
    assert [item["Value"] for item in json.loads(text)] == ["special"]
    text, _ = await exported(desk, path, "json", "&search=speci&exportScope=full")
    assert len(json.loads(text)) == 11


async def test_given_an_unknown_format_then_the_ordinary_list(desk: Desk) -> None:
    assert set(await desk.get(f"{await ten(desk)}/entries?format=docx")) == {"items"}


async def test_given_an_empty_dictionary_then_an_export_without_rows(desk: Desk) -> None:
    path = await desk.dictionary()
    assert json.loads((await exported(desk, path, "json"))[0]) == []
    assert len((await exported(desk, path, "csv"))[0].strip().split("\n")) == 1


# Inheritance


async def test_given_a_child_organization_then_it_sees_what_is_above_and_cannot_change_it(
    desk: Desk, tenant: Tenant, child: UUID
) -> None:
    path = await desk.dictionary("colors")
    (red,) = await desk.entries(path, "red")
    desk.organization = child
    (item,) = (await desk.get("/dictionaries"))["items"]
    assert (item["organizationId"], item["isInherited"]) == (str(tenant.organization_id), True)
    assert (await desk.get(path))["isInherited"] is True
    assert await desk.values(path) == ["red"]
    await desk.patch(path, {"name": "x"}, 404)
    await desk.delete(path, 404)
    await desk.post(f"{path}/entries", {"value": "x"}, 404)
    await desk.patch(f"{path}/entries/{red}", {"value": "x"}, 404)
    await desk.delete(f"{path}/entries/{red}", 404)
    await desk.post(f"{path}/entries/reorder", {"entries": [{"id": red, "position": 3}]}, 404)
    await desk.post(f"{path}/entries/set-default", {"entryId": red}, 404)
    assert await desk.values(path) == ["red"]


async def test_given_the_same_key_above_and_below_then_both_are_listed_the_own_one_first(
    desk: Desk, child: UUID
) -> None:
    above = await desk.dictionary("unit")
    desk.organization = child
    below = await desk.dictionary("unit")
    items = (await desk.get("/dictionaries"))["items"]
    assert [(item["key"], item["isInherited"]) for item in items] == [("unit", False), ("unit", True)]
    assert [f"/dictionaries/{item['id']}" for item in items] == [below, above]


async def test_given_a_child_of_a_child_then_it_sees_all_above(
    desk: Desk, application: Application, tenant: Tenant, child: UUID
) -> None:
    await desk.dictionary("top")
    desk.organization = child
    await desk.dictionary("middle")
    desk.organization = await new_organization(application, tenant, child)
    assert [item["key"] for item in (await desk.get("/dictionaries"))["items"]] == ["middle", "top"]


async def test_given_an_organization_beside_then_its_dictionaries_cannot_be_written_from_here(
    desk: Desk, application: Application, tenant: Tenant
) -> None:
    home = await desk.dictionary("here")
    desk.organization = await new_organization(application, tenant, None)
    beside = await desk.dictionary("beside")
    await desk.patch(home, {"name": "x"}, 404)
    desk.organization = None
    await desk.patch(beside, {"name": "x"}, 404)


async def test_given_another_tenant_then_404(desk: Desk, make_tenant: MakeTenant) -> None:
    path = await desk.dictionary()
    other = Desk(desk.client, (await make_tenant()).admin)
    await other.get(path, 404)
    await other.get(f"{path}/entries", 404)
    await other.post(f"{path}/entries", {"value": "x"}, 404)
    assert (await other.get("/dictionaries"))["items"] == []


async def test_given_a_selected_organization_that_is_not_there_then_422(desk: Desk) -> None:
    path = await desk.dictionary()
    for organization in ("00000000-0000-4000-8000-000000000000", "nonsense"):
        desk.organization = organization
        for method, where, body in (
            ("GET", "/dictionaries", None),
            ("GET", path, None),
            ("POST", "/dictionaries", {"key": "a", "name": "A"}),
            ("DELETE", path, None),
        ):
            answer = await desk.ask(method, where, body)
            assert (answer.status_code, answer.json()["code"]) == (422, "organization_selection_invalid")


async def test_given_nobody_then_401(desk: Desk) -> None:
    desk.person.headers.clear()
    assert await desk.get("/dictionaries", 401) == {"error": "Unauthorized"}
