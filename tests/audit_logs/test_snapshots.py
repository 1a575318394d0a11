"""What clients see of row changes (command-bus.md 3.5, audit-logs.md 11)."""

from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from domain import resources
from domain.resources import Resource, tenant_table
from domain.snapshots import action_type, changed_fields, decode, encode, field_changes, snapshots

BOX = Resource(
    tenant_table(
        "snapshot_boxes",
        sa.Column("name", sa.Text),
        sa.Column("secret_word", sa.Text),
        sa.Column("custom_fields", sa.JSON),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
    ),
    kind="tests.box",
    hidden=frozenset({"deleted_at"}),
    secret=frozenset({"secret_word"}),
)
LABEL = Resource(
    tenant_table("snapshot_labels", sa.Column("box_id", sa.Uuid), sa.Column("text", sa.Text)),
    root="snapshot_boxes",
    parent="box_id",
    child_name="labels",
)


IMAGINED = {resource.name: resources._resources.pop(resource.name) for resource in (BOX, LABEL)}
"""No other test may meet these tables: they do not exist."""


@pytest.fixture(autouse=True)
def described(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, resource in IMAGINED.items():
        monkeypatch.setitem(resources._resources, name, resource)


def row(**more: Any) -> dict[str, Any]:
    return {
        "id": "b1",
        "tenant_id": "t1",
        "name": "Box",
        "created_at": "2026-01-02T03:04:05.6+00:00",
        "updated_at": "2026-01-02T03:04:05.678901+00:00",
        **more,
    }


def change(operation: str, **sides: Any) -> dict[str, Any]:
    return {"s": 0, "t": "snapshot_boxes", "o": operation, "k": {"id": "b1"}, **sides}


def test_a_created_record_is_its_row_in_wire_form() -> None:
    created = change("i", a=row(secret_word="hush", custom_fields={"size": 3}), x={"ownerName": "Ann"})
    before, after = snapshots("tests.boxes.create", [created], "tests.box")
    assert before is None
    assert after == {
        "id": "b1",
        "tenantId": "t1",
        "name": "Box",
        "cf_size": 3,
        "createdAt": "2026-01-02T03:04:05.600Z",
        "updatedAt": "2026-01-02T03:04:05.678Z",
        "ownerName": "Ann",
    }


def test_an_update_shows_both_sides_and_its_fields() -> None:
    kept = {key: value for key, value in row().items() if key not in {"name", "updated_at"}}
    stamp = {"updated_at": "2026-02-02T00:00:00+00:00"}
    edited = change("u", u=kept, b={"name": "Box", **stamp}, a={"name": "Crate", **stamp})
    before, after = snapshots("tests.boxes.update", [edited], "tests.box")
    assert (before or {})["name"] == "Box" and (after or {})["name"] == "Crate"
    assert field_changes(before, after) == {"name": {"from": "Box", "to": "Crate"}}
    assert changed_fields("tests.boxes.update", [edited], "tests.box") == ["name"]


def test_a_soft_delete_is_a_deletion_for_clients() -> None:
    gone = change("u", u=row(), b={"deleted_at": None}, a={"deleted_at": "2026-02-02T00:00:00+00:00"})
    before, after = snapshots("tests.boxes.delete", [gone], "tests.box")
    assert before is not None and after is None
    assert changed_fields("tests.boxes.delete", [gone], "tests.box") == []


def test_children_stand_in_a_list_under_their_name() -> None:
    child = {"s": 1, "t": "snapshot_labels", "o": "i", "k": {"id": "l1"}, "r": "b1"}
    child["a"] = {"id": "l1", "tenant_id": "t1", "box_id": "b1", "text": "fragile"}
    before, after = snapshots("tests.boxes.label", [child], "tests.box")
    assert before == {"id": "b1", "labels": []}
    assert (after or {})["labels"] == [{"id": "l1", "tenantId": "t1", "boxId": "b1", "text": "fragile"}]
    assert changed_fields("tests.boxes.label", [child], "tests.box") == ["labels"]


def test_several_changes_of_one_row_are_one_change() -> None:
    first = change("i", a=row())
    second = change("u", u=row(), b={"name": "Box"}, a={"name": "Crate"})
    before, after = snapshots("tests.boxes.create", [first, second], "tests.box")
    assert before is None and (after or {})["name"] == "Crate"
    assert snapshots("tests.boxes.create", [first, change("d", b=row())], "tests.box") == (None, None)


def test_of_several_rows_of_the_kind_the_named_one_is_the_record() -> None:
    other = {**change("u", u=row(id="b2"), b={"name": "A"}, a={"name": "B"}), "k": {"id": "b2"}}
    _, after = snapshots("tests.boxes.create", [change("i", a=row()), other], "tests.box", "b1")
    assert (after or {})["id"] == "b1"
    assert [one["name"] for one in (after or {})["snapshotBoxes"]] == ["B"]


def test_tables_that_nobody_describes_are_never_shown() -> None:
    strange = {"s": 0, "t": "unheard_of", "o": "i", "k": {"id": "x"}, "a": {"id": "x", "password": "y"}}
    assert snapshots("tests.any", [strange], "tests.box") == (None, None)


def test_numbers_stay_exact() -> None:
    text = b'{"price":1.10,"big":123456789012345678901234567890}'
    assert decode(text) == {"price": Decimal("1.10"), "big": 123456789012345678901234567890}
    assert encode(decode(text)) == text


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1}, None, None),
        ({"a": None}, {}, {"a": {"from": None}}),
        ({}, {"a": None}, {"a": {"to": None}}),
        ({"a": 1}, {"a": True}, {"a": {"from": 1, "to": True}}),
        ({"p": {"q": 1, "r": 2}}, {"p": {"q": 2, "r": 2}}, {"p.q": {"from": 1, "to": 2}}),
        ({"custom": {"k": 1}}, {"custom": {"k": 2}}, {"cf_k": {"from": 1, "to": 2}}),
        ({"list": [1, 2]}, {"list": [2, 1]}, {"list": {"from": [1, 2], "to": [2, 1]}}),
        ({"updatedAt": 1}, {"updatedAt": 2}, None),
        (
            {"p": {"updatedAt": 1}},
            {"p": {"updatedAt": 2}},
            {"p": {"from": {"updatedAt": 1}, "to": {"updatedAt": 2}}},
        ),
    ],
)
def test_field_changes(before: Any, after: Any, expected: Any) -> None:
    assert field_changes(before, after) == expected


@pytest.mark.parametrize(
    ("command_id", "label", "expected"),
    [
        ("customers.addresses.update", "Update address", "edit"),
        ("customers.addresses.delete", "Delete address", "delete"),
        ("dictionaries.entries.create", None, "create"),
        ("customers.tags.assign", None, "assign"),
        ("dictionaries.entries.reorder", "Reorder dictionary entries", "system"),
        ("x.y.handle", "Address changed", "system"),
        ("x.y.handle", "Add a note", "create"),
        ("x.y.handle", None, "system"),
    ],
)
def test_action_types_come_from_the_suffix_first(command_id: str, label: str | None, expected: str) -> None:
    assert action_type(command_id, label) == expected
