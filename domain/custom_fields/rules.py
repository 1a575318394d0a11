"""Checking values of custom fields against the rules of their definitions (entities.md 1.4).

Kind, choice among the options and number of values are never enforced: only rules are. Patterns run on RE2, whose time
grows with the length of the text and with nothing else.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, Literal

import re2

from domain.custom_fields import javascript
from domain.custom_fields.fields import FieldDefinition

MOST_VALUES: Final = 128
LONGEST_PATTERN: Final = 500
LONGEST_INPUT: Final = 10_000

UNKNOWN_FIELD: Final = "[internal] Unknown custom field"
"""Clients compare this text; it is never translated."""
TOO_MANY: Final = f"At most {MOST_VALUES} custom fields can be set at once"

RULES: Final = ("required", "date", "integer", "float", "lt", "lte", "gt", "gte", "eq", "ne", "regex")

Undeclared = Literal["refuse", "keep"]


def faults(
    definitions: Iterable[FieldDefinition],
    values: Mapping[str, Any],
    *,
    undeclared: Undeclared,
    present: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """What is wrong with values under their bare keys: `cf_<key>` to the message of the first rule that fails.

    A field that `values` lacks is checked for `required` only, with its value among `present` (what is stored, on a
    partial update). Keys that no definition declares are refused or kept.
    """
    if len(values) > MOST_VALUES:
        return {"_customFields": TOO_MANY}
    known = {definition.key: definition for definition in definitions}
    found: dict[str, str] = {}
    for key, definition in known.items():
        value = values[key] if key in values else (present or {}).get(key)
        message = check_value(definition, value, only_required=key not in values)
        if message is not None:
            found[f"cf_{key}"] = message
    if undeclared == "refuse":
        found |= {f"cf_{key}": UNKNOWN_FIELD for key in values if key not in known}
    return found


def check_value(definition: FieldDefinition, value: Any, *, only_required: bool = False) -> str | None:
    """The message of the first rule that the value breaks; None when it breaks none.

    Of a list, `required` looks at the whole and every other rule at each element.
    """
    for rule in definition.rules:
        if not isinstance(rule, dict):
            continue
        name = rule.get("rule")
        if name == "required":
            broken = is_empty(value)
        elif only_required:
            continue
        else:
            items = value if isinstance(value, list) else [value]
            broken = any(
                not is_empty(item) and not _holds(str(name), rule.get("param"), item) for item in items
            )
        if broken:
            message = rule.get("message")
            return message if isinstance(message, str) and message else f"{definition.label} is not valid"
    return None


def is_empty(value: Any) -> bool:
    """Null, a blank text or an empty list."""
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def _holds(name: str, param: Any, value: Any) -> bool:
    check = _CHECKS.get(name)
    return check is None or check(value, param)


def _compared(compare: Callable[[float, float], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, param: compare(javascript.number(value), javascript.number(param))


def _is_integer(value: Any, _: Any) -> bool:
    number = javascript.number(value)
    return math.isfinite(number) and number.is_integer()


def _is_matched(value: Any, pattern: Any) -> bool:
    if not isinstance(value, str) or len(value) > LONGEST_INPUT:
        return False
    compiled = compiled_pattern(pattern) if isinstance(pattern, str) else None
    return compiled is not None and compiled.search(value) is not None


@lru_cache(maxsize=1024)
def compiled_pattern(pattern: str) -> Any:
    """The RE2 program of a pattern; None when it is empty, too long, or not in RE2's language."""
    if not pattern or len(pattern) > LONGEST_PATTERN:
        return None
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeError):
        return None


_CHECKS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "date": lambda value, _: javascript.is_date(value),
    "integer": _is_integer,
    "float": lambda value, _: math.isfinite(javascript.number(value)),
    "lt": _compared(lambda one, other: one < other),
    "lte": _compared(lambda one, other: one <= other),
    "gt": _compared(lambda one, other: one > other),
    "gte": _compared(lambda one, other: one >= other),
    "eq": javascript.same,
    "ne": lambda value, param: not javascript.same(value, param),
    "regex": _is_matched,
}
