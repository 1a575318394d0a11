"""Signing in, staying in, signing out, and who is signed in (contract: auth.md 7.1 to 7.4 and 7.7)."""

import re
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from litestar import Response
from msgspec import UNSET, Struct, UnsetType

from app.http.answers import NOT_FOUND, Answer
from app.http.auth.replies import (
    CLEARED,
    LIMIT_HEADERS,
    TAG,
    ErrorOnlyView,
    RefusedView,
    access_cookie,
    either,
    form_fields,
    go,
    json_reply,
    session_cookie,
    wants_json,
)
from app.http.call import Call
from app.http.decode import parse_body
from app.http.operation import Parameter, operation
from app.http.redirects import safe_redirect
from app.rate_limit import LOGIN, LOGIN_BY_ADDRESS, REFRESH, REFRESH_BY_ADDRESS
from app.sign_in import WRONG_CREDENTIALS
from domain.credentials import ACCESS_SECONDS, uuid_or_none
from domain.errors import Problem
from domain.wire import flag
from queries.auth import email_of

LOGIN_FALLBACK: Final = "/backend"

_EMAIL: Final = re.compile(r"[^\s@]{1,64}@[^\s@]+\.[^\s@.]{2,}\Z")
_SAFE_SITES: Final = frozenset({"same-origin", "same-site", "none"})


class LoginForm(Struct, frozen=True, rename="camel"):
    """The fields of the sign-in form. `tenant` and `role` are other names of `tenantId` and `requireRole`."""

    email: str
    password: str
    remember: str | UnsetType = UNSET
    tenant_id: str | UnsetType = UNSET
    require_role: str | UnsetType = UNSET
    redirect: str | UnsetType = UNSET


class LoginView(Struct, frozen=True, rename="camel"):
    """The access token, where to go next, and (only when to be remembered) the token to refresh with."""

    ok: bool
    token: str
    redirect: str | None
    refresh_token: str | UnsetType = UNSET


class RefreshBody(Struct, frozen=True, rename="camel"):
    """The refresh token that signing in gave."""

    refresh_token: str


class AccessView(Struct, frozen=True, rename="camel"):
    """A fresh access token and the seconds that it is good for."""

    ok: bool
    access_token: str
    expires_in: int


class ProfileView(Struct, frozen=True, rename="camel"):
    """Who is signed in, and what they may do; `features` are grants, wildcards among them."""

    email: str
    roles: list[str]
    id: UUID | None
    name: str | None
    is_super_admin: bool
    features: list[str]


class WentView(Struct, frozen=True, omit_defaults=True):
    """Done, for callers that asked for JSON instead of a redirect."""

    ok: bool
    redirect: str | None = None


_REFUSED_EXAMPLE: Final = {"ok": False, "error": WRONG_CREDENTIALS}
_TO_LOGIN: Final = Answer(
    None, "Redirect to login after successful logout", "text/html", headers={"location": "The sign-in page"}
)


@operation(
    "POST",
    "/auth/login",
    tag=TAG,
    commands=("auth.sessions.login",),
    summary="Authenticate user credentials",
    description="Checks e-mail and password and opens a session: the answer has an access token, and sets cookies.",
    auth=False,
    body=LoginForm,
    raw_body=True,
    media_type="application/x-www-form-urlencoded",
    example={"email": "user@example.com", "password": "string"},
    answers={
        200: Answer(
            LoginView, "Authentication succeeded", headers={"set-cookie": "auth_token and session_token"}
        ),
        400: Answer(RefusedView, "Validation failed", example=_REFUSED_EXAMPLE),
        401: Answer(RefusedView, "Invalid credentials", example=_REFUSED_EXAMPLE),
        403: Answer(RefusedView, "User lacks required role"),
        429: Answer(ErrorOnlyView, "Too many login attempts", headers=LIMIT_HEADERS),
    },
)
async def login(call: Call[None]) -> Response[Any]:
    """Open a session for the right e-mail and password."""
    request, limits = call.request, call.app.rate_limits
    form = form_fields(call)
    email = form.get("email", "")
    await limits.hit(LOGIN_BY_ADDRESS, request)
    await limits.hit(LOGIN, request, email)
    password, tenant = form.get("password", ""), either(form, "tenantId", "tenant")
    tenant_id = uuid_or_none(tenant)
    if not _EMAIL.match(email) or len(email) > 320 or len(password) < 6 or (tenant and tenant_id is None):
        raise Problem(400, {"ok": False, "error": WRONG_CREDENTIALS})
    wanted = either(form, "requireRole", "role").split(",")
    remember = flag(form.get("remember")) is True
    done = await call.app.sign_in.with_password(
        email,
        password,
        tenant_id=tenant_id,
        any_role=[role.strip() for role in wanted if role.strip()],
        remember=remember,
        user_agent=request.headers.get("user-agent"),
        options=call.options,
    )
    await limits.clear(LOGIN, request, email)
    target = safe_redirect(request, call.app.settings.app_url, form.get("redirect") or None, LOGIN_FALLBACK)
    view = LoginView(True, done.access_token, target, done.session_token if remember else UNSET)
    secure = call.app.settings.production
    return json_reply(
        view, cookies=(access_cookie(done.access_token, secure), session_cookie(done, remember, secure))
    )


async def _logout(call: Call[None], json_status: int) -> Response[Any]:
    cookies = call.request.cookies
    await call.app.sign_in.sign_out(
        session_id=call.scope.actor.session_id,
        access_token=cookies.get("auth_token"),
        session_token=cookies.get("session_token"),
        options=call.options,
    )
    if wants_json(call.request):
        return json_reply(WentView(True), json_status, CLEARED)
    return go("/login", CLEARED)


@operation(
    "GET",
    "/auth/logout",
    tag=TAG,
    summary="Log out (legacy GET)",
    description="Does what POST does. Refused when another site's page leads here.",
    answers={
        200: Answer(WentView, "Success response", example={"ok": True}),
        302: _TO_LOGIN,
        403: Answer(ErrorOnlyView, "Another site asked for it"),
    },
    operation_id="auth_logout_by_link",
)
async def logout_by_link(call: Call[None]) -> Response[Any]:
    """End the session, unless a page of another site asked for it."""
    if call.request.headers.get("sec-fetch-site", "none").lower() not in _SAFE_SITES:
        raise Problem.forbidden(error="Another site may not sign you out")
    return await _logout(call, 200)


@operation(
    "POST",
    "/auth/logout",
    tag=TAG,
    commands=("auth.sessions.logout",),
    summary="Invalidate session and redirect",
    description="Ends the session of the caller and those of its cookies, and clears the cookies.",
    raw_body=True,
    answers={201: Answer(WentView, "Success response", example={"ok": True}), 302: _TO_LOGIN},
)
async def logout(call: Call[None]) -> Response[Any]:
    """End the session."""
    return await _logout(call, 201)


@operation(
    "GET",
    "/auth/session/refresh",
    tag=TAG,
    summary="Refresh auth cookie from session token (browser)",
    description="Makes a fresh access token cookie of a live `session_token` cookie, and leads the browser on.",
    auth=False,
    query=[Parameter("redirect", "Path on this site to go to afterwards", example="/activity")],
    answers={
        200: Answer(WentView, "Success response", example={"ok": True, "redirect": "/"}),
        302: Answer(
            None,
            "Redirect to target location when session is valid",
            "text/html",
            headers={"location": "The target, or the sign-in page when the session is over"},
        ),
        401: Answer(RefusedView, "The session is over, for callers that asked for JSON"),
    },
    operation_id="auth_refresh_browser",
)
async def refresh_browser(call: Call[None]) -> Response[Any]:
    """A fresh access cookie for a live session cookie, and a redirect."""
    request, settings = call.request, call.app.settings
    target = safe_redirect(request, settings.app_url, call.first("redirect") or None, "/")
    token = await call.app.sign_in.refresh(request.cookies.get("session_token"))
    as_json = wants_json(request)
    if token is None:
        if as_json:
            return json_reply(RefusedView(False, "The session is over"), 401, CLEARED)
        return go(f"/login?redirect={quote(target, safe='')}", CLEARED)
    cookies = (access_cookie(token, settings.production),)
    return json_reply(WentView(True, target), 200, cookies) if as_json else go(target, cookies)


@operation(
    "POST",
    "/auth/session/refresh",
    tag=TAG,
    no_command="a fresh access token is signed; nothing is stored",
    summary="Refresh access token (API/mobile)",
    description="Gives a fresh access token for a refresh token, which stays good.",
    auth=False,
    body=RefreshBody,
    raw_body=True,
    example={"refreshToken": "string"},
    answers={
        200: Answer(AccessView, "New access token issued"),
        400: Answer(RefusedView, "Missing refresh token"),
        401: Answer(RefusedView, "Invalid or expired token"),
        429: Answer(ErrorOnlyView, "Too many refresh attempts", headers=LIMIT_HEADERS),
    },
)
async def refresh(call: Call[None]) -> Response[Any]:
    """A fresh access token for a live refresh token."""
    value = parse_body(call.raw).value
    token = value.get("refreshToken") if isinstance(value, dict) else None
    token = token if isinstance(token, str) else ""
    await call.app.rate_limits.hit(REFRESH_BY_ADDRESS, call.request)
    await call.app.rate_limits.hit(REFRESH, call.request, token)
    if not token:
        return json_reply(RefusedView(False, "A refresh token is required"), 400, CLEARED)
    access = await call.app.sign_in.refresh(token)
    if access is None:
        return json_reply(RefusedView(False, "The refresh token is unknown or expired"), 401, CLEARED)
    return json_reply(
        AccessView(True, access, ACCESS_SECONDS), 200, (access_cookie(access, call.app.settings.production),)
    )


_PROFILE: Final = {
    "email": "user@example.com",
    "roles": ["admin"],
    "id": "0198c1c2-4c4e-4b1a-9d0e-6f6e0a5b7c11",
    "name": None,
    "isSuperAdmin": False,
    "features": ["auth.*"],
}


@operation(
    "GET",
    "/auth/profile",
    tag=TAG,
    summary="Get current profile",
    description="E-mail address, role names and grants of whoever is signed in; of an API key, its person's address.",
    answers={
        200: Answer(ProfileView, "Profile payload", example=_PROFILE),
        404: NOT_FOUND,
    },
)
async def profile(call: Call[None]) -> Response[Any]:
    """Who is signed in."""
    scope = call.scope
    email = scope.actor.email
    if email is None and scope.actor.user_id is not None:
        async with call.app.database.system() as connection:
            email = await email_of(connection, scope.actor_tenant_id or scope.tenant_id, scope.actor.user_id)
    if email is None:
        raise Problem.not_found("User not found")
    actor = scope.actor
    name = actor.name if actor.kind == "user" else None
    return call.json(
        ProfileView(email, list(scope.roles), actor.user_id, name, scope.is_super_admin, list(scope.features))
    )
