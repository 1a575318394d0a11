"""What a person consented to."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from domain.consents import Consent, opened_detail
from domain.errors import Problem
from domain.scope import Scope
from domain.wire import iso_ms, iso_ms_or_none
from queries.auth.identity import Connection


class ConsentItem(Struct, frozen=True, rename="camel"):
    """One consent; `integrity_valid` says whether the record is as the product wrote it."""

    id: UUID
    consent_type: str
    is_granted: bool
    granted_at: str | None
    withdrawn_at: str | None
    source: str | None
    ip_address: str | None
    integrity_valid: bool
    created_at: str
    updated_at: str | None


class Known(Struct, frozen=True):
    """The state of a consent before it is recorded again."""

    id: UUID
    granted_at: datetime | None
    withdrawn_at: datetime | None
    organization_id: UUID | None
    updated_at: datetime


class Target(Struct, frozen=True):
    """Where a user is."""

    tenant_id: UUID
    organization_id: UUID | None


_LIST = (
    "select tenant_id, id, organization_id, user_id, consent_type, is_granted, granted_at, withdrawn_at, source,"
    " ip_address, integrity_hash, created_at, updated_at from user_consents"
    " where tenant_id = $1 and user_id = $2 and deleted_at is null order by created_at desc, id desc"
)


async def consents_of(
    connection: Connection, tenant_id: UUID, user_id: UUID, *, integrity_key: bytes, seal_key: bytes
) -> list[ConsentItem]:
    """All consents of a user of the tenant, newest first."""
    rows = await connection.fetch(_LIST, tenant_id, user_id)
    return [_item(row, integrity_key, seal_key) for row in rows]


def _item(row: Any, integrity_key: bytes, seal_key: bytes) -> ConsentItem:
    source, address = (opened_detail(seal_key, row["id"], row[name]) for name in ("source", "ip_address"))
    consent = Consent(
        tenant_id=row["tenant_id"],
        id=row["id"],
        organization_id=row["organization_id"],
        user_id=row["user_id"],
        consent_type=row["consent_type"],
        is_granted=row["is_granted"],
        granted_at=row["granted_at"],
        withdrawn_at=row["withdrawn_at"],
        source=source,
        ip_address=address,
    )
    return ConsentItem(
        id=consent.id,
        consent_type=consent.consent_type,
        is_granted=consent.is_granted,
        granted_at=iso_ms_or_none(consent.granted_at),
        withdrawn_at=iso_ms_or_none(consent.withdrawn_at),
        source=source,
        ip_address=address,
        integrity_valid=consent.intact(integrity_key, row["integrity_hash"]),
        created_at=iso_ms(row["created_at"]),
        updated_at=iso_ms_or_none(row["updated_at"]),
    )


async def known_consent(
    connection: Connection, tenant_id: UUID, user_id: UUID, consent_type: str
) -> Known | None:
    """The consent of this type that a user gave or withdrew before."""
    row = await connection.fetchrow(
        "select id, granted_at, withdrawn_at, organization_id, updated_at from user_consents"
        " where tenant_id = $1 and user_id = $2 and consent_type = $3",
        tenant_id,
        user_id,
        consent_type,
    )
    return None if row is None else Known(**row)


async def reachable_user(connection: Connection, scope: Scope, user_id: UUID) -> Target | None:
    """Where the user is whom the actor wants to act on (auth.md 5.3); None for nobody at all.

    Asked by the installation's own role. Raises Problem 404 for a user of another tenant, 403 for one outside of the
    actor's organizations; a super admin may reach everybody.
    """
    row = await connection.fetchrow(
        "select tenant_id, organization_id from users where id = $1 and deleted_at is null", user_id
    )
    if row is None:
        return None
    target = Target(**row)
    if not scope.is_super_admin:
        if target.tenant_id != scope.tenant_id:
            raise Problem.not_found("User not found")
        restricted = scope.allowed_ids is not None
        if restricted and (target.organization_id is None or not scope.may_touch(target.organization_id)):
            raise Problem.forbidden(error="This user is in an organization that you may not access")
    return target
