"""From the bytes of a request to a value of a declared type, or to the full list of what is wrong with them."""

from collections.abc import Callable, Hashable, Mapping
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from litestar import Request
from msgspec import inspect

from app.http.issues import issues_of, not_a_number, not_an_object, type_info
from domain.custom_fields import split_payload
from domain.errors import Issue, Problem, issue
from domain.wire import flag

T = TypeVar("T")
Trim = Callable[[Any], Any]

_NUL = "\x00"
_NUL_MESSAGE = "Invalid input: contains a NUL character"
_JSON = msgspec.json.Decoder()


class Parsed(msgspec.Struct, frozen=True):
    """A JSON body before it has a type: its value, and the fault that forbids to use it."""

    value: Any
    fault: Issue | None = None


_EMPTY = Parsed({})


async def read_body(request: Request[Any, Any, Any], limit: int) -> bytes:
    """The whole request body. Raises Problem 413 as soon as it is known to be longer than `limit` bytes."""
    announced = request.headers.get("content-length")
    if announced is not None and announced.isdigit() and int(announced) > limit:
        raise Problem.too_large(limit)
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = cast(dict[str, Any], await request.receive())
        if message["type"] == "http.disconnect":
            raise Problem.bad_request("The request body ended early")
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise Problem.too_large(limit)
        if part:
            parts.append(part)
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def parse_body(raw: bytes) -> Parsed:
    """The JSON value of a body; an empty body counts as `{}`, an unreadable one as `{}` with a fault."""
    if not raw or raw.isspace():
        return _EMPTY
    try:
        value = _JSON.decode(raw)
    except RecursionError:
        return Parsed({}, issue("Invalid input: the body is nested too deeply"))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Parsed({}, issue("Invalid input: the body is not valid JSON"))
    if b"\\u0" in raw:
        where = find_nul(value)
        if where is not None:
            return Parsed(value, issue(_NUL_MESSAGE, where))
    return Parsed(value)


def convert_body(wanted: Any, parsed: Parsed, path: Mapping[str, str], error: str = "Invalid input") -> Any:
    """A value of type `wanted` from the body and the path values, which win over body fields of the same name.

    Strings marked `Meta(extra={"trim": True})` lose the blanks around them first; unknown keys are dropped. A field
    marked `Meta(extra={"custom_fields": True})` gets the values of custom fields, whatever form they came in. Raises
    Problem 400 with all issues.
    """
    names, trim, custom = _plan(wanted)
    value = parsed.value
    if names is not None:
        if type(value) is not dict:
            raise Problem.invalid([not_an_object(value)], error)
        if path:
            value = {**value, **{name: text for name, text in path.items() if name in names}}
    if custom is not None:
        value = _gathered(value, custom)
    if trim is not None:
        value = trim(value)
    if parsed.fault is not None:
        raise Problem.invalid([*issues_of(wanted, value), parsed.fault], error)
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as refused:
        raise Problem.invalid(issues_of(wanted, value, refused), error) from None


def trimmed(wanted: Any, value: Any) -> Any:
    """Plain JSON data as a body of the type `wanted` is before it is converted: strings trimmed, custom fields in one
    place.
    """
    _, trim, custom = _plan(wanted)
    if custom is not None and isinstance(value, dict):
        value = _gathered(value, custom)
    return value if trim is None else trim(value)


def _gathered(body: dict[str, Any], name: str) -> dict[str, Any]:
    """A body with its values of custom fields under one name, by bare key; without the name when there are none."""
    base, custom = split_payload(body)
    return {**base, name: custom} if custom else base


def convert_query(
    wanted: type[T], query: Mapping[str, list[str]], error: str = "Invalid input", *, blanks: bool = False
) -> T:
    """A value of the struct type `wanted` from query parameters: the first of repeated ones, blank ones left out.

    With `blanks` a blank one is a value like any other: no id, no option, and the number 0.

    Numbers are read from their text; boolean fields take boolean tokens, and any other text counts as not sent. Raises
    Problem 400 with all issues.
    """
    values: dict[str, Any] = {}
    wrong: list[Issue] = []
    for field in cast(inspect.StructType, type_info(cast(Hashable, wanted))).fields:
        text = (query.get(field.encode_name) or [""])[0].strip()
        if not text and not (blanks and field.encode_name in query):
            continue
        kinds = {type(branch) for branch in _branches(field.type)}
        if kinds & {inspect.IntType, inspect.FloatType}:
            number = _number(text) if text else 0
            if number is None:
                wrong.append(not_a_number([field.encode_name]))
            else:
                values[field.encode_name] = number
        elif inspect.BoolType in kinds:
            token = flag(text)
            if token is not None:
                values[field.encode_name] = token
        else:
            values[field.encode_name] = text
    try:
        result = msgspec.convert(values, wanted)
    except msgspec.ValidationError as refused:
        named = {tuple(one["path"]) for one in wrong}
        others = [one for one in issues_of(wanted, values, refused) if tuple(one["path"]) not in named]
        raise Problem.invalid([*wrong, *others], error) from None
    if wrong:
        raise Problem.invalid(wrong, error)
    return result


def find_nul(value: Any) -> list[str | int] | None:
    """The path of the first string, or key, with a NUL character in it; None when there is none."""
    waiting: list[tuple[Any, list[str | int]]] = [(value, [])]
    while waiting:
        item, path = waiting.pop()
        if isinstance(item, str):
            if _NUL in item:
                return path
        elif isinstance(item, dict):
            if any(_NUL in key for key in item):
                return path
            waiting.extend((inner, [*path, key]) for key, inner in item.items())
        elif isinstance(item, list):
            waiting.extend((inner, [*path, index]) for index, inner in enumerate(item))
    return None


def reject_nul(fields: Mapping[str, Any]) -> None:
    """Raise Problem 400 when a name or text among `fields` (or in a list of texts) has a NUL character."""
    for name, value in fields.items():
        texts = value if isinstance(value, list) else [value]
        if _NUL in name or any(_NUL in text for text in texts):
            raise Problem.invalid([issue(_NUL_MESSAGE, [name.replace(_NUL, "")])])


def _number(text: str) -> int | float | None:
    try:
        return int(text) if text.lstrip("+-").isdecimal() else _finite(float(text))
    except (ValueError, OverflowError):
        return None


def _finite(number: float) -> int | float | None:
    if number != number or number in (float("inf"), float("-inf")):
        return None
    return int(number) if number.is_integer() else number


def _branches(info: inspect.Type) -> list[inspect.Type]:
    if isinstance(info, inspect.Metadata):
        return _branches(info.type)
    if isinstance(info, inspect.UnionType):
        return [leaf for branch in info.types for leaf in _branches(branch)]
    return [info]


@cache
def _plan(wanted: Any) -> tuple[frozenset[str] | None, Trim | None, str | None]:
    """How a type is read: the wire names of a struct's fields (None: no struct), what trims its marked strings, and the
    name of the field that takes the values of custom fields (None: nothing does).
    """
    info = type_info(wanted)
    if not isinstance(info, inspect.StructType):
        return None, _trimmer(info), None
    custom = [field.encode_name for field in info.fields if _takes_custom_fields(field.type)]
    return frozenset(field.encode_name for field in info.fields), _trimmer(info), next(iter(custom), None)


def _takes_custom_fields(info: inspect.Type) -> bool:
    if isinstance(info, inspect.Metadata):
        return bool((info.extra or {}).get("custom_fields")) or _takes_custom_fields(info.type)
    return isinstance(info, inspect.UnionType) and any(map(_takes_custom_fields, info.types))


def _trimmer(info: inspect.Type) -> Trim | None:
    if isinstance(info, inspect.Metadata):
        return _strip if (info.extra or {}).get("trim") else _trimmer(info.type)
    if isinstance(info, inspect.UnionType):
        trims = [trim for trim in map(_trimmer, info.types) if trim is not None]
        return trims[0] if len(trims) == 1 else None if not trims else _in_turn(trims)
    if isinstance(info, inspect.StructType):
        fields = {
            field.encode_name: trim for field in info.fields if (trim := _trimmer(field.type)) is not None
        }
        return _fields_trimmer(fields) if fields else None
    if isinstance(info, inspect.ListType | inspect.VarTupleType | inspect.SetType | inspect.FrozenSetType):
        inner = _trimmer(info.item_type)
        return None if inner is None else _items_trimmer(inner)
    return None


def _strip(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _in_turn(trims: list[Trim]) -> Trim:
    def trim(value: Any) -> Any:
        for one in trims:
            value = one(value)
        return value

    return trim


def _fields_trimmer(fields: Mapping[str, Trim]) -> Trim:
    def trim(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: fields[name](item) if name in fields else item for name, item in value.items()}

    return trim


def _items_trimmer(inner: Trim) -> Trim:
    def trim(value: Any) -> Any:
        return [inner(item) for item in value] if isinstance(value, list) else value

    return trim
