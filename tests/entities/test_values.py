"""The rules of custom field values: the pinned outcomes of entities.md 1.4."""

import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from domain.custom_fields import UNKNOWN_FIELD, FieldDefinition, check_value, faults, sanitize, split_payload

AT = datetime(2026, 1, 1, tzinfo=UTC)


def field(key: str = "size", *rules: dict[str, Any], kind: Any = "text", **config: Any) -> FieldDefinition:
    return FieldDefinition(
        UUID(int=1), "user:thing", key, kind, {"validation": list(rules), **config}, None, AT
    )


def passes(value: Any, rule: str, param: Any = None) -> bool:
    return check_value(field("size", {"rule": rule, "param": param, "message": "no"}), value) is None


OUTCOMES: list[tuple[str, Any, list[Any], list[Any]]] = [
    ("required", None, [[""], 0, False, "0"], [None, "", " ", []]),
    (
        "integer",
        None,
        ["42", "4.0", True, " ", 1000, "1e3", ["1", "2"]],
        ["4.5", "abc", ["1", "x"], "Infinity"],
    ),
    ("float", None, ["1.5", "0x10", "0b11", ".5", "5.", 1.25], ["Infinity", "1,5", "1_000", "0x", "１"]),
    (
        "date",
        None,
        [
            *("2026-02-30", "2026", "5", "March 7, 2026", "2026-02-01T10:00", "2026-02-01T10:00:00.123Z"),
            *("3/7/2026", "7 Mar 2026 10:15 PM", "Sat, 07 Mar 2026 10:15:00 GMT", "2026-02-01T10:00+02:00"),
            *("2026-01", "2026/12/31", "Mar 7 2026 (spring)", 0),
        ],
        [
            "2026-13-01",
            "31/12/2026",
            "tomorrow",
            "2026-02-32",
            "2026-02-01T25:00",
            "2026-00-10",
            "x" * 500,
            True,
        ],
    ),
    ("lt", 5, ["4", None, True, "0x4"], [5, "abc", "5", ["4", "6"]]),
    ("lte", 5, [5, "5"], [5.1, "x"]),
    ("gt", 5, [6, "6"], [5, "x"]),
    ("gte", 5, [5, "5.0"], [4.9, {}]),
    ("eq", 5, [5, 5.0, None], ["5", True, 6]),
    ("ne", 5, ["5", 6, True], [5]),
    ("regex", "^[a-z]+$", ["abc", ["abc", "d"]], ["abc\n", "ABC", 123, ["abc", "D"], "x" * 10_001]),
    ("regex", "b", ["abc"], ["xyz"]),
    ("regex", "(?=a)a", [], ["a"]),
    ("regex", "(", [], ["a"]),
    ("regex", "a" * 501, [], ["a" * 501]),
]


@pytest.mark.parametrize(("rule", "param", "good", "bad"), OUTCOMES)
def test_a_rule_passes_and_fails_as_pinned(rule: str, param: Any, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if not passes(value, rule, param)] == []
    assert [value for value in bad if passes(value, rule, param)] == []


def test_a_pattern_takes_linear_time() -> None:
    begun = time.perf_counter()
    assert not passes("a" * 9_999 + "!", "regex", "^(a+)+$")
    assert time.perf_counter() - begun < 0.5


def test_the_first_rule_that_fails_speaks() -> None:
    rules = ({"rule": "gt", "param": 1, "message": "too small"}, {"rule": "integer", "message": "not whole"})
    assert check_value(field("size", *rules), 0.5) == "too small"
    assert check_value(field("size", *rules), 1.5) == "not whole"
    assert check_value(field("size", *rules), 2) is None


def test_required_looks_at_absent_keys_and_undeclared_keys_are_refused_or_kept() -> None:
    fields = [field("size", {"rule": "required", "message": "say it"})]
    assert faults(fields, {}, undeclared="keep") == {"cf_size": "say it"}
    assert faults(fields, {}, undeclared="keep", present={"size": 3}) == {}
    assert faults(fields, {"size": None}, undeclared="keep", present={"size": 3}) == {"cf_size": "say it"}
    assert faults(fields, {"size": 1, "other": 2}, undeclared="keep") == {}
    assert faults(fields, {"size": 1, "other": 2}, undeclared="refuse") == {"cf_other": UNKNOWN_FIELD}


def test_other_rules_pass_over_absent_keys() -> None:
    assert faults([field("size", {"rule": "gt", "param": 1, "message": "no"})], {}, undeclared="refuse") == {}


def test_more_than_128_values_at_once_are_refused() -> None:
    many = {f"k{n}": n for n in range(129)}
    assert list(faults([], many, undeclared="keep")) == ["_customFields"]
    many.popitem()
    assert faults([], many, undeclared="keep") == {}


def test_kind_and_options_are_not_enforced() -> None:
    chosen = field("tone", kind="select", options=["low"], required=True)
    assert faults([chosen], {"tone": ["loud", 3]}, undeclared="refuse") == {}


def test_custom_values_come_in_five_forms_and_the_last_one_counts() -> None:
    base, custom = split_payload(
        {
            "name": "x",
            "cf_a": 1,
            "cf:b": 2,
            "customValues": {"a": 3, "c": 4},
            "customFields": [{"key": "d", "value": 5}, {"key": "e"}, {"value": 6}, 7],
            "cf_": 8,
        }
    )
    assert base == {"name": "x", "cf_": 8}
    assert custom == {"a": 3, "b": 2, "c": 4, "d": 5, "e": None}
    assert split_payload({"customFields": {"x": 1}, "cf_x": 2}) == ({}, {"x": 2})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("<p onclick='x()'>hi<script>alert(1)</script></p>", "<p>hi</p>"),
        ("<a href='javascript:x'>a</a>", "<a>a</a>"),
        ("<a href='//evil.example'>a</a>", "<a>a</a>"),
        ("<a href='/\t/evil.example'>a</a>", "<a>a</a>"),
        ('<a href="https://example.org" target="_blank">a</a>', '<a href="https://example.org">a</a>'),
        ("<p style='color:red;position:fixed'>a</p>", '<p style="color: red">a</p>'),
        ("<p style='color:expression(1)'>a</p>", "<p>a</p>"),
        ("<input type='text'><input type='checkbox' checked>", '<input type="checkbox" checked="">'),
        ("<iframe src='https://x'>gone</iframe><textarea>gone</textarea>", ""),
        ("<video>words</video>", "words"),
        ("<!-- x -->a", "a"),
    ],
)
def test_rich_text_keeps_what_is_allowed(given: str, kept: str) -> None:
    assert sanitize(given) == kept
    assert sanitize(kept) == kept
