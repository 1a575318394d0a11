"""What is known of the request in hand, kept on its ASGI scope for the access log and the answer."""

import os
from collections.abc import MutableMapping
from typing import Any, cast
from uuid import UUID

from msgspec import Struct

_KEY = "backstep.trace"


class Trace(Struct):
    """The facts of one request that its access log line tells."""

    request_id: str
    template: str | None = None
    tenant: UUID | None = None
    actor: UUID | None = None
    command_id: str | None = None


def start_trace(scope: MutableMapping[str, Any], request_id: str) -> Trace:
    """Put a fresh trace on the scope."""
    trace = Trace(request_id)
    scope[_KEY] = trace
    return trace


def trace_of(scope: Any) -> Trace:
    """The request's trace; one is started when no middleware did (the scope is an ASGI dictionary)."""
    trace = scope.get(_KEY)
    if trace is None:
        return start_trace(cast(MutableMapping[str, Any], scope), new_request_id())
    return cast(Trace, trace)


def new_request_id() -> str:
    """A fresh request id: 32 hexadecimal digits."""
    return os.urandom(16).hex()
