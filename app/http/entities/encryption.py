"""Routes of encryption maps (contract: entities.md 5.2 and 5.3), and of erasing a record (decision 0034)."""

from typing import Any
from uuid import UUID

from litestar import Response
from msgspec import Struct
from msgspec.structs import replace

from app.http.answers import CONFLICT, NOT_FOUND, Answer
from app.http.call import Call
from app.http.decode import convert_body, parse_body
from app.http.entities.shared import Refused, body_of
from app.http.identity import require_valid_selection
from app.http.operation import Parameter, operation
from commands.encryption import MANAGE, UpsertMap
from commands.erasure import Erase, Erased
from domain.errors import Problem
from queries import encryption as queries

TAG = "Entities"


class Field(Struct, rename="camel"):
    """A field that is sealed; its lookup hash is kept under `hashField`, if that is given."""

    field: str
    hash_field: str | None = None


class EncryptionMapView(Struct, rename="camel"):
    """Which fields of an entity are sealed where the caller is."""

    entity_id: str
    fields: list[Field]
    tenant_id: UUID | None = None
    organization_id: UUID | None = None
    is_active: bool = True
    updated_at: str | None = None


class EncryptionMapBody(Struct, rename="camel"):
    """A map to save. `tenantId` and `organizationId` are ignored: it is saved where the caller is."""

    entity_id: str
    fields: list[Field]
    is_active: bool = True
    tenant_id: UUID | None = None
    organization_id: UUID | None = None


class EraseBody(Struct, rename="camel"):
    """Whose sealed values are destroyed, and why."""

    entity_id: str
    record_id: UUID
    reason: str


class SavedMap(Struct, rename="camel", omit_defaults=True):
    """Saved. `notApplied` names fields that cannot be sealed, when there are any."""

    ok: bool
    updated_at: str | None = None
    not_applied: list[str] = []


@operation(
    "GET",
    "/entities/encryption",
    tag=TAG,
    summary="Fetch encryption map",
    description="The fields of an entity that are sealed where they are stored, for the caller's organization.",
    features=(MANAGE,),
    query=[Parameter("entityId", "Entity, as `module:entity`", required=True, example="auth:user")],
    answers={200: Answer(EncryptionMapView, "Map"), 400: Answer(Refused, "No entity id was given")},
)
async def encryption_map(call: Call[None]) -> Response[Any]:
    """200, also where there is no map."""
    entity_id = (call.first("entityId") or "").strip()
    if not entity_id:
        raise Problem.bad_request("entityId is required")
    async with call.app.database.read(call.scope.tenant_id, one_plan=True) as connection:
        return call.json(await queries.map_of(connection, call.scope, entity_id))


@operation(
    "POST",
    "/entities/encryption",
    tag=TAG,
    summary="Upsert encryption map",
    description=(
        "Says which fields of an entity are sealed from now on, in the caller's organization. What is stored already is"
        " sealed by `backstep keys reencrypt`."
    ),
    features=(MANAGE,),
    body=EncryptionMapBody,
    raw_body=True,
    commands=("entities.encryption_maps.upsert",),
    example={
        "entityId": "auth:user",
        "tenantId": None,
        "organizationId": None,
        "fields": [{"field": "name", "hashField": None}],
    },
    answers={
        200: Answer(SavedMap, "Saved"),
        400: Answer(Refused, "The body does not have the documented shape"),
        409: CONFLICT,
    },
)
async def save_encryption_map(call: Call[None]) -> Response[Any]:
    """200. A `tenantId` of null is none at all, not another tenant's."""
    require_valid_selection(call.scope)
    return call.answer(await call.execute(_command(call.raw)))


@operation(
    "POST",
    "/entities/encryption/erase",
    tag=TAG,
    summary="Erase a record's sealed values",
    description=(
        "Destroys the secret that the sealed fields of one record are opened with, and empties them: in its row, in all"
        " of history and in exports they are null from now on, for good. What is not sealed stays. Children of the"
        " record are records of their own. It cannot be undone; whoever may delete the record may erase it. A record"
        " that is deleted already can be erased too, and erasing twice is harmless."
    ),
    features=(MANAGE,),
    body=EraseBody,
    raw_body=True,
    commands=("entities.encryption.erase",),
    example={
        "entityId": "auth:user",
        "recordId": "5f2c1f0e-6c1a-4d1e-9a53-0d6f4f4f7d11",
        "reason": "Request of the person, ticket 4711",
    },
    answers={
        200: Answer(
            Erased,
            "Erased, or nothing left to erase",
            example={"ok": True, "erased": True, "fields": ["name"], "olderActions": 0},
        ),
        400: Answer(
            Refused, "The body does not have the documented shape, or the entity has no encrypted fields"
        ),
        404: NOT_FOUND,
        409: CONFLICT,
    },
)
async def erase(call: Call[None]) -> Response[Any]:
    """200. The reason is kept with the action."""
    require_valid_selection(call.scope)
    command = body_of(call, Erase)
    options = replace(call.options, reason=call.options.reason or command.reason)
    return call.answer(await call.app.bus.execute(command, call.scope, options))


def _command(raw: bytes) -> UpsertMap:
    """The command of the body. Raises Problem 400 that names the faults by field."""
    try:
        command: UpsertMap = convert_body(UpsertMap, parse_body(raw), {})
    except Problem as problem:
        faults: dict[str, list[str]] = {}
        for one in problem.body["details"]:
            faults.setdefault(str((one["path"] or ["body"])[0]), []).append(one["message"])
        details = {"formErrors": faults.pop("body", []), "fieldErrors": faults}
        raise Problem(400, {"error": "Validation failed", "details": details}) from None
    return command
