"""A sealed value: deterministic authenticated encryption of one field of one row, as text (decisions 0023 and 0034).

Token: `bse1:<key number>:<masked lookup hash>:.<base64url of subject, place, ciphertext>`. The key is derived from the
tenant's data key and the secret of the record that the value belongs to, its subject; without either nothing opens it.
The tenant, the key's number, the subject, the place (table and field) and the lookup hash are authenticated. The same
value in the same field of the same row always gives the same token, so that a row in which nothing changed stays as it
was.

Tokens of the older form, without the dot, have the row's id in place of the subject, and need the tenant's key alone.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Raw, Struct

MARKER: Final = "bse1:"
"""What every sealed value begins with."""
MARKED: Final = MARKER.encode()
DATA_BYTES: Final = 64
"""Length of a data key: AES-SIV with two keys of 256 bits."""
LOOKUP_BYTES: Final = 32
"""Length of a lookup key."""
SECRET_BYTES: Final = 32
"""Length of the secret of a subject."""
ERASED: Final = Raw(b"null")
"""What stands in an answer for a value that was erased; it is told by its identity."""
ERASED_TEXT: Final = "[erased]"
"""The same, where such a value was a part of a longer text."""

_TOKEN = re.compile(r"bse1:(\d{1,9}):([0-9a-f]{32}):(\.?[A-Za-z0-9_-]{54,})")
_QUOTED = re.compile(rb'("?)(bse1:\d{1,9}:[0-9a-f]{32}:\.?[A-Za-z0-9_-]{54,})("\s*:|"?)')
_SUBJECT = re.compile(rb"bse1:\d{1,9}:[0-9a-f]{32}:\.([A-Za-z0-9_-]{22})")
_OLDER = re.compile(rb"bse1:\d{1,9}:[0-9a-f]{32}:[A-Za-z0-9_-]{54,}")
_HEAD = 24
_MOST_CIPHERS = 10_000
_TEXT, _JSON = b"s", b"j"
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Unreadable(ValueError):
    """A token that none of the tenant's keys opens."""


class Erased(Unreadable):
    """A token whose subject's secret was destroyed."""


class Subject(Struct, frozen=True):
    """The record that sealed values belong to, and its secret; None once that was destroyed."""

    id: UUID
    table: str
    row_id: UUID
    secret: bytes | None


Subjects = Mapping[UUID, Subject]
"""Subjects by their ids."""
NOBODY: Final[Subjects] = {}


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
        return self.row_id == place.row_id and self.digest == digest_of(place.table, place.field)


class Head(Struct, frozen=True):
    """What a token says of itself to whoever has no key: the subject (None in the older form), and a digest of table
    and field.
    """

    subject: UUID | None
    digest: bytes


class TenantKeys:
    """The unwrapped keys of one tenant: all data keys by number, the newest for sealing, and the lookup key."""

    def __init__(self, tenant_id: UUID, data: Mapping[int, bytes], lookup: bytes) -> None:
        """Raises ValueError for a key of another length, or without any data key."""
        if not data or len(lookup) != LOOKUP_BYTES:
            raise ValueError("A tenant has a lookup key and at least one data key.")
        self.tenant_id = tenant_id
        self.current = max(data)
        self._data = dict(data)
        self._ciphers: dict[tuple[int, UUID | None], AESSIV] = {}
        self._lookup = lookup
        self.missed: set[int | UUID] = set()
        """The numbers of keys, and the subjects, that were asked for and are not here (any more)."""

    @property
    def numbers(self) -> frozenset[int]:
        """Of all data keys."""
        return frozenset(self._data)

    def seal(self, place: Place, value: Any, subject: Subject | None = None) -> str:
        """The token of a value: text as it is, anything else as its JSON; without a subject, in the older form."""
        plain = _TEXT + value.encode() if isinstance(value, str) else _JSON + _encode(value)
        looked_up = self.lookup_hash(place.table, place.field, value)
        head = (subject.id if subject else place.row_id).bytes + digest_of(place.table, place.field)
        bound = self._bound(self.current, subject, looked_up, head)
        sealed = self._cipher(self.current, subject).encrypt(plain, bound)
        text = base64.urlsafe_b64encode(head + sealed).rstrip(b"=").decode()
        if subject is not None:
            text = f".{text}"
            looked_up = _masked(looked_up, _secret(subject), text)
        return f"{MARKER}{self.current}:{looked_up}:{text}"

    def open(self, token: str, subjects: Subjects = NOBODY) -> Opened:
        """What a token holds. Raises Unreadable for anything that these keys and subjects did not seal, and Erased when
        its subject's secret was destroyed.
        """
        found = _TOKEN.fullmatch(token)
        if found is None:
            raise Unreadable("not a sealed value")
        number, looked_up, text = int(found[1]), found[2], found[3]
        if number not in self._data:
            self.missed.add(number)
            raise Unreadable(f"sealed with the unknown key {number}")
        changed = "sealed with another key, or changed since"
        try:
            raw = _decoded(text)
        except binascii.Error:
            raise Unreadable(changed) from None
        subject = self._subject(raw, subjects) if text[0] == "." else None
        if subject is not None:
            looked_up = _masked(looked_up, _secret(subject), text)
        bound = self._bound(number, subject, looked_up, raw[:_HEAD])
        try:
            plain = self._cipher(number, subject).decrypt(raw[_HEAD:], bound)
        except (InvalidTag, ValueError):
            raise Unreadable(changed) from None
        value = Raw(_encode(plain[1:].decode()) if plain[:1] == _TEXT else plain[1:])
        return Opened(value, raw[16:_HEAD], subject.row_id if subject else UUID(bytes=raw[:16]))

    def _subject(self, raw: bytes, subjects: Subjects) -> Subject:
        id = UUID(bytes=raw[:16])
        subject = subjects.get(id)
        if subject is None or subject.secret is None:
            self.missed.add(id)
            raise Erased("its secret was destroyed") if subject else Unreadable("its secret is not known")
        return subject

    def _cipher(self, number: int, subject: Subject | None) -> AESSIV:
        place = (number, None if subject is None else subject.id)
        cipher = self._ciphers.get(place)
        if cipher is None:
            if len(self._ciphers) >= _MOST_CIPHERS:
                self._ciphers.clear()
            key = self._data[number] if subject is None else _derived(self._data[number], subject)
            cipher = self._ciphers[place] = AESSIV(key)
        return cipher

    def lookup_hash(self, table: str, field: str, value: Any) -> str:
        """The keyed hash by which equal values of a field are found.

        Of the trimmed, lower-cased text; a number counts as its digits, anything else as its JSON.
        """
        message = f"{table}\0{field}\0{_plain_text(value).strip().lower()}".encode()
        return hmac.digest(self._lookup, message, "sha256")[:16].hex()

    def _bound(self, number: int, subject: Subject | None, looked_up: str, head: bytes) -> list[bytes]:
        form = b"bse1" if subject is None else b"bse1."
        return [form, self.tenant_id.bytes, number.to_bytes(4, "big"), looked_up.encode(), head]


def _derived(data_key: bytes, subject: Subject) -> bytes:
    """The key of a subject's values. The secret is HMAC's key here: without it, the data key tells nothing."""
    info = b"backstep/sealed/1\0" + subject.table.encode() + b"\0" + subject.row_id.bytes
    return HKDF(algorithm=SHA256(), length=DATA_BYTES, salt=_secret(subject), info=info).derive(data_key)


def _secret(subject: Subject) -> bytes:
    if subject.secret is None or len(subject.secret) != SECRET_BYTES:
        raise Erased("its secret was destroyed")
    return subject.secret


def _masked(looked_up: str, secret: bytes, text: str) -> str:
    """A lookup hash masked, or unmasked again (SQL: `unmasked`): each ciphertext has a mask of its own."""
    mask = hashlib.sha256(secret + text.encode()).digest()[:16]
    return bytes(one ^ other for one, other in zip(bytes.fromhex(looked_up), mask, strict=True)).hex()


def _decoded(text: str) -> bytes:
    """The bytes of a token's last part. Raises binascii.Error."""
    bare = text.removeprefix(".")
    return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))


def _plain_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        text = f"{Decimal(str(value)):f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return _encode(value).decode()


@lru_cache(maxsize=4096)
def digest_of(table: str, field: str) -> bytes:
    """What stands for a table and a field in tokens."""
    return hashlib.blake2b(f"{table}\0{field}".encode(), digest_size=8).digest()


def is_token(value: Any) -> bool:
    """Whether a value has the form of a sealed one."""
    return isinstance(value, str) and value.startswith(MARKER) and _TOKEN.fullmatch(value) is not None


def head_of(token: str) -> Head | None:
    """What a token says of itself; None for what is no token."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    try:
        raw = _decoded(found[3])
    except binascii.Error:
        return None
    return Head(UUID(bytes=raw[:16]) if found[3][0] == "." else None, raw[16:_HEAD])


def subjects_in(content: bytes) -> set[UUID]:
    """The subjects of all tokens in a text."""
    if MARKED not in content:
        return set()
    return {UUID(bytes=base64.urlsafe_b64decode(found + b"==")) for found in set(_SUBJECT.findall(content))}


def older_tokens(content: bytes) -> set[bytes]:
    """The tokens of the older form in a text."""
    return set(_OLDER.findall(content)) if MARKED in content else set()


def marked_texts(value: Any) -> Iterator[str]:
    """The texts in a decoded value that may hold tokens."""
    if isinstance(value, str):
        if MARKER in value:
            yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from marked_texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from marked_texts(inner)


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
"""The JSON text of what a token holds, or ERASED; None when it cannot be opened."""


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
        if value is ERASED:
            return found[1] + ERASED_TEXT.encode() + found[3]
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
        if value is None or value is ERASED:
            return found[0] if value is None else ERASED_TEXT
        opened = msgspec.json.decode(value)
        return opened if isinstance(opened, str) else bytes(value).decode()

    return _TOKEN.sub(replace, text)
