"""The language of the product for one browser (contract: auth.md 7.18 and 7.19)."""

from typing import Any, Final, Literal

from litestar import Response
from msgspec import Struct

from app.http.answers import OkView, refused
from app.http.auth.replies import TAG, go, json_reply, wants_json
from app.http.call import Call
from app.http.decode import parse_body
from app.http.operation import Answer, Parameter, operation
from app.http.redirects import safe_redirect
from app.settings import Locale
from domain.errors import Problem
from domain.i18n import LOCALES

_YEAR_SECONDS: Final = 31_536_000
_INVALID: Final = refused("The language is none of en, pl, es, de")
_FIXED: Final = refused("The language of this installation is fixed")


class LocaleBody(Struct, frozen=True):
    """The wanted language."""

    locale: Locale


class WentView(Struct, frozen=True, omit_defaults=True):
    """Done, for callers that asked for JSON instead of a redirect."""

    ok: Literal[True]
    redirect: str | None = None


@operation(
    "GET",
    "/auth/locale",
    tag=TAG,
    summary="GET /auth/locale",
    description="Keeps the language in a cookie and leads the browser on.",
    auth=False,
    query=[
        Parameter("locale", "The language", {"type": "string", "enum": list(LOCALES)}, example="pl"),
        Parameter("redirect", "Path on this site to go to afterwards", example="/activity"),
    ],
    answers={
        200: Answer(WentView, "Success response", example={"ok": True, "redirect": "/"}),
        302: Answer(None, "Redirect to the path", "text/html", headers={"location": "The path on this site"}),
        400: _INVALID,
        409: _FIXED,
    },
    operation_id="auth_locale_by_link",
)
async def locale_by_link(call: Call[None]) -> Response[Any]:
    """A redirect with the cookie; JSON for callers that asked for it."""
    cookie = _cookie(call, call.first("locale"))
    request = call.request
    target = safe_redirect(request, call.app.settings.app_url, call.first("redirect") or None, "/")
    if wants_json(request):
        return json_reply(WentView(True, target), 200, (cookie,))
    return go(target, (cookie,))


@operation(
    "POST",
    "/auth/locale",
    tag=TAG,
    summary="POST /auth/locale",
    description="Keeps the language in a cookie.",
    auth=False,
    body=LocaleBody,
    raw_body=True,
    no_command="the language is kept in the browser's cookie; nothing is stored",
    example={"locale": "pl"},
    answers={
        201: Answer(OkView, "Success response", example={"ok": True}),
        400: _INVALID,
        409: _FIXED,
    },
    operation_id="auth_locale",
)
async def locale(call: Call[None]) -> Response[Any]:
    """201 with the cookie."""
    parsed = parse_body(call.raw)
    if parsed.fault is not None or not isinstance(parsed.value, dict):
        raise Problem.bad_request("Bad request")
    return json_reply({"ok": True}, 201, (_cookie(call, parsed.value.get("locale")),))


def _cookie(call: Call[None], wanted: Any) -> str:
    """The cookie of a language. Raises Problem 400 for one that we do not speak, 409 where it is fixed."""
    if not isinstance(wanted, str) or wanted not in LOCALES:
        raise Problem.bad_request("Invalid locale")
    settings = call.app.settings
    if settings.force_locale is not None:
        raise Problem.conflict("The language of this installation is fixed", "locale_fixed")
    secure = "; Secure" if settings.production else ""
    return f"locale={wanted}; Path=/; Max-Age={_YEAR_SECONDS}; SameSite=Lax{secure}"
