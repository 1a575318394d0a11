"""Filters by custom fields on the lists of the product's own entities (contract: command-bus.md 6.2, entities.md 6).

A record is found by the index of its custom values, in its own tenant.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from domain.custom_fields import FieldDefinition
from queries.custom_values import ValueFilter, value_filter

Asked = tuple[tuple[str, tuple[str, ...]], ...]
"""Bare keys, each with the texts of which one must be there."""

MOST_FILTERS: Final = 20
_NAME: Final = re.compile(r"cf[_:]([a-z0-9_]+?)(In)?")


def asked_for(query: Mapping[str, Sequence[str]]) -> Asked:
    """The filters `cf_<key>` and `cf_<key>In` of a query, as they are typed; the first twenty of them."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for name, texts in query.items():
        match = _NAME.fullmatch(name) if name.startswith("cf") else None
        if match is None or not texts:
            continue
        if match[2] is None:
            found.append((match[1], (texts[0],)))
        else:
            parts = (part.strip() for text in texts for part in text.split(","))
            found.append((match[1], tuple(dict.fromkeys(part for part in parts if part))))
    return tuple(found[:MOST_FILTERS])


def filters_of(asked: Asked, fields: Mapping[str, FieldDefinition]) -> tuple[ValueFilter, ...]:
    """The filters with their texts read by the kinds of the fields."""
    return tuple(value_filter(key, fields[key].kind, texts) for key, texts in asked)


def conditions(count: int, row: str, id: str, entity_type: str, first: int, made: str | None = None) -> str:
    """SQL (` and …`) that a row meets `count` filters, whose `arguments` begin at the parameter `first`.

    `made` is SQL of the record's values; with it, the index is not asked.
    """
    if made is not None:
        return "".join(
            f" and exists (select from custom_values({made}) v where v.field = ${first + 2 * n}::text"
            f" and v.text = any(${first + 2 * n + 1}::text[]))"
            for n in range(count)
        )
    return "".join(
        f" and exists (select from entity_values v where v.tenant_id = {row}.tenant_id"
        f" and v.entity_type = '{entity_type}' and v.entity_id = {id}"
        f" and v.field = ${first + 2 * n}::text and v.text = any(${first + 2 * n + 1}::text[]))"
        for n in range(count)
    )


def arguments(filters: Sequence[ValueFilter]) -> list[Any]:
    """The parameters of `conditions`."""
    return [value for one in filters for value in (one.field, list(one.texts))]
