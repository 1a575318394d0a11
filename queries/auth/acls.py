"""The grants of a role, and of a user in place of its roles' (contract: auth.md 7.13 and 8.5)."""

from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from domain.privileges import Grants


class AclView(Struct, frozen=True, rename="camel"):
    """Grants as they are stored; `organizations` null: all of the tenant. `updatedAt` null: nothing is stored."""

    is_super_admin: bool
    features: list[str]
    organizations: list[str] | None
    updated_at: str | None
    has_custom_acl: bool | UnsetType = UNSET


class Holder(Struct, frozen=True):
    """A role or a user, as far as its grants are concerned."""

    acl: AclView
    is_super_admin: bool
    """Whether the role makes super admins; whether the user is one, by whichever grants."""
    organization_id: UUID | None = None


_VALUES = "a.id is not null as has, a.features, a.is_super_admin, a.organizations, iso_ms(a.updated_at) as updated_at"
_ROLE = f"""
select {_VALUES}, coalesce(a.is_super_admin, false) as super, null::uuid as organization_id
  from roles r left join role_acls a on a.tenant_id = r.tenant_id and a.role_id = r.id
 where r.tenant_id = $1 and r.id = $2 and r.deleted_at is null
"""
_USER = f"""
select {_VALUES}, u.organization_id,
       coalesce(a.is_super_admin, false) or exists (
         select from user_roles l join role_acls b on b.tenant_id = l.tenant_id and b.role_id = l.role_id
          where l.tenant_id = u.tenant_id and l.user_id = u.id and b.is_super_admin) as super
  from users u left join user_acls a on a.tenant_id = u.tenant_id and a.user_id = u.id
 where u.tenant_id = $1 and u.id = $2 and u.deleted_at is null
"""


async def role_acl(connection: Any, tenant_id: UUID, role_id: UUID) -> Holder | None:
    """The grants of a live role of the tenant."""
    return _holder(await connection.fetchrow(_ROLE, tenant_id, role_id), of_user=False)


async def user_acl(connection: Any, tenant_id: UUID, user_id: UUID) -> Holder | None:
    """The own grants of a live user of the tenant."""
    return _holder(await connection.fetchrow(_USER, tenant_id, user_id), of_user=True)


def _holder(row: Any, *, of_user: bool) -> Holder | None:
    if row is None:
        return None
    grants = Grants.of(row["features"], row["is_super_admin"], row["organizations"])
    view = AclView(
        is_super_admin=grants.is_super_admin,
        features=list(grants.features),
        organizations=None if grants.organizations is None else list(grants.organizations),
        updated_at=row["updated_at"],
        has_custom_acl=row["has"] if of_user else UNSET,
    )
    return Holder(view, row["super"], row["organization_id"])
