"""Grants of roles and of single users (contract: auth.md 7.13, 7.14 and 8.5)."""

from typing import Any
from uuid import UUID

from litestar import Response
from msgspec import UNSET, Struct, UnsetType

from app.http.answers import Answer
from app.http.auth.replies import TAG
from app.http.auth.shared import BROKEN, FORBIDDEN, INVALID, STALE, scope_of
from app.http.call import Call
from app.http.decode import convert_query
from app.http.kit import OPERATION_HEADER, Failure
from app.http.operation import Parameter, operation
from commands.auth.acls import Names, Saved, UpdateRoleAcl, UpdateUserAcl
from domain.auth import ACL_MANAGE
from domain.errors import Problem
from domain.scope import Scope
from queries.auth import acls as queries
from queries.auth.acls import AclView, Holder
from queries.auth.roles import tenant_of_role
from queries.auth.users import tenant_of_user

FIELDS = ("isSuperAdmin", "features", "organizations", "updatedAt")
NOTHING = AclView(False, [], None, None)


class RoleAclQuery(Struct, frozen=True, rename="camel"):
    """Whose grants."""

    role_id: UUID
    tenant_id: UUID | None = None


class UserAclQuery(Struct, frozen=True, rename="camel"):
    """Whose grants."""

    user_id: UUID


class RoleAclChange(Struct, rename="camel"):
    """What to change of a role's grants; what is absent stays. `organizations` null: all of the tenant."""

    role_id: UUID
    is_super_admin: bool | UnsetType = UNSET
    features: Names | UnsetType = UNSET
    organizations: Names | UnsetType | None = UNSET
    tenant_id: UUID | UnsetType = UNSET


@operation(
    "GET",
    "/auth/roles/acl",
    tag=TAG,
    summary="Fetch role ACL",
    description="What a role grants: features, and the organizations that they hold in (null: all of the tenant).",
    features=(ACL_MANAGE,),
    query=[
        Parameter("roleId", "The role", {"type": "string", "format": "uuid"}, required=True),
        Parameter("tenantId", "For super admins", {"type": "string", "format": "uuid"}),
    ],
    answers={
        200: Answer(AclView, "Role ACL entry"),
        400: Answer(Failure, "Invalid role id"),
        403: FORBIDDEN,
        404: Answer(Failure, "Role not found"),
        500: BROKEN,
    },
)
async def get_role_acl(call: Call[None]) -> Response[Any]:
    """200 with the grants; a role that nothing was stored for grants nothing."""
    query = convert_query(RoleAclQuery, call.query)
    scope = await scope_of(call, tenant_of_role, query.role_id)
    async with call.app.database.read(scope.tenant_id) as connection:
        found = await queries.role_acl(connection, scope.tenant_id, query.role_id)
    if found is None:
        raise Problem.not_found()
    _require_visible(call, found)
    if query.tenant_id not in (None, scope.tenant_id):
        return call.json(NOTHING)
    await _note(call, scope, "auth.role_acl", query.role_id)
    return call.json(found.acl)


@operation(
    "PUT",
    "/auth/roles/acl",
    tag=TAG,
    summary="Update role ACL",
    description="Changes what is sent of a role's grants. Nobody can give what they do not have.",
    features=(ACL_MANAGE,),
    body=RoleAclChange,
    commands=("auth.role_acls.update",),
    example={
        "roleId": "00000000-0000-4000-8000-000000000000",
        "features": ["dictionaries.view"],
        "organizations": None,
    },
    answers={
        200: Answer(Saved, "Role ACL updated", headers=OPERATION_HEADER),
        400: INVALID,
        403: FORBIDDEN,
        404: Answer(Failure, "Role not found"),
        409: STALE,
        500: BROKEN,
    },
)
async def update_role_acl(call: Call[RoleAclChange]) -> Response[Any]:
    """200 with `sanitized` false: a role is refused, never trimmed."""
    body = call.body
    scope = await scope_of(call, tenant_of_role, body.role_id)
    if body.tenant_id not in (UNSET, scope.tenant_id):
        raise Problem.bad_request("A role grants in its own tenant only", "tenant_fixed")
    command = UpdateRoleAcl(
        role_id=body.role_id,
        is_super_admin=body.is_super_admin,
        features=body.features,
        organizations=body.organizations,
    )
    return call.answer(await call.execute(command, scope))


@operation(
    "GET",
    "/auth/users/acl",
    tag=TAG,
    summary="Fetch user ACL",
    description="The grants that a user has in place of those of its roles, if any.",
    features=(ACL_MANAGE,),
    query=[Parameter("userId", "The user", {"type": "string", "format": "uuid"}, required=True)],
    answers={
        200: Answer(AclView, "User ACL entry"),
        400: Answer(Failure, "Invalid user id"),
        403: FORBIDDEN,
        404: Answer(Failure, "User not found"),
        500: BROKEN,
    },
)
async def get_user_acl(call: Call[None]) -> Response[Any]:
    """200 with the grants."""
    query = convert_query(UserAclQuery, call.query)
    scope = await scope_of(call, tenant_of_user, query.user_id)
    async with call.app.database.read(scope.tenant_id) as connection:
        found = await queries.user_acl(connection, scope.tenant_id, query.user_id)
    if found is None:
        raise Problem.not_found("User not found")
    _require_visible(call, found)
    if scope.allowed_ids is not None and found.organization_id not in scope.allowed_ids:
        raise Problem.forbidden(error="The organization is outside yours")
    await _note(call, scope, "auth.user_acl", query.user_id)
    return call.json(found.acl)


@operation(
    "PUT",
    "/auth/users/acl",
    tag=TAG,
    summary="Update user ACL",
    description="Replaces a user's own grants. Without features and flag the user has those of its roles again.",
    features=(ACL_MANAGE,),
    body=UpdateUserAcl,
    example={"userId": "00000000-0000-4000-8000-000000000000", "features": ["dictionaries.view"]},
    answers={
        200: Answer(Saved, "User ACL updated", headers=OPERATION_HEADER),
        400: INVALID,
        403: FORBIDDEN,
        404: Answer(Failure, "User not found"),
        409: STALE,
        500: BROKEN,
    },
)
async def update_user_acl(call: Call[UpdateUserAcl]) -> Response[Any]:
    """200; `sanitized` says that some features were left out."""
    scope = await scope_of(call, tenant_of_user, call.body.user_id)
    return call.answer(await call.execute(call.body, scope))


def _require_visible(call: Call[None], found: Holder) -> None:
    """Rule 5.2: only super admins see what makes super admins."""
    if found.is_super_admin and not call.scope.is_super_admin:
        raise Problem.forbidden(error="Only a super admin can see the grants of super admins")


async def _note(call: Call[None], scope: Scope, kind: str, id: UUID) -> None:
    context = {"queryKeys": sorted(call.query), "path": call.request.url.path}
    await call.app.access_log.record(scope, kind, [id], "read:item", FIELDS, context)
