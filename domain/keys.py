"""Keys derived from the master key of the installation: one for each purpose, and one for each tenant and purpose.

Whoever learns a derived key learns nothing about the master key or about any other key.
"""

import base64
import os
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
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


_SEALED = "sealed:1:"


def seal(key: bytes, purpose: str, text: str) -> str:
    """`text` encrypted (AES-256-GCM, random nonce), bound to its purpose: what may stand in tables and in the log."""
    nonce = os.urandom(12)
    return (
        _SEALED
        + base64.b64encode(nonce + AESGCM(key).encrypt(nonce, text.encode(), purpose.encode())).decode()
    )


def unseal(key: bytes, purpose: str, sealed: str) -> str:
    """The text of `seal`. Raises ValueError for anything that this key did not seal for this purpose."""
    if not sealed.startswith(_SEALED):
        raise ValueError("not sealed")
    try:
        raw = base64.b64decode(sealed[len(_SEALED) :], validate=True)
        return AESGCM(key).decrypt(raw[:12], raw[12:], purpose.encode()).decode()
    except InvalidTag:
        raise ValueError("sealed with another key") from None
