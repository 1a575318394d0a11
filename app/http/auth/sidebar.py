"""How somebody, or a role, wants the sidebar (contract: auth.md 8.7)."""

from typing import Any, Literal
from uuid import UUID

import msgspec
from litestar import Response
from msgspec import UNSET, Raw, Struct, UnsetType

from app.http.answers import NOT_FOUND, Answer, IssueView, refused
from app.http.auth.replies import TAG
from app.http.call import Call
from app.http.decode import convert_body, parse_body
from app.http.operation import Parameter, operation
from commands.auth import ClearRoleSidebar, UpdateRoleSidebar, UpdateSidebar
from domain.auth import SIDEBAR_MANAGE
from domain.credentials import uuid_or_none
from domain.errors import Issue, Problem, issue
from domain.sidebar import SidebarSettings
from queries.auth.sidebar import Layout, RoleLayout, own_layout, role_layout, role_layouts


class ScopeBody(Struct, frozen=True, rename="camel"):
    """Whose layout it is."""

    type: Literal["user", "role"]
    role_id: UUID | UnsetType = UNSET


class SidebarBody(SidebarSettings, frozen=True, rename="camel", kw_only=True):
    """The settings as a whole, for the caller or a role; the caller's can be given to roles at once."""

    apply_to_roles: list[UUID] = []
    clear_role_ids: list[UUID] = []
    scope: ScopeBody = ScopeBody("user")


class ScopeView(Struct, frozen=True, rename="camel"):
    """Whose layout it is."""

    type: str
    role_id: UUID | UnsetType = UNSET


class SidebarView(Struct, frozen=True, rename="camel"):
    """A layout; `roles` are shown to those who may give it to them."""

    locale: str
    settings: SidebarSettings
    can_apply_to_roles: bool
    scope: ScopeView
    updated_at: str | None
    roles: list[RoleLayout] | UnsetType = UNSET
    applied_roles: list[UUID] | UnsetType = UNSET
    cleared_roles: list[UUID] | UnsetType = UNSET


class ClearedView(Struct, frozen=True):
    """Done."""

    ok: bool
    scope: ScopeView


class SidebarRefusedView(Struct, frozen=True, omit_defaults=True):
    """What is wrong: `details` with `formErrors` and `fieldErrors`, or the `missing` roles."""

    error: str
    details: dict[str, Any] | list[IssueView] = {}
    missing: list[str] = []


_ROLE = Parameter("roleId", "The role whose layout is meant", {"type": "string", "format": "uuid"})
_REFUSED = Answer(
    SidebarRefusedView, "The request does not have the documented shape, or names unknown roles"
)
_OPERATION = {"x-om-operation": "Log row and undo token"}


@operation(
    "GET",
    "/auth/sidebar/preferences",
    tag=TAG,
    summary="Get sidebar preferences",
    description="The caller's layout of the sidebar, or that of a role.",
    query=[_ROLE],
    answers={200: Answer(SidebarView, "The layout"), 400: _REFUSED, 404: NOT_FOUND},
)
async def get_sidebar(call: Call[None]) -> Response[Any]:
    """200 with the layout; the empty one where nobody stored any."""
    role_id = _role_id(call)
    if role_id is not None and not call.scope.can(SIDEBAR_MANAGE):
        raise Problem.forbidden([SIDEBAR_MANAGE])
    return call.json(await _view(call, role_id))


@operation(
    "PUT",
    "/auth/sidebar/preferences",
    tag=TAG,
    summary="Update sidebar preferences",
    description="Replaces the caller's layout, or that of a role; what is not sent becomes empty.",
    features=(SIDEBAR_MANAGE,),
    body=SidebarBody,
    raw_body=True,
    commands=("auth.sidebar_preferences.update", "auth.role_sidebar_preferences.update"),
    example={"groupOrder": [], "hiddenItems": []},
    answers={
        200: Answer(SidebarView, "The layout as it is now", headers=_OPERATION),
        400: _REFUSED,
        404: NOT_FOUND,
        409: refused("The layout was changed meanwhile"),
    },
)
async def put_sidebar(call: Call[None]) -> Response[Any]:
    """200 with the layout."""
    body = _body(call)
    settings = SidebarSettings(
        group_order=body.group_order,
        group_labels=body.group_labels,
        item_labels=body.item_labels,
        hidden_items=body.hidden_items,
        item_order=body.item_order,
    )
    if body.scope.role_id is not UNSET:
        role_id: UUID | None = body.scope.role_id
        outcome = await call.execute(UpdateRoleSidebar(role_id=body.scope.role_id, settings=settings))
        changed: dict[str, Any] = {"appliedRoles": [], "clearedRoles": []}
    else:
        role_id = None
        command = UpdateSidebar(
            settings=settings, apply_to_roles=body.apply_to_roles, clear_role_ids=body.clear_role_ids
        )
        outcome = await call.execute(command)
        changed = msgspec.json.decode(msgspec.json.encode(outcome.result))
    if outcome.dry_run is not None:
        return call.answer(outcome)
    view = msgspec.structs.replace(
        await _view(call, role_id),
        applied_roles=[UUID(id) for id in changed["appliedRoles"]],
        cleared_roles=[UUID(id) for id in changed["clearedRoles"]],
    )
    return call.answer(outcome, body=view)


@operation(
    "DELETE",
    "/auth/sidebar/preferences",
    tag=TAG,
    summary="Clear sidebar preferences of a role",
    description="Takes the layout of a role away; nothing happens when it has none.",
    features=(SIDEBAR_MANAGE,),
    query=[_ROLE],
    raw_body=True,
    commands=("auth.role_sidebar_preferences.delete",),
    answers={
        200: Answer(ClearedView, "Cleared", headers=_OPERATION),
        400: _REFUSED,
        404: NOT_FOUND,
    },
)
async def delete_sidebar(call: Call[None]) -> Response[Any]:
    """200, whether there was one or not."""
    role_id = _role_id(call)
    if role_id is None:
        raise _invalid([issue("Invalid input: expected string, received undefined", ["roleId"])])
    outcome = await call.execute(ClearRoleSidebar(role_id=role_id))
    return call.answer(outcome, body=ClearedView(True, ScopeView("role", role_id)))


async def _view(call: Call[None], role_id: UUID | None) -> SidebarView:
    scope, manages = call.scope, call.scope.can(SIDEBAR_MANAGE)
    async with call.app.database.read(scope.tenant_id) as connection:
        found: Layout | None
        if role_id is None:
            found = await own_layout(connection, scope)
        else:
            found = await role_layout(connection, scope, role_id)
        if found is None:
            raise Problem.not_found("Role not found")
        roles = await role_layouts(connection, scope) if manages else UNSET
    return SidebarView(
        locale=scope.locale,
        settings=_settings(found.settings),
        can_apply_to_roles=manages,
        scope=ScopeView("user") if role_id is None else ScopeView("role", role_id),
        updated_at=found.updated_at,
        roles=roles,
    )


def _settings(stored: Raw) -> SidebarSettings:
    return msgspec.json.decode(bytes(stored), type=SidebarSettings)


def _role_id(call: Call[None]) -> UUID | None:
    text = (call.first("roleId") or "").strip()
    role_id = uuid_or_none(text)
    if text and role_id is None:
        raise _invalid([issue("Invalid UUID", ["roleId"])])
    return role_id


def _body(call: Call[None]) -> SidebarBody:
    """The body as it is valid. Raises Problem 400 in the form of these operations."""
    parsed = parse_body(call.raw)
    if parsed.fault is not None:
        raise Problem.bad_request("Invalid JSON")
    try:
        body: SidebarBody = convert_body(SidebarBody, parsed, {})
    except Problem as problem:
        raise _invalid(problem.body["details"]) from None
    found: list[Issue] = []
    if body.scope.type == "role":
        if body.scope.role_id is UNSET:
            found.append(issue("Invalid input: expected string, received undefined", ["scope"]))
        for name, ids in (("applyToRoles", body.apply_to_roles), ("clearRoleIds", body.clear_role_ids)):
            if ids:
                found.append(issue("Only for the layout of a user", [name]))
    elif body.scope.role_id is not UNSET:
        found.append(issue("Only for the layout of a role", ["scope"]))
    if found:
        raise _invalid(found)
    return body


def _invalid(issues: list[Issue]) -> Problem:
    """400 with the faults by field, as a form shows them."""
    fields: dict[str, list[str]] = {}
    for one in issues:
        if one["path"]:
            fields.setdefault(str(one["path"][0]), []).append(one["message"])
    form = [one["message"] for one in issues if not one["path"]]
    return Problem(400, {"error": "Invalid payload", "details": {"formErrors": form, "fieldErrors": fields}})
