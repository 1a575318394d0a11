"""Which address links in security mails may carry (contract: auth.md 6.3).

A link is always built on the configured address, never on what a request says of itself. A request that names another
site is refused besides: it was not made by somebody who looked at this one.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from litestar import Request
from msgspec import Struct

from app.settings import Settings
from domain.errors import Problem

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS: Final = {"http": 80, "https": 443}

HttpRequest = Request[Any, Any, Any]


class Origin(Struct, frozen=True):
    """Scheme (None: not known), host and port of a site."""

    scheme: str | None
    host: str
    port: int | None

    @property
    def loopback(self) -> bool:
        """Whether it is this very machine."""
        return self.host in _LOOPBACK


def security_base_url(request: HttpRequest, settings: Settings) -> str:
    """The address that links in mails begin with, without a slash at the end.

    Raises Problem 400 when the request came for another site, and 500 when production has no APP_URL.
    """
    base = settings.base_url
    if base is None:
        if settings.production:
            raise Problem(500, {"error": "APP_URL is not configured"})
        server = request.scope.get("server")
        port = server[1] if server is not None and server[1] else 8000
        return f"http://localhost:{port}"
    known = (settings.app_url, settings.public_app_url, *settings.app_allowed_origins)
    allowed = [origin for url in known if url and (origin := _origin(url)) is not None]
    asked = [origin_asked for origin_asked in _asked(request) if origin_asked is not None]
    if not all(_trusted(one, allowed, settings.production) for one in asked):
        raise Problem.bad_request("Invalid request origin")
    return base


def _asked(request: HttpRequest) -> list[Origin | None]:
    """The sites that the request says it was made for; an unreadable one is a site of nobody."""
    headers = request.headers
    scheme = _first(headers.get("x-forwarded-proto"))
    hosts = [_first(headers.get(name)) for name in ("host", "x-forwarded-host")]
    return [
        _origin(f"{scheme or 'any'}://{host}") or Origin(None, "", None) for host in hosts if host is not None
    ]


def _first(value: str | None) -> str | None:
    return (value.partition(",")[0].strip() or None) if value is not None else None


def _origin(url: str) -> Origin | None:
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.username is not None:
        return None
    scheme = None if parts.scheme == "any" else parts.scheme.lower()
    return Origin(scheme, host.lower(), port if port is not None else _PORTS.get(scheme or ""))


def _trusted(asked: Origin, allowed: list[Origin], production: bool) -> bool:
    return any(_same(asked, one) or _same_machine(asked, one, production) for one in allowed)


def _same(asked: Origin, allowed: Origin) -> bool:
    """A scheme that no proxy told is not compared: TLS may end before this server."""
    if asked.host != allowed.host or (asked.scheme is not None and asked.scheme != allowed.scheme):
        return False
    return asked.port == allowed.port or (asked.port is None and allowed.port in _PORTS.values())


def _same_machine(asked: Origin, allowed: Origin, production: bool) -> bool:
    """Names of the own machine stand for each other; in production on the same port only."""
    if not (asked.loopback and (allowed.loopback or not production)):
        return False
    return not production or asked.port == allowed.port
