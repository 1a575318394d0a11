"""Mail is never lost silently: leases, retries, dead letters, and what stands in the table."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.mail.delivery import MOST_ATTEMPTS, Delivery
from app.mail.outbox import listing, mail_key, revive
from app.mail.transport import Smtp, SmtpServer
from app.main import Application
from commands.auth import RequestPasswordReset
from commands.replay import compare, replay_state
from domain.mail import Letter, ResetRequest, sealed_letter
from domain.scope import system_scope
from tests.conftest import Tenant
from tests.mail.conftest import Sink

LINK = "https://office.example/reset/" + "5ecre7" * 10


@pytest.fixture
async def letter(quiet: Application, tenant: Tenant) -> str:
    """The address of somebody to whom one letter waits."""
    person = tenant.admin
    values = {"link": LINK, "email": person.email, "tenant": "T", "minutes": "60", "hours": "48"}
    sealed = sealed_letter(
        mail_key(quiet.master_key), tenant.id, Letter("password_reset", person.email, "de", values)
    )
    command = RequestPasswordReset(user_id=person.id, token_hash=uuid4().hex, letter=sealed)
    await quiet.bus.execute(command, system_scope(tenant.id))
    return person.email


def by(application: Application, sink: Sink) -> Delivery:
    return Delivery(
        application.database,
        mail_key(application.master_key),
        Smtp(SmtpServer("127.0.0.1", sink.port, None, None, False, None)),
        "office@example.com",
        answer_request=application.password_resets.answer,
    )


async def rows(application: Application) -> list[dict[str, Any]]:
    async with application.database.system() as connection:
        return [dict(row) for row in await connection.fetch("select * from mail_outbox order by created_at")]


async def make_due(application: Application, **values: Any) -> None:
    async with application.database.system() as connection:
        await connection.execute("update mail_outbox set due_at = now() - interval '1 second'")
        for column, value in values.items():
            await connection.execute(f"update mail_outbox set {column} = $1", value)


async def test_a_letter_is_sent_once_and_gone(quiet: Application, letter: str, sink: Sink) -> None:
    delivery = by(quiet, sink)

    assert await delivery.deliver_due() == 1
    assert await delivery.deliver_due() == 0

    (message,) = sink.to(letter)
    assert LINK in message.get_body(("plain",)).get_content()
    assert message["Content-Language"] == "de"
    assert await rows(quiet) == []


async def test_nothing_readable_is_stored_or_logged(quiet: Application, letter: str, tenant: Tenant) -> None:
    (row,) = await rows(quiet)
    assert row["sealed"].startswith("sealed:1:")
    async with quiet.database.system() as connection:
        log = await connection.fetchval(
            "select to_jsonb(l)::text from action_logs l where tenant_id = $1 and command_id = $2",
            tenant.id,
            "auth.password_resets.request",
        )
    assert str(tenant.admin.id) in log
    assert "sealed:1:" not in log
    for secret in (letter, "5ecre7", "/reset/"):
        assert secret not in f"{row} {log}"


async def test_a_refused_commit_writes_no_letter(quiet: Application, tenant: Tenant) -> None:
    command = RequestPasswordReset(user_id=uuid4(), token_hash=uuid4().hex, letter="sealed:1:x")

    outcome = await quiet.bus.execute(command, system_scope(tenant.id))

    assert outcome.result.told is False
    assert outcome.log is None
    assert await rows(quiet) == []


async def test_a_server_that_is_away_is_tried_again_later(
    quiet: Application, letter: str, sink: Sink
) -> None:
    delivery = by(quiet, sink)
    working, delivery.transport = (
        delivery.transport,
        Smtp(SmtpServer("127.0.0.1", 1, None, None, False, None)),
    )

    await delivery.deliver_due()

    (row,) = await rows(quiet)
    assert (row["state"], row["attempts"]) == ("waiting", 1)
    assert row["last_error"]
    assert row["due_at"] > datetime.now(UTC) + timedelta(seconds=10)
    delivery.transport = working
    assert await delivery.deliver_due() == 0
    await make_due(quiet)
    await delivery.deliver_due()
    assert len(sink.to(letter)) == 1
    assert await rows(quiet) == []


async def test_delays_grow_and_the_last_attempt_is_the_end(
    quiet: Application, letter: str, sink: Sink
) -> None:
    delivery = by(quiet, sink)
    sink.refuse = "450 later"
    delays = []
    for _ in range(3):
        await make_due(quiet)
        await delivery.deliver_due()
        (row,) = await rows(quiet)
        delays.append((row["due_at"] - datetime.now(UTC)).total_seconds())
    assert delays[0] < delays[1] < delays[2]

    await make_due(quiet, attempts=MOST_ATTEMPTS - 1)
    await delivery.deliver_due()

    assert (await rows(quiet))[0]["state"] == "dead"


async def test_a_refusal_for_good_is_kept_listed_and_can_be_revived(
    quiet: Application, letter: str, sink: Sink
) -> None:
    delivery = by(quiet, sink)
    sink.refuse = "550 no such user"

    await delivery.deliver_due()

    (shown,) = await listing(quiet.database, quiet.settings)
    assert (shown["to"], shown["state"], shown["attempts"]) == (letter, "dead", 1)
    assert "no such user" in shown["lastError"]
    assert LINK not in str(shown)
    sink.refuse = None
    assert await delivery.deliver_due() == 0
    assert await revive(quiet.database, None) == 1
    await delivery.deliver_due()
    assert len(sink.to(letter)) == 1


async def test_a_letter_whose_link_has_ended_is_not_sent(quiet: Application, letter: str, sink: Sink) -> None:
    await make_due(quiet, expires_at=datetime.now(UTC) - timedelta(seconds=1))

    await by(quiet, sink).deliver_due()

    assert sink.messages == []
    assert (await rows(quiet))[0]["state"] == "dead"
    assert await revive(quiet.database, None) == 0


async def test_a_letter_of_another_installation_or_tenant_is_kept(
    quiet: Application, letter: str, sink: Sink, make_tenant: Any
) -> None:
    other = await make_tenant()
    await make_due(quiet, tenant_id=other.id)

    await by(quiet, sink).deliver_due()

    assert sink.messages == []
    (shown,) = await listing(quiet.database, quiet.settings)
    assert (shown["state"], shown["to"]) == ("dead", None)


async def test_what_a_dead_process_was_at_is_done_by_another(
    quiet: Application, letter: str, sink: Sink
) -> None:
    async with quiet.database.system() as connection:
        await connection.execute(
            "update mail_outbox set attempts = 1, due_at = now() + interval '5 minutes'"
        )  # as a lease leaves it
    delivery = by(quiet, sink)
    assert await delivery.deliver_due() == 0

    await make_due(quiet)  # the lease ran out
    await delivery.deliver_due()

    assert len(sink.to(letter)) == 1


async def test_two_processes_do_not_send_the_same_letter(quiet: Application, letter: str, sink: Sink) -> None:
    import asyncio

    counts = await asyncio.gather(*(by(quiet, sink).deliver_due() for _ in range(4)))

    assert sum(counts) == 1
    assert len(sink.to(letter)) == 1


async def test_replay_sends_nothing(quiet: Application, letter: str, tenant: Tenant, sink: Sink) -> None:
    await by(quiet, sink).deliver_due()

    async with quiet.database.system() as connection:
        state, broken = await replay_state(connection, tenant.id)
        assert broken == []
        assert await compare(connection, tenant.id, state) == []

    assert await rows(quiet) == []
    assert len(sink.messages) == 1


async def test_requests_that_cannot_be_answered_now_are_kept(quiet: Application, sink: Sink) -> None:
    delivery = by(quiet, sink)

    async def fail(_: ResetRequest) -> None:
        raise OSError("database away")

    delivery._answer_request = fail
    await delivery.request(ResetRequest("a@b.example", "en", "https://office.example", datetime.now(UTC)))
    await delivery.deliver_due()

    (row,) = await rows(quiet)
    assert (row["kind"], row["state"], row["last_error"]) == ("reset_request", "waiting", "database away")
