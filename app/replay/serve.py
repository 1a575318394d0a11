"""Serves the API on a scratch database, to look at: nothing of history can be changed, nothing reacts to anything."""

import asyncio
import signal
from contextlib import suppress
from typing import Any
from uuid import UUID

from app.database import Database, Target, Transaction
from app.settings import Settings
from domain.errors import Problem

SIGNING_IN = "auth.sessions."
"""Commands that a scratch database takes all the same: sessions are not part of history."""


class ScratchDatabase(Database):
    """A database that refuses every command but signing in and out."""

    async def begin(self, tenant_id: UUID, command_id: str, *, locked: bool = True) -> Transaction:
        """Open a write transaction for a session. Raises Problem 403 for anything else."""
        if not command_id.startswith(SIGNING_IN):
            body = {"error": "This is a replay: it can be looked at, not changed", "code": "read_only"}
            raise Problem(403, body)
        return await super().begin(tenant_id, command_id, locked=locked)


def application(settings: Settings, target: Target) -> Any:
    """The ASGI application over a scratch database. Its background work (mail, relay, jobs) is never started."""
    from app.main import Application, create_app

    return create_app(settings, Application(settings, ScratchDatabase(target)))


async def serve(settings: Settings, target: Target, port: int) -> None:
    """Serve on 127.0.0.1 until SIGINT or SIGTERM."""
    from granian.constants import Interfaces
    from granian.server.embed import Server

    server = Server(application(settings, target), address="127.0.0.1", port=port, interface=Interfaces.ASGI)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    with suppress(asyncio.CancelledError):
        await server.serve()
