"""Who may change whose rights (contract: auth.md section 5).

Two kinds of checks. `require_…` are asked by commands before they write, for the documented order of refusals. The
guards at the end are asked by the bus after everything is written, by any command, undo or redo that touched accounts:
they look at what was done, not at which command did it, so that no way leads around them.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from commands.registry import guards
from commands.unit import Change, Unit
from domain.errors import Problem
from domain.privileges import Grants, refusal
from domain.scope import Scope

SUPER_ADMIN_USER = "Only a super admin can change a super admin"
SUPER_ADMIN_ROLE = "Only a super admin can change a role that makes super admins"

_STANDINGS = """
select u.id, u.organization_id, g.own, g.features, g.is_super_admin, g.organizations
  from users u
  left join lateral (
    select true as own, a.features, a.is_super_admin, a.organizations
      from user_acls a where a.tenant_id = u.tenant_id and a.user_id = u.id
    union all
    select false, a.features, a.is_super_admin, a.organizations
      from user_roles l join role_acls a on a.tenant_id = l.tenant_id and a.role_id = l.role_id
     where l.tenant_id = u.tenant_id and l.user_id = u.id) g on true
 where u.tenant_id = $1 and u.id = any($2::uuid[]) and u.deleted_at is null
"""
_ROLE_GRANTS = (
    "select role_id, features, is_super_admin, organizations from role_acls"
    " where tenant_id = $1 and role_id = any($2::uuid[])"
)
_ANY_SUPER_ADMIN = """
select exists (
  select from users u where u.tenant_id = $1 and u.deleted_at is null and (
    exists (select from user_acls a where a.tenant_id = u.tenant_id and a.user_id = u.id and a.is_super_admin)
    or exists (select from user_roles l join role_acls a on a.tenant_id = l.tenant_id and a.role_id = l.role_id
                where l.tenant_id = u.tenant_id and l.user_id = u.id and a.is_super_admin)))
"""


class Standing(Struct):
    """Where a live user stands: organization, grants of its own, grants of its roles."""

    organization_id: UUID | None
    own: list[Grants]
    by_role: list[Grants]

    @property
    def is_super_admin(self) -> bool:
        """Whether any of the grants says so (auth.md 4.2.1)."""
        return any(grants.is_super_admin for grants in (*self.own, *self.by_role))

    @property
    def effective(self) -> list[Grants]:
        """The grants that count: the user's own where there are any, else those of the roles."""
        return self.own or self.by_role


def is_free(scope: Scope) -> bool:
    """Whether nothing of this applies: to super admins, and to the system's own work."""
    return scope.is_super_admin or scope.actor.kind == "system"


async def standings(unit: Unit, user_ids: Collection[UUID]) -> dict[UUID, Standing]:
    """Where the live ones among these users stand."""
    found: dict[UUID, Standing] = {}
    if not user_ids:
        return found
    for row in await unit.fetch(_STANDINGS, unit.scope.tenant_id, list(user_ids)):
        standing = found.setdefault(row["id"], Standing(row["organization_id"], [], []))
        if row["own"] is not None:
            grants = Grants.of(row["features"], row["is_super_admin"], row["organizations"])
            (standing.own if row["own"] else standing.by_role).append(grants)
    return found


async def role_grants(unit: Unit, role_ids: Collection[UUID]) -> dict[UUID, Grants]:
    """The grants of these roles, as far as they have any."""
    if not role_ids:
        return {}
    rows = await unit.fetch(_ROLE_GRANTS, unit.scope.tenant_id, list(role_ids))
    return {
        row["role_id"]: Grants.of(row["features"], row["is_super_admin"], row["organizations"])
        for row in rows
    }


async def require_user_target(unit: Unit, user_id: UUID) -> None:
    """Rules 5.2 and 5.3. Raises Problem 403 for a super admin's account, or one outside the actor's organizations."""
    if not is_free(unit.scope):
        for standing in (await standings(unit, [user_id])).values():
            _require_reachable(unit.scope, standing)


async def require_role_target(unit: Unit, role_id: UUID) -> None:
    """Rule 5.2. Raises Problem 403 for a role that makes super admins."""
    if not is_free(unit.scope):
        found = (await role_grants(unit, [role_id])).get(role_id)
        if found is not None and found.is_super_admin:
            raise Problem.forbidden(error=SUPER_ADMIN_ROLE)


def require_grantable(scope: Scope, given: Iterable[Grants]) -> None:
    """The grant ceiling (5.5). Raises Problem 403."""
    if is_free(scope):
        return
    for grants in given:
        reason = refusal(scope, grants)
        if reason is not None:
            raise Problem.forbidden(error=reason)


def _require_reachable(scope: Scope, standing: Standing) -> None:
    if standing.is_super_admin:
        raise Problem.forbidden(error=SUPER_ADMIN_USER)
    _require_place(scope, standing.organization_id)


def _require_place(scope: Scope, organization_id: UUID | None) -> None:
    """A restricted actor reaches its organizations only, and nothing that belongs to none."""
    if scope.allowed_ids is not None and organization_id not in scope.allowed_ids:
        raise Problem.forbidden(error="The organization is outside yours")


# After the fact


@guards("users", "user_roles", "user_acls")
async def guard_users(unit: Unit) -> None:
    """Nobody but a super admin touches a super admin; nobody gives more than they have, or takes over who has more."""
    scope = unit.scope
    if is_free(scope):
        return
    own = scope.actor.id if scope.actor.kind == "user" else None
    touched = {id: _users_change(unit.changes, id) for id in _user_ids(unit.changes)}
    links = [change for change in unit.changes if change.t == "user_roles"]
    linked = {_uuid(change, "role_id") for change in links}
    grants = await role_grants(unit, linked) | _former_role_grants(unit.changes)
    if any(
        grants[_uuid(link, "role_id")].is_super_admin for link in links if _uuid(link, "role_id") in grants
    ):
        raise Problem.forbidden(error="Only a super admin can give or take super admin rights")
    require_grantable(
        scope, [grants[id] for id in {_uuid(c, "role_id") for c in links if c.o == "i"} if id in grants]
    )
    await _guard_user_acls(unit)
    now = await standings(unit, touched)
    for id, change in touched.items():
        alone = id == own and not any(c.r == str(id) for c in unit.changes)
        if change is not None and not (alone and not _touches(change, "organization_id")):
            for image in (change.b, change.a):
                if (
                    image is not None
                    and (place := {**(change.u or {}), **image}.get("organization_id")) is not None
                ):
                    _require_place(scope, msgspec.json.decode(place, type=UUID | None))
        standing = now.get(id)
        if standing is None:
            continue
        if not alone:
            _require_reachable(scope, standing)
        if (
            id != own
            and change is not None
            and change.o == "u"
            and _touches(change, "password_hash", "email_hash")
        ):
            require_grantable(scope, standing.effective)


async def _guard_user_acls(unit: Unit) -> None:
    """Grants of one's own: what was given, and what the roles give where they were taken away."""
    changes = [change for change in unit.changes if change.t == "user_acls"]
    for change in changes:
        if any(grants.is_super_admin for grants in _images(change)):
            raise Problem.forbidden(error=SUPER_ADMIN_USER)
    require_grantable(unit.scope, [_images(change)[-1] for change in changes if change.o != "d"])
    freed = {_uuid(change, "user_id") for change in changes if change.o == "d"}
    for standing in (await standings(unit, freed)).values():
        require_grantable(unit.scope, standing.effective)


@guards("roles", "role_acls")
async def guard_roles(unit: Unit) -> None:
    """Nobody but a super admin touches what makes super admins; nobody gives more than they have."""
    if is_free(unit.scope):
        return
    changes = [change for change in unit.changes if change.t == "role_acls"]
    roles = {_uuid(change, "id") for change in unit.changes if change.t == "roles"}
    now = await role_grants(unit, roles)
    if any(g.is_super_admin for g in (*now.values(), *(g for change in changes for g in _images(change)))):
        given = any(change.o == "i" or _touches(change, "is_super_admin") for change in changes)
        raise Problem.forbidden(
            error="Only a super admin can give or take super admin rights" if given else SUPER_ADMIN_ROLE
        )
    require_grantable(unit.scope, [_images(change)[-1] for change in changes if change.o != "d"])


@guards("api_keys")
async def guard_api_keys(unit: Unit) -> None:
    """A key that comes to life has no right that the actor lacks, and none outside the actor's organizations.

    A key of an organization acts nowhere else, wherever its roles would let people act.
    """
    if is_free(unit.scope):
        return
    for change in unit.changes:
        if change.t != "api_keys":
            continue
        for place in _places(change):
            _require_place(unit.scope, place)
        after = {**(change.u or {}), **(change.a or {})}
        if change.o != "d" and bytes(after["deleted_at"]) == b"null":
            role_ids = msgspec.json.decode(after["role_ids"], type=list[UUID])
            bond = _places(change)[-1]
            given = (await role_grants(unit, role_ids)).values()
            bound = (
                given if bond is None else [replace(grants, organizations=(str(bond),)) for grants in given]
            )
            require_grantable(unit.scope, bound)


@guards("users", "user_roles", "user_acls", "role_acls")
async def guard_last_super_admin(unit: Unit) -> None:
    """A tenant that has super admins keeps one. Raises Problem 400."""
    if unit.scope.actor.kind == "system" or not _takes_super_admin(unit.changes):
        return
    if await unit.fetchval(_ANY_SUPER_ADMIN, unit.scope.tenant_id):
        return
    former = _former_role_grants(unit.changes)
    lost = [change for change in unit.changes if change.t == "user_roles" and change.o == "d"]
    flags = former | await role_grants(unit, {_uuid(change, "role_id") for change in lost})
    by_link = any(flags[id].is_super_admin for id in map(_role_of, lost) if id in flags)
    by_row = any(
        _images(change)[0].is_super_admin
        for change in unit.changes
        if change.t in ("user_acls", "role_acls") and change.o != "i"
    )
    if by_link or by_row:
        raise Problem.bad_request("This would leave nobody who is a super admin", "last_super_admin")


def _takes_super_admin(changes: Sequence[Change]) -> bool:
    """Whether the changes can have taken rights away at all."""
    return any(
        change.o == "d" or (change.t in ("user_acls", "role_acls") and _touches(change, "is_super_admin"))
        for change in changes
    )


def _former_role_grants(changes: Sequence[Change]) -> dict[UUID, Grants]:
    """What the roles gave whose grants were deleted."""
    return {
        _role_of(change): _images(change)[0]
        for change in changes
        if change.t == "role_acls" and change.o == "d"
    }


def _role_of(change: Change) -> UUID:
    return _uuid(change, "role_id")


def _user_ids(changes: Sequence[Change]) -> dict[UUID, None]:
    """The users whom the changes are about."""
    found: dict[UUID, None] = {}
    for change in changes:
        if change.t == "users":
            found[_uuid(change, "id")] = None
        elif change.t in ("user_roles", "user_acls"):
            found[_uuid(change, "user_id")] = None
    return found


def _users_change(changes: Sequence[Change], id: UUID) -> Change | None:
    """The change of the user's own row, its outermost images put together."""
    own = [change for change in changes if change.t == "users" and _uuid(change, "id") == id]
    return own[0] if len(own) == 1 else _joined(own) if own else None


def _joined(own: list[Change]) -> Change:
    first, last = own[0], own[-1]
    merged = Change(first.s, first.t, "u", first.k)
    merged.b = {**(first.u or {}), **(first.b or first.a or {})}
    merged.a = {**(last.u or {}), **(last.a or last.b or {})}
    return merged


def _places(change: Change) -> list[UUID | None]:
    """The organization of a row before and after, as far as the row was there."""
    images = ({**(change.u or {}), **image} for image in (change.b, change.a) if image is not None)
    return [msgspec.json.decode(image["organization_id"], type=UUID | None) for image in images]


def _images(change: Change) -> list[Grants]:
    """The grants of an ACL row before and after, as far as there are any."""
    kept = change.u or {}
    return [_grants({**kept, **image}) for image in (change.b, change.a) if image is not None]


def _grants(row: dict[str, Any]) -> Grants:
    features, flag, places = (
        msgspec.json.decode(row[name]) for name in ("features", "is_super_admin", "organizations")
    )
    return Grants.of(features, flag, places)


def _touches(change: Change, *columns: str) -> bool:
    """Whether one of the columns was changed, by an update, or is there anew or gone."""
    before, after = change.b or {}, change.a or {}
    return any(bytes(before.get(c, b"")) != bytes(after.get(c, b"")) for c in columns)


def _uuid(change: Change, column: str) -> UUID:
    """An id column of the row, which no update of ours changes."""
    for image in (change.k, change.a, change.b, change.u):
        if image and column in image:
            return msgspec.json.decode(image[column], type=UUID)
    raise KeyError(column)
