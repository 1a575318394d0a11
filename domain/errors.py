"""The one exception family of the product: each carries the answer that the client will see."""

from collections.abc import Mapping, Sequence
from typing import Any

Issue = dict[str, Any]
"""One fault of a request as the contract wants it: `code`, `path`, `message`, and keys that go with the code."""

_EXPIRED_COOKIES = ("auth_token=; Path=/; Max-Age=0", "session_token=; Path=/; Max-Age=0")


class Problem(Exception):
    """A request that cannot be served, together with its answer.

    `status` is the HTTP status code, `body` the JSON object of the answer (it always has the key `error`), `headers`
    are extra response headers, and `cookies` are complete `Set-Cookie` values.
    """

    def __init__(
        self,
        status: int,
        body: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        cookies: Sequence[str] = (),
    ) -> None:
        """Keep the parts of the answer; the text of the exception is the body's `error`."""
        super().__init__(str(body.get("error", "")))
        self.status = status
        self.body: dict[str, Any] = dict(body)
        self.headers: dict[str, str] = dict(headers or {})
        self.cookies: tuple[str, ...] = tuple(cookies)

    @property
    def code(self) -> str | None:
        """The machine-readable code of the answer, when it has one."""
        code = self.body.get("code")
        return code if isinstance(code, str) else None

    @classmethod
    def invalid(cls, issues: Sequence[Issue], error: str = "Invalid input") -> "Problem":
        """400: the request does not have the documented shape; `issues` says where (command-bus.md, section 7)."""
        return cls(400, {"error": error, "details": list(issues)})

    @classmethod
    def bad_request(cls, text: str, code: str | None = None, **extra: Any) -> "Problem":
        """400: a well-formed request that is refused for the reason in `text`."""
        return cls(400, _body(text, code, extra))

    @classmethod
    def unauthorized(cls, clear_cookies: bool = False) -> "Problem":
        """401: nobody is signed in; `clear_cookies` also drops the sign-in cookies, for a token that is bad."""
        return cls(401, {"error": "Unauthorized"}, cookies=_EXPIRED_COOKIES if clear_cookies else ())

    @classmethod
    def forbidden(cls, required: Sequence[str] | None = None, error: str = "Forbidden") -> "Problem":
        """403: the actor may not do this; `required` names the features that the operation asks for."""
        body: dict[str, Any] = {"error": error}
        if required is not None:
            body["requiredFeatures"] = list(required)
        return cls(403, body)

    @classmethod
    def not_found(cls, thing: str = "Not found") -> "Problem":
        """404; `thing` is the whole text, such as "Dictionary not found"."""
        return cls(404, {"error": thing})

    @classmethod
    def conflict(cls, text: str, code: str | None = None, **extra: Any) -> "Problem":
        """409: the request contradicts what is stored; `extra` are further keys of the body."""
        return cls(409, _body(text, code, extra))

    @classmethod
    def too_large(cls, limit: int | None = None) -> "Problem":
        """413: the body is longer than `limit` bytes."""
        text = "Request body is too large" if limit is None else f"Request body is larger than {limit} bytes"
        return cls(413, {"error": text, "code": "body_too_large"})

    @classmethod
    def unprocessable(cls, text: str, code: str | None = None, **extra: Any) -> "Problem":
        """422: understood, but not possible in the present state."""
        return cls(422, _body(text, code, extra))

    @classmethod
    def too_many(cls, retry_after: int, limit: int, error: str = "Too many requests") -> "Problem":
        """429: more than `limit` requests in the window; `retry_after` is in seconds."""
        headers = {
            "retry-after": str(retry_after),
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": str(retry_after),
        }
        return cls(429, {"error": error}, headers)

    @classmethod
    def unavailable(cls, error: str = "Service temporarily unavailable", retry_after: int = 2) -> "Problem":
        """503: try again after `retry_after` seconds."""
        return cls(503, {"error": error}, {"retry-after": str(retry_after)})


def issue(message: str, path: Sequence[str | int] = (), code: str = "custom", **extra: Any) -> Issue:
    """One issue of the documented form; `extra` are the keys that depend on the code."""
    return {**extra, "code": code, "path": list(path), "message": message}


def _body(text: str, code: str | None, extra: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"error": text}
    if code is not None:
        body["code"] = code
    body.update(extra)
    return body
