"""What people change about their own account (contract: auth.md 7.8)."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Response
from msgspec import UNSET, Meta, Struct, UnsetType

from app.http.answers import NOT_FOUND, Answer, IssueView
from app.http.auth.replies import TAG, access_cookie, json_reply
from app.http.call import Call
from app.http.decode import convert_body, parse_body
from app.http.kit import in_tenant
from app.http.operation import operation
from app.seed import password_policy
from commands.auth import UpdateProfile
from domain.emails import Email
from domain.errors import Issue, Problem, issue
from domain.scope import Actor, Scope

INVALID = "Invalid profile update."


class ProfileBody(Struct, frozen=True, rename="camel"):
    """What to change; a new password needs the current one."""

    email: Email | UnsetType = UNSET
    current_password: Annotated[str, Meta(min_length=1)] | UnsetType = UNSET
    password: str | UnsetType = UNSET


class ProfileUpdatedView(Struct, frozen=True):
    """Done; the e-mail address as it is now."""

    ok: bool
    email: str


class ProfileRefusedView(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What is wrong; of an address that is taken, `fieldErrors` and `details` say so."""

    error: str
    issues: list[IssueView] = []
    field_errors: dict[str, str] = {}
    details: list[IssueView] = []


@operation(
    "PUT",
    "/auth/profile",
    tag=TAG,
    summary="Update current profile",
    description="Changes the own e-mail address or password. A new password ends all other sessions.",
    body=ProfileBody,
    raw_body=True,
    commands=("auth.users.update_profile",),
    example={"email": "user@example.com"},
    answers={
        200: Answer(
            ProfileUpdatedView,
            "Profile updated",
            example={"ok": True, "email": "user@example.com"},
            headers={"set-cookie": "A fresh auth_token of the same session"},
        ),
        400: Answer(ProfileRefusedView, "Invalid payload", example={"error": INVALID}),
        404: NOT_FOUND,
    },
)
async def update_profile(call: Call[None]) -> Response[Any]:
    """200 with a fresh cookie; the session goes on."""
    scope, user_id, session_id = _self(call)
    body = _body(call)
    sign_in, keys = call.app.sign_in, call.app.keys
    command = UpdateProfile(
        email=body.email, email_hash=UNSET if body.email is UNSET else keys.email_hash(body.email)
    )
    if body.password is not UNSET and body.current_password is not UNSET:
        if not await sign_in.is_password(scope.tenant_id, user_id, body.current_password):
            raise _refused([issue("Current password is incorrect.", ["currentPassword"])])
        digest = await sign_in.passwords.hash(body.password)
        command = UpdateProfile(email=command.email, email_hash=command.email_hash, password_hash=digest)
    outcome = await call.execute(command, scope)
    if outcome.dry_run is not None:
        return call.answer(outcome)
    token = await sign_in.renewed(scope.tenant_id, user_id, session_id)
    if token is None:
        raise Problem.not_found("User not found")
    email = outcome.result["email"] if isinstance(outcome.result, dict) else outcome.result.email
    cookies = (access_cookie(token, call.app.settings.production),)
    return json_reply(ProfileUpdatedView(True, email), cookies=cookies)


def _self(call: Call[None]) -> tuple[Scope, UUID, UUID]:
    """The scope of the caller's own tenant, whatever is selected, with user and session. Raises Problem 403."""
    scope: Scope = call.scope
    actor: Actor = scope.actor
    if actor.kind != "user" or actor.id is None or actor.session_id is None:
        raise Problem.forbidden(error="An API key has no profile")
    return in_tenant(scope, scope.actor_tenant_id or scope.tenant_id), actor.id, actor.session_id


def _body(call: Call[None]) -> ProfileBody:
    """The body as it is valid. Raises Problem 400 with everything that is wrong."""
    try:
        body: ProfileBody = convert_body(ProfileBody, parse_body(call.raw), {})
    except Problem as problem:
        raise _refused(problem.body["details"]) from None
    found: list[Issue] = []
    if body.email is UNSET and body.password is UNSET:
        found.append(issue("Provide an email or password.", ["email"]))
    if body.password is not UNSET:
        faults = password_policy(call.app.settings).faults(body.password)
        found.extend(issue(text, ["password"]) for text in faults)
        if body.current_password is UNSET:
            found.append(issue("Current password is required.", ["currentPassword"]))
    elif body.current_password is not UNSET:
        found.append(issue("New password is required.", ["password"]))
    if found:
        raise _refused(found)
    return body


def _refused(issues: list[Issue]) -> Problem:
    return Problem(400, {"error": INVALID, "issues": issues})
