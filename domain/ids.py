"""Identifiers: version 4 in form (what clients of this API accept), ordered by time in content.

Layout: 48 bits of Unix milliseconds, version nibble 4, 12 bits of the millisecond's fraction, the variant, and
62 bits that are random or, inside a command, a keyed digest of the log id and a counter.
"""

import hashlib
import os
from datetime import UTC, datetime
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def compose(instant: datetime, tail: bytes) -> UUID:
    """An id of `instant` (aware) whose last 62 bits come from the 8 bytes of `tail`."""
    elapsed = instant - _EPOCH
    micros = (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds
    millis, fraction = divmod(micros, 1000)
    low = (int.from_bytes(tail, "big") & ((1 << 62) - 1)) | (1 << 63)
    return UUID(int=(millis << 80) | (4 << 76) | ((fraction * 4096 // 1000) << 64) | low)


def random_id(instant: datetime | None = None) -> UUID:
    """A fresh id of now, or of `instant`."""
    return compose(instant or datetime.now(UTC), os.urandom(8))


def derived_id(instant: datetime, log_id: UUID, counter: int) -> UUID:
    """The id number `counter` of the command recorded as `log_id`: a re-execution gets the same one."""
    digest = hashlib.blake2b(log_id.bytes + counter.to_bytes(8, "big"), digest_size=8).digest()
    return compose(instant, digest)


def undo_token(log_id: UUID, key: bytes) -> str:
    """The undo token of a log row: a version 4 UUID text that cannot be guessed without `key`."""
    digest = hashlib.blake2b(log_id.bytes, key=key[:64], digest_size=16).digest()
    return str(UUID(bytes=digest, version=4))
