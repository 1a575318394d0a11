"""Consents: the seal of each record that shows whether anybody changed it beside the product (auth.md 7.20).

The seal covers what the contract names, and the record's id, tenant and organization, so that a record cannot be
passed off as another one's.
"""

import hmac
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.keys import seal, unseal
from domain.wire import iso_ms_or_none


class Consent(Struct, frozen=True, kw_only=True):
    """What one person agreed to or withdrew; instants in whole milliseconds."""

    tenant_id: UUID
    id: UUID
    organization_id: UUID | None
    user_id: UUID
    consent_type: str
    is_granted: bool
    granted_at: datetime | None
    withdrawn_at: datetime | None
    source: str | None
    ip_address: str | None

    def integrity_hash(self, key: bytes) -> str:
        """Keyed hash (hexadecimal HMAC-SHA-256) of everything in the record."""
        parts = [
            "v2",
            self.tenant_id,
            self.organization_id,
            self.id,
            self.user_id,
            self.consent_type,
            self.is_granted,
            iso_ms_or_none(self.granted_at),
            iso_ms_or_none(self.withdrawn_at),
            self.ip_address,
            self.source,
        ]
        return hmac.digest(key, msgspec.json.encode(parts), "sha256").hex()

    def intact(self, key: bytes, stored: str | None) -> bool:
        """Whether `stored` is the hash of this record."""
        return stored is not None and hmac.compare_digest(self.integrity_hash(key).encode(), stored.encode())


def sealed_detail(key: bytes, consent_id: UUID, text: str | None) -> str | None:
    """An address or source as it may stand in the table and in the log."""
    return None if text is None else seal(key, f"consent/{consent_id}", text)


def opened_detail(key: bytes, consent_id: UUID, sealed: str | None) -> str | None:
    """What `sealed_detail` sealed; a text that is not sealed (or was tampered with) is given as it is."""
    if sealed is None:
        return None
    try:
        return unseal(key, f"consent/{consent_id}", sealed)
    except ValueError:
        return sealed
