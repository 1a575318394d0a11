"""Whom an event reaches, and what of it is sent (events.md 2.3, 2.4)."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

import domain.audit_logs  # noqa: F401  # declares the features that the audience names
from domain.audience import audience_of, reaches
from domain.scope import Actor, Scope
from queries.events import MAX_MESSAGE_BYTES, message

X, Y, USER, ROLE = (UUID(int=n) for n in range(1, 5))
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def scope(**more: Any) -> Scope:
    return Scope(tenant_id=uuid4(), actor=Actor(USER, more.pop("kind", "user")), **more)


def reached(
    by: Scope, payload: dict[str, Any], organization: UUID | None = None, audience: Any = None
) -> bool:
    declared = None if audience is None else msgspec.json.encode(audience).decode()
    return reaches(audience_of(organization, msgspec.json.encode(payload).decode(), declared), by)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (scope(), True),
        (scope(filter_ids=(X,)), True),
        (scope(filter_ids=(Y,)), False),
        (scope(filter_ids=()), False),
        (scope(allowed_ids=frozenset({X})), True),
        (scope(allowed_ids=frozenset({Y})), False),
        (scope(filter_ids=(Y,), allowed_ids=frozenset({X})), False),
    ],
)
def test_an_organizations_event_reaches_those_who_read_from_it(by: Scope, expected: bool) -> None:
    assert reached(by, {}, X) is expected
    assert reached(by, {"organizationId": str(X)}) is expected
    assert reached(by, {"organizationIds": [str(X)]}) is expected
    assert reached(by, {"organizationId": str(Y)}, X) is expected, (
        "the sender's organization wins over the payload's"
    )
    assert reached(by, {}) is True, "an event without organization reaches them all"


def test_recipients() -> None:
    me, other = str(USER), str(uuid4())
    assert reached(scope(), {"recipientUserId": me})
    assert reached(scope(), {"recipientUserIds": [other, me]})
    assert not reached(scope(), {"recipientUserId": other})
    assert not reached(scope(kind="api_key"), {"recipientUserId": me}), "an API key is nobody's inbox"
    ranked = scope(roles=("admin",), role_ids=(ROLE,))
    assert reached(ranked, {"recipientRoleId": "admin"}) and reached(
        ranked, {"recipientRoleIds": [str(ROLE)]}
    )
    assert not reached(ranked, {"recipientRoleId": "clerk"})
    assert not reached(ranked, {"recipientUserId": other, "recipientRoleId": "admin"}), "both must hold"


def test_a_declared_audience_is_the_actor_or_a_feature() -> None:
    named = {"actorUserId": str(USER), "features": ["audit_logs.view_tenant"]}
    stranger = {"actorUserId": str(uuid4()), "features": ["audit_logs.view_tenant"]}
    assert reached(scope(), {}, audience=named)
    assert not reached(scope(), {}, audience=stranger)
    assert reached(scope(features=("audit_logs.*",)), {}, audience=stranger)
    assert not reached(scope(), {}, audience={"actorUserId": None, "features": []})


def test_a_long_payload_is_cut_to_its_ids() -> None:
    payload = {"id": "a", "entityId": 5, "entityType": "x:y", "text": "x" * 5000}
    sent = msgspec.json.decode(
        message("some.event", msgspec.json.encode(payload).decode(), NOW, (str(X),)) or b""
    )
    assert sent == {
        "id": "some.event",
        "payload": {"truncated": True, "id": "a", "entityType": "x:y"},
        "timestamp": int(NOW.timestamp() * 1000),
        "organizationId": str(X),
    }
    assert message("some.event", msgspec.json.encode({"id": "x" * 5000}).decode(), NOW, ()) is None
    short = message("some.event", '{"n":1.10}', NOW, ()) or b""
    assert (
        b'"payload":{"n":1.10}' in short
        and b'"organizationId":""' in short
        and len(short) < MAX_MESSAGE_BYTES
    )
