"""List conventions: pages, sort orders, id lists and the list envelope (command-bus.md, 6.2 and 6.3)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from app.http.issues import invalid_option, not_a_number, too_big, too_small
from app.http.operation import Parameter
from domain.errors import Issue, Problem

Query = Mapping[str, list[str]]

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 100
MAX_PAGE = 1_000_000_000
"""Later pages than this are read as this one, so that an offset always fits a bigint."""
MAX_IDS = 200

PAGE = Parameter(
    "page", "Page number (default 1)", {"type": "integer", "minimum": 1, "default": 1}, example=1
)
PAGE_SIZE = Parameter(
    "pageSize",
    "Page size (default 50, max 100)",
    {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
    example=50,
)
SORT_FIELD = Parameter("sortField", "Field to sort by", example="id")
SORT_DIR = Parameter(
    "sortDir", "Sort direction: `asc` or `desc`", {"type": "string", "enum": ["asc", "desc"]}, example="asc"
)
IDS = Parameter("ids", "Comma-separated UUIDs to restrict the list to (at most 200)")
FORMAT = Parameter(
    "format", "Export instead of a list", {"type": "string", "enum": ["csv", "json", "xml", "markdown"]}
)
EXPORT_SCOPE = Parameter(
    "exportScope",
    "`view` keeps the filters, `full` exports everything",
    {"type": "string", "enum": ["view", "full"]},
)


class Page(Struct, frozen=True):
    """The part of a list that was asked for; `number` counts from 1."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """How many rows come before the page."""
        return (self.number - 1) * self.size


class Sort(Struct, frozen=True):
    """A declared sort: the expression that the field is mapped to, and the direction."""

    column: str
    descending: bool
    field: str

    @property
    def sql(self) -> str:
        """The expression with its direction."""
        return f"{self.column} {'desc' if self.descending else 'asc'}"


def clamped_page(query: Query, size: int = DEFAULT_PAGE_SIZE, most: int = MAX_PAGE_SIZE) -> Page:
    """The page asked for, bad values forced into range: no number means the default, numbers are clamped."""
    return Page(
        _clamp(_whole(query, "page"), 1, MAX_PAGE, 1), _clamp(_whole(query, "pageSize"), 1, most, size)
    )


def strict_page(
    query: Query, size: int = DEFAULT_PAGE_SIZE, most: int = MAX_PAGE_SIZE, error: str = "Invalid input"
) -> Page:
    """The page asked for. Raises Problem 400 for values that are no whole numbers or out of range."""
    issues: list[Issue] = []
    number = _strict(query, "page", 1, None, 1, issues)
    wanted = _strict(query, "pageSize", 1, most, size, issues)
    if issues:
        raise Problem.invalid(issues, error)
    return Page(min(number, MAX_PAGE), wanted)


def sort_of(query: Query, columns: Mapping[str, str], default: str, descending: bool = False) -> Sort:
    """The declared sort asked for: `columns` maps field names to expressions; an unknown field means `default`.

    `descending` is the direction when none was sent; otherwise only `desc`, in any case, sorts down.
    """
    asked = _first(query, "sortField") or _first(query, "sort")
    direction = _first(query, "sortDir") or _first(query, "order")
    field = asked if asked is not None and asked in columns else default
    return Sort(columns[field], direction.lower() == "desc" if direction else descending, field)


def one_of(
    query: Query, name: str, allowed: tuple[str, ...], default: str, error: str = "Invalid input"
) -> str:
    """A query parameter with a closed set of values, case ignored. Raises Problem 400 for another value."""
    text = _first(query, name)
    if text is None:
        return default
    if text.lower() not in allowed:
        raise Problem.invalid([invalid_option(list(allowed), [name])], error)
    return text.lower()


def id_list(text: str | None, most: int = MAX_IDS) -> list[UUID] | None:
    """The `ids` rule: comma-separated UUIDs without the bad and repeated ones, at most `most`.

    None means not given (also for blank text); an empty list means given but nothing valid, which matches nothing.
    """
    if text is None or not text.strip():
        return None
    found: dict[UUID, None] = {}
    for part in text.split(","):
        try:
            found.setdefault(msgspec.convert(part.strip(), UUID))
        except msgspec.ValidationError:
            continue
        if len(found) >= most:
            break
    return list(found)


def ids_of(query: Query, name: str = "ids") -> list[UUID] | None:
    """`id_list` of a query parameter; several such parameters count as one list."""
    values = query.get(name)
    return id_list(",".join(values)) if values else None


def words_of(query: Query, name: str) -> list[str]:
    """The distinct non-blank words of a comma-separated query parameter, in order."""
    return list(
        dict.fromkeys(
            word.strip() for text in query.get(name, ()) for word in text.split(",") if word.strip()
        )
    )


def total_pages(total: int, size: int, least: int = 0) -> int:
    """How many pages `total` rows fill; `least` is the number for an empty list."""
    return max(-(-total // size), least)


def envelope(
    items: bytes | str, total: int, page: int, size: int, least_pages: int = 0, **extra: Any
) -> bytes:
    """The list answer. `items` is a JSON array, or the JSON texts of the rows joined by commas; nothing is decoded.

    `extra` are further keys, put after `items` (`canViewTenant`, `meta`).
    """
    counts = b',"total":%d,"page":%d,"pageSize":%d,"totalPages":%d}'
    return collection(items, **extra)[:-1] + counts % (
        total,
        page,
        size,
        total_pages(total, size, least_pages),
    )


def collection(items: bytes | str, **extra: Any) -> bytes:
    """`{"items":[…]}` around a JSON array, or around JSON texts joined by commas; `extra` are further keys."""
    raw = items.encode() if isinstance(items, str) else items
    array = raw if raw.startswith(b"[") else b"[" + raw + b"]"
    more = b"".join(
        b',"%s":%s' % (name.encode(), msgspec.json.encode(value)) for name, value in extra.items()
    )
    return b'{"items":' + array + more + b"}"


def _first(query: Query, name: str) -> str | None:
    values = query.get(name)
    return (values[0].strip() or None) if values else None


def _whole(query: Query, name: str) -> int | None:
    text = _first(query, name)
    if text is None:
        return None
    try:
        return int(float(text)) if len(text) < 64 else None
    except (ValueError, OverflowError):
        return None


def _clamp(value: int | None, least: int, most: int, default: int) -> int:
    return default if value is None else min(max(value, least), most)


def _strict(query: Query, name: str, least: int, most: int | None, default: int, issues: list[Issue]) -> int:
    text = _first(query, name)
    if text is None:
        return default
    value = _whole(query, name)
    if value is None:
        issues.append(not_a_number([name]))
        return default
    if float(text) != value:
        issues.append(
            {
                "expected": "int",
                "code": "invalid_type",
                "path": [name],
                "message": "Invalid input: expected int, received number",
            }
        )
    elif value < least:
        issues.append(too_small("number", least, [name]))
    elif most is not None and value > most:
        issues.append(too_big("number", most, [name]))
    return value
