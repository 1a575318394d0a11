"""Recording what somebody consents to. Ours: the documented API can only read consents."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from commands.registry import Command, Outcome, command, handles, revives
from commands.unit import Unit
from domain.auth import USERS_EDIT, user_consents
from domain.errors import Problem
from domain.images import camel


@command(
    "auth.consents.record",
    resource="auth.user_consent",
    label="Record consent",
    features=(USERS_EDIT,),
    target="consent_id",
)
class RecordConsent(Command, frozen=True, rename="camel"):
    """Grant a consent or withdraw it. `source` and `ip_address` are sealed, and the hash is over all of the record.

    `previous` is the `updated_at` of the record that the hash was made after; None when there was none.
    """

    consent_id: UUID
    user_id: UUID
    organization_id: UUID | None
    consent_type: Annotated[str, Meta(min_length=1, max_length=100)]
    is_granted: bool
    granted_at: datetime | None
    withdrawn_at: datetime | None
    integrity_hash: Annotated[str, Meta(extra={"secret": True})]
    source: Annotated[str, Meta(extra={"secret": True})] | None = None
    ip_address: Annotated[str, Meta(extra={"secret": True})] | None = None
    previous: datetime | None = None

    def recorded(self) -> dict[str, Any]:
        """What was asked for; the instants, the id and the hash are in the row itself."""
        kept = {"user_id", "organization_id", "consent_type", "is_granted"}
        return {camel(name): value for name, value in msgspec.structs.asdict(self).items() if name in kept}


@revives(RecordConsent)
def whole_consent(recorded: dict[str, Any], left: Sequence[Outcome]) -> dict[str, Any]:
    """What was not recorded of a consent stands in its row; `previous` is the stamp that an update found."""
    one = left[0]
    kept = ("granted_at", "withdrawn_at", "integrity_hash", "source", "ip_address")
    whole = recorded | {camel(column): one.row[column] for column in kept} | {"consentId": one.row["id"]}
    return whole | {"previous": one.found["updated_at"]} if one.found else whole


@handles(RecordConsent)
async def record_consent(command: RecordConsent, unit: Unit) -> dict[str, Any]:
    """Raises Problem 409 when somebody else recorded the same consent meanwhile."""
    values = {
        "is_granted": command.is_granted,
        "granted_at": command.granted_at,
        "withdrawn_at": command.withdrawn_at,
        "source": command.source,
        "ip_address": command.ip_address,
        "integrity_hash": command.integrity_hash,
    }
    image = None
    if command.previous is not None:
        image = await unit.update(
            user_consents, command.consent_id, values, where="t.updated_at = $4", args=(command.previous,)
        )
    elif not await _known(command, unit):
        image = await unit.insert(
            user_consents,
            values
            | {
                "id": command.consent_id,
                "user_id": command.user_id,
                "organization_id": command.organization_id,
                "consent_type": command.consent_type,
            },
        )
    if image is None:
        raise Problem.conflict("The consent was recorded by somebody else meanwhile", "consent_changed")
    return image.wire()


async def _known(command: RecordConsent, unit: Unit) -> bool:
    return bool(
        await unit.fetchval(
            "select exists (select from user_consents where id = $1 or (user_id = $2 and consent_type = $3))",
            command.consent_id,
            command.user_id,
            command.consent_type,
        )
    )
