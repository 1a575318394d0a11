"""What the routes of accounts share: whose tenant a record is in, strict list queries, notes of what was read."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from litestar import Response
from msgspec import Struct

from app.http.answers import Answer
from app.http.call import Call
from app.http.decode import convert_query
from app.http.kit import Failure, in_tenant
from app.http.pagination import collection, total_pages
from app.http.partial_index import coverage_of
from app.jobs.access_log import access_type_of
from domain.errors import Problem
from domain.scope import Scope
from queries.found import FoundPage

FOUND_NOTHING: bytes = b'{"items":[],"total":0,"totalPages":1}'
"""What a list answers to a query that makes no sense (auth.md 7.9)."""

INVALID = Answer(Failure, "Invalid payload")
FORBIDDEN = Answer(Failure, "The target, or what would be given, is beyond the rights of the actor")
STALE = Answer(Failure, "The record was modified since it was read")
BROKEN = Answer(Failure, "The server failed; the message carries the request id")

Q = TypeVar("Q")
Tenant = Callable[[Any, UUID], Awaitable[UUID | None]]
"""Finds the tenant of a record by its id."""


def read_query(call: Call[Any], wanted: type[Q]) -> Q | None:
    """The query of a list; None when any value of it is invalid."""
    try:
        return convert_query(wanted, call.query)
    except Problem:
        return None


async def scope_of(call: Call[Any], tenant_of: Tenant, id: UUID) -> Scope:
    """The scope to work on a record in: the caller's, or a super admin's in the record's tenant.

    A record that does not exist is looked for in the caller's own tenant, where it will not be found.
    """
    if not call.scope.is_super_admin:
        return call.scope
    async with call.app.database.system() as connection:
        tenant_id = await tenant_of(connection, id)
    return call.scope if tenant_id is None else in_tenant(call.scope, tenant_id)


async def require_tenant(call: Call[Any], tenant_id: UUID) -> None:
    """Raises Problem 400 for a tenant that does not live: nothing can be made in it."""
    sql = "select exists (select from tenants where tenant_id = $1 and id = $1 and deleted_at is null)"
    async with call.app.database.system() as connection:
        if not await connection.fetchval(sql, tenant_id):
            raise Problem.bad_request("Tenant not found")


async def answer_list(
    call: Call[Any],
    kind: str,
    page: FoundPage,
    size: int,
    fields: Sequence[str],
    item: UUID | None,
    entity_type: str,
) -> Response[Any]:
    """The list answer of roles and users, noted in the access logs of the tenants that the records are in."""
    places: dict[UUID, list[UUID]] = {}
    for found in page.items:
        tenant_id = msgspec.json.decode(found.document, type=Placed).tenant_id
        places.setdefault(tenant_id, []).append(found.id)
    access = access_type_of(None if item is None else str(item), len(page.items))
    context = {"queryKeys": sorted(call.query), "path": call.request.url.path}
    for tenant_id, ids in places.items():
        await call.app.access_log.record(in_tenant(call.scope, tenant_id), kind, ids, access, fields, context)
    coverage = await coverage_of(call, entity_type, page.gap)
    tail = {
        "total": page.total,
        "totalPages": total_pages(page.total, size, 1),
        "isSuperAdmin": call.scope.is_super_admin,
    }
    items = collection(",".join(found.document for found in page.items), **coverage.extra)
    return call.json(items[:-1] + b"," + msgspec.json.encode(tail)[1:], headers=coverage.headers)


class Placed(Struct, rename="camel"):
    """The part of a document that says which tenant it is in."""

    tenant_id: UUID
