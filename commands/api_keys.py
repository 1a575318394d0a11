"""Commands on API keys (contract: auth.md 8.9). The secret is made, hashed and shown outside; no command sees it."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from commands.auth.users import RoleTokens, roles_of_tokens
from commands.registry import Command, command, handles
from commands.unit import Unit
from domain.api_keys import CREATE, DELETE, api_keys
from domain.errors import Problem, issue

KeyName = Annotated[str, Meta(min_length=1, max_length=120, extra={"trim": True})]
KeyDescription = Annotated[str, Meta(max_length=1_000, extra={"trim": True})]
Secret = Annotated[str, Meta(extra={"secret": True})]


class RoleName(Struct, frozen=True):
    """A role of a key."""

    id: UUID
    name: str


class MadeKey(Struct, frozen=True, rename="camel"):
    """The new key, without its secret."""

    id: UUID
    name: str
    key_prefix: str
    tenant_id: UUID
    organization_id: UUID | None
    roles: list[RoleName]


@command("api_keys.keys.create", resource="api_keys.key", label="Create API key", features=(CREATE,))
class CreateKey(Command, frozen=True, kw_only=True, rename="camel"):
    """Add a key that acts with `roles` (ids or names) in an organization, or (None) in the whole tenant.

    `key_prefix` is the beginning of its secret, `key_hash` the keyed hash of all of it.
    """

    name: KeyName
    organization_id: UUID | None
    key_prefix: Secret
    key_hash: Secret
    description: KeyDescription | None = None
    roles: RoleTokens = []
    expires_at: datetime | None = None


@handles(CreateKey)
async def create_key(command: CreateKey, unit: Unit) -> MadeKey:
    """Raises Problem 400 for unknown roles, a past end or an unknown organization, and 403 by the guards."""
    if command.expires_at is not None and command.expires_at <= unit.now:
        raise Problem.invalid([issue("The end must be in the future", ["expiresAt"])])
    found = await roles_of_tokens(unit, command.roles)
    if command.organization_id is not None:
        await _require_organization(unit, command.organization_id)
    image = await unit.insert(
        api_keys,
        {
            "organization_id": command.organization_id,
            "name": command.name,
            "description": command.description or None,
            "key_prefix": command.key_prefix,
            "key_hash": command.key_hash,
            "role_ids": list(found),
            "created_by": unit.scope.actor.user_id,
            "expires_at": command.expires_at,
        },
    )
    assert image is not None, "an unconditional insert gives its row"
    return MadeKey(
        id=image.id,
        name=command.name,
        key_prefix=command.key_prefix,
        tenant_id=unit.scope.tenant_id,
        organization_id=command.organization_id,
        roles=[RoleName(id, name) for id, name in found.items()],
    )


@command(
    "api_keys.keys.delete", resource="api_keys.key", label="Delete API key", features=(DELETE,), target="id"
)
class DeleteKey(Command, frozen=True, kw_only=True, rename="camel"):
    """Revoke a key at once; undo brings it back."""

    id: UUID


@handles(DeleteKey)
async def delete_key(command: DeleteKey, unit: Unit) -> dict[str, bool]:
    """Raises Problem 404 for a key that is gone, or outside the actor's organizations."""
    stored = await unit.get(api_keys, command.id)
    if stored is None or stored["deleted_at"] is not None or not _within(unit, stored):
        raise Problem.not_found("API key not found")
    await unit.update(api_keys, command.id, {"deleted_at": unit.now})
    return {"success": True}


def _within(unit: Unit, stored: Any) -> bool:
    allowed = unit.scope.allowed_ids
    return allowed is None or stored["organization_id"] in allowed


async def _require_organization(unit: Unit, organization_id: UUID) -> None:
    if not unit.scope.may_touch(organization_id):
        raise Problem.forbidden()
    sql = "select exists (select from organizations where tenant_id = $1 and id = $2 and deleted_at is null)"
    if not await unit.fetchval(sql, unit.scope.tenant_id, organization_id):
        raise Problem.bad_request("Organization not found")
