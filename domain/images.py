"""Rows in the form that clients see, made without decoding their values."""

from functools import cache

import msgspec
from msgspec import Raw

from domain.resources import Resource, Row

NULL = Raw(b"null")
_NO_VALUES = (Raw(b"{}"), NULL)
_values = msgspec.json.Decoder(dict[str, Raw])


@cache
def camel(name: str) -> str:
    """`organization_id` as `organizationId`."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def wire_time(value: Raw) -> Raw:
    """PostgreSQL's JSON rendering of an instant (UTC, up to microseconds) as ISO 8601 with milliseconds and `Z`."""
    text = bytes(value)
    if text == b"null" or not text.endswith(b'+00:00"'):
        return value
    head, _, fraction = text[:-7].partition(b".")
    return Raw(head + b"." + fraction[:3].ljust(3, b"0") + b'Z"')


def wire_row(resource: Resource, row: Row, derived: dict[str, Raw] | None = None) -> dict[str, Raw]:
    """A row in wire form: camel case, instants in milliseconds, hidden columns left out, derived values added.

    The values of custom fields stand beside the others, as `cf_<key>`.
    """
    times = resource.times
    shown = {
        camel(column): wire_time(row[column]) if column in times else row[column]
        for column in resource.columns
        if column in row and column not in resource.hidden and column != "custom_fields"
    }
    custom = row.get("custom_fields")
    if custom is not None and custom not in _NO_VALUES:
        shown |= {f"cf_{key}": value for key, value in _values.decode(custom).items()}
    return shown | (derived or {})
