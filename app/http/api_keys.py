"""API keys: access for machines (contract: auth.md 8.9)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response
from msgspec import UNSET, Struct, UnsetType

from app.http.answers import Answer
from app.http.auth.shared import require_tenant
from app.http.call import Call
from app.http.issues import invalid_uuid
from app.http.kit import OPERATION_HEADER, Failure, in_tenant
from app.http.operation import Parameter, operation
from app.http.pagination import clamped_page, envelope
from commands.api_keys import CreateKey, DeleteKey, KeyDescription, KeyName, MadeKey, RoleName
from commands.auth.users import RoleTokens
from domain.api_keys import CREATE, DELETE, VIEW
from domain.credentials import api_key_prefix, new_api_secret
from domain.errors import Problem, issue
from domain.scope import Scope
from domain.wire import parse_time
from queries import api_keys as queries

TAG = "API Keys"
FIELDS = (
    *("id", "name", "description", "keyPrefix", "organizationId", "organizationName", "createdAt"),
    *("lastUsedAt", "expiresAt", "roles", "updatedAt"),
)
_DEFAULT_SIZE = 20
_MOST = 200


class Key(Struct, rename="camel"):
    """A key without its secret, of which only the beginning is known."""

    id: UUID
    name: str
    description: str | None
    key_prefix: str
    organization_id: UUID | None
    organization_name: str | None
    created_at: str
    last_used_at: str | None
    expires_at: str | None
    roles: list[RoleName]
    updated_at: str | None


class Keys(Struct, rename="camel"):
    """A page of keys, newest first."""

    items: list[Key]
    total: int
    page: int
    page_size: int
    total_pages: int


class NewKey(Struct, rename="camel"):
    """A key to make. `organizationId` null: for the whole tenant; absent: for the selected organization.

    `roles` are ids or names; `expiresAt` is a date or an instant in the future, or blank.
    """

    name: KeyName
    description: KeyDescription | None = None
    tenant_id: UUID | UnsetType | None = UNSET
    organization_id: UUID | UnsetType | None = UNSET
    roles: RoleTokens = []
    expires_at: str | None = None


class NewKeyView(MadeKey, frozen=True, rename="camel", omit_defaults=True):
    """The new key. This is the only time that `secret` is shown."""

    secret: str | UnsetType = UNSET


class Revoked(Struct):
    """It is done."""

    success: bool


@operation(
    "GET",
    "/api_keys/keys",
    tag=TAG,
    summary="List API keys",
    description="Keys of the organizations that the caller works in, newest first.",
    features=(VIEW,),
    query=[
        Parameter("page", "Page number, from 1", {"type": "integer", "minimum": 1, "default": 1}),
        Parameter(
            "pageSize",
            "At most 200",
            {"type": "integer", "minimum": 1, "maximum": _MOST, "default": _DEFAULT_SIZE},
        ),
        Parameter("search", "Part of the name, or of the beginning of the secret"),
    ],
    answers={200: Answer(Keys, "API keys")},
)
async def list_keys(call: Call[None]) -> Response[Any]:
    """200 with a page."""
    scope, page = call.scope, clamped_page(call.query, _DEFAULT_SIZE, _MOST)
    async with call.app.database.read(scope.tenant_id) as connection:
        found = await queries.api_keys(
            connection,
            scope.tenant_id,
            scope.filter_ids,
            without_organization=scope.allowed_ids is None,
            search=(call.first("search") or "").strip(),
            limit=page.size,
            offset=page.offset,
        )
    ids: Sequence[UUID] = [one.id for one in found.items]
    access = "read:list" if len(ids) > 1 else "read"
    await call.app.access_log.record(scope, "api_keys.key", ids, access, FIELDS)
    documents = ",".join(one.document for one in found.items)
    return call.json(envelope(documents, found.total, page.number, page.size))


@operation(
    "POST",
    "/api_keys/keys",
    tag=TAG,
    summary="Create API key",
    description="Makes a key whose rights are those of its roles, and never more than its creator's.",
    features=(CREATE,),
    body=NewKey,
    commands=("api_keys.keys.create",),
    example={"name": "Nightly import", "roles": ["employee"], "expiresAt": None},
    answers={
        201: Answer(NewKeyView, "API key created; the secret is shown only now", headers=OPERATION_HEADER),
        400: Answer(Failure, "Invalid payload"),
        403: Answer(Failure, "A role or the organization is beyond the rights of the actor"),
    },
)
async def create_key(call: Call[NewKey]) -> Response[Any]:
    """201 with the secret."""
    body, scope = call.body, await _scope(call)
    secret = new_api_secret()
    command = CreateKey(
        name=body.name,
        description=body.description,
        organization_id=_place(scope) if body.organization_id is UNSET else body.organization_id,
        key_prefix=api_key_prefix(secret) or "",
        key_hash=call.app.keys.api_key_hash(secret),
        roles=body.roles,
        expires_at=_end(body.expires_at),
    )
    outcome = await call.execute(command, scope)
    made = outcome.result
    if isinstance(made, MadeKey) and outcome.log is not None:
        made = NewKeyView(**msgspec.structs.asdict(made), secret=secret)
    answer = call.answer(outcome, 201, made)
    answer.headers["cache-control"] = "no-store"
    return answer


@operation(
    "DELETE",
    "/api_keys/keys",
    tag=TAG,
    summary="Delete API key",
    description="Revokes a key at once; undo brings it back.",
    features=(DELETE,),
    query=[Parameter("id", "The key", {"type": "string", "format": "uuid"}, required=True)],
    commands=("api_keys.keys.delete",),
    answers={
        200: Answer(Revoked, "API key revoked", headers=OPERATION_HEADER),
        400: Answer(Failure, "There is no id, or no valid one"),
        404: Answer(Failure, "API key not found"),
    },
)
async def delete_key(call: Call[None]) -> Response[Any]:
    """200 `{"success": true}`."""
    try:
        id = msgspec.convert((call.first("id") or "").strip(), UUID)
    except msgspec.ValidationError:
        raise Problem.invalid([invalid_uuid(["id"])]) from None
    return call.answer(await call.execute(DeleteKey(id=id)))


async def _scope(call: Call[NewKey]) -> Scope:
    """The scope to make the key in. Raises Problem 400 for no tenant at all, or one that does not live."""
    named = call.body.tenant_id
    if named is None:
        raise Problem.bad_request("A key belongs to a tenant")
    if named is UNSET or named == call.scope.tenant_id:
        return call.scope
    await require_tenant(call, named)
    return in_tenant(call.scope, named)


def _place(scope: Scope) -> UUID | None:
    """The organization of a key that none was named for."""
    return scope.feature_organization_id or scope.home_organization_id


def _end(text: str | None) -> Any:
    """The end that was asked for. Raises Problem 400 for what is no date."""
    if text is None or not text.strip():
        return None
    end = parse_time(text)
    if end is None:
        raise Problem.invalid([issue("Invalid date", ["expiresAt"])])
    return end
