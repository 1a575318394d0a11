"""Who acts, where, and with which rights: the argument of everything that touches data."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from domain.features import granted

ActorKind = Literal["user", "api_key", "system"]
Source = Literal["ui", "api", "ai", "system"]


class Actor(Struct, frozen=True):
    """The one who acts: a person, an API key, or the system itself (`id` None)."""

    id: UUID | None
    kind: ActorKind
    email: str | None = None
    name: str | None = None
    session_id: UUID | None = None
    user_id: UUID | None = None
    """The person behind an API key; for a person, the same as `id`."""


class Scope(Struct, frozen=True):
    """Tenant, organizations, actor and rights of one request (contract: directory.md section 6, auth.md section 4)."""

    tenant_id: UUID
    actor: Actor
    home_organization_id: UUID | None = None
    selected_organization_id: UUID | None = None
    """The organization that writes go to; None means all organizations."""
    filter_ids: tuple[UUID, ...] | None = None
    """Organizations that reads are narrowed to; None: not narrowed; empty: nothing is visible."""
    allowed_ids: frozenset[UUID] | None = None
    """Organizations the actor may touch; None: all of the tenant."""
    selection_rejected: bool = False
    is_super_admin: bool = False
    features: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    role_ids: tuple[UUID, ...] = ()
    actor_tenant_id: UUID | None = None
    """The actor's own tenant, which differs from `tenant_id` only for a super admin who selected another."""
    locale: str = "en"

    def can(self, *features: str) -> bool:
        """Whether every one of `features` is granted here (auth.md 4.1 and 4.3)."""
        return granted(features, self.features, self.is_super_admin)

    def missing(self, features: Iterable[str]) -> list[str]:
        """The members of `features` that are not granted, in order."""
        return [feature for feature in features if not self.can(feature)]

    def may_touch(self, organization_id: UUID | None) -> bool:
        """Whether rows of this organization may be changed by the actor."""
        return self.allowed_ids is None or organization_id is None or organization_id in self.allowed_ids

    @property
    def feature_organization_id(self) -> UUID | None:
        """The organization that feature checks, and the audit log's default filter, are made in."""
        if self.selected_organization_id is not None:
            return self.selected_organization_id
        if self.allowed_ids is None:
            return None if self.filter_ids is None else self.home_organization_id
        if self.home_organization_id in self.allowed_ids:
            return self.home_organization_id
        return min(self.allowed_ids, default=None)


class Options(Struct, frozen=True):
    """What one request asks of the bus, apart from who asks."""

    request_id: str | None = None
    correlation_id: str | None = None
    reason: str | None = None
    source: Source = "ui"
    dry_run: bool = False
    idempotency_key: str | None = None
    expected_updated_at: datetime | None = None


def system_scope(tenant_id: UUID) -> Scope:
    """The scope of trusted work without a person: seeding, replay, maintenance."""
    return Scope(
        tenant_id=tenant_id, actor=Actor(id=None, kind="system"), is_super_admin=True, features=("*",)
    )
