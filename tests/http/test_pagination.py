"""List conventions (command-bus.md, 6.2 and 6.3)."""

import json
from uuid import UUID

import pytest

from app.http.pagination import (
    Page,
    clamped_page,
    collection,
    envelope,
    id_list,
    ids_of,
    one_of,
    sort_of,
    strict_page,
    words_of,
)
from domain.errors import Problem

ONE = "11111111-1111-4111-8111-111111111111"


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ({}, Page(1, 50)),
        ({"page": ["3"], "pageSize": ["20"]}, Page(3, 20)),
        ({"page": ["x"], "pageSize": [""]}, Page(1, 50)),
        ({"page": ["-1"], "pageSize": ["0"]}, Page(1, 1)),
        ({"page": ["2.9"], "pageSize": ["1000"]}, Page(2, 100)),
        ({"page": ["nan"], "pageSize": ["inf"]}, Page(1, 50)),
        ({"page": ["9" * 40]}, Page(1_000_000_000, 50)),
    ],
)
def test_clamping_forces_values_into_range(query, page):
    assert clamped_page(query) == page


@pytest.mark.parametrize(
    ("query", "code", "path"),
    [
        ({"pageSize": ["101"]}, "too_big", "pageSize"),
        ({"page": ["-1"]}, "too_small", "page"),
        ({"page": ["x"]}, "invalid_type", "page"),
        ({"page": ["1.5"]}, "invalid_type", "page"),
    ],
)
def test_strict_pages_say_what_is_wrong(query, code, path):
    with pytest.raises(Problem) as caught:
        strict_page(query)
    (issue,) = caught.value.body["details"]
    assert (issue["code"], issue["path"]) == (code, [path])


def test_an_offset_counts_the_rows_before():
    assert strict_page({"page": ["4"], "pageSize": ["25"]}).offset == 75


def test_ids_drop_what_is_bad_or_repeated_and_tell_nothing_from_not_given():
    assert id_list(None) is None
    assert id_list("  ") is None
    assert id_list("nope,") == []
    assert id_list(f" {ONE},nope,{ONE.upper()}") == [UUID(ONE)]
    assert len(id_list(",".join(str(UUID(int=n)) for n in range(500))) or []) == 200
    assert ids_of({"ids": [ONE, "x"]}) == [UUID(ONE)]
    assert ids_of({}) is None


def test_only_declared_sorts_are_followed():
    columns = {"id": "t.id", "name": "lower(t.name)"}
    assert sort_of({"sortField": ["name"], "sortDir": ["DESC"]}, columns, "id").sql == "lower(t.name) desc"
    assert sort_of({"sort": ["name"], "order": ["down"]}, columns, "id").sql == "lower(t.name) asc"
    assert sort_of({"sortField": ["name; drop table x"]}, columns, "id", descending=True).sql == "t.id desc"


def test_closed_sets_refuse_other_words():
    assert one_of({"dir": ["ASC"]}, "dir", ("asc", "desc"), "desc") == "asc"
    assert one_of({"dir": [" "]}, "dir", ("asc", "desc"), "desc") == "desc"
    with pytest.raises(Problem):
        one_of({"dir": ["up"]}, "dir", ("asc", "desc"), "desc")
    assert words_of({"a": ["x, y,,x", "z"]}, "a") == ["x", "y", "z"]


@pytest.mark.parametrize("items", ['{"id":1},{"id":2}', b'[{"id":1},{"id":2}]'])
def test_the_envelope_passes_rows_through(items):
    answer = json.loads(envelope(items, 41, 2, 20, canViewTenant=True))
    assert list(answer) == ["items", "canViewTenant", "total", "page", "pageSize", "totalPages"]
    assert answer == {
        "items": [{"id": 1}, {"id": 2}],
        "canViewTenant": True,
        "total": 41,
        "page": 2,
        "pageSize": 20,
        "totalPages": 3,
    }


def test_an_empty_list_has_no_pages_or_one():
    assert json.loads(envelope(b"", 0, 1, 50))["totalPages"] == 0
    assert json.loads(envelope("[]", 0, 1, 50, least_pages=1))["totalPages"] == 1
    assert collection(b"") == b'{"items":[]}'
