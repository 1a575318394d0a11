"""How a message leaves the house: by SMTP, as a file where no server is set, or not at all."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import parseaddr
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog
from msgspec import Struct

from app.settings import Settings, StartError

_TIMEOUT_SECONDS: Final = 20
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.mail")

Send = Callable[[EmailMessage], Awaitable[None]]
"""Hands one message over. Raises RefusedForGood or Unsent."""


class Unsent(Exception):
    """The message could not be handed over now; later may be better."""


class RefusedForGood(Unsent):
    """The server will never take this message for this recipient."""


class Transport(Protocol):
    """A way out of the house."""

    def connected(self) -> AbstractAsyncContextManager[Send]:
        """What sends messages while the context is open. Raises Unsent when there is no way now."""
        ...


class SmtpServer(Struct, frozen=True):
    """Where mail is handed over. `tls`: from the first byte; `starttls`: None means if the server offers it."""

    host: str
    port: int
    user: str | None
    password: str | None
    tls: bool
    starttls: bool | None


def smtp_server(settings: Settings) -> SmtpServer | None:
    """The server that the settings name; None when they name none. Raises `StartError` for an SMTP_URL that is none.

    Credentials are not sent in clear over a network unless SMTP_TLS=none says so.
    """
    host, port, user, tls = settings.smtp_host, settings.smtp_port, settings.smtp_user, settings.smtp_tls
    password = None if settings.smtp_password is None else settings.smtp_password.get_secret_value()
    if settings.smtp_url is not None:
        try:
            url = urlsplit(settings.smtp_url.get_secret_value().strip())
            host, port = url.hostname, url.port
        except ValueError:
            url, host = urlsplit(""), None
        if url.scheme not in {"smtp", "smtps"} or not host:
            raise StartError("SMTP_URL must look like smtp://user:password@host:587 or smtps://host.")
        user = unquote(url.username) if url.username else None
        password = unquote(url.password) if url.password else None
        tls = "tls" if url.scheme == "smtps" else tls
    if not host:
        return None
    whole = tls == "tls" or (tls == "auto" and port == 465)
    secret = user is not None and host not in _LOOPBACK
    wanted = {"none": False, "starttls": True}.get(tls, True if secret else None)
    return SmtpServer(
        host, port or (465 if whole else 587), user, password, whole, False if whole else wanted
    )


def sender_of(settings: Settings) -> str:
    """The `From` of all mail. Raises `StartError` for one that is no address."""
    if settings.email_from.strip():
        address = parseaddr(settings.email_from)[1]
        if "@" not in address or "\n" in settings.email_from or "\r" in settings.email_from:
            raise StartError("EMAIL_FROM must be an address, such as Backstep <office@example.com>.")
        return settings.email_from.strip()
    host = urlsplit(settings.app_url).hostname if settings.app_url else None
    return f"Backstep <backstep@{host or 'localhost'}>"


def transport_of(settings: Settings) -> Transport:
    """The way out that the settings describe."""
    if settings.email_disabled or settings.test_mode:
        return Nowhere()
    server = smtp_server(settings)
    return Folder(settings.data / "mail") if server is None else Smtp(server)


class Smtp:
    """By SMTP; one connection for all messages of a context."""

    def __init__(self, server: SmtpServer) -> None:
        """Connect later, when there is something to send."""
        self._server = server

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Send]:
        """Connect, greet, encrypt, sign in. Raises Unsent when any of that fails."""
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls,
            start_tls=server.starttls,
            username=server.user,
            password=server.password,
            timeout=_TIMEOUT_SECONDS,
        )
        try:
            await client.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Unsent(f"{server.host}:{server.port}: {_said(error)}") from error

        async def send(message: EmailMessage) -> None:
            try:
                await client.send_message(message)
            except (aiosmtplib.SMTPException, OSError) as error:
                kind = RefusedForGood if _for_good(error) else Unsent
                raise kind(_said(error)) from error

        try:
            yield send
        finally:
            try:
                await client.quit()
            except (aiosmtplib.SMTPException, OSError):
                client.close()


class Folder:
    """Into files, one for each message, for installations without a mail server: only the owner may read them."""

    def __init__(self, folder: Path) -> None:
        """Make the folder later, when there is something to write."""
        self._folder = folder

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Send]:
        """Nothing to connect to."""
        yield self._send

    async def _send(self, message: EmailMessage) -> None:
        try:
            path = await asyncio.to_thread(self._write, message)
        except OSError as error:
            raise Unsent(f"{self._folder}: {error.strerror or error}") from error
        logger.info("mail written to a file", path=str(path), subject=str(message["Subject"]))

    def _write(self, message: EmailMessage) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = message["Message-ID"].strip("<>").partition("@")[0]
        path = self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{name}.eml"
        draft = path.with_suffix(".part")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(message.as_bytes(policy=WIRE))
        return draft.replace(path)


class Nowhere:
    """Not at all: mail counts as sent."""

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Send]:
        """Nothing to connect to."""
        yield self._send

    async def _send(self, message: EmailMessage) -> None:
        logger.debug("mail not sent, because delivery is off", message_id=message["Message-ID"])


def _said(error: Exception) -> str:
    """What the server said, in one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def _for_good(error: Exception) -> bool:
    """Whether the server refused the recipient or the content itself; refused senders and passwords can be mended."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return all(500 <= one.code < 600 for one in error.recipients)
    return isinstance(error, aiosmtplib.SMTPDataError) and 500 <= error.code < 600
