"""A real SMTP server that keeps what it is given, and the application's mail made to go there."""

import asyncio
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP as SmtpProtocol

from app.mail.transport import Smtp, SmtpServer
from app.main import Application


class Sink:
    """Keeps messages; `refuse` is what it answers to recipients instead of taking them."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.connections = 0
        self.refuse: str | None = None
        self.port = 0

    async def handle_EHLO(
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.refuse is not None:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        return "250 taken"

    async def wait(self, count: int) -> list[EmailMessage]:
        """The messages, as soon as there are this many."""
        async with asyncio.timeout(10):
            while len(self.messages) < count:
                await asyncio.sleep(0.01)
        return self.messages

    def to(self, address: str) -> list[EmailMessage]:
        return [message for message in self.messages if message["To"] == address]


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """A server on a free port of this machine."""
    made = Sink()
    server = await asyncio.get_running_loop().create_server(
        lambda: SmtpProtocol(made, enable_SMTPUTF8=True), "127.0.0.1", 0
    )
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


@pytest.fixture
async def by_smtp(application: Application, sink: Sink) -> AsyncIterator[Sink]:
    """The running application sends to the sink."""
    before = application.delivery.transport
    application.delivery.transport = Smtp(SmtpServer("127.0.0.1", sink.port, None, None, False, None))
    yield sink
    application.delivery.transport = before


@pytest.fixture
async def quiet(application: Application) -> AsyncIterator[Application]:
    """The application does not deliver by itself, and nothing waits."""
    await application.delivery.stop()
    async with application.database.system() as connection:
        await connection.execute("delete from mail_outbox")
    yield application
    async with application.database.system() as connection:
        await connection.execute("delete from mail_outbox")
    await application.delivery.start()
