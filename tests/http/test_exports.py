"""Exports (command-bus.md, 6.7): exact bytes of each format, formula neutralisation, bounded memory."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.http.exports import (
    Column,
    csv_cell,
    csv_rows,
    export,
    export_batch,
    export_format,
    export_full,
    file_name,
    label_of,
    text_of,
)

Rows = list[dict[str, Any]]


async def batches(*parts: Rows) -> AsyncIterator[Rows]:
    for part in parts:
        yield part


async def body(kind: Any, *parts: Rows, columns: Any = None, full: bool = False) -> str:
    stream = await export(kind, batches(*parts), columns, "customers.company", full)
    return b"".join([chunk async for chunk in stream.iterator]).decode()


ROWS: Rows = [
    {
        "id": "a",
        "cf_due_date": datetime(2026, 1, 2, 3, 4, 5, 678900, UTC),
        "amount": -1.5,
        "tags": ["x", "", "z"],
    },
    {"id": "=1+1", "amount": None, "doc": {"k": [1, 'q"']}, "note": 'a "b", c\nd', "on": True},
]


async def test_csv_is_quoted_and_cannot_start_a_formula():
    assert await body("csv", ROWS[:1], ROWS[1:]) == (
        "Id,Due Date,Amount,Tags,Doc,Note,On\n"
        'a,2026-01-02T03:04:05.678Z,-1.5,"x, z",,,\n'
        '\'=1+1,,,,"{""k"":[1,""q\\""""]}","a ""b"", c\nd",true'
    )


@pytest.mark.parametrize("mark", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_every_formula_mark_is_neutralised(mark: str):
    assert csv_cell(f"{mark}x").strip('"') == f"'{mark}x"
    assert csv_cell(f"x{mark}").strip('"') == f"x{mark}"


def test_numbers_keep_their_sign():
    assert [csv_cell(value) for value in (-1, Decimal("-1.10"), True, None, "")] == [
        "-1",
        "-1.10",
        "true",
        "",
        "",
    ]


async def test_decimals_survive_the_spool():
    assert await body("csv", [{"n": Decimal("-1.10")}]) == "N\n-1.10"


async def test_json_is_keyed_by_label_and_keeps_types():
    text = await body("json", ROWS[:1], ROWS[1:])
    assert text.startswith('[\n  {\n    "Id": "a",\n    "Due Date": "2026-01-02T03:04:05.678Z"')
    assert text.endswith("\n  }\n]")
    rows = json.loads(text)
    assert (rows[0]["Amount"], rows[0]["Tags"], rows[1]["Doc"], rows[1]["On"]) == (
        -1.5,
        ["x", "", "z"],
        {"k": [1, 'q"']},
        True,
    )
    assert rows[1]["Due Date"] is None
    assert await body("json") == "[]"


async def test_columns_with_one_label_do_not_hide_each_other():
    (row,) = json.loads(await body("json", [{"name": "a", "cf_name": "b"}]))
    assert sorted(row.values()) == ["a", "b"]


async def test_xml_is_escaped_and_has_no_forbidden_characters():
    text = await body("xml", [{"a b": "<&'\"\x00\x0b>", "1st": "x\ry", "cf:k": None}])
    assert text == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<records>\n  <record>\n'
        "    <a_b>&lt;&amp;&apos;&quot;&gt;</a_b>\n    <f_1st>x&#13;y</f_1st>\n    <cf:k></cf:k>\n"
        "  </record>\n</records>"
    )
    assert await body("xml") == '<?xml version="1.0" encoding="UTF-8"?>\n<records>\n</records>'


@given(st.text())
async def test_any_text_comes_back_from_xml(text: str):
    root = ElementTree.fromstring((await body("xml", [{"t": text}])).encode())
    kept = "".join(c for c in text if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff"))
    assert (root.findtext("record/t") or "") == kept


async def test_markdown_is_a_pipe_table():
    assert await body("markdown", [{"a": "x|y\\z", "b": "1\r\n2"}, {"a": ""}]) == (
        "| A | B |\n| --- | --- |\n| x\\|y\\\\z | 1<br />2 |\n|   |   |"
    )


async def test_an_export_of_nothing_has_an_id_column():
    assert await body("csv") == "ID"
    assert await body("markdown") == "| ID |\n| --- |"


async def test_full_exports_show_raw_keys():
    text = await body("csv", [{"id": 1, "_secret": 2, "cf_size": 3, "cf:id": 4}], full=True)
    assert text == "Id,Size,Id\n1,3,4"


async def test_declared_columns_stream_without_reading_ahead():
    read: list[int] = []

    async def endless() -> AsyncIterator[Rows]:
        number = 0
        while True:
            read.append(number)
            yield [{"n": number}]
            number += 1

    stream = await export("csv", endless(), [Column("n", "No.")], "n")
    chunks = aiter(stream.iterator)
    assert [await anext(chunks) for _ in range(4)] == [b"No.", b"\n0", b"\n1", b"\n2"]
    assert len(read) == 3
    await chunks.aclose()  # type: ignore[attr-defined]


async def test_an_error_of_the_first_batch_comes_before_the_answer():
    async def failing() -> AsyncIterator[Rows]:
        raise ValueError("no rows")
        yield []

    for columns in (None, ["a"]):
        with pytest.raises(ValueError, match="no rows"):
            await export("json", failing(), columns, "n")


async def test_the_answer_is_a_download():
    stream = await export("markdown", batches(), None, 'evil"/../näme', full=True)
    assert stream.headers["content-disposition"] == 'attachment; filename="evil_____n_me_full.md"'
    assert stream.media_type == "text/markdown; charset=utf-8"
    assert file_name("user:rec", "csv") == "user_rec.csv"


def test_format_scope_batch_and_labels():
    assert [
        export_format({"format": [f]}) for f in ("CSV", "md", "text/markdown", "application/xml", "pdf", "")
    ] == ["csv", "markdown", "markdown", "xml", None, None]
    assert export_format({}) is None
    assert (
        export_full({"exportScope": ["FULL"]})
        and export_full({"export_scope": ["full"]})
        and export_full({"full": ["true"]})
    )
    assert not export_full({"exportScope": ["view"], "full": ["0"]})
    assert [export_batch(size) for size in (1, 5_000, 50_000)] == [1000, 5000, 10_000]
    assert [label_of(f) for f in ("cf_due_date", "cf:a-b", "updatedAt", "display__name ")] == [
        "Due Date",
        "A B",
        "UpdatedAt",
        "Display Name",
    ]
    assert text_of({"b": [None, 1]}) == '{"b":[null,1]}'


async def test_csv_rows_can_be_used_alone():
    chunks = [
        chunk
        async for chunk in csv_rows(
            [Column("when", "When"), Column("who", "A, B")], batches([{"when": 1}], [])
        )
    ]
    assert chunks == [b"When,A, B", b"\n1,"]
