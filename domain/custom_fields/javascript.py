"""How JavaScript reads numbers and dates, as the rules of custom fields do (entities.md 1.4).

The date reader follows what browsers in wide use accept: the ISO forms, whose day may run past the end of its month,
and the older free form (`March 7, 2026`, `3/7/2026 10:15 PM`), of which only the validity matters here.
"""

import math
import re
from typing import Any, Final

_DECIMAL: Final = re.compile(r"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)", re.ASCII)
_RADIX: Final = {"0x": (16, "0123456789abcdef"), "0o": (8, "01234567"), "0b": (2, "01")}
_BLANKS: Final = " \t\n\v\f\r\u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_LONGEST_DATE: Final = 200

_ISO: Final = re.compile(
    r"(?P<year>\d{4}|[+-]\d{6})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d))?)?"
    r"(?:T(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_ZONES: Final = frozenset(("z", "ut", "utc", "gmt", "est", "edt", "cst", "cdt", "mst", "mdt", "pst", "pdt"))
_TOKEN: Final = re.compile(r"\d+|[^\W\d_]+|\s+|.", re.ASCII | re.DOTALL)


def number(value: Any) -> float:
    """A JSON value as a number; NaN where it has none. Lists and objects have none."""
    if value is None:
        return 0.0
    if isinstance(value, bool | int | float):
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    return _number_of_text(value) if isinstance(value, str) else math.nan


def _number_of_text(text: str) -> float:
    text = text.strip(_BLANKS)
    if not text:
        return 0.0
    if text in ("Infinity", "+Infinity"):
        return math.inf
    if text == "-Infinity":
        return -math.inf
    radix = _RADIX.get(text[:2].lower())
    if radix is not None:
        base, digits = radix
        known = len(text) > 2 and all(digit in digits for digit in text[2:].lower())
        return number(int(text[2:], base)) if known and len(text) < 1000 else math.nan
    return float(text) if _DECIMAL.fullmatch(text) else math.nan


def same(one: Any, other: Any) -> bool:
    """Strict equality: kinds must agree, and lists and objects are never equal to another one."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    return (one is None and other is None) or (
        isinstance(one, str) and isinstance(other, str) and one == other
    )


def is_date(value: Any) -> bool:
    """Whether a value can be read as a date. Numbers count as milliseconds; truth values are none."""
    if isinstance(value, bool):
        return False
    if isinstance(value, int | float):
        return abs(value) <= 8.64e15
    if not isinstance(value, str) or len(value) > _LONGEST_DATE:
        return False
    text = value.strip(_BLANKS)
    iso = _ISO.fullmatch(text)
    if iso is not None:
        return _iso_holds(iso)
    return _FreeDate().reads(text)


def _iso_holds(found: re.Match[str]) -> bool:
    month, day = int(found["month"] or 1), int(found["day"] or 1)
    hour, minute, second = (int(found[part] or 0) for part in ("hour", "minute", "second"))
    if found["year"] == "-000000" or not (1 <= month <= 12 and 1 <= day <= 31):
        return False
    midnight = hour == 24 and minute == 0 and second == 0
    return (hour <= 23 or midnight) and minute <= 59 and second <= 59


class _FreeDate:
    """Reads the older free form: up to three numbers of a date, a time with colons, a month's name, a zone."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._time: list[int] = []
        self._in_time = False
        self._month: int | None = None
        self._zone = False
        self._half: str | None = None

    def reads(self, text: str) -> bool:
        """Whether the text is a date."""
        parts = _TOKEN.findall(_without_comments(text))
        for index, part in enumerate(parts):
            following = parts[index + 1] if index + 1 < len(parts) else ""
            before = parts[index - 1] if index else ""
            if not self._take(part, before, following):
                return False
        return self._date_holds() and self._time_holds()

    def _take(self, part: str, before: str, following: str) -> bool:
        if part.isascii() and part.isdigit():
            return self._take_number(part, before, following)
        if part.isalpha():
            return self._take_word(part.lower(), following)
        if part in "+-" and (self._zone or self._time):
            self._zone = True
            return following.isdigit()
        # Other signs part the words; before the first number they say nothing.
        return part.isspace() or part in "-/,.:+" or not self._numbers

    def _take_number(self, part: str, before: str, following: str) -> bool:
        if len(part) > 9:
            return False
        value = int(part)
        if self._zone and before in ("+", "-", ":"):
            return True
        if following == ":" and not self._time:
            self._in_time = True
        if self._in_time:
            if len(self._time) == 4:
                return False
            self._time.append(value if before != "." else 0)
            self._in_time = following in (":", ".")
            return True
        self._numbers.append(value)
        return len(self._numbers) <= 3

    def _take_word(self, word: str, following: str) -> bool:
        start = word[:3]
        if word in ("am", "pm"):
            self._half = word
            return bool(self._time or self._numbers)
        if start in _MONTHS:
            self._month = _MONTHS.index(start) + 1
            return not following.isdigit()
        if word in _ZONES:
            self._zone = True
            return True
        if word == "t":
            return bool(self._numbers)
        return start in _DAYS or not self._numbers

    def _date_holds(self) -> bool:
        numbers = self._numbers
        if self._month is not None:
            day = numbers[:1] if len(numbers) < 2 or numbers[0] <= 31 else numbers[-1:]
            return bool(day) and 1 <= day[0] <= 31
        if not numbers:
            return False
        if len(numbers) == 3 and numbers[0] > 31:
            return 1 <= numbers[1] <= 12 and 1 <= numbers[2] <= 31
        if len(numbers) == 1:
            return 1 <= numbers[0] <= 12 or numbers[0] >= 32
        return 1 <= numbers[0] <= 12 and 1 <= numbers[1] <= 31

    def _time_holds(self) -> bool:
        hour, minute, second, *_ = [*self._time, 0, 0, 0]
        if self._half is not None and not 1 <= hour <= 12:
            return False
        return (hour <= 23 or (hour == 24 and minute == second == 0)) and minute <= 59 and second <= 59


def _without_comments(text: str) -> str:
    """The text without what stands in parentheses, which may be nested; an open one reaches to the end."""
    depth, kept = 0, []
    for letter in text:
        depth += letter == "("
        if depth == 0:
            kept.append(letter)
        depth -= letter == ")" and depth > 0
    return "".join(kept)
