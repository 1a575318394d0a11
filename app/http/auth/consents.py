"""What people consented to (contract: auth.md 7.20; recording is ours)."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response
from msgspec import Meta, Struct

from app.http.answers import NOT_FOUND, Answer, refused
from app.http.auth.replies import RefusedView, json_reply
from app.http.call import Call
from app.http.operation import Parameter, operation
from app.rate_limit import client_address
from commands.auth import RecordConsent
from domain.auth import USERS_EDIT
from domain.consents import Consent, sealed_detail
from domain.credentials import uuid_or_none
from domain.errors import Problem
from domain.ids import random_id
from domain.keys import tenant_key
from queries.auth.consents import ConsentItem, consents_of, known_consent, reachable_user

TAG: Final = "Auth"


class ConsentsView(Struct, frozen=True):
    """All consents of a user, newest first."""

    ok: bool
    items: list[ConsentItem]


class ConsentBody(Struct, frozen=True, rename="camel"):
    """What somebody consents to, or withdraws; `source` says where they said so."""

    user_id: UUID
    consent_type: Annotated[str, Meta(min_length=1, max_length=100, extra={"trim": True})]
    is_granted: bool
    source: Annotated[str, Meta(min_length=1, max_length=100, extra={"trim": True})] | None = None


class RecordedView(Struct, frozen=True):
    """The consent as it is now."""

    ok: bool
    item: ConsentItem


@operation(
    "GET",
    "/auth/users/consents",
    tag=TAG,
    summary="List user consents",
    description="All consent records of a user, with a check of their integrity.",
    features=(USERS_EDIT,),
    query=[Parameter("userId", "The user", {"type": "string", "format": "uuid"}, required=True)],
    answers={
        200: Answer(ConsentsView, "Consent list returned", example={"ok": True, "items": []}),
        400: Answer(RefusedView, "No user was named"),
        404: NOT_FOUND,
    },
)
async def list_consents(call: Call[None]) -> Response[Any]:
    """200 with the list, which is empty for somebody who is not known."""
    user_id = uuid_or_none((call.first("userId") or "").strip())
    if user_id is None:
        raise Problem(400, {"ok": False, "error": "Invalid request"})
    async with call.app.database.system() as connection:
        await reachable_user(connection, call.scope, user_id)
    items = await _consents(call, call.scope.tenant_id, user_id)
    await call.app.access_log.record(
        call.scope,
        "auth.user_consent",
        [item.id for item in items],
        "read:list",
        ("consentType", "isGranted"),
    )
    return json_reply(ConsentsView(True, items))


@operation(
    "POST",
    "/auth/users/consents",
    tag=TAG,
    summary="Record a user's consent",
    description="Grants a consent of a user of the tenant, or withdraws it.",
    features=(USERS_EDIT,),
    body=ConsentBody,
    commands=("auth.consents.record",),
    example={
        "userId": "00000000-0000-4000-8000-000000000000",
        "consentType": "marketing_email",
        "isGranted": True,
    },
    answers={
        200: Answer(RecordedView, "Consent recorded", headers={"x-om-operation": "Log row and undo token"}),
        404: NOT_FOUND,
        409: refused("The consent was recorded by somebody else meanwhile"),
    },
)
async def record_consent(call: Call[ConsentBody]) -> Response[Any]:
    """200 with the consent."""
    body, scope = call.body, call.scope
    async with call.app.database.system() as connection:
        target = await reachable_user(connection, scope, body.user_id)
    if target is None or target.tenant_id != scope.tenant_id:
        raise Problem.not_found("User not found")
    outcome = await call.execute(await _command(call, body, target.organization_id))
    if outcome.dry_run is not None:
        return call.answer(outcome)
    items = await _consents(call, scope.tenant_id, body.user_id)
    item = next(item for item in items if item.consent_type == body.consent_type)
    return call.answer(outcome, body=RecordedView(True, item))


async def _command(call: Call[ConsentBody], body: ConsentBody, organization_id: UUID | None) -> RecordConsent:
    """The command with everything that needs a key or a clock worked out."""
    scope, app = call.scope, call.app
    async with app.database.read(scope.tenant_id) as connection:
        known = await known_consent(connection, scope.tenant_id, body.user_id, body.consent_type)
    moment = datetime.now(UTC)
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    consent = Consent(
        tenant_id=scope.tenant_id,
        id=known.id if known else random_id(),
        organization_id=known.organization_id if known else organization_id,
        user_id=body.user_id,
        consent_type=body.consent_type,
        is_granted=body.is_granted,
        granted_at=moment if body.is_granted else known.granted_at if known else None,
        withdrawn_at=None if body.is_granted else moment,
        source=body.source,
        ip_address=client_address(call.request, app.settings.rate_limit_trust_proxy_depth),
    )
    seal_key = tenant_key(app.master_key, scope.tenant_id, "consents")
    return RecordConsent(
        consent_id=consent.id,
        user_id=consent.user_id,
        organization_id=consent.organization_id,
        consent_type=consent.consent_type,
        is_granted=consent.is_granted,
        granted_at=consent.granted_at,
        withdrawn_at=consent.withdrawn_at,
        integrity_hash=consent.integrity_hash(app.consent_key),
        source=sealed_detail(seal_key, consent.id, consent.source),
        ip_address=sealed_detail(seal_key, consent.id, consent.ip_address),
        previous=known.updated_at if known else None,
    )


async def _consents(call: Call[Any], tenant_id: UUID, user_id: UUID) -> list[ConsentItem]:
    async with call.app.database.read(tenant_id) as connection:
        return await consents_of(
            connection,
            tenant_id,
            user_id,
            integrity_key=call.app.consent_key,
            seal_key=tenant_key(call.app.master_key, tenant_id, "consents"),
        )
