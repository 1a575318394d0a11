"""Passwords: slow hashes made beside the event loop, and the policy for new ones (contract: auth.md section 3)."""

import os
import re
from typing import Final

import anyio.to_thread
from anyio import CapacityLimiter
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from msgspec import Struct

from domain.keys import seal, unseal

_PURPOSE: Final = "auth/password"

MAX_LENGTH: Final = 256
"""Longest password in characters; a longer one would only be work for the hash."""

_DUMMY: Final = (
    "$argon2id$v=19$m=19456,t=2,p=1$hGswCHrktM/6KBSvndMfqg$PRuPcZV21E+VzFMqp9VWNewrxYB6E2lfk6PlmLmc1jg"
)
"""Of no password. Verified when there is no account, so that all refusals cost the same."""


class Passwords:
    """Hashes and verifies with Argon2id (19 MiB, two passes), at most one at a time for each core.

    Hashes are sealed with a key of the installation before anybody sees them: row images keep columns as they are in
    the table, so what stands in a table, and therefore in the log and in its backups, must not be worth stealing.
    """

    def __init__(self, seal_key: bytes) -> None:
        """Start with all slots free; `seal_key` has 32 bytes."""
        self._seal_key = seal_key
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._slots = CapacityLimiter(min(os.cpu_count() or 1, 4))

    async def hash(self, password: str) -> str:
        """The sealed hash of a password, with a salt of its own."""
        digest = await anyio.to_thread.run_sync(self._hasher.hash, password, limiter=self._slots)
        return seal(self._seal_key, _PURPOSE, digest)

    async def verify(self, digest: str | None, password: str) -> bool:
        """Whether `password` belongs to the sealed hash `digest`; None is refused after the same work."""
        matches = await anyio.to_thread.run_sync(
            self._verify, self._opened(digest), password, limiter=self._slots
        )
        return matches and digest is not None

    def _opened(self, digest: str | None) -> str:
        """The hash under the seal; the dummy when there is none that this installation sealed."""
        try:
            return _DUMMY if digest is None else unseal(self._seal_key, _PURPOSE, digest)
        except ValueError:
            return _DUMMY

    def _verify(self, digest: str, password: str) -> bool:
        try:
            return self._hasher.verify(digest, password)
        except (VerificationError, InvalidHashError):
            return False


class PasswordPolicy(Struct, frozen=True):
    """What a new password must have; signing in with an old one is not held to it."""

    min_length: int = 6
    digit: bool = True
    uppercase: bool = True
    special: bool = True

    def faults(self, password: str) -> list[str]:
        """What is wrong with `password`, one sentence each; empty when it will do."""
        rules = (
            (len(password) < self.min_length, f"Password must have at least {self.min_length} characters."),
            (len(password) > MAX_LENGTH, f"Password must have at most {MAX_LENGTH} characters."),
            (self.digit and not re.search(r"[0-9]", password), "Password must contain a digit."),
            (
                self.uppercase and not re.search(r"[A-Z]", password),
                "Password must contain an upper-case letter.",
            ),
            (
                self.special and not re.search(r"[^A-Za-z0-9]", password),
                "Password must contain a special character.",
            ),
        )
        return [text for broken, text in rules if broken]
