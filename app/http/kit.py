"""What the routes of several modules share: other tenants' scopes, ids to delete, notes of what was read."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from msgspec import Struct

from app.http.answers import Answer
from app.http.call import Call
from app.http.issues import invalid_uuid
from app.jobs.access_log import access_type_of
from domain.errors import Problem
from domain.scope import Scope

OPERATION_HEADER = {
    "x-om-operation": "The log row and the undo token of this change (command-bus.md section 5)."
}


class Failure(Struct):
    """Why a request was refused."""

    error: str


class Done(Struct):
    """It is done."""

    ok: bool


class Created(Struct):
    """The id of what was made."""

    id: UUID


class Deletion(Struct):
    """What to delete; the query parameter `id` does as well."""

    id: UUID | None = None


INVALID = Answer(Failure, "Validation failed")
MISSING = Answer(Failure, "No such record")
STALE = Answer(Failure, "The record was modified since it was read")
BROKEN = Answer(Failure, "The server failed; the message carries the request id")


def in_tenant(scope: Scope, tenant_id: UUID) -> Scope:
    """The caller's scope in a tenant: its own, or for a super admin another one. Raises Problem 403.

    Nothing of the selection of organizations is taken along to another tenant.
    """
    if tenant_id == scope.tenant_id:
        return scope
    if not scope.is_super_admin:
        raise Problem.forbidden()
    return msgspec.structs.replace(
        scope,
        tenant_id=tenant_id,
        actor_tenant_id=scope.actor_tenant_id or scope.tenant_id,
        home_organization_id=None,
        selected_organization_id=None,
        filter_ids=None,
        allowed_ids=None,
        selection_rejected=False,
    )


def id_to_delete(call: Call[Deletion], thing: str) -> UUID:
    """The id of the body or of the query. Raises Problem 400 when there is none, a bad one, or two different ones."""
    text = (call.first("id") or "").strip()
    try:
        named = msgspec.convert(text, UUID) if text else None
    except msgspec.ValidationError:
        raise Problem.invalid([invalid_uuid(["id"])]) from None
    if named is not None and call.body.id is not None and named != call.body.id:
        raise Problem.bad_request("The ids of the body and of the query differ")
    found = call.body.id or named
    if found is None:
        raise Problem.bad_request(f"{thing} id required")
    return found


async def note_reading(
    call: Call[None], kind: str, ids: Sequence[UUID], fields: Sequence[str], item: str | None = None
) -> None:
    """Write into the access log what was shown; `item` is the id that was asked for alone, if one was."""
    context = {"queryKeys": sorted(call.query), "path": call.request.url.path}
    await call.app.access_log.record(call.scope, kind, ids, access_type_of(item, len(ids)), fields, context)
