"""The composition root: the only place that knows every part and puts them together."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any
from uuid import UUID

from litestar import Litestar
from litestar.datastructures import State

from app.cache import Cache, Tag
from app.database import Database
from app.embedded import resolve
from app.encryption import Encryption
from app.http import MODULES
from app.http.errors import EXCEPTION_HANDLERS
from app.http.identity import Identity
from app.http.list_cache import ListCache, stale_list_tags
from app.http.middleware import install
from app.http.operation import Operation, check_commands, handlers, operations_of
from app.http.system import Probe, age_probe, database_probe, migration_probe
from app.jobs.access_log import AccessLog
from app.jobs.queue import write_down
from app.jobs.reindex import look_for_stale_soon
from app.jobs.relay import Relay
from app.jobs.sealer import Sealer
from app.jobs.worker import Worker
from app.logging import configure_logging
from app.mail.delivery import Delivery
from app.mail.outbox import mail_key
from app.mail.transport import sender_of, transport_of
from app.migrate import head
from app.module_settings import ModuleSettings, stale_setting_tags
from app.pages.routes import page_handlers
from app.password_links import Invitations, Letters, PasswordResets
from app.rate_limit import RateLimits
from app.settings import Settings, master_key
from app.sign_in import SignIn, consent_key, sign_in_keys
from app.toggles import Toggles, stale_tags
from commands import registry
from commands.bus import Bus, Committed
from domain.auth import ACCOUNT_TABLES
from domain.encryption.tables import PLAN_TABLES
from domain.jobs import JOB_TABLE
from domain.keys import derived_key, tenant_key
from domain.mail import mail_outbox
from projections.index import IndexProjector
from queries.index_reading import UNSEARCHED, IndexReading

PARTS = (
    "api_keys",
    "auth",
    "batch",
    "configs",
    "dictionaries",
    "directory",
    "encryption",
    "entities",
    "erasure",
    "feature_toggles",
    "jobs",
    "query_index",
    "records",
    "replay_runs",
    "restore",
    "retention",
    "setup",
    "undo_many",
)
"""The command modules, and the projection modules of the same names where there are any."""

PROJECTED = ("auth", "dictionaries", "directory", "feature_toggles", "records")

JOBS = ("reencryption", "reindex", "replays", "subscribers", "sweep", "verification", "retention")
"""The modules that declare background jobs."""

_SEALED = "encryption"
"""Says to the other processes that a tenant seals other fields now, or with other keys."""

_GARBAGE_OBJECTS = 10_000
"""New objects that bring about a collection of garbage."""


def load_parts() -> None:
    """Import every module that declares commands or projections, and check that nothing is missing."""
    for name in (
        *("auth", "directory", "audit_logs", "api_keys", "catalogue", "dictionaries"),
        *("feature_toggles", "configs", "encryption.tables", "retention"),
    ):
        import_module(f"domain.{name}")
    for name in PARTS:
        import_module(f"commands.{name}")
    for name in PROJECTED:
        import_module(f"projections.{name}")
    for name in JOBS:
        import_module(f"app.jobs.{name}")
    import_module("app.upgrades")
    registry.check()


def load() -> list[Operation]:
    """Import all parts and all modules of the API, and answer its operations."""
    load_parts()
    return [item for name in MODULES for item in operations_of(import_module(f"app.http.{name}").__name__)]


def search_keys(settings: Settings) -> Callable[[UUID], bytes]:
    """Gives each tenant's key of search tokens; the keys are never stored."""
    master = master_key(settings)
    return lambda tenant: tenant_key(master, tenant, "search")


def make_bus(database: Database, settings: Settings, encryption: Encryption | None = None) -> Bus:
    """A bus over the database: what the server, the seed and the tests share."""
    load_parts()
    master = master_key(settings)
    return Bus(
        database,
        IndexProjector(search_keys(settings)),
        derived_key(master, "undo-token"),
        lock_kinds=settings.locks,
        enqueue=write_down,
        sealing=encryption or Encryption(database, settings),
    )


class Application:
    """Everything that a request may need. One per process."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.search_key = search_keys(settings)
        self.encryption = Encryption(database, settings)
        self.bus = make_bus(database, settings, self.encryption)
        self.master_key = master_key(settings)
        self.consent_key = consent_key(settings, self.master_key)
        self.keys = keys = sign_in_keys(settings, self.master_key)
        self.identity = Identity(database, settings, keys)
        self.sign_in = SignIn(database, self.bus, settings, keys)
        self.rate_limits = RateLimits(settings)
        self.cache = Cache(settings)
        self.toggles = Toggles(database, self.cache, settings)
        self.module_settings = ModuleSettings(database, self.bus, self.cache)
        self.lists = ListCache(self.cache) if settings.crud_cache else None
        self.access_log = AccessLog(database, settings)
        self.relay = Relay(
            database,
            settings,
            forget=self.identity.forget,
            forget_all=self._forget_all,
            forget_cached=self._stale_elsewhere,
            delivered=self._delivered,
        )
        self.encryption.made = lambda tenant: self.relay.announce_stale([(tenant, _SEALED)])
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
        self.jobs = Worker(self)
        self.sealer = Sealer(database, settings)
        self.closing = asyncio.Event()
        self.bus.after_commit(self._committed)

    def reading(self, tenant_id: UUID) -> IndexReading:
        """How lists of a tenant read the query index."""
        settings = self.settings
        unsearched = (*UNSEARCHED, *settings.search_blocklist)
        return IndexReading(
            self.search_key(tenant_id), settings.search_tokens, unsearched, settings.force_partial_index
        )

    @property
    def probes(self) -> dict[str, Probe]:
        """What `/ready` asks."""
        return {
            "database": database_probe(self.database),
            "migrations": migration_probe(self.database, head()),
            "events": age_probe(self.relay.seconds_since_heard, 30.0),
            "jobs": age_probe(self.jobs.seconds_since_heard, 60.0),
        }

    def _committed(self, committed: Committed) -> None:
        if not ACCOUNT_TABLES.isdisjoint(committed.tables):
            self.identity.forget(committed.tenant_id)
            self.relay.announce_accounts(committed.tenant_id)
        if tags := self._stale_tags(committed):
            self.cache.invalidate(tags)
            self.relay.announce_stale(tags)
        if not PLAN_TABLES.isdisjoint(committed.tables):
            self.encryption.forget(committed.tenant_id)
            self.relay.announce_stale([(committed.tenant_id, _SEALED)])
        if mail_outbox.name in committed.tables:
            self.delivery.wake()
        if committed.jobs or JOB_TABLE in committed.tables:
            self.jobs.wake()
        self.relay.wake()

    def _delivered(self) -> None:
        """Events were written down as jobs for their subscribers."""
        self.jobs.wake()

    def _stale_tags(self, committed: Committed) -> list[Tag]:
        """The tags of what the cache holds and the command made stale."""
        tenant_id, tables = committed.tenant_id, committed.tables
        lists = stale_list_tags(tenant_id, tables) if self.lists is not None else []
        return [*stale_tags(tenant_id, tables), *stale_setting_tags(tenant_id, tables), *lists]

    def _forget_all(self) -> None:
        """Messages of other processes may have been lost."""
        self.identity.forget_all()
        self.cache.forget_all()
        self.encryption.forget_all()

    def _stale_elsewhere(self, tenant: str, name: str) -> None:
        """Something that processes remember of a tenant (or of the platform) was changed."""
        if name == _SEALED:
            self.encryption.forget(UUID(tenant))
        else:
            self.cache.heard(tenant, name)

    async def start(self) -> None:
        """Begin background work."""
        self.closing.clear()
        await self.encryption.check()
        await self.cache.start()
        await self.relay.start()
        await self.access_log.start()
        await self.delivery.start()
        await self.jobs.start()
        await self.sealer.start()
        await look_for_stale_soon(self)

    async def stop(self) -> None:
        """End background work, nothing lost, and close the database."""
        self.closing.set()
        await self.sign_in.finish()
        await self.sealer.stop()
        await self.jobs.stop()
        await self.delivery.stop()
        await self.access_log.stop()
        await self.relay.stop()
        await self.cache.close()
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
        _look_for_garbage_less()
        try:
            yield
        finally:
            await running.stop()

    operations = load()
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


def _look_for_garbage_less() -> None:
    """Spare the cycle collector what lives as long as the process, and let a request pass without a collection.

    The default threshold (700 objects) is met several times in every request, and each tenth of those looks further.
    """
    gc.freeze()
    gc.set_threshold(_GARBAGE_OBJECTS, 20, 20)


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
