"""The pages' routes: every page is a shell rendered once; its modules fetch the data from the API.

A page never reads the database and holds nothing about a tenant, so it may be shown before it is known who asks;
a visitor without a session cookie is led to the sign-in page, a rejected one by the page's own script.
"""

from pathlib import Path
from typing import Final, Protocol, TypeAlias
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from app.pages.assets import Asset, Assets, made
from app.pages.redirects import DETAILS, REDIRECTS

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""What the pages need and nothing more: own files only, no inline script or style, no HTML from strings."""

PageRequest: TypeAlias = Request[object, object, State]

TEMPLATE_DIRECTORY: Final = Path(__file__).parent / "templates"


class PageSettings(Protocol):
    """The part of the settings that the pages look at."""

    @property
    def demo(self) -> bool:
        """Whether the demo users exist, so that the sign-in page may offer them."""
        ...

    @property
    def password_min_length(self) -> int:
        """Characters that a new password has at least."""
        ...

    @property
    def password_require_digit(self) -> bool:
        """Whether a new password needs a digit."""
        ...

    @property
    def password_require_uppercase(self) -> bool:
        """Whether a new password needs an upper-case letter."""
        ...

    @property
    def password_require_special(self) -> bool:
        """Whether a new password needs a character that is neither letter nor digit."""
        ...


class Page(Struct, frozen=True):
    """One page: its path, template, title, entry module, and whether it is for signed-in people only."""

    path: str
    template: str
    title: str
    module: str
    private: bool = True


PAGES: Final = (
    Page("/login", "login.html", "Sign in", "js/login.js", private=False),
    Page("/logout", "logout.html", "Sign out", "js/logout.js", private=False),
    Page("/backend/activity", "activity.html", "Activity", "js/activity.js"),
    Page("/backend/history/{kind:str}/{record_id:str}", "history.html", "History", "js/record-history.js"),
    Page("/backend/undo-many", "undo-many.html", "Undo many", "js/undo-many.js"),
    Page("/backend/dictionaries", "dictionaries.html", "Dictionaries", "js/dictionaries.js"),
    Page("/backend/dictionaries/{dictionary_id:str}", "dictionary.html", "Dictionary", "js/dictionary.js"),
    Page("/reset", "reset.html", "Forgotten password", "js/reset.js", private=False),
    Page("/reset/{token:str}", "new-password.html", "Choose a password", "js/new-password.js", private=False),
    Page("/backend/users", "users.html", "Users", "js/users.js"),
    Page("/backend/users/{user_id:str}", "grants.html", "User", "js/user.js"),
    Page("/backend/roles", "roles.html", "Roles", "js/roles.js"),
    Page("/backend/roles/{role_id:str}", "grants.html", "Role", "js/role.js"),
    Page("/backend/organizations", "organizations.html", "Organizations", "js/organizations.js"),
    Page("/backend/api-keys", "api-keys.html", "API keys", "js/api-keys.js"),
    Page("/backend/account", "account.html", "My account", "js/account.js"),
    Page("/backend/data", "data.html", "Data", "js/data.js"),
    Page("/backend/data/{entity_id:str}", "records.html", "Data", "js/records.js"),
    Page("/backend/entities/user/{entity_id:str}/records", "records.html", "Data", "js/records.js"),
    Page("/backend/entities", "entities.html", "Fields and entities", "js/entities.js"),
    Page("/backend/entities/{entity_id:str}", "entity.html", "Fields", "js/entity.js"),
    Page("/backend/index", "index.html", "Index", "js/index.js"),
    Page("/backend/query-indexes", "index.html", "Index", "js/index.js"),
    Page("/backend/toggles", "toggles.html", "Feature toggles", "js/toggles.js"),
    Page("/backend/system", "system.html", "System", "js/system.js"),
    Page("/backend/replay", "replay.html", "Replay", "js/replay.js"),
    Page("/backend/log-integrity", "log-integrity.html", "Log integrity", "js/log-integrity.js"),
    Page("/backend/events", "events.html", "Events", "js/events.js"),
    Page("/backend/explorer", "explorer.html", "API explorer", "js/explorer.js"),
)


def page_handlers(settings: PageSettings) -> list[HTTPRouteHandler]:
    """All handlers of the pages and of the files they load, ready for the application's route list."""
    assets = Assets()
    templates = Environment(
        loader=FileSystemLoader(TEMPLATE_DIRECTORY),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals["asset"] = assets.url
    handlers = [_page_handler(page, _render(templates, assets, page, settings)) for page in PAGES]
    return [*handlers, *_elsewhere(), _home(), _favicon(assets), _static(assets)]


def _render(templates: Environment, assets: Assets, page: Page, settings: PageSettings) -> Asset:
    html = templates.get_template(page.template).render(
        page=page, demo=settings.demo, policy=_policy(settings), modules=assets.modules(page.module)
    )
    return made(html.encode(), "text/html")


def _policy(settings: PageSettings) -> str:
    """What a new password must have, as one sentence for the hint beside its field."""
    parts = [
        (settings.password_require_digit, "a digit"),
        (settings.password_require_uppercase, "an upper-case letter"),
        (settings.password_require_special, "a special character"),
    ]
    wanted = [text for applies, text in parts if applies]
    listed = ", ".join(wanted[:-1]) + (" and " if len(wanted) > 1 else "") + wanted[-1] if wanted else ""
    return f"At least {settings.password_min_length} characters{', with ' + listed if listed else ''}."


def _page_handler(page: Page, html: Asset) -> HTTPRouteHandler:
    headers = {"cache-control": "no-cache", "content-security-policy": CONTENT_SECURITY_POLICY}

    @get(page.path, include_in_schema=False, name=f"page:{page.path}", sync_to_thread=False)
    def show(request: PageRequest) -> Response[bytes]:
        if page.private and "auth_token" not in request.cookies:
            return _to_sign_in(request)
        return _send(request, html, headers)

    return show


def _send(request: PageRequest, asset: Asset, headers: dict[str, str]) -> Response[bytes]:
    headers = {**headers, "vary": "accept-encoding"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(asset.content, media_type=asset.media_type, headers=headers)
    return Response(
        asset.compressed, media_type=asset.media_type, headers={**headers, "content-encoding": "gzip"}
    )


def _to_sign_in(request: PageRequest) -> Response[bytes]:
    """Lead to the sign-in page and back; by way of the refresh route when a remembered session may still live."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    door = "/api/auth/session/refresh" if "session_token" in request.cookies else "/login"
    return _redirect(f"{door}?redirect={quote(wanted, safe='')}")


def _redirect(location: str) -> Response[bytes]:
    return Response(b"", status_code=302, headers={"location": location, "cache-control": "no-store"})


def _elsewhere() -> list[HTTPRouteHandler]:
    """The addresses of the menus whose pages are elsewhere; each leads there. Those with a page stay as they are."""
    served = {page.path for page in PAGES}
    led = [_led(path, target) for path, target in REDIRECTS.items() if path not in served]
    return [*led, *map(_led_detail, DETAILS)]


def _led(path: str, target: str) -> HTTPRouteHandler:
    @get(path, include_in_schema=False, name=f"page:{path}", sync_to_thread=False)
    def led() -> Response[bytes]:
        return _redirect(target)

    return led


def _led_detail(path: str) -> HTTPRouteHandler:
    @get(path, include_in_schema=False, name=f"page:{path}", sync_to_thread=False)
    def led(id: FromPath[str]) -> Response[bytes]:
        return _redirect(DETAILS[path].replace("{id}", quote(id, safe="")))

    return led


def _home() -> HTTPRouteHandler:
    @get(["/", "/backend"], include_in_schema=False, name="page:home", sync_to_thread=False)
    def home() -> Response[bytes]:
        return _redirect("/backend/activity")

    return home


def _favicon(assets: Assets) -> HTTPRouteHandler:
    @get("/favicon.ico", include_in_schema=False, name="page:favicon", sync_to_thread=False)
    def favicon() -> Response[bytes]:
        return _redirect(assets.url("favicon.svg"))

    return favicon


def _static(assets: Assets) -> HTTPRouteHandler:
    @get(
        "/static/{digest:str}/{name:path}", include_in_schema=False, name="page:static", sync_to_thread=False
    )
    def static(request: PageRequest, digest: FromPath[str], name: FromPath[str]) -> Response[bytes]:
        asset = assets.find(name.removeprefix("/"))
        if asset is None or digest != assets.digest:
            return Response(
                b'{"error":"Not Found"}',
                status_code=404,
                media_type="application/json",
                headers={"cache-control": "no-store"},
            )
        return _send(request, asset, {"cache-control": "public, max-age=31536000, immutable"})

    return static
