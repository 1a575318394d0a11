"""The composition root: the only place that knows every part and puts them together."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any
from uuid import UUID

from litestar import Litestar
from litestar.datastructures import State

from app.database import Database
from app.embedded import resolve
from app.http import MODULES
from app.http.errors import EXCEPTION_HANDLERS
from app.http.identity import Identity
from app.http.middleware import install
from app.http.operation import check_commands, handlers, operations_of
from app.http.system import Probe, age_probe, database_probe, migration_probe
from app.jobs.access_log import AccessLog
from app.jobs.relay import Relay
from app.logging import configure_logging
from app.mail.delivery import Delivery
from app.mail.outbox import mail_key
from app.mail.transport import sender_of, transport_of
from app.migrate import head
from app.pages.routes import page_handlers
from app.password_links import Invitations, Letters, PasswordResets
from app.rate_limit import RateLimits
from app.settings import Settings, master_key
from app.sign_in import SignIn, consent_key, sign_in_keys
from commands import registry
from commands.bus import Bus, Committed
from domain.auth import ACCOUNT_TABLES
from domain.keys import derived_key, tenant_key
from domain.mail import mail_outbox
from projections.index import IndexProjector

PARTS = ("api_keys", "auth", "batch", "dictionaries", "directory", "setup")
"""The command modules, and the projection modules of the same names where there are any."""

PROJECTED = ("auth", "dictionaries", "directory")


def load_parts() -> None:
    """Import every module that declares commands or projections, and check that nothing is missing."""
    for name in ("auth", "directory", "audit_logs", "api_keys", "catalogue", "dictionaries"):
        import_module(f"domain.{name}")
    for name in PARTS:
        import_module(f"commands.{name}")
    for name in PROJECTED:
        import_module(f"projections.{name}")
    registry.check()


def search_keys(settings: Settings) -> Callable[[UUID], bytes]:
    """Gives each tenant's key of search tokens; the keys are never stored."""
    master = master_key(settings)
    return lambda tenant: tenant_key(master, tenant, "search")


def make_bus(database: Database, settings: Settings) -> Bus:
    """A bus over the database: what the server, the seed and the tests share."""
    load_parts()
    master = master_key(settings)
    return Bus(
        database,
        IndexProjector(search_keys(settings)),
        derived_key(master, "undo-token"),
        lock_kinds=settings.locks,
    )


class Application:
    """Everything that a request may need. One per process."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.search_key = search_keys(settings)
        self.bus = make_bus(database, settings)
        self.master_key = master_key(settings)
        self.consent_key = consent_key(settings, self.master_key)
        self.keys = keys = sign_in_keys(settings, self.master_key)
        self.identity = Identity(database, settings, keys)
        self.sign_in = SignIn(database, self.bus, settings, keys)
        self.rate_limits = RateLimits(settings)
        self.access_log = AccessLog(database, settings)
        self.relay = Relay(
            database, settings, forget=self.identity.forget, forget_all=self.identity.forget_all
        )
        letters = Letters(keys, mail_key(self.master_key))
        self.password_resets = PasswordResets(database, self.bus, keys, letters, self.sign_in.passwords)
        self.invitations = Invitations(database, self.bus, settings, letters)
        self.delivery = Delivery(
            database,
            letters.mail_key,
            transport_of(settings),
            sender_of(settings),
            answer_request=self.password_resets.answer,
            looks_around=lambda: self.relay.holds,
        )
        self.closing = asyncio.Event()
        self.bus.after_commit(self._committed)

    @property
    def probes(self) -> dict[str, Probe]:
        """What `/ready` asks."""
        return {
            "database": database_probe(self.database),
            "migrations": migration_probe(self.database, head()),
            "events": age_probe(self.relay.seconds_since_heard, 30.0),
        }

    def _committed(self, committed: Committed) -> None:
        if not ACCOUNT_TABLES.isdisjoint(committed.tables):
            self.identity.forget(committed.tenant_id)
            self.relay.announce_accounts(committed.tenant_id)
        if mail_outbox.name in committed.tables:
            self.delivery.wake()
        self.relay.wake()

    async def start(self) -> None:
        """Begin background work."""
        self.closing.clear()
        await self.relay.start()
        await self.access_log.start()
        await self.delivery.start()

    async def stop(self) -> None:
        """End background work, nothing lost, and close the database."""
        self.closing.set()
        await self.sign_in.finish()
        await self.delivery.stop()
        await self.access_log.stop()
        await self.relay.stop()
        await self.database.close()


def create_app(settings: Settings | None = None, application: Application | None = None) -> Litestar:
    """The ASGI application of one process, its settings from the environment unless given."""
    settings = settings or Settings.read()
    configure_logging(settings.log_level, settings.log_format)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        if application is not None:  # of a test, which starts and stops it
            app.state["application"] = application
            yield
            return
        readers = settings.pool_size // 3
        database = Database(resolve(settings), readers, settings.pool_size - readers)
        running = Application(settings, database)
        app.state["application"] = running
        _close_streams_on_signal(running.closing)
        await running.start()
        try:
            yield
        finally:
            await running.stop()

    load_parts()
    operations = [
        item for name in MODULES for item in operations_of(import_module(f"app.http.{name}").__name__)
    ]
    check_commands(operations)
    app = Litestar(
        route_handlers=[*handlers(operations), *page_handlers(settings)],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=[lifespan],
        openapi_config=None,
        logging_config=None,
        state=State({"application": application}),
    )
    return install(app, settings.app_allowed_origins)


def _close_streams_on_signal(closing: asyncio.Event) -> None:
    """Let open streams end at once on SIGTERM and SIGINT; the server's own handlers run after ours."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        previous = signal.getsignal(number)

        def handle(received: int, frame: Any, previous: Any = previous) -> None:
            loop.call_soon_threadsafe(closing.set)
            if callable(previous):
                previous(received, frame)

        signal.signal(number, handle)
