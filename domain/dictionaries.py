"""Shared dictionaries: tables, resources, features (contract: dictionaries.md)."""

from typing import Any

import sqlalchemy as sa

from domain.events import Event, declare_events
from domain.features import Feature, Module, declare
from domain.resources import Images, Resource, custom_fields_column, snapshot_view, tenant_table

VIEW = "dictionaries.view"
MANAGE = "dictionaries.manage"
SORT_MODES = ("label_asc", "label_desc", "value_asc", "value_desc", "created_at_asc", "created_at_desc")
PROTECTED_KEYS = frozenset({"currency", "currencies"})

declare(
    Module("dictionaries", "Shared Dictionaries"),
    [
        Feature(VIEW, "View shared dictionaries", "dictionaries", roles=("admin", "employee")),
        Feature(MANAGE, "Manage shared dictionaries", "dictionaries", roles=("admin",)),
    ],
)

declare_events(
    *(
        Event(
            f"dictionaries.{entity}.{verb}",
            f"{label} {verb.capitalize()}",
            "dictionaries",
            entity,
            "crud",
            broadcast=True,
        )
        for entity, label in (("dictionary", "Dictionary"), ("entry", "Dictionary Entry"))
        for verb in ("created", "updated", "deleted")
    )
)

dictionaries = tenant_table(
    "dictionaries",
    sa.Column("organization_id", sa.Uuid, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("is_system", sa.Boolean, nullable=False, default=False),
    sa.Column("is_active", sa.Boolean, nullable=False, default=True),
    sa.Column("manager_visibility", sa.Text, nullable=False, default="default"),
    sa.Column("entry_sort_mode", sa.Text, nullable=False, default="label_asc"),
    sa.Column("deleted_at", sa.DateTime(timezone=True)),
    custom_fields_column(),
)

dictionary_entries = tenant_table(
    "dictionary_entries",
    sa.Column("organization_id", sa.Uuid, nullable=False),
    sa.Column("dictionary_id", sa.Uuid, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("normalized_value", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("color", sa.Text),
    sa.Column("icon", sa.Text),
    sa.Column("position", sa.Integer, nullable=False, default=0),
    sa.Column("is_default", sa.Boolean, nullable=False, default=False),
    custom_fields_column(),
)

DICTIONARY = Resource(
    dictionaries,
    kind="dictionaries.dictionary",
    view=(VIEW,),
    entity_type="dictionaries:dictionary",
    event="dictionaries.dictionary",
    hidden=frozenset({"deleted_at"}),
    conflicts={"dictionaries_key": "A dictionary with this key already exists"},
)

ENTRY = Resource(
    dictionary_entries,
    kind="dictionaries.entry",
    view=(VIEW,),
    entity_type="dictionaries:entry",
    event="dictionaries.entry",
    within=("dictionaries.dictionary", "dictionary_id"),
    hidden=frozenset({"normalized_value"}),
    conflicts={
        "dictionary_entries_value": "An entry with this value already exists.",
        "dictionary_entries_default": "Another entry is the default already.",
        "dictionary_entries_dictionary": "The dictionary does not exist.",
    },
    derived={
        "dictionaryKey": "(select d.key from dictionaries d where d.tenant_id = t.tenant_id and d.id = t.dictionary_id)"
    },
)


def normalized(value: str) -> str:
    """The form in which values are unique within their dictionary."""
    return value.strip().lower()


@snapshot_view("dictionaries.entries.reorder")
def reorder_view(changes: list[dict[str, Any]], _: str | None) -> Images:
    """Positions of the moved entries, before and after."""
    return _positions(changes, "b"), _positions(changes, "a")


def _positions(changes: list[dict[str, Any]], side: str) -> dict[str, Any]:
    moved = [
        {"id": c["k"]["id"], "position": c[side]["position"]}
        for c in changes
        if "position" in c.get(side, {})
    ]
    return {**_place(changes), "positions": moved}


@snapshot_view("dictionaries.entries.set_default")
def set_default_view(changes: list[dict[str, Any]], _: str | None) -> Images:
    """Which entry was the default, and which is."""
    before = [c["k"]["id"] for c in changes if c.get("b", {}).get("is_default") is True]
    after = [c["k"]["id"] for c in changes if c.get("a", {}).get("is_default") is True]
    place = _place(changes)
    return (
        {**place, "previousDefaultIds": before, "newDefaultId": None},
        {**place, "previousDefaultIds": before, "newDefaultId": after[0] if after else None},
    )


def _place(changes: list[dict[str, Any]]) -> dict[str, Any]:
    kept: dict[str, Any] = next((c["u"] for c in changes if c.get("u")), {})
    scope = {"tenantId": kept.get("tenant_id"), "organizationId": kept.get("organization_id")}
    return {"dictionaryId": kept.get("dictionary_id"), "scope": scope}
