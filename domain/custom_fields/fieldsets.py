"""Fieldsets: named groups of an entity's fields, of which a record may have one or several (entities.md 1.6)."""

from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from domain.custom_fields.configuration import Code, Description, Group

DEFAULT: Final[dict[str, Any]] = {"fieldsets": [], "singleFieldsetPerRecord": True}
"""What holds where nothing was configured."""


class Fieldset(Struct, frozen=True):
    """One fieldset, as it is submitted."""

    code: Code
    label: Annotated[str, Meta(min_length=1, max_length=255)]
    icon: Annotated[str, Meta(max_length=100)] | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    groups: Annotated[list[Group], Meta(max_length=100)] | UnsetType = UNSET


def readable(config: Any) -> dict[str, Any]:
    """A stored configuration as clients read it: complete, and without what lacks a code or label, or repeats one."""
    stored = config if isinstance(config, dict) else {}
    single = stored.get("singleFieldsetPerRecord")
    found: dict[str, dict[str, Any]] = {}
    for item in _objects(stored.get("fieldsets")):
        code, label = _text(item.get("code")), _text(item.get("label"))
        if code and label and code not in found:
            found[code] = {"code": code, "label": label, **_details(item)}
    return {
        "fieldsets": list(found.values()),
        "singleFieldsetPerRecord": single if isinstance(single, bool) else True,
    }


def _details(item: dict[str, Any]) -> dict[str, Any]:
    details: dict[str, Any] = {
        name: text for name in ("icon", "description") if (text := _text(item.get(name))) is not None
    }
    groups: dict[str, dict[str, Any]] = {}
    for group in _objects(item.get("groups")):
        read = group_of(group)
        if read is not None:
            groups.setdefault(read["code"], read)
    return details | ({"groups": list(groups.values())} if groups else {})


def group_of(stored: Any) -> dict[str, str] | None:
    """A group as clients read it; a bare text is its code. None for anything without a code."""
    if isinstance(stored, str):
        stored = {"code": stored}
    if not isinstance(stored, dict) or not (code := _text(stored.get("code"))):
        return None
    more = {name: text for name in ("title", "hint") if (text := _text(stored.get(name)))}
    return {"code": code, **more}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
