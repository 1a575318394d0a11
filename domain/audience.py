"""Whom a published event reaches (contract: events.md 2.3)."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.scope import Scope


class Audience(Struct, frozen=True):
    """The conditions of one event beside its tenant; an empty one holds for everybody. Ids are lower-case text.

    `features` and `actor` belong together: the actor hears the event, and so does who holds any of the features.
    """

    organizations: tuple[str, ...] = ()
    users: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    restricted: bool = False
    actor: str | None = None
    features: tuple[str, ...] = ()


class _Addressed(Struct, rename="camel"):
    """The keys of a payload that say whom it is for; whatever is not text there counts as nothing."""

    organization_id: Any = None
    organization_ids: Any = None
    recipient_user_id: Any = None
    recipient_user_ids: Any = None
    recipient_role_id: Any = None
    recipient_role_ids: Any = None


class _Declared(Struct, rename="camel"):
    """The audience that the sender named."""

    actor_user_id: str | None = None
    features: tuple[str, ...] = ()


_addressed = msgspec.json.Decoder(_Addressed)
_declared = msgspec.json.Decoder(_Declared)


def audience_of(organization_id: UUID | None, payload: str, declared: str | None) -> Audience:
    """The audience of an event: its organization (None: those in the payload), its payload and its declared audience.

    `payload` and `declared` are JSON objects. Raises `msgspec.DecodeError` for anything else.
    """
    addressed = _addressed.decode(payload)
    named = None if declared in {None, "null"} else _declared.decode(declared or "{}")
    organizations = (
        tuple(_texts(addressed.organization_id, addressed.organization_ids))
        if organization_id is None
        else (str(organization_id),)
    )
    return Audience(
        organizations=organizations,
        users=frozenset(_texts(addressed.recipient_user_id, addressed.recipient_user_ids)),
        roles=frozenset(_texts(addressed.recipient_role_id, addressed.recipient_role_ids)),
        restricted=named is not None,
        actor=named.actor_user_id if named else None,
        features=named.features if named else (),
    )


def reaches(audience: Audience, scope: Scope) -> bool:
    """Whether the event is for this actor where they work now; the tenant is the caller's to compare."""
    if audience.organizations and not _in_organizations(audience.organizations, scope):
        return False
    actor = str(scope.actor.id)
    if audience.users and not (scope.actor.kind == "user" and actor in audience.users):
        return False
    if audience.roles and audience.roles.isdisjoint((*scope.roles, *map(str, scope.role_ids))):
        return False
    if not audience.restricted or (audience.actor is not None and audience.actor == actor):
        return True
    return any(scope.can(feature) for feature in audience.features)


def _in_organizations(organizations: Iterable[str], scope: Scope) -> bool:
    """Those that the actor reads from: the selected one with what is below it, or else all that are allowed."""
    visible = scope.allowed_ids if scope.filter_ids is None else scope.filter_ids
    return visible is None or not {str(one) for one in visible}.isdisjoint(organizations)


def _texts(*values: Any) -> list[str]:
    flat = (one for value in values for one in (value if isinstance(value, list) else [value]))
    return [one for one in flat if isinstance(one, str) and one]
