"""Times and boolean tokens on the wire."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.wire import flag, iso_ms, parse_time, same_millisecond


def test_times_are_cut_to_milliseconds_in_utc():
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_999, timezone(timedelta(hours=2)))
    assert iso_ms(moment) == "2026-01-02T01:04:05.678Z"
    naive = datetime(2026, 1, 2)  # noqa: DTZ001  # what a time without a zone becomes
    assert iso_ms(naive) == "2026-01-02T00:00:00.000Z"


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_comes_back_from_the_wire(moment: datetime):
    back = parse_time(iso_ms(moment))
    assert back is not None and same_millisecond(back, moment)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678Z"),
        (" 2026-01-02T03:04:05+02:00 ", "2026-01-02T01:04:05.000Z"),
        ("2026-01-02T03:04:05 02:00", "2026-01-02T01:04:05.000Z"),
        ("2026-01-02", "2026-01-02T00:00:00.000Z"),
        ("2026-01-02 03:04", "2026-01-02T03:04:00.000Z"),
    ],
)
def test_lenient_forms_are_read(text: str, wanted: str):
    moment = parse_time(text)
    assert moment is not None and iso_ms(moment) == wanted


@pytest.mark.parametrize(
    "text", [None, "", "12", "garbage", "2026-02-30", "2026-01-02T25:00", "0001-01-01T00:00:00+14:00"]
)
def test_other_texts_are_no_times(text):
    assert parse_time(text) is None


@given(st.text())
def test_no_text_breaks_the_reader(text: str):
    parse_time(text)
    assert flag(text) in (True, False, None)


def test_boolean_tokens():
    assert [flag(t) for t in ("1", " TRUE ", "enabled", "0", "Off", "disable", "perhaps", "", None)] == [
        True,
        True,
        True,
        False,
        False,
        False,
        None,
        None,
        None,
    ]
