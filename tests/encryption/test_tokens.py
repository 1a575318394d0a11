"""The form of sealed values."""

import os
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.encryption.tokens import (
    DATA_BYTES,
    LOOKUP_BYTES,
    Place,
    TenantKeys,
    Unreadable,
    is_token,
    open_json,
    open_value,
)

PLACE = Place("users", "name", uuid4())
TENANT = uuid4()
DATA, LOOKUP = os.urandom(DATA_BYTES), os.urandom(LOOKUP_BYTES)
KEYS = TenantKeys(TENANT, {1: DATA}, LOOKUP)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_what_was_sealed_comes_back_and_always_the_same_way(value: Any) -> None:
    token = KEYS.seal(PLACE, value)
    assert is_token(token) and KEYS.seal(PLACE, value) == token
    opened = KEYS.open(token)
    assert msgspec.json.decode(opened.value) == value and opened.stands_in(PLACE)


@given(json_values, st.text(alphabet=st.characters(codec="utf-8", exclude_characters='"')))
def test_opening_json_gives_what_would_have_been_written(value: Any, around: str) -> None:
    token = KEYS.seal(PLACE, value)
    content = msgspec.json.encode({"whole": token, "list": [token], "part": f"{around} {token}!"})
    opened = msgspec.json.decode(open_json(content, lambda text: KEYS.open(text).value))
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    assert opened == {"whole": value, "list": [value], "part": f"{around} {text}!"}
    assert open_value({"whole": token}, lambda found: KEYS.open(found).value) == {"whole": value}


def test_digits_of_a_number_are_kept() -> None:
    token = KEYS.seal(PLACE, {"n": Decimal("1.10")})
    assert bytes(KEYS.open(token).value) == b'{"n":1.10}'


@pytest.mark.parametrize("part", [1, 2, 3])
def test_no_part_of_a_token_can_be_exchanged(part: int) -> None:
    one = KEYS.seal(PLACE, "Ada").split(":")
    two = TenantKeys(TENANT, {1: DATA, 2: DATA}, LOOKUP)
    other = two.seal(Place("users", "name", uuid4()), "Bob").split(":")
    mixed = ":".join([*one[:part], other[part], *one[part + 1 :]])
    with pytest.raises(Unreadable):
        two.open(mixed)


def test_another_tenant_cannot_open_it_even_with_the_same_key() -> None:
    token = KEYS.seal(PLACE, "Ada")
    with pytest.raises(Unreadable):
        TenantKeys(uuid4(), {1: DATA}, LOOKUP).open(token)
    with pytest.raises(Unreadable):
        TenantKeys(TENANT, {1: os.urandom(DATA_BYTES)}, LOOKUP).open(token)


def test_a_token_of_another_row_or_field_says_so() -> None:
    opened = KEYS.open(KEYS.seal(PLACE, "Ada"))
    assert not opened.stands_in(Place("users", "name", uuid4()))
    assert not opened.stands_in(Place("users", "email", PLACE.row_id))


def test_old_keys_open_what_they_sealed() -> None:
    old = KEYS.seal(PLACE, "Ada")
    both = TenantKeys(TENANT, {1: DATA, 2: os.urandom(DATA_BYTES)}, LOOKUP)
    assert bytes(both.open(old).value) == b'"Ada"'
    assert both.seal(PLACE, "Ada") != old
    assert both.seal(PLACE, "Ada").split(":")[2] == old.split(":")[2]
