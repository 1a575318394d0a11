"""Issues: every fault at once, in the documented form, and never a fault of a good value."""

from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Struct, UnsetType

from app.http.decode import Parsed, convert_body, convert_query
from app.http.issues import issues_of
from domain.errors import Problem

Text = Annotated[str, Meta(extra={"trim": True}, min_length=1, max_length=5)]


class Mode(Enum):
    UP = "up"
    DOWN = "down"


class Inner(Struct, rename="camel"):
    item_name: Text
    count: Annotated[int, Meta(gt=0, le=10)] = 1


class Everything(Struct, rename="camel", forbid_unknown_fields=True):
    text: Text
    mail: Annotated[str, Meta(pattern="^.+@.+$", extra={"format": "email"})] | UnsetType | None = UNSET
    whole: int = 0
    ratio: Annotated[float, Meta(lt=1)] = 0.5
    yes_no: bool = True
    mode: Mode = Mode.UP
    kind: Literal["a", "b"] = "a"
    one: Literal["only"] = "only"
    when: datetime | None = None
    day: date | None = None
    price: Decimal | None = None
    owner: UUID | None = None
    items: Annotated[list[Inner], Meta(min_length=1, max_length=2)] | UnsetType = UNSET
    labels: dict[str, Text] | UnsetType = UNSET
    pair: tuple[int, str] | UnsetType = UNSET
    either: int | str | None = None


def faults(value: Any, wanted: Any = Everything) -> list[dict[str, Any]]:
    with pytest.raises(Problem) as caught:
        convert_body(wanted, Parsed(value), {})
    assert caught.value.status == 400
    return caught.value.body["details"]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        (
            "text",
            None,
            {
                "code": "invalid_type",
                "expected": "string",
                "message": "Invalid input: expected string, received null",
            },
        ),
        ("text", "   ", {"code": "too_small", "origin": "string", "minimum": 1, "inclusive": True}),
        ("text", "abcdef", {"code": "too_big", "origin": "string", "maximum": 5, "inclusive": True}),
        ("mail", "x", {"code": "invalid_format", "format": "email", "message": "Invalid email address"}),
        ("whole", "1", {"code": "invalid_type", "expected": "number"}),
        ("whole", 1.5, {"code": "invalid_type", "expected": "int"}),
        (
            "whole",
            True,
            {"code": "invalid_type", "message": "Invalid input: expected number, received boolean"},
        ),
        ("ratio", 1, {"code": "too_big", "origin": "number", "maximum": 1, "inclusive": False}),
        ("yesNo", "true", {"code": "invalid_type", "expected": "boolean"}),
        ("mode", "left", {"code": "invalid_value", "values": ["up", "down"]}),
        ("kind", 3, {"code": "invalid_value", "message": 'Invalid option: expected one of "a"|"b"'}),
        ("one", "x", {"code": "invalid_value", "message": 'Invalid input: expected "only"'}),
        ("when", "yesterday", {"code": "invalid_format", "format": "datetime"}),
        ("day", "2026-02-30", {"code": "invalid_format", "format": "date"}),
        ("price", "ten", {"code": "invalid_format", "format": "decimal"}),
        (
            "owner",
            "nope",
            {"code": "invalid_format", "format": "uuid", "origin": "string", "message": "Invalid UUID"},
        ),
        ("owner", 3, {"code": "invalid_type", "expected": "string"}),
        ("items", [], {"code": "too_small", "origin": "array", "minimum": 1}),
        ("items", {}, {"code": "invalid_type", "expected": "array"}),
        ("either", [], {"code": "invalid_type", "expected": "number | string"}),
    ],
)
def test_one_fault_of_each_kind(field: str, value: Any, expected: dict[str, Any]):
    (issue,) = faults({"text": "a", field: value})
    assert issue["path"] == [field]
    assert issue.items() >= expected.items()


def test_all_faults_are_told_with_their_paths():
    found = faults(
        {
            "whole": "x",
            "items": [{"count": 0}, {"itemName": "  ok  ", "count": 11}, {}],
            "labels": {"k": ""},
            "pair": ["a"],
        }
    )
    assert [(issue["code"], issue["path"]) for issue in found] == [
        ("invalid_type", ["text"]),
        ("invalid_type", ["whole"]),
        ("too_big", ["items"]),
        ("invalid_type", ["items", 0, "itemName"]),
        ("too_small", ["items", 0, "count"]),
        ("too_big", ["items", 1, "count"]),
        ("invalid_type", ["items", 2, "itemName"]),
        ("too_small", ["labels", "k"]),
        ("too_small", ["pair"]),
        ("invalid_type", ["pair", 0]),
    ]


def test_unknown_keys_of_a_strict_type_are_named():
    (issue,) = faults({"text": "a", "x": 1, "y": 2})
    assert (issue["code"], issue["keys"], issue["path"]) == ("unrecognized_keys", ["x", "y"], [])


def test_a_rule_of_the_type_itself_is_told_in_its_own_words():
    class Span(Struct):
        first: int
        last: int

        def __post_init__(self) -> None:
            if self.last < self.first:
                raise ValueError("last comes before first")

    class Holder(Struct):
        spans: list[Span]

    (issue,) = faults({"spans": [{"first": 1, "last": 2}, {"first": 2, "last": 1}]}, Holder)
    assert issue == {"code": "custom", "path": ["spans", 1], "message": "last comes before first"}


def test_marked_strings_are_trimmed_and_absent_is_not_null():
    body = {"text": " a ", "mail": None, "items": [{"itemName": " b "}]}
    made = convert_body(Everything, Parsed(body), {})
    assert (made.text, made.mail, made.items[0].item_name, made.labels) == ("a", None, "b", UNSET)
    assert body["text"] == " a "


class Filter(Struct, rename="camel"):
    page: Annotated[int, Meta(ge=1)] = 1
    owner_id: UUID | None = None
    active: bool | None = None
    text: str | None = None


def test_query_parameters_are_read_from_text():
    query = {"page": ["2", "9"], "active": ["YES"], "text": ["007"], "ownerId": [" "]}
    assert convert_query(Filter, query) == Filter(page=2, active=True, text="007")
    with pytest.raises(Problem) as caught:
        convert_query(
            Filter, {"page": ["x"], "ownerId": ["nope"], "active": ["perhaps"]}, "Validation failed"
        )
    assert caught.value.body["error"] == "Validation failed"
    assert [issue["path"] for issue in caught.value.body["details"]] == [["page"], ["ownerId"]]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from([field.encode_name for field in msgspec.structs.fields(Everything)])


@given(st.dictionaries(names, json_values, max_size=6))
def test_issues_are_found_exactly_when_msgspec_refuses(value: dict[str, Any]):
    try:
        msgspec.convert(value, Everything)
    except msgspec.ValidationError:
        assert issues_of(Everything, value)
    else:
        assert issues_of(Everything, value) == []
