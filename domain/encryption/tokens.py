"""A sealed value: deterministic authenticated encryption of one field of one row, as text (decision 0023).

Token: `bse1:<key number>:<lookup hash>:<base64url of row id, place, ciphertext>`. The tenant, the key's number, the
place (table and field), the row id and the lookup hash are authenticated. The same value in the same field of the same
row always gives the same token, so that a row in which nothing changed stays as it was.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from msgspec import Raw, Struct

MARKER: Final = "bse1:"
"""What every sealed value begins with."""
MARKED: Final = MARKER.encode()
DATA_BYTES: Final = 64
"""Length of a data key: AES-SIV with two keys of 256 bits."""
LOOKUP_BYTES: Final = 32
"""Length of a lookup key."""

_TOKEN = re.compile(r"bse1:(\d{1,9}):([0-9a-f]{32}):([A-Za-z0-9_-]{54,})")
_QUOTED = re.compile(rb'("?)(bse1:\d{1,9}:[0-9a-f]{32}:[A-Za-z0-9_-]{54,})("\s*:|"?)')
_HEAD = 24
_TEXT, _JSON = b"s", b"j"
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Unreadable(ValueError):
    """A token that none of the tenant's keys opens."""


class Place(Struct, frozen=True):
    """Where a sealed value stands."""

    table: str
    field: str
    row_id: UUID


class Opened(Struct, frozen=True):
    """What a token held, as JSON text, and whether it stands where it was sealed for."""

    value: Raw
    digest: bytes
    row_id: UUID

    def stands_in(self, place: Place) -> bool:
        """Whether it was sealed for this place."""
        return self.row_id == place.row_id and self.digest == _digest(place.table, place.field)


class TenantKeys:
    """The unwrapped keys of one tenant: all data keys by number, the newest for sealing, and the lookup key."""

    def __init__(self, tenant_id: UUID, data: Mapping[int, bytes], lookup: bytes) -> None:
        """Raises ValueError for a key of another length, or without any data key."""
        if not data or len(lookup) != LOOKUP_BYTES:
            raise ValueError("A tenant has a lookup key and at least one data key.")
        self.tenant_id = tenant_id
        self.current = max(data)
        self._ciphers = {number: AESSIV(key) for number, key in data.items()}
        self._lookup = lookup
        self.missed: set[int] = set()
        """The numbers of keys that were asked for and are not here (any more)."""

    @property
    def numbers(self) -> frozenset[int]:
        """Of all data keys."""
        return frozenset(self._ciphers)

    def seal(self, place: Place, value: Any) -> str:
        """The token of a value: text as it is, anything else as its JSON."""
        plain = _TEXT + value.encode() if isinstance(value, str) else _JSON + _encode(value)
        looked_up = self.lookup_hash(place.table, place.field, value)
        head = place.row_id.bytes + _digest(place.table, place.field)
        bound = self._bound(self.current, looked_up, head)
        sealed = self._ciphers[self.current].encrypt(plain, bound)
        text = base64.urlsafe_b64encode(head + sealed).rstrip(b"=").decode()
        return f"{MARKER}{self.current}:{looked_up}:{text}"

    def open(self, token: str) -> Opened:
        """What a token holds. Raises Unreadable for anything that these keys did not seal."""
        found = _TOKEN.fullmatch(token)
        if found is None:
            raise Unreadable("not a sealed value")
        number, looked_up, text = int(found[1]), found[2], found[3]
        cipher = self._ciphers.get(number)
        if cipher is None:
            self.missed.add(number)
            raise Unreadable(f"sealed with the unknown key {number}")
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            plain = cipher.decrypt(raw[_HEAD:], self._bound(number, looked_up, raw[:_HEAD]))
        except (InvalidTag, binascii.Error, ValueError):
            raise Unreadable("sealed with another key, or changed since") from None
        value = Raw(_encode(plain[1:].decode()) if plain[:1] == _TEXT else plain[1:])
        return Opened(value, raw[16:_HEAD], UUID(bytes=raw[:16]))

    def lookup_hash(self, table: str, field: str, value: Any) -> str:
        """The keyed hash by which equal values of a field are found.

        Of the trimmed, lower-cased text; a number counts as its digits, anything else as its JSON.
        """
        message = f"{table}\0{field}\0{_plain_text(value).strip().lower()}".encode()
        return hmac.digest(self._lookup, message, "sha256")[:16].hex()

    def _bound(self, number: int, looked_up: str, head: bytes) -> list[bytes]:
        return [b"bse1", self.tenant_id.bytes, number.to_bytes(4, "big"), looked_up.encode(), head]


def _plain_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        text = f"{Decimal(str(value)):f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return _encode(value).decode()


@lru_cache(maxsize=4096)
def _digest(table: str, field: str) -> bytes:
    return hashlib.blake2b(f"{table}\0{field}".encode(), digest_size=8).digest()


def is_token(value: Any) -> bool:
    """Whether a value has the form of a sealed one."""
    return isinstance(value, str) and value.startswith(MARKER) and _TOKEN.fullmatch(value) is not None


def key_number(token: str) -> int | None:
    """The number of the data key that a token was sealed with; None for what is no token."""
    found = _TOKEN.fullmatch(token)
    return None if found is None else int(found[1])


def lookup_key(looked_up: str) -> str:
    """What stands for a sealed value wherever equal values are looked for (SQL: `sealed_key`)."""
    return f"{MARKER}{looked_up}"


def hides_token(value: Any) -> bool:
    """Whether a JSON value holds a text that begins with the marker, or a whole token anywhere in a text."""
    if isinstance(value, str):
        return MARKER in value and (value.lstrip().startswith(MARKER) or _TOKEN.search(value) is not None)
    if isinstance(value, dict):
        return any(hides_token(key) or hides_token(inner) for key, inner in value.items())
    if isinstance(value, list):
        return any(map(hides_token, value))
    return False


Reader = Callable[[str], Raw | None]
"""The JSON text of what a token holds; None when it cannot be opened."""


def open_json(content: bytes, read: Reader) -> bytes:
    """JSON text with every token replaced by what it holds; one that cannot be opened stays as it is.

    A token that is a whole string becomes the value with its type; one inside a longer text, or that is the name of a
    member, becomes text.
    """

    def replace(found: re.Match[bytes]) -> bytes:
        value = read(found[2].decode())
        if value is None:
            return found[0]
        opened = bytes(value)
        if found[1] and found[3] == b'"':
            return opened
        text = opened if opened.startswith(b'"') else _encode(opened.decode())
        return found[1] + text[1:-1] + found[3]

    return _QUOTED.sub(replace, content)


def open_value(value: Any, read: Reader) -> Any:
    """A decoded value with every token in it opened; what needs no opening is the same object."""
    if isinstance(value, str):
        return _open_text(value, read) if MARKER in value else value
    if isinstance(value, Mapping):
        return {key: open_value(inner, read) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [open_value(inner, read) for inner in value]
    return value


def _open_text(text: str, read: Reader) -> Any:
    if _TOKEN.fullmatch(text) is not None:
        value = read(text)
        return text if value is None else msgspec.json.decode(value)

    def replace(found: re.Match[str]) -> str:
        value = read(found[0])
        if value is None:
            return found[0]
        opened = msgspec.json.decode(value)
        return opened if isinstance(opened, str) else bytes(value).decode()

    return _TOKEN.sub(replace, text)
