"""Telling the values of custom fields from the rest of a body (entities.md 6)."""

from collections.abc import Mapping
from typing import Any, Final

_PREFIXES: Final = ("cf_", "cf:")
_MAPS: Final = frozenset(("customValues", "customFields"))


def split_payload(body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The base payload, and the custom values under their bare keys.

    Custom values may come as `cf_<key>`, `cf:<key>`, `customValues` or `customFields` (an object, or a list of
    `{key, value}`); of several for one key, the last one counts. Anything else under those two names is dropped.
    """
    base: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    for name, value in body.items():
        if name.startswith(_PREFIXES) and len(name) > 3:
            custom[name[3:]] = value
        elif name in _MAPS:
            custom |= _mapped(value)
        else:
            base[name] = value
    return base, custom


def _mapped(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        return {}
    return {
        item["key"]: item.get("value")
        for item in value
        if isinstance(item, dict) and isinstance(item.get("key"), str) and item["key"]
    }
