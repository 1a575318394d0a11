"""Saying what is wrong with a request: all faults of a value against a type, in the issue form of the contract.

msgspec stops at the first fault and words it in its own way; clients of this API expect every fault at once, each as
`{code, path, message, …}` (command-bus.md, section 7). So the fast path is msgspec, and this file is only asked when
it fails.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, cast
from uuid import UUID

import msgspec
from msgspec import inspect

from domain.errors import Issue

Path = list[str | int]

UUID_PATTERN = "/^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/"

_ABSENT = object()
_MSGSPEC_PATH = re.compile(r"(?s)^(.*?) - at `(?:key in )?\$?(.*?)`$")
_MSGSPEC_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_TEXT_FORMS: dict[type[inspect.Type], tuple[Any, str, str]] = {
    inspect.DateTimeType: (datetime, "datetime", "Invalid ISO datetime"),
    inspect.DateType: (date, "date", "Invalid ISO date"),
    inspect.TimeType: (time, "time", "Invalid ISO time"),
    inspect.TimeDeltaType: (timedelta, "duration", "Invalid ISO duration"),
    inspect.DecimalType: (Decimal, "decimal", "Invalid decimal"),
    inspect.UUIDType: (UUID, "uuid", "Invalid UUID"),
}
_BASE64 = (bytes, "base64", "Invalid base64-encoded string")
_FORMAT_MESSAGES = {"email": "Invalid email address", "url": "Invalid URL", "uuid": "Invalid UUID"}
_ARRAYS = (
    inspect.ListType,
    inspect.SetType,
    inspect.FrozenSetType,
    inspect.VarTupleType,
    inspect.CollectionType,
)
_OBJECTS = (inspect.StructType, inspect.TypedDictType, inspect.DataclassType, inspect.NamedTupleType)


@cache
def type_info(wanted: Any) -> inspect.Type:
    """msgspec's description of a type, kept for the next time."""
    return inspect.type_info(wanted)


def issues_of(wanted: Any, value: Any, error: msgspec.ValidationError | None = None) -> list[Issue]:
    """Every fault of `value` (plain JSON data) against the type `wanted`; never empty when `error` is given.

    `error` is what msgspec said, used where nothing more exact can be told, as for a rule of the type's own.
    """
    found = list(_faults(type_info(wanted), value, [], {}))
    return found if found or error is None else [_from_msgspec(str(error))]


def invalid_uuid(path: Path | list[str]) -> Issue:
    """The issue of a text that is not a UUID."""
    return _issue(
        {"origin": "string", "code": "invalid_format", "format": "uuid", "pattern": UUID_PATTERN},
        path,
        "Invalid UUID",
    )


def not_an_object(value: Any) -> Issue:
    """The issue of a body that is JSON but no object."""
    return _wrong_type("object", value, [])


def too_small(origin: str, minimum: float, path: Path, inclusive: bool = True) -> Issue:
    """The issue of a number, string or array below its `minimum`."""
    sign = ">=" if inclusive else ">"
    kind = {"origin": origin, "code": "too_small", "minimum": minimum, "inclusive": inclusive}
    return _issue(kind, path, f"Too small: expected {origin} to {_measure(origin, sign, minimum)}")


def too_big(origin: str, maximum: float, path: Path, inclusive: bool = True) -> Issue:
    """The issue of a number, string or array above its `maximum`."""
    sign = "<=" if inclusive else "<"
    kind = {"origin": origin, "code": "too_big", "maximum": maximum, "inclusive": inclusive}
    return _issue(kind, path, f"Too big: expected {origin} to {_measure(origin, sign, maximum)}")


def not_a_number(path: Path) -> Issue:
    """The issue of a query parameter that should be a number."""
    return _issue(
        {"expected": "number", "code": "invalid_type"}, path, "Invalid input: expected number, received NaN"
    )


def invalid_option(values: Sequence[Any], path: Path) -> Issue:
    """The issue of a value that is none of the allowed `values`."""
    shown = "|".join(msgspec.json.encode(value).decode() for value in values)
    text = (
        f"Invalid option: expected one of {shown}" if len(values) != 1 else f"Invalid input: expected {shown}"
    )
    return _issue({"code": "invalid_value", "values": list(values)}, path, text)


def _issue(keys: Mapping[str, Any], path: Sequence[str | int], message: str) -> Issue:
    return {**keys, "path": list(path), "message": message}


def _measure(origin: str, sign: str, bound: float) -> str:
    shown = int(bound) if float(bound).is_integer() else bound
    unit = {"string": " characters", "array": " items", "object": " keys"}.get(origin)
    return f"have {sign}{shown}{unit}" if unit else f"be {sign}{shown}"


def _kind(value: Any) -> str:
    if value is _ABSENT:
        return "undefined"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _wrong_type(expected: str, value: Any, path: Path) -> Issue:
    kind = {"expected": expected, "code": "invalid_type"}
    return _issue(kind, path, f"Invalid input: expected {expected}, received {_kind(value)}")


def _faults(info: inspect.Type, value: Any, path: Path, extra: Mapping[str, Any]) -> Iterable[Issue]:
    match info:
        case inspect.Metadata():
            return _faults(info.type, value, path, {**extra, **(info.extra or {})})
        case inspect.UnionType():
            return _union(info, value, path, extra)
        case inspect.AnyType() | inspect.RawType():
            return () if value is not _ABSENT else [_wrong_type("nonoptional", value, path)]
        case inspect.NoneType():
            return () if value is None else [_wrong_type("null", value, path)]
        case inspect.BoolType():
            return () if isinstance(value, bool) else [_wrong_type("boolean", value, path)]
        case inspect.IntType() | inspect.FloatType():
            return _number(info, value, path)
        case inspect.StrType():
            return _string(info, value, path, extra)
        case inspect.LiteralType():
            return () if _among(value, info.values) else [invalid_option(info.values, path)]
        case inspect.EnumType():
            values = [member.value for member in info.cls]
            return () if _among(value, values) else [invalid_option(values, path)]
        case inspect.DictType():
            return _dictionary(info, value, path)
        case inspect.TupleType():
            return _tuple(info, value, path)
    if isinstance(info, _ARRAYS):
        return _array(info, value, path)
    if isinstance(info, _OBJECTS):
        return _object(info, value, path)
    return _text_form(info, value, path)


def _among(value: Any, allowed: Iterable[Any]) -> bool:
    return any(type(value) is type(one) and value == one for one in allowed)


def _union(info: inspect.UnionType, value: Any, path: Path, extra: Mapping[str, Any]) -> Iterable[Issue]:
    if value is None and any(isinstance(branch, inspect.NoneType) for branch in info.types):
        return ()
    branches = [branch for branch in info.types if not isinstance(branch, inspect.NoneType)]
    verdicts = [list(_faults(branch, value, path, extra)) for branch in branches]
    if any(not verdict for verdict in verdicts):
        return ()
    if len(verdicts) == 1:
        return verdicts[0]
    close = [verdict for verdict in verdicts if not _refuses_type(verdict, path)]
    if len(close) == 1:
        return close[0]
    expected = [issue["expected"] for verdict in verdicts for issue in verdict[:1] if "expected" in issue]
    return [_wrong_type(" | ".join(dict.fromkeys(expected)) or "another value", value, path)]


def _refuses_type(verdict: list[Issue], path: Path) -> bool:
    return bool(verdict[0]["code"] == "invalid_type" and verdict[0]["path"] == path)


def _number(info: inspect.IntType | inspect.FloatType, value: Any, path: Path) -> Iterable[Issue]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield _wrong_type("number", value, path)
        return
    if isinstance(info, inspect.IntType) and isinstance(value, float) and not value.is_integer():
        yield _wrong_type("int", value, path)
        return
    for bound, inclusive in ((info.ge, True), (info.gt, False)):
        if bound is not None and (value < bound if inclusive else value <= bound):
            yield too_small("number", bound, path, inclusive)
    for bound, inclusive in ((info.le, True), (info.lt, False)):
        if bound is not None and (value > bound if inclusive else value >= bound):
            yield too_big("number", bound, path, inclusive)
    if info.multiple_of is not None and value % info.multiple_of:
        kind = {"code": "not_multiple_of", "divisor": info.multiple_of}
        yield _issue(kind, path, f"Invalid number: must be a multiple of {info.multiple_of}")


def _string(info: inspect.StrType, value: Any, path: Path, extra: Mapping[str, Any]) -> Iterable[Issue]:
    if not isinstance(value, str):
        yield _wrong_type("string", value, path)
        return
    if info.min_length is not None and len(value) < info.min_length:
        yield too_small("string", info.min_length, path)
    if info.max_length is not None and len(value) > info.max_length:
        yield too_big("string", info.max_length, path)
    if info.pattern is not None and re.search(info.pattern, value) is None:
        form = str(extra.get("format", "regex"))
        kind = {"origin": "string", "code": "invalid_format", "format": form, "pattern": f"/{info.pattern}/"}
        default = _FORMAT_MESSAGES.get(form, f"Invalid string: must match pattern /{info.pattern}/")
        yield _issue(kind, path, str(extra.get("message", default)))


def _text_form(info: inspect.Type, value: Any, path: Path) -> Iterable[Issue]:
    """Types that travel as text of a certain form: ids, times, decimals, base64. Others are left to msgspec."""
    if isinstance(info, inspect.CustomType | inspect.ExtType):
        return [_wrong_type("nonoptional", value, path)] if value is _ABSENT else ()
    if not isinstance(value, str):
        return [_wrong_type("string", value, path)]
    wanted, form, message = _TEXT_FORMS.get(type(info), _BASE64)
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError:
        if wanted is UUID:
            return [invalid_uuid(path)]
        return [_issue({"origin": "string", "code": "invalid_format", "format": form}, path, message)]
    return ()


def _array(info: Any, value: Any, path: Path) -> Iterable[Issue]:
    if not isinstance(value, list):
        yield _wrong_type("array", value, path)
        return
    if info.min_length is not None and len(value) < info.min_length:
        yield too_small("array", info.min_length, path)
    if info.max_length is not None and len(value) > info.max_length:
        yield too_big("array", info.max_length, path)
    for index, item in enumerate(value):
        yield from _faults(info.item_type, item, [*path, index], {})


def _tuple(info: inspect.TupleType, value: Any, path: Path) -> Iterable[Issue]:
    if not isinstance(value, list):
        yield _wrong_type("array", value, path)
        return
    wanted = len(info.item_types)
    if len(value) < wanted:
        yield too_small("array", wanted, path)
    elif len(value) > wanted:
        yield too_big("array", wanted, path)
    for index, (inner, item) in enumerate(zip(info.item_types, value, strict=False)):
        yield from _faults(inner, item, [*path, index], {})


def _dictionary(info: inspect.DictType, value: Any, path: Path) -> Iterable[Issue]:
    if not isinstance(value, dict):
        yield _wrong_type("object", value, path)
        return
    if info.min_length is not None and len(value) < info.min_length:
        yield too_small("object", info.min_length, path)
    if info.max_length is not None and len(value) > info.max_length:
        yield too_big("object", info.max_length, path)
    for key, item in value.items():
        yield from _faults(info.value_type, item, [*path, key], {})


def _object(info: Any, value: Any, path: Path) -> Iterable[Issue]:
    if not isinstance(value, dict):
        yield _wrong_type("object", value, path)
        return
    for field in info.fields:
        given = value.get(field.encode_name, _ABSENT)
        if given is not _ABSENT or field.required:
            yield from _faults(field.type, given, [*path, field.encode_name], {})
    if getattr(info, "forbid_unknown_fields", False):
        unknown = [key for key in value if key not in {field.encode_name for field in info.fields}]
        if unknown:
            names = ", ".join(f'"{key}"' for key in unknown)
            yield _issue({"code": "unrecognized_keys", "keys": unknown}, path, f"Unrecognized keys: {names}")


def _from_msgspec(text: str) -> Issue:
    located = _MSGSPEC_PATH.match(text)
    message, where = (located.group(1), located.group(2)) if located else (text, "")
    steps: Path = [
        int(index) if index else name
        for name, index in cast(list[tuple[str, str]], _MSGSPEC_STEP.findall(where))
    ]
    return _issue({"code": "custom"}, steps, message)
