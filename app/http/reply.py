"""The answer of the API on its quick path: bytes that are ready to send."""

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send


class Reply(Response[bytes]):
    """A response whose body is encoded already; `raw_cookies` are complete `Set-Cookie` values.

    It behaves as any Litestar response (cookies, headers and background tasks can be set), and is sent without the
    framework's rendering when none of that is used.
    """

    raw_cookies: tuple[str, ...]

    def __init__(
        self,
        content: bytes,
        status_code: int = 200,
        media_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        raw_cookies: Sequence[str] = (),
    ) -> None:
        """Keep the parts; nothing is copied but the headers."""
        self.content = content
        self.status_code = status_code
        self.media_type = media_type
        self.headers = dict(headers) if headers else {}
        self.raw_cookies = tuple(raw_cookies)
        self.cookies = []
        self.background = None
        self.encoding = "utf-8"
        self.response_type_encoders = {}

    def to_asgi_response(self, *args: Any, **kwargs: Any) -> ASGIResponse:
        """What Litestar sends."""
        if self.background is None:
            return _Sender(self)
        response = super().to_asgi_response(*args, **kwargs)
        for cookie in self.raw_cookies:
            response.headers.add("set-cookie", cookie)
        return response


class _Sender(ASGIResponse):
    """Sends a reply in two messages."""

    def __init__(self, reply: Reply) -> None:
        status = reply.status_code or 200
        media_type = str(reply.media_type)
        if media_type.startswith("text/") and "charset" not in media_type:
            media_type += "; charset=utf-8"
        headers = [
            (b"content-type", media_type.encode("latin-1")),
            (b"content-length", b"%d" % len(reply.content)),
        ]
        if reply.headers:
            headers.extend(
                (k.lower().encode("latin-1"), str(v).encode("latin-1")) for k, v in reply.headers.items()
            )
        if reply.cookies:
            headers.extend(cookie.to_encoded_header() for cookie in reply.cookies)
        if reply.raw_cookies:
            headers.extend((b"set-cookie", cookie.encode("latin-1")) for cookie in reply.raw_cookies)
        self._start = {"type": "http.response.start", "status": status, "headers": headers}
        self.body = reply.content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head and the body."""
        await send(self._start)  # type: ignore[arg-type]  # a plain dictionary of the ASGI form
        await send({"type": "http.response.body", "body": self.body, "more_body": False})
