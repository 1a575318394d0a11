"""The documented answers of operations, and the shapes that many of them share."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class Answer(Struct, frozen=True):
    """One documented answer: its type (None: no body), what it means, and what it looks like.

    A `schema` may also be a JSON Schema as a dictionary. `media_type` other than JSON makes the body text of that type.
    `headers` maps header names to their meaning.
    """

    schema: Any
    description: str
    media_type: str = "application/json"
    example: Any = None
    headers: Mapping[str, str] = {}


class OkView(Struct, frozen=True):
    """Done."""

    ok: bool = True


class IssueView(Struct, frozen=True):
    """One fault of a request; further keys depend on `code`."""

    code: str
    path: list[str | int]
    message: str


class ErrorView(Struct, frozen=True, omit_defaults=True):
    """An error; `code` is for programs, where there is one."""

    error: str
    code: str | None = None
    message: str | None = None


class InvalidView(Struct, frozen=True, omit_defaults=True):
    """A request that does not have the documented shape."""

    error: str
    details: list[IssueView] = []


class ForbiddenView(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A refusal, with the features that the operation asks for."""

    error: str
    required_features: list[str] = []


class ConflictView(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A contradiction to what is stored; of a stale lock, with both times."""

    error: str
    code: str | None = None
    current_updated_at: str | None = None
    expected_updated_at: str | None = None


def refused(description: str) -> Answer:
    """An answer `{"error": …}` that means `description`."""
    return Answer(ErrorView, description)


OK = Answer(OkView, "Done", example={"ok": True})
INVALID = Answer(InvalidView, "The request does not have the documented shape")
UNAUTHORIZED = Answer(ErrorView, "Nobody is signed in", example={"error": "Unauthorized"})
FORBIDDEN = Answer(ForbiddenView, "The actor lacks a feature, or asks for another tenant")
NOT_FOUND = Answer(ErrorView, "No such record", example={"error": "Not found"})
CONFLICT = Answer(
    ConflictView, "The record was changed meanwhile, or the change collides with another record"
)
TOO_LARGE = Answer(ErrorView, "The request body is too large")
UNPROCESSABLE = Answer(
    ErrorView, "The idempotency key was used for another request, or the selection is not possible"
)
FAILED = Answer(ErrorView, "The server failed; the message names the request id")
UNAVAILABLE = Answer(ErrorView, "The database is busy or away; try again after `retry-after` seconds")
