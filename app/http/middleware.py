"""What every request gets, whatever answers it: an id, security headers, an access log line.

One plain ASGI callable around the whole application, so that it also covers paths that no route matches.
"""

from collections.abc import Iterable
from time import perf_counter
from typing import Any, cast

import structlog
from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars

from app.http.headers import EXPECTED_UPDATED_AT, OPERATION, REQUEST_ID, request_id
from app.http.trace import Trace, start_trace

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
"""For HTML answers that bring no stricter policy of their own."""

EXPOSED = (
    f"{OPERATION}, {REQUEST_ID}, x-om-partial-index, idempotency-replayed, content-disposition, retry-after"
)
"""Response headers that scripts of other origins may read."""

Headers = list[tuple[bytes, bytes]]

_SECURITY: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
]
_POLICY = (b"content-security-policy", CONTENT_SECURITY_POLICY.encode())
_NO_STORE = (b"cache-control", b"no-store")
_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, OPTIONS"),
    (
        b"access-control-allow-headers",
        "authorization, content-type, x-api-key, x-locale, idempotency-key, x-request-id, x-correlation-id, "
        f"x-backstep-reason, x-backstep-source, x-backstep-dry-run, last-event-id, {EXPECTED_UPDATED_AT}".encode(),
    ),
    (b"access-control-max-age", b"600"),
    (b"content-length", b"0"),
]
_STORED_TYPES = (b"text/css", b"text/javascript", b"image/", b"font/")
_UNLOGGED = frozenset(("/health", "/ready", "/api/health", "/api/ready"))

logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.access")


class HttpMiddleware:
    """The outermost layer; `origins` are those whose scripts may call the API (`*`: any, without cookies)."""

    def __init__(self, app: ASGIApp, origins: Iterable[str] = (), access_log: bool = True) -> None:
        """Wrap `app`."""
        self.app = app
        self.origins = frozenset(origin.rstrip("/").encode("latin-1") for origin in origins)
        self.access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == ScopeType.HTTP:
            await self._serve(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _serve(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        sent_id: bytes | None = None
        origin: bytes | None = None
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                sent_id = value
            elif name == b"origin":
                origin = value
        trace = start_trace(
            cast(dict[str, Any], scope), request_id(sent_id.decode("latin-1") if sent_id else None)
        )
        extra = [*_SECURITY, (b"x-request-id", trace.request_id.encode("latin-1"))]
        if origin is not None and self.origins:
            extra += self._cross_origin(origin)
        started, status = perf_counter(), 0

        async def send_more(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _completed(message.get("headers", ()), extra)
            await send(message)

        clear_contextvars()
        bind_contextvars(request_id=trace.request_id)
        try:
            if origin is not None and scope["method"] == "OPTIONS" and self.origins:
                await send_more({"type": "http.response.start", "status": 204, "headers": list(_PREFLIGHT)})
                await send_more({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await self.app(scope, receive, send_more)
        finally:
            if self.access_log:
                _log(scope, trace, status, perf_counter() - started)

    def _cross_origin(self, origin: bytes) -> Headers:
        vary = (b"vary", b"origin")
        if origin in self.origins:
            allow = [(b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true")]
        elif b"*" in self.origins:
            allow = [(b"access-control-allow-origin", b"*")]
        else:
            return [vary]
        return [vary, *allow, (b"access-control-expose-headers", EXPOSED.encode())]


def install(app: Litestar, origins: Iterable[str] = (), access_log: bool = True) -> Litestar:
    """Put the middleware around a Litestar application, outside of its router; answers the same application."""
    app.asgi_handler = HttpMiddleware(app.asgi_handler, origins, access_log)
    return app


def _completed(headers: Iterable[tuple[bytes, bytes]], extra: Headers) -> Headers:
    """The answer's own headers, with those of `extra` and of its media type that it does not set itself."""
    own = list(headers)
    names = {name for name, _ in own}
    own += [pair for pair in extra if pair[0] not in names]
    media_type = next((value for name, value in own if name == b"content-type"), b"")
    if media_type.startswith(b"text/html") and b"content-security-policy" not in names:
        own.append(_POLICY)
    if b"cache-control" not in names and not media_type.startswith(_STORED_TYPES):
        own.append(_NO_STORE)
    return own


def _log(scope: HTTPScope, trace: Trace, status: int, seconds: float) -> None:
    """One line: no query string, no body, and the template of the path in place of ids."""
    path = trace.template or scope.get("path_template") or "unmatched"
    if (path in _UNLOGGED or path.startswith("/static/")) and status < 500:
        return
    logger.info(
        "request",
        method=scope["method"],
        path=path,
        status=status or 499,
        duration_ms=round(seconds * 1000, 2),
        tenant=trace.tenant,
        actor=trace.actor,
        command_id=trace.command_id,
    )
