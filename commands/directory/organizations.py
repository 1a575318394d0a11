"""Commands on organizations (contract: directory.md 4.3 to 4.5 and 7)."""

from collections.abc import Collection, Sequence
from typing import Annotated, Any
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from commands.custom_fields import CustomValues, custom_column, place_of
from commands.directory.tree import TangledError, rebuild, within_reach
from commands.registry import Command, command, handles
from commands.unit import Unit
from domain.directory import MAX_SLUG, ORGANIZATIONS_MANAGE, free_slug, organizations, slug_of
from domain.errors import Problem

TRIM = {"trim": True}
ENTITY = "directory:organization"
LOGO_PATTERN = (
    r"^(?:[hH][tT][tT][pP][sS]?://[^\s/?#\\]\S*"
    r"|/api/attachments/image/file/(?!\S*\.\.)[A-Za-z0-9._~%/-]+(?:\?\S*)?)$"
)
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Slug = Annotated[str, Meta(max_length=MAX_SLUG, pattern=r"^[A-Za-z0-9\-_]+$", extra=TRIM)]
LogoUrl = Annotated[str, Meta(max_length=2048, pattern=LOGO_PATTERN, extra=TRIM)]

_TAKEN = """
select (select t.deleted_at is null from tenants t where t.tenant_id = $1 and t.id = $1) as alive,
       coalesce((select array_agg(o.slug) from organizations o
                  where o.tenant_id = $1 and o.deleted_at is null and o.id is distinct from $2
                    and starts_with(o.slug, left($3, 120))), '{}') as slugs
"""
_OF_ACTOR = """
select exists (select from users u where u.tenant_id = $1 and u.id = $2 and u.organization_id = $3
                  and u.deleted_at is null) as home,
       exists (select from organizations o where o.tenant_id = $1 and o.id <> $3 and o.deleted_at is null) as others
"""


@command(
    "directory.organizations.create",
    resource="directory.organization",
    label="Create organization",
    features=(ORGANIZATIONS_MANAGE,),
)
class CreateOrganization(Command, frozen=True, kw_only=True, rename="camel"):
    """Add an organization, below a parent and above children if they are given."""

    name: Name
    tenant_id: UUID | UnsetType | None = UNSET
    slug: Slug | None = None
    logo_url: LogoUrl | None = None
    is_active: bool = True
    parent_id: UUID | None = None
    child_ids: list[UUID] = []
    custom_fields: CustomValues | UnsetType = UNSET


@handles(CreateOrganization)
async def create_organization(command: CreateOrganization, unit: Unit) -> dict[str, UUID]:
    """A slug that is taken gets a number. The parent is silently no child; a child above it is refused (400)."""
    _require_tenant(unit, command.tenant_id)
    parent_id = command.parent_id
    children = [id for id in dict.fromkeys(command.child_ids) if id != parent_id]
    live = await _live(unit, [*children, *([parent_id] if parent_id else [])])
    ancestors: list[UUID] = []
    if parent_id is not None:
        _require_parent(unit, parent_id, live)
        ancestors = [*live[parent_id]["ancestor_ids"], parent_id]
    _require_children(children, live, ancestors)
    made = unit.new_id()
    custom = await custom_column(unit, ENTITY, command.custom_fields, place_of(unit.scope))
    await unit.insert(
        organizations,
        custom
        | {
            "id": made,
            "name": command.name,
            "slug": await _slug(unit, command.slug or slug_of(command.name), None),
            "logo_url": command.logo_url,
            "is_active": command.is_active,
            "parent_id": parent_id,
            "root_id": ancestors[0] if ancestors else made,
            "tree_path": "/".join(str(id) for id in [*ancestors, made]),
            "depth": len(ancestors),
            "ancestor_ids": ancestors,
        },
    )
    await unit.update_many(organizations, [{"id": child, "parent_id": made} for child in children])
    await _finish(unit, made)
    return {"id": made}


@command(
    "directory.organizations.update",
    resource="directory.organization",
    label="Update organization",
    features=(ORGANIZATIONS_MANAGE,),
    target="id",
)
class UpdateOrganization(Command, frozen=True, kw_only=True, rename="camel"):
    """Change an organization and its place in the tree; what is absent stays.

    A null parent makes it a root, an empty list of children lets all of them go: they become roots.
    """

    id: UUID
    tenant_id: UUID | UnsetType | None = UNSET
    name: Name | UnsetType = UNSET
    slug: Slug | UnsetType | None = UNSET
    logo_url: LogoUrl | UnsetType | None = UNSET
    is_active: bool | UnsetType = UNSET
    parent_id: UUID | UnsetType | None = UNSET
    child_ids: list[UUID] | UnsetType = UNSET
    custom_fields: CustomValues | UnsetType = UNSET


@handles(UpdateOrganization)
async def update_organization(command: UpdateOrganization, unit: Unit) -> dict[str, bool]:
    """Whatever would not leave a tree is refused (400), judged by the tree as it is before the change."""
    stored = await _stored(unit, command.id)
    if command.tenant_id is not UNSET and command.tenant_id != unit.scope.tenant_id:
        raise Problem.bad_request("An organization cannot be moved to another tenant")
    values: dict[str, Any] = {
        name: getattr(command, name)
        for name in ("name", "logo_url", "is_active")
        if getattr(command, name) is not UNSET
    }
    if command.slug is None:
        values["slug"] = None
    elif command.slug is not UNSET and command.slug.lower() != stored["slug"]:
        values["slug"] = await _slug(unit, command.slug, command.id)
    moved = await _new_places(command, stored, unit)
    if command.id in moved:
        values["parent_id"] = moved.pop(command.id)
    place = place_of(unit.scope)
    values |= await custom_column(unit, ENTITY, command.custom_fields, place, stored["custom_fields"])
    await unit.update(organizations, command.id, values)
    await unit.update_many(organizations, [{"id": id, "parent_id": parent} for id, parent in moved.items()])
    await _finish(unit, command.id)
    return {"ok": True}


async def _new_places(command: UpdateOrganization, stored: Any, unit: Unit) -> dict[UUID, UUID | None]:
    """The organizations that get another parent, each with it: the edited one, children taken in and let go."""
    parent = None if command.parent_id is UNSET else command.parent_id
    children = [] if command.child_ids is UNSET else list(dict.fromkeys(command.child_ids))
    live = await _live(unit, [*children, *([parent] if parent else [])])
    moved: dict[UUID, UUID | None] = {}
    if command.parent_id is not UNSET:
        if parent == command.id:
            raise Problem.bad_request("Organization cannot be its own parent")
        if parent is not None:
            _require_parent(unit, parent, live)
        if parent in stored["descendant_ids"]:
            raise Problem.bad_request("The parent is below this organization")
        moved[command.id] = parent
    if command.child_ids is not UNSET:
        if command.id in children:
            raise Problem.bad_request("Organization cannot be its own child")
        _require_children(children, live, stored["ancestor_ids"])
        moved |= {id: None for id in stored["child_ids"] if id not in children}
        moved |= {id: command.id for id in children if id not in stored["child_ids"]}
    return moved


@command(
    "directory.organizations.delete",
    resource="directory.organization",
    label="Delete organization",
    features=(ORGANIZATIONS_MANAGE,),
    target="id",
)
class DeleteOrganization(Command, frozen=True, kw_only=True, rename="camel"):
    """Delete an organization softly; its children move up to its parent."""

    id: UUID


@handles(DeleteOrganization)
async def delete_organization(command: DeleteOrganization, unit: Unit) -> dict[str, bool]:
    """The caller's own organization, and the last one of the tenant, stay (400)."""
    stored = await _stored(unit, command.id)
    known = await unit.fetchrow(_OF_ACTOR, unit.scope.tenant_id, unit.scope.actor.user_id, command.id)
    assert known is not None, "a query of two values has one row"
    if known["home"] or unit.scope.home_organization_id == command.id:
        raise Problem.bad_request("You cannot delete the organization that you belong to", "own_organization")
    if not known["others"]:
        raise Problem.bad_request("The last organization of a tenant stays", "last_organization")
    gone = {"deleted_at": unit.now, "is_active": False, "parent_id": None}
    await unit.update(organizations, command.id, gone)
    await unit.update_many(
        organizations, [{"id": child, "parent_id": stored["parent_id"]} for child in stored["child_ids"]]
    )
    await _finish(unit, None)
    return {"ok": True}


async def _finish(unit: Unit, edited: UUID | None) -> None:
    """Bring the tree up to date. Raises Problem 400 for a circle, 403 for organizations that are not the actor's."""
    if not within_reach(unit):
        raise Problem.forbidden()
    try:
        await rebuild(unit, edited)
    except TangledError as error:
        raise Problem.bad_request(
            "The organizations would hang on each other in a circle", "cycle"
        ) from error


async def _stored(unit: Unit, id: UUID) -> Any:
    """The live organization. Raises Problem 404."""
    stored = await unit.get(organizations, id)
    if stored is None or stored["deleted_at"] is not None:
        raise Problem.not_found()
    return stored


async def _live(unit: Unit, ids: Sequence[UUID]) -> dict[UUID, Any]:
    """The live ones among these organizations."""
    if not ids:
        return {}
    sql = "select id, ancestor_ids from organizations where tenant_id = $1 and id = any($2) and deleted_at is null"
    return {row["id"]: row for row in await unit.fetch(sql, unit.scope.tenant_id, list(ids))}


def _require_tenant(unit: Unit, named: UUID | UnsetType | None) -> None:
    """The tenant that the input names must be the one that the command works in."""
    if named is None:
        raise Problem.bad_request("Tenant scope required")
    if named is not UNSET and named != unit.scope.tenant_id:
        raise Problem.forbidden(error="Not authorized to target this tenant.")


def _require_parent(unit: Unit, parent_id: UUID, live: Collection[UUID]) -> None:
    if parent_id not in live:
        raise Problem.bad_request("Parent not found")
    if not unit.scope.may_touch(parent_id):
        raise Problem.forbidden()


def _require_children(children: Sequence[UUID], live: Collection[UUID], ancestors: Collection[UUID]) -> None:
    if any(child not in live for child in children):
        raise Problem.bad_request("Child not found")
    if any(child in ancestors for child in children):
        raise Problem.bad_request("A child is above this organization")


async def _slug(unit: Unit, wanted: str | None, own: UUID | None) -> str | None:
    """The slug to store; for a new organization, None when its name gives none. Raises Problem 400 without a tenant."""
    row = await unit.fetchrow(_TAKEN, unit.scope.tenant_id, own, (wanted or "").lower())
    if row is None or not row["alive"]:
        raise Problem.bad_request("Tenant not found")
    return None if wanted is None else free_slug(wanted.lower(), row["slugs"], unit.now)
