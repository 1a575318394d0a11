"""The answers of lists from the cache (contract: command-bus.md 12.2); only when ENABLE_CRUD_API_CACHE is on.

An operation that declares the tables it `reads` takes part. An answer counts until a command changes one of those
tables in the tenant; of a super admin, who may see all tenants, in any tenant. It is kept as the handler made it:
sealed values are opened on the way out, and what was read goes to the access log each time.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec
from litestar import Response
from msgspec import Struct

from app.cache import PLATFORM, Cache, Tag
from app.http.kit import in_tenant
from app.http.reply import Reply
from app.jobs.access_log import NOTED, Note
from domain.resources import resource_of

if TYPE_CHECKING:
    from app.http.call import Call
    from app.http.operation import Operation
    from domain.scope import Scope

PREFIX: Final = "crud|"
"""What the keys of these entries begin with; the segment follows, then a digest of the request."""

_LARGEST: Final = 1_000_000
_encode = msgspec.msgpack.encode


class Kept(Struct, frozen=True, array_like=True):
    """An answer: its JSON body, and what it wrote into the access log."""

    body: bytes
    notes: list[Note]


_kept = msgspec.msgpack.Decoder(Kept)


class ListCache:
    """Serves lists from the cache. One per process."""

    def __init__(self, cache: Cache) -> None:
        """Work on `cache`."""
        self._cache = cache

    async def answer(
        self, item: "Operation", call: "Call[Any]", handler: Callable[["Call[Any]"], Awaitable[Response[Any]]]
    ) -> Response[Any]:
        """The kept answer to a request, or the handler's, which is kept when it is a plain 200."""
        scope = call.scope
        segment = segment_of(item.path, item.reads)
        tags = [*_tags(scope, item.reads), (scope.tenant_id, segment_tag(segment))]
        key = f"{PREFIX}{segment}|{_digest(item, call)}"
        found, slot = await self._cache.find(scope.tenant_id, key, tags)
        if found is not None:
            kept = _kept.decode(found)
            for note in kept.notes:
                read_in = in_tenant(scope, note.tenant_id)
                await call.app.access_log.record(
                    read_in, note.kind, note.ids, note.access_type, note.fields, note.context
                )
            return Reply(kept.body)
        notes: list[Note] = []
        token = NOTED.set(notes)
        try:
            reply = await handler(call)
        finally:
            NOTED.reset(token)
        if type(reply) is Reply and _plain(reply):
            await self._cache.keep(slot, _encode(Kept(reply.content, notes)))
        return reply


def _plain(reply: Reply) -> bool:
    return (
        reply.status_code == 200
        and reply.media_type == "application/json"
        and not (reply.headers or reply.cookies or reply.raw_cookies)
        and len(reply.content) <= _LARGEST
    )


def _tags(scope: "Scope", tables: Iterable[str]) -> list[Tag]:
    return [
        (PLATFORM if scope.is_super_admin or _is_shared(table) else scope.tenant_id, table)
        for table in tables
    ]


def _is_shared(table: str) -> bool:
    return bool(getattr(resource_of(table), "shared", False))


def stale_list_tags(tenant_id: UUID, tables: Iterable[str]) -> list[Tag]:
    """The tags of the answers that a change of these tables in a tenant makes stale."""
    return [(place, table) for table in tables for place in (tenant_id, PLATFORM)]


def segment_tag(segment: str) -> str:
    """The name of the tag that all answers of a segment have."""
    return f"segment:{segment}"


def segment_of(path: str, tables: Iterable[str]) -> str:
    """The segment of a list: its path without the module and without ids, else its resource (configs.md section 2)."""
    kind = next((kind for table in tables if (kind := resource_of(table).kind)), None) or path
    parts = [part for part in path.removeprefix("/api").split("/") if part and not part.startswith("{")]
    if parts and parts[0] == kind.partition(".")[0]:
        parts = parts[1:]
    name = "-".join(parts) or kind.replace(".", "-")
    return re.sub(r"-+", "-", re.sub(r"[^A-Za-z0-9:_/|-]", "-", name)).strip("-")


def _digest(item: "Operation", call: "Call[Any]") -> str:
    """Who asks what: two requests with the same digest must get the same answer."""
    scope = call.scope
    rights = (
        scope.home_organization_id,
        scope.selected_organization_id,
        scope.filter_ids,
        None if scope.allowed_ids is None else sorted(map(str, scope.allowed_ids)),
        scope.selection_rejected,
        scope.is_super_admin,
        scope.features,
        scope.role_ids,
        scope.actor.kind,
        scope.actor_tenant_id,
        scope.locale,
    )
    query: Mapping[str, list[str]] = call.query
    asked = (item.path, sorted(call.path.items()), sorted(query.items()), rights)
    return hashlib.blake2b(_encode(asked), digest_size=16).hexdigest()
