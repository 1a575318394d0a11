"""Data keys at rest: wrapped by the tenant's wrapping key, which is never stored beside them (decision 0023)."""

import base64
import binascii
from typing import Protocol
from uuid import UUID

from domain.keys import seal, tenant_key, unseal


class KeysUnavailable(Exception):
    """The keys cannot be had just now; trying again later may help."""


class KeyMissing(Exception):
    """A wrapping key that must exist does not, or is not the one that the data keys were wrapped with."""


class Wrapping(Protocol):
    """Where the wrapping keys of tenants come from."""

    @property
    def kind(self) -> str:
        """`local` or `vault`, as it is stored with each wrapped key."""
        ...

    async def wrapping_key(self, tenant_id: UUID, *, make: bool) -> bytes:
        """The 32-byte key of a tenant. Raises KeysUnavailable, and KeyMissing without one that may not be made."""
        ...


class LocalWrapping:
    """Wrapping keys derived from a secret of the installation: nothing to keep but that secret."""

    kind = "local"

    def __init__(self, root: bytes) -> None:
        """`root` has 32 bytes."""
        self._root = root

    async def wrapping_key(self, tenant_id: UUID, *, make: bool) -> bytes:
        """Derived; there always is one."""
        return tenant_key(self._root, tenant_id, "encryption/wrapping")


def wrap(wrapping_key: bytes, tenant_id: UUID, purpose: str, number: int, key: bytes) -> str:
    """A data key as it may be stored; bound to its tenant, purpose and number."""
    return seal(wrapping_key, _bound(tenant_id, purpose, number), base64.b64encode(key).decode())


def unwrap(wrapping_key: bytes, tenant_id: UUID, purpose: str, number: int, wrapped: str) -> bytes:
    """The data key. Raises KeyMissing when it was wrapped with another key, or changed."""
    try:
        return base64.b64decode(
            unseal(wrapping_key, _bound(tenant_id, purpose, number), wrapped), validate=True
        )
    except (ValueError, binascii.Error):
        raise KeyMissing(
            f"The {purpose} key {number} of tenant {tenant_id} cannot be unwrapped: it was wrapped with another key."
        ) from None


def _bound(tenant_id: UUID, purpose: str, number: int) -> str:
    return f"data-key/{tenant_id}/{purpose}/{number}"
