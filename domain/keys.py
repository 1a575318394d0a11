"""Keys derived from the master key of the installation: one for each purpose, and one for each tenant and purpose.

Whoever learns a derived key learns nothing about the master key or about any other key.
"""

from functools import lru_cache
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_SALT = b"backstep/keys/v1"


@lru_cache(maxsize=64)
def derived_key(master: bytes, purpose: str) -> bytes:
    """The 32-byte key of the installation for a purpose, such as `"session"`."""
    return _derive(master, b"installation\0" + purpose.encode())


@lru_cache(maxsize=4096)
def tenant_key(master: bytes, tenant_id: UUID, purpose: str) -> bytes:
    """The 32-byte key of one tenant for a purpose, such as `"search"`."""
    return _derive(master, b"tenant\0" + tenant_id.bytes + purpose.encode())


def _derive(master: bytes, info: bytes) -> bytes:
    if len(master) != 32:
        raise ValueError("A master key has 32 bytes.")
    return HKDF(algorithm=SHA256(), length=32, salt=_SALT, info=info).derive(master)
