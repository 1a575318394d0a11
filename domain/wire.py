"""How plain values look on the wire: times, and the lenient tokens that query parameters use."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

_TRUE = frozenset(("1", "true", "yes", "y", "on", "enable", "enabled"))
_FALSE = frozenset(("0", "false", "no", "n", "off", "disable", "disabled"))
_ZONE_AFTER_SPACE = re.compile(r" (?=\d\d:?\d\d$)")
_DATE_AND_TIME = re.compile(r"^\d{4}-?\d\d-?\d\d")


def iso_ms(moment: datetime) -> str:
    """ISO-8601 in UTC with milliseconds and `Z`; microseconds are cut off, and a time without a zone counts as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    elif moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"{moment.isoformat(timespec='milliseconds')[:23]}Z"


def iso_ms_or_none(moment: datetime | None) -> str | None:
    """The same for a column that may be null."""
    return None if moment is None else iso_ms(moment)


def parse_time(text: str | None) -> datetime | None:
    """An ISO-8601 date or time as an aware UTC datetime; None when `text` is blank or is not one.

    Lenient as clients are: a bare date is midnight UTC, a missing zone is UTC, and the `+` of a zone that a query
    string turned into a space is taken back.
    """
    if text is None:
        return None
    stripped = _ZONE_AFTER_SPACE.sub("+", text.strip())
    if not _DATE_AND_TIME.match(stripped):
        return None
    try:
        moment = datetime.fromisoformat(stripped)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def flag(text: str | None) -> bool | None:
    """A boolean token (command-bus.md, 6.2), case and blanks ignored; None when `text` is not one."""
    if text is None:
        return None
    token = text.strip().lower()
    return True if token in _TRUE else False if token in _FALSE else None


def same_millisecond(one: datetime, other: datetime) -> bool:
    """Whether two aware times are equal at the precision of the wire, as optimistic locking compares them."""
    return _cut(one) == _cut(other)


def _cut(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def array_text(words: Iterable[str]) -> str:
    """PostgreSQL's text of an array of plain words (ids, names of tables): quicker for the driver than an array."""
    return f"{{{','.join(words)}}}"


def quoted_array_text(texts: Iterable[str]) -> str:
    """PostgreSQL's text of an array of any texts, each quoted."""
    return array_text('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts)
