"""Answers of the sign-in operations: cookies, redirects, and what their forms and callers look like."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final

import msgspec
from litestar import Request
from msgspec import Struct

from app.http.call import Call
from app.http.reply import Reply
from app.sign_in import SignedIn
from domain.credentials import ACCESS_SECONDS
from domain.errors import Problem

TAG: Final = "Authentication & Accounts"

CLEARED: Final = ("auth_token=; Path=/; Max-Age=0", "session_token=; Path=/; Max-Age=0")
"""The cookies that sign somebody out."""

LIMIT_HEADERS: Final = {
    "retry-after": "Seconds until the next try",
    "x-ratelimit-limit": "Tries in a window",
    "x-ratelimit-remaining": "Tries left: 0",
    "x-ratelimit-reset": "Seconds until the next try",
}

_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


class RefusedView(Struct, frozen=True):
    """A refusal in the form of the sign-in operations."""

    ok: bool
    error: str


class ErrorOnlyView(Struct, frozen=True):
    """A refusal by the rate limiter."""

    error: str


def form_fields(call: Call[None]) -> dict[str, str]:
    """The fields of a form; whatever is not a readable form has none."""
    if not call.request.headers.get("content-type", "").lower().startswith(_FORMS):
        return {}
    try:
        return call.form()
    except Problem:
        return {}


def either(form: dict[str, str], name: str, alias: str) -> str:
    """A field under its name, or else under its other name; without blanks around it."""
    return form.get(name, "").strip() or form.get(alias, "").strip()


def wants_json(request: Request[Any, Any, Any]) -> bool:
    """Whether the caller asked for JSON and not for a page."""
    accepted = request.headers.get("accept", "").lower()
    return "application/json" in accepted and "text/html" not in accepted


def access_cookie(token: str, secure: bool) -> str:
    """The cookie of an access token."""
    return _cookie("auth_token", token, f"Max-Age={ACCESS_SECONDS}", secure)


def session_cookie(done: SignedIn, remember: bool, secure: bool) -> str:
    """The cookie of a session token; to be remembered, it has a date instead of an age."""
    end = datetime.now(UTC) + timedelta(seconds=done.lifetime_seconds)
    life = f"Expires={format_datetime(end, usegmt=True)}" if remember else f"Max-Age={done.lifetime_seconds}"
    return _cookie("session_token", done.session_token, life, secure)


def _cookie(name: str, value: str, life: str, secure: bool) -> str:
    return f"{name}={value}; Path=/; {life}; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"


def json_reply(value: Any, status: int = 200, cookies: Sequence[str] = ()) -> Reply:
    """JSON that nobody may store."""
    headers = {"cache-control": "no-store"}
    return Reply(msgspec.json.encode(value), status, headers=headers, raw_cookies=cookies)


def go(location: str, cookies: Sequence[str]) -> Reply:
    """A redirect."""
    headers = {"location": location, "cache-control": "no-store"}
    return Reply(b"", 302, "text/html", headers, cookies)
