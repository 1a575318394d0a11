"""The scope of a command as the log keeps it, so that the command can be executed again with the same rights.

It holds what decides: ids, organizations, features. It does not hold what merely describes (names and addresses of
people, who may have to be forgotten) nor the session, which is no part of history. Equal scopes have equal ids.
"""

import hashlib
from functools import lru_cache
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.scope import Actor, ActorKind, Scope


class RecordedScope(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The deciding part of a scope; the tenant is that of the log row."""

    actor_kind: ActorKind
    actor_id: UUID | None = None
    user_id: UUID | None = None
    home: UUID | None = None
    selected: UUID | None = None
    filter: list[UUID] | None = None
    allowed: list[UUID] | None = None
    rejected: bool = False
    super_admin: bool = False
    features: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    role_ids: tuple[UUID, ...] = ()
    actor_tenant: UUID | None = None
    locale: str = "en"

    def scope(self, tenant_id: UUID) -> Scope:
        """The scope to execute with."""
        return Scope(
            tenant_id=tenant_id,
            actor=Actor(id=self.actor_id, kind=self.actor_kind, user_id=self.user_id),
            home_organization_id=self.home,
            selected_organization_id=self.selected,
            filter_ids=None if self.filter is None else tuple(self.filter),
            allowed_ids=None if self.allowed is None else frozenset(self.allowed),
            selection_rejected=self.rejected,
            is_super_admin=self.super_admin,
            features=self.features,
            roles=self.roles,
            role_ids=self.role_ids,
            actor_tenant_id=self.actor_tenant,
            locale=self.locale,
        )


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(RecordedScope)


class ScopeRecord(Struct, frozen=True):
    """A recorded scope as a row: the digest of its content, and the content as JSON."""

    id: UUID
    text: bytes


@lru_cache(maxsize=4_096)
def record_of(scope: Scope) -> ScopeRecord:
    """What is stored of a scope; remembered, because each command asks for that of its own."""
    actor = scope.actor
    text = _encode(
        RecordedScope(
            actor_kind=actor.kind,
            actor_id=actor.id,
            user_id=actor.user_id,
            home=scope.home_organization_id,
            selected=scope.selected_organization_id,
            filter=None if scope.filter_ids is None else list(scope.filter_ids),
            allowed=None if scope.allowed_ids is None else sorted(scope.allowed_ids),
            rejected=scope.selection_rejected,
            super_admin=scope.is_super_admin,
            features=scope.features,
            roles=scope.roles,
            role_ids=scope.role_ids,
            actor_tenant=scope.actor_tenant_id,
            locale=scope.locale,
        )
    )
    return ScopeRecord(UUID(bytes=hashlib.blake2b(text, digest_size=16).digest()), text)


def scope_of(text: str | bytes, tenant_id: UUID) -> Scope:
    """The scope that a record stands for."""
    return _decoder.decode(text).scope(tenant_id)
