"""Forgotten passwords, and invitations sent again (contract: auth.md 7.5, 7.6 and 8.6)."""

from typing import Any, Final
from uuid import UUID

from litestar import Response
from msgspec import UNSET, Struct, UnsetType

from app.http.answers import NOT_FOUND, OK, Answer
from app.http.auth.replies import LIMIT_HEADERS, TAG, ErrorOnlyView, RefusedView, form_fields, json_reply
from app.http.call import Call
from app.http.decode import parse_body
from app.http.kit import in_tenant
from app.http.locale import request_locale
from app.http.operation import operation
from app.http.origins import security_base_url
from app.rate_limit import RESEND_INVITE, RESET, RESET_BY_ADDRESS, RESET_CONFIRM
from app.seed import password_policy
from domain.auth import USERS_CREATE
from domain.credentials import uuid_or_none
from domain.emails import is_email
from domain.errors import Problem
from queries.auth.consents import reachable_user


class ResetForm(Struct, frozen=True):
    """Whose password was forgotten."""

    email: str


class ConfirmForm(Struct, frozen=True):
    """The secret of the link, and the new password."""

    token: str
    password: str


class ConfirmedView(Struct, frozen=True):
    """Done, and where to sign in."""

    ok: bool
    redirect: str


class ResendBody(Struct, frozen=True):
    """Whom to invite again."""

    id: UUID


class InvitedView(Struct, frozen=True, omit_defaults=True):
    """Done; `warning` is `invite_email_failed` when no letter is on its way."""

    ok: bool
    warning: str | UnsetType = UNSET


class FieldsView(Struct, frozen=True, rename="camel"):
    """What is wrong with which field."""

    error: str
    field_errors: dict[str, list[str]]


_BAD_FIELDS: Final = Answer(
    FieldsView,
    "Validation failed",
    example={"error": "Validation failed", "fieldErrors": {"email": ["Invalid email address"]}},
)
_NO_ORIGIN: Final = Answer(ErrorOnlyView, "Password reset email origin is not configured")
_BAD_ORIGIN: Final = Answer(ErrorOnlyView, "Invalid request origin")


@operation(
    "POST",
    "/auth/reset",
    tag=TAG,
    summary="Send reset email",
    description="Mails a link to choose a new password, if there is such an account. The answer never tells.",
    auth=False,
    body=ResetForm,
    raw_body=True,
    media_type="application/x-www-form-urlencoded",
    commands=("auth.password_resets.request",),
    example={"email": "user@example.com"},
    answers={
        200: Answer(
            OK.schema, "Reset email dispatched (or ignored for unknown accounts)", example={"ok": True}
        ),
        400: _BAD_ORIGIN,
        422: _BAD_FIELDS,
        429: Answer(ErrorOnlyView, "Too many password reset requests", headers=LIMIT_HEADERS),
        500: _NO_ORIGIN,
    },
)
async def reset(call: Call[None]) -> Response[Any]:
    """200, whoever asks for whatever address."""
    request, app = call.request, call.app
    email = form_fields(call).get("email", "").strip()
    await app.rate_limits.hit(RESET_BY_ADDRESS, request)
    await app.rate_limits.hit(RESET, request, email)
    if not is_email(email):
        raise _fields("email", "Invalid email address")
    base_url = security_base_url(request, app.settings)
    locale = request_locale(request, app.settings.force_locale)
    await app.password_resets.ask(app.delivery, email, locale, base_url)
    return json_reply({"ok": True})


@operation(
    "POST",
    "/auth/reset/confirm",
    tag=TAG,
    summary="Complete password reset",
    description="Sets a new password with the secret of a mailed link, and ends all sessions of the user.",
    auth=False,
    body=ConfirmForm,
    raw_body=True,
    media_type="application/x-www-form-urlencoded",
    commands=("auth.password_resets.confirm",),
    example={"token": "string", "password": "string"},
    answers={
        200: Answer(ConfirmedView, "Password reset succeeded", example={"ok": True, "redirect": "/login"}),
        400: Answer(RefusedView, "Invalid token or payload"),
        429: Answer(ErrorOnlyView, "Too many reset confirmation attempts", headers=LIMIT_HEADERS),
    },
)
async def confirm(call: Call[None]) -> Response[Any]:
    """200 once for each link."""
    await call.app.rate_limits.hit(RESET_CONFIRM, call.request)
    form = form_fields(call)
    policy = password_policy(call.app.settings)
    await call.app.password_resets.confirm(
        form.get("token", "").strip(), form.get("password", ""), policy, call.options
    )
    return json_reply(ConfirmedView(True, "/login"))


@operation(
    "POST",
    "/auth/users/resend-invite",
    tag=TAG,
    summary="Send an invitation again",
    description="Mails a user without a password a new link to choose one; earlier links are void.",
    features=(USERS_CREATE,),
    body=ResendBody,
    raw_body=True,
    commands=("auth.invitations.send",),
    example={"id": "00000000-0000-4000-8000-000000000000"},
    answers={
        200: Answer(InvitedView, "Invitation on its way", example={"ok": True}),
        400: _BAD_ORIGIN,
        404: NOT_FOUND,
        409: Answer(ErrorOnlyView, "The user has a password"),
        422: _BAD_FIELDS,
        429: Answer(ErrorOnlyView, "Too many invitations", headers=LIMIT_HEADERS),
        500: _NO_ORIGIN,
    },
)
async def resend_invite(call: Call[None]) -> Response[Any]:
    """200 when the letter is on its way."""
    scope, app = call.scope, call.app
    await app.rate_limits.hit(RESEND_INVITE, call.request)
    value = parse_body(call.raw).value
    user_id = uuid_or_none(value.get("id")) if isinstance(value, dict) else None
    if user_id is None:
        raise _fields("id", "Invalid UUID")
    async with app.database.system() as connection:
        target = await reachable_user(connection, scope, user_id)
    if target is None:
        raise Problem.not_found("User not found")
    base_url = security_base_url(call.request, app.settings)
    there = scope if target.tenant_id == scope.tenant_id else in_tenant(scope, target.tenant_id)
    await app.invitations.invite(there, user_id, scope.locale, base_url, call.options)
    return json_reply(InvitedView(True))


def _fields(name: str, message: str) -> Problem:
    return Problem(422, {"error": "Validation failed", "fieldErrors": {name: [message]}})
