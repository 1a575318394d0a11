"""Users (contract: auth.md 8.1 to 8.4)."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Response
from msgspec import UNSET, Meta, Struct, UnsetType

from app.http.answers import Answer
from app.http.auth.replies import TAG
from app.http.auth.shared import (
    BROKEN,
    FORBIDDEN,
    FOUND_NOTHING,
    INVALID,
    STALE,
    answer_list,
    read_query,
    scope_of,
)
from app.http.call import Call
from app.http.custom_fields import CUSTOM_FILTER, custom_filters
from app.http.identity import TENANT_COOKIE
from app.http.kit import OPERATION_HEADER, Deletion, Done, Failure, id_to_delete, in_tenant
from app.http.operation import Parameter, operation
from app.http.origins import security_base_url
from app.http.pagination import MAX_PAGE, PAGE, PAGE_SIZE
from app.http.partial_index import PARTIAL_HEADERS, ListMeta
from app.seed import password_policy
from commands.auth.users import USER_ENTITY, CreateUser, DeleteUser, DisplayName, RoleTokens, UpdateUser
from commands.custom_fields import CustomValues
from domain.auth import USER, USERS_CREATE, USERS_DELETE, USERS_EDIT, USERS_LIST
from domain.credentials import uuid_or_none
from domain.emails import Email
from domain.errors import Problem, issue
from domain.scope import Scope
from queries.auth import users as queries
from queries.directory import tenant_of_organization

FIELDS = (
    *(
        "id",
        "email",
        "name",
        "organizationId",
        "organizationName",
        "tenantId",
        "tenantName",
        "roles",
        "roleIds",
    ),
    "updatedAt",
)
NO_USER = Answer(Failure, "User not found")
_UUID = {"type": "string", "format": "uuid"}


class UserQuery(Struct, frozen=True, rename="camel"):
    """The query of the list, as it is typed; `roleId` may be repeated and is read apart."""

    id: UUID | None = None
    organization_id: UUID | None = None
    page: Annotated[int, Meta(ge=1)] = 1
    page_size: Annotated[int, Meta(ge=1, le=100)] = 50
    search: str = ""
    name: str = ""
    scope_to_active_organization: bool = False


class User(Struct, rename="camel", omit_defaults=True):
    """A user; `hasPassword` is shown when a single one was asked for by its id."""

    id: UUID
    email: str
    name: str | None
    organization_id: UUID | None
    organization_name: str | None
    tenant_id: UUID | None
    tenant_name: str | None
    roles: list[str]
    role_ids: list[UUID]
    updated_at: str | None
    has_password: bool | UnsetType = UNSET


class Users(Struct, rename="camel", omit_defaults=True):
    """A page of users; `isSuperAdmin` is about the caller."""

    items: list[User]
    total: int
    total_pages: int
    is_super_admin: bool | UnsetType = UNSET
    meta: ListMeta | UnsetType = UNSET


class NewUser(Struct, rename="camel"):
    """A user to make. Without a password, an invitation must be sent. `roles` are ids or names."""

    email: Email
    organization_id: UUID
    password: str | UnsetType = UNSET
    send_invite_email: bool = False
    name: DisplayName | None = None
    roles: RoleTokens = []
    custom_fields: CustomValues | UnsetType = UNSET


class UserChange(Struct, rename="camel"):
    """What to change of a user; what is absent stays, a blank name clears it, `roles` replaces them all."""

    id: UUID
    email: Email | UnsetType = UNSET
    name: DisplayName | UnsetType | None = UNSET
    password: str | UnsetType = UNSET
    organization_id: UUID | UnsetType = UNSET
    roles: RoleTokens | UnsetType = UNSET
    custom_fields: CustomValues | UnsetType = UNSET


class UserMade(Struct, rename={"warning": "_warning"}, omit_defaults=True):
    """The id of the new user; `_warning` is `invite_email_failed` when no letter is on its way."""

    id: UUID
    warning: str | UnsetType = UNSET


@operation(
    "GET",
    "/auth/users",
    tag=TAG,
    summary="List users",
    description="Users of the tenant, oldest first; of all tenants for super admins. Others do not see super admins.",
    features=(USERS_LIST,),
    query=[
        Parameter("id", "Only this user", _UUID),
        Parameter("organizationId", "Only users of this organization", _UUID),
        PAGE,
        PAGE_SIZE,
        Parameter(
            "search", "Words of name or e-mail address, or part of the name of an organization or role"
        ),
        Parameter("name", "Part of the name"),
        Parameter("roleId", "Only users with this role; may be repeated", _UUID),
        Parameter(
            "scopeToActiveOrganization", "Only users of the selected organization", {"type": "boolean"}
        ),
        CUSTOM_FILTER,
    ],
    answers={200: Answer(Users, "User collection", headers=PARTIAL_HEADERS)},
)
async def list_users(call: Call[None]) -> Response[Any]:
    """200 with a page; a query with an invalid value finds nothing."""
    query = read_query(call, UserQuery)
    role_ids = [text.strip() for text in call.query.get("roleId", ()) if text.strip()]
    roles = tuple(id for text in role_ids if (id := uuid_or_none(text)) is not None)
    if query is None or len(roles) < len(role_ids):
        return call.json(FOUND_NOTHING)
    scope = call.scope
    one_tenant = scope.tenant_id if _within_tenant(call) else None
    wanted = queries.UserFilter(
        id=query.id,
        organization_ids=_narrowed(_visible(call), query.organization_id),
        in_organization=query.scope_to_active_organization,
        organization_id=scope.selected_organization_id,
        role_ids=roles or None,
        search=query.search,
        name=query.name,
        custom=await custom_filters(call, USER, USER_ENTITY),
    )
    limits = {"limit": query.page_size, "offset": (min(query.page, MAX_PAGE) - 1) * query.page_size}
    reading = call.app.reading(scope.tenant_id)
    if scope.is_super_admin:
        async with call.app.database.system() as connection:
            page = await queries.users(connection, one_tenant, wanted, reading, everybody=True, **limits)
    else:
        async with call.app.database.read(scope.tenant_id) as connection:
            page = await queries.users(connection, one_tenant, wanted, reading, everybody=False, **limits)
    return await answer_list(call, "auth.user", page, query.page_size, FIELDS, query.id, "auth:user")


def _within_tenant(call: Call[None]) -> bool:
    """Whether the list is of one tenant: always, except for a super admin who selected none."""
    return not call.scope.is_super_admin or bool((call.request.cookies.get(TENANT_COOKIE) or "").strip())


def _visible(call: Call[None]) -> tuple[UUID, ...] | None:
    """The organizations whose users are shown: those that the actor may touch, or those that a super admin selected."""
    scope = call.scope
    if scope.is_super_admin:
        return scope.filter_ids if _within_tenant(call) else None
    return None if scope.allowed_ids is None else tuple(scope.allowed_ids)


def _narrowed(visible: tuple[UUID, ...] | None, organization_id: UUID | None) -> tuple[UUID, ...] | None:
    if organization_id is None:
        return visible
    return (organization_id,) if visible is None or organization_id in visible else ()


@operation(
    "POST",
    "/auth/users",
    tag=TAG,
    summary="Create user",
    description="Adds a user with a password, or without one and with an invitation by mail.",
    features=(USERS_CREATE,),
    body=NewUser,
    commands=("auth.users.create", "auth.invitations.send"),
    example={
        "email": "user@example.com",
        "organizationId": "00000000-0000-4000-8000-000000000000",
        "password": "Secret-1",
        "roles": ["employee"],
    },
    answers={
        201: Answer(UserMade, "User created", headers=OPERATION_HEADER),
        400: INVALID,
        403: FORBIDDEN,
        404: Answer(Failure, "Organization not found"),
        500: BROKEN,
    },
)
async def create_user(call: Call[NewUser]) -> Response[Any]:
    """201 with the id."""
    body = call.body
    if body.password is UNSET and not body.send_invite_email:
        raise Problem.invalid([issue("Give a password, or send an invitation", ["password"])])
    scope = await _scope_of_organization(call, body.organization_id)
    base_url = security_base_url(call.request, call.app.settings) if body.send_invite_email else None
    command = CreateUser(
        email=body.email,
        email_hash=call.app.keys.email_hash(body.email),
        organization_id=body.organization_id,
        name=body.name,
        password_hash=None if body.password is UNSET else await _password_hash(call, body.password),
        roles=body.roles,
        custom_fields=body.custom_fields,
    )
    outcome = await call.execute(command, scope)
    if base_url is None or outcome.log is None or outcome.replayed:
        return call.answer(outcome, 201)
    made: UUID = outcome.result["id"]
    sent = await call.app.invitations.send(
        scope, made, body.email, scope.locale, base_url=base_url, options=call.options
    )
    return call.answer(outcome, 201, UserMade(made, UNSET if sent else "invite_email_failed"))


@operation(
    "PUT",
    "/auth/users",
    tag=TAG,
    summary="Update user",
    description="Changes what is sent. A new password ends the user's sessions. A user stays in the tenant.",
    features=(USERS_EDIT,),
    body=UserChange,
    commands=("auth.users.update",),
    example={"id": "00000000-0000-4000-8000-000000000000", "name": "Ada", "roles": ["employee"]},
    answers={
        200: Answer(Done, "User updated", headers=OPERATION_HEADER),
        400: INVALID,
        403: FORBIDDEN,
        404: NO_USER,
        409: STALE,
        500: BROKEN,
    },
)
async def update_user(call: Call[UserChange]) -> Response[Any]:
    """200 `{"ok": true}`."""
    body = call.body
    scope = await scope_of(call, queries.tenant_of_user, body.id)
    if body.organization_id is not UNSET:
        await _require_same_tenant(call, scope, body.organization_id)
    command = UpdateUser(
        id=body.id,
        email=body.email,
        email_hash=UNSET if body.email is UNSET else call.app.keys.email_hash(body.email),
        name=body.name,
        password_hash=UNSET if body.password is UNSET else await _password_hash(call, body.password),
        organization_id=body.organization_id,
        roles=body.roles,
        custom_fields=body.custom_fields,
    )
    return call.answer(await call.execute(command, scope))


@operation(
    "DELETE",
    "/auth/users",
    tag=TAG,
    summary="Delete user",
    description="Deletes a user with grants, role links and layouts; undo brings them back, but no session.",
    features=(USERS_DELETE,),
    query=[Parameter("id", "The user, if not in the body", _UUID)],
    body=Deletion,
    commands=("auth.users.delete",),
    example={"id": "00000000-0000-4000-8000-000000000000"},
    answers={
        200: Answer(Done, "User deleted", headers=OPERATION_HEADER),
        400: Answer(Failure, "User cannot be deleted"),
        403: FORBIDDEN,
        404: NO_USER,
        409: STALE,
        500: BROKEN,
    },
)
async def delete_user(call: Call[Deletion]) -> Response[Any]:
    """200 `{"ok": true}`."""
    command = DeleteUser(id=id_to_delete(call, "User"))
    return call.answer(await call.execute(command, await scope_of(call, queries.tenant_of_user, command.id)))


async def _scope_of_organization(call: Call[Any], organization_id: UUID) -> Scope:
    """The scope to put a user into an organization in. Raises Problem 404 for one of another tenant (8.2)."""
    async with call.app.database.system() as connection:
        tenant_id = await tenant_of_organization(connection, organization_id)
    if tenant_id is None or tenant_id == call.scope.tenant_id:
        return call.scope
    if not call.scope.is_super_admin:
        raise Problem.not_found("Organization not found")
    return in_tenant(call.scope, tenant_id)


async def _require_same_tenant(call: Call[Any], scope: Scope, organization_id: UUID) -> None:
    """Raises Problem 404 for an organization of another tenant, and 400 for a super admin, who could know of it."""
    async with call.app.database.system() as connection:
        tenant_id = await tenant_of_organization(connection, organization_id)
    if tenant_id is None or tenant_id == scope.tenant_id:
        return
    if not call.scope.is_super_admin:
        raise Problem.not_found("Organization not found")
    raise Problem.bad_request("A user stays in the tenant", "tenant_fixed")


async def _password_hash(call: Call[Any], password: str) -> str:
    """The sealed hash of a new password. Raises Problem 400 for one that will not do."""
    faults = password_policy(call.app.settings).faults(password)
    if faults:
        raise Problem.invalid([issue(text, ["password"]) for text in faults])
    return await call.app.sign_in.passwords.hash(password)
