"""Request and response headers that belong to commands: the bus options, and `x-om-operation`."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

import msgspec

from app.http.trace import new_request_id
from domain.errors import Problem, issue
from domain.scope import ActorKind, Options, Source
from domain.wire import flag, iso_ms, parse_time

if TYPE_CHECKING:
    from commands.log import LogEntry

REQUEST_ID = "x-request-id"
CORRELATION_ID = "x-correlation-id"
REASON = "x-backstep-reason"
SOURCE = "x-backstep-source"
DRY_RUN = "x-backstep-dry-run"
IDEMPOTENCY_KEY = "idempotency-key"
EXPECTED_UPDATED_AT = "x-om-ext-optimistic-lock-expected-updated-at"
OPERATION = "x-om-operation"

MAX_REASON = 500
"""Longest reason in characters; the rest is cut off."""

_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}\Z")
_KEY = re.compile(r"[\x20-\x7e]{1,255}\Z")
_UNRESERVED = "-_.!~*'()"
_JSON = msgspec.json.Encoder()
_OPERATION_KEYS = ("id", "undoToken", "commandId", "actionLabel", "resourceKind", "resourceId", "executedAt")
_OPERATION = f"omop:%7B{'%2C'.join(f'%22{key}%22%3A{{}}' for key in _OPERATION_KEYS)}%7D"
"""A JSON object, quoted, with places for its values: most of them are the same in every command of a kind."""

Header = Callable[[str], str | None]
"""Looks up a request header by its lower-case name."""


def request_id(value: str | None) -> str:
    """The client's own request id when it is a plain token of at most 128 characters, else a new one."""
    return value if value is not None and _SANE_ID.match(value) else new_request_id()


def command_options(header: Header, request: str, kind: ActorKind | None) -> Options:
    """The bus options of a request whose id is `request`, from an actor of `kind` (None: nobody is signed in).

    An unreadable lock time, source or correlation id counts as not sent. Raises Problem 400 for an idempotency key
    that is empty, longer than 255 characters or not printable ASCII.
    """
    key = header(IDEMPOTENCY_KEY)
    if key is not None and not _KEY.match(key):
        message = "Invalid input: expected 1 to 255 printable ASCII characters"
        raise Problem.invalid([issue(message, ["Idempotency-Key"], "invalid_format", format="regex")])
    correlation = header(CORRELATION_ID)
    return Options(
        request_id=request,
        correlation_id=correlation if correlation is not None and _SANE_ID.match(correlation) else None,
        reason=_reason(header(REASON)),
        source=_source(header(SOURCE), kind),
        dry_run=flag(header(DRY_RUN)) is True,
        idempotency_key=key,
        expected_updated_at=parse_time(header(EXPECTED_UPDATED_AT)),
    )


def operation_header(log: "LogEntry | None") -> str | None:
    """The `x-om-operation` value of a log row (command-bus.md, section 5); None when it cannot be undone."""
    if log is None or not log.undo_token or not log.command_id:
        return None
    return _OPERATION.format(
        f"%22{log.id}%22",
        f"%22{log.undo_token}%22",
        _word(log.command_id),
        _word(log.action_label),
        _word(log.resource_kind),
        _quoted(log.resource_id),
        _quoted(iso_ms(log.created_at)),
    )


def _quoted(text: str | None) -> str:
    """A text as JSON, quoted for a header."""
    return quote(_JSON.encode(text), safe=_UNRESERVED)


_word = lru_cache(maxsize=4_096)(_quoted)


def _reason(value: str | None) -> str | None:
    if value is None:
        return None
    text = (
        unquote_to_bytes(value.encode("latin-1", "replace"))
        .decode("utf-8", "replace")
        .replace("\x00", "")
        .strip()
    )
    return text[:MAX_REASON] or None


def _source(value: str | None, kind: ActorKind | None) -> Source:
    if value is not None and value.strip().lower() == "ui":
        return "ui"
    return "api" if kind == "api_key" else "system" if kind == "system" else "ui"
