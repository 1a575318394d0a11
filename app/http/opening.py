"""Opening sealed values on the way out: the one place where an answer becomes readable (decisions 0023 and 0034).

Tables, documents, caches and temporary files hold sealed values; what leaves for an authenticated caller is opened with
the keys of the tenant of the caller's scope, and of no other. What was erased leaves as null.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from litestar import Response

from domain.encryption.tokens import MARKED, marked_texts, open_json, open_value
from domain.scope import Scope

if TYPE_CHECKING:
    from app.encryption import Encryption
    from app.main import Application

ERASED_HEADER = "x-backstep-erased"
"""How many values of an answer are null because they were erased; absent when there are none."""

_asking: ContextVar[tuple["Application", Scope] | None] = ContextVar("asking", default=None)


def asked_by(application: "Application", scope: Scope | None) -> None:
    """Note who makes the request that this task serves; its streams are opened for them."""
    _asking.set(None if scope is None else (application, scope))


async def opened(response: Response[Any]) -> Response[Any]:
    """An encoded answer with the sealed values in it opened, for the caller of `asked_by`."""
    content = response.content
    asking = _asking.get()
    if asking is not None and isinstance(content, bytes) and MARKED in content:
        encryption: Encryption = asking[0].encryption
        read = await encryption.reading(asking[1].tenant_id, content)
        if read is not None:
            response.content = open_json(content, read)
            if read.erased:
                response.headers[ERASED_HEADER] = str(read.erased)
    return response


async def opened_part(part: bytes) -> bytes:
    """A part of a streamed answer, opened; a sealed value must not be cut in two."""
    asking = _asking.get()
    if asking is None or MARKED not in part:
        return part
    return await asking[0].encryption.opened(asking[1].tenant_id, part)


async def opened_rows(
    batches: AsyncIterator[Sequence[Mapping[str, Any]]],
) -> AsyncGenerator[Sequence[Mapping[str, Any]], None]:
    """The rows of an export, opened before they are written in its format."""
    try:
        async for batch in batches:
            yield await _opened_batch(batch)
    finally:
        close = getattr(batches, "aclose", None)
        if close is not None:
            await close()


async def _opened_batch(batch: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    asking = _asking.get()
    marked = "\n".join(marked_texts(batch)).encode()
    read = None if asking is None else await asking[0].encryption.reading(asking[1].tenant_id, marked)
    return batch if read is None else [open_value(row, read) for row in batch]
