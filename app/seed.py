"""The first tenant of an installation: the demo's, or the one of the first administrator.

Safe to run again and beside a running server: it happens under a lock, and what exists is left alone. Outside the
demo no account has a password that anybody could know.
"""

import re
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from msgspec import Struct

from app.database import Database
from app.settings import Settings, StartError, master_key
from domain.credentials import SignInKeys
from domain.ids import random_id
from domain.passwords import PasswordPolicy, Passwords
from domain.scope import Options, system_scope

if TYPE_CHECKING:
    from app.seed_data import Draft
    from commands.bus import Bus
    from commands.setup import Installed

_LOCK: Final = 4_171_309_523_660_118_817
_EMAIL: Final = re.compile(r"[^\s@]{1,64}@[^\s@]+\.[^\s@.]{2,}\Z")


class SeedReport(Struct, frozen=True):
    """What was made, if anything, and what a person at the terminal needs to know."""

    tenant_id: UUID | None
    created: bool
    lines: tuple[str, ...]

    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)


async def first_start(
    database: Database, settings: Settings, *, demo: bool | None = None, bus: "Bus | None" = None
) -> SeedReport | None:
    """Give an empty installation its demo tenant, if the settings (or `demo`) ask for it; tell how to sign in.

    None when there is nothing to tell: the installation has tenants of its own.
    """
    if settings.demo if demo is None else demo:
        async with _alone(database) as connection:
            tenant = await _demo_tenant(connection, settings)
            if tenant is None and await _any_tenant(connection):
                return None
            if tenant is None:
                return await _make_demo(database, settings, bus)
            await _finish_demo(connection, database, settings, bus, tenant)
            await _platform_defaults(connection, database, settings, bus)
            return SeedReport(tenant, False, _demo_lines())
    async with _alone(database) as connection:
        if await _any_tenant(connection):
            await _platform_defaults(connection, database, settings, bus)
            return None
    return SeedReport(
        None,
        False,
        ("Nobody can sign in yet. Make the first administrator with:", "  backstep seed --admin EMAIL"),
    )


async def seed_demo(database: Database, settings: Settings, bus: "Bus | None" = None) -> SeedReport:
    """Make the demo tenant unless it exists. Raises `StartError` in production."""
    if settings.production:
        raise StartError(
            "The demo's passwords are known to everybody: it is not for BACKSTEP_ENVIRONMENT=production."
        )
    async with _alone(database) as connection:
        tenant = await _demo_tenant(connection, settings)
        if tenant is None:
            return await _make_demo(database, settings, bus)
        await _finish_demo(connection, database, settings, bus, tenant)
        return SeedReport(tenant, False, ("The demo tenant exists already.", *_demo_lines()))


async def seed_admin(
    database: Database,
    settings: Settings,
    email: str,
    password: str | None,
    *,
    tenant_name: str = "Main",
    organization_name: str | None = None,
    bus: "Bus | None" = None,
) -> SeedReport:
    """Make the first tenant and its administrator; without a password, one is made and told once.

    Raises `StartError` when the e-mail or the password will not do, or the installation has a tenant already.
    """
    if not _EMAIL.match(email) or len(email) > 320:
        raise StartError(f"{email} is not an e-mail address.")
    policy = password_policy(settings)
    chosen = password or _made_password(policy)
    faults = policy.faults(chosen)
    if faults:
        raise StartError(f"The password will not do. {' '.join(faults)}")
    async with _alone(database) as connection:
        if await _any_tenant(connection):
            raise StartError("This installation has a tenant already; its administrators can add users.")
        people = [(email, "superadmin", None)]
        made = await _install(
            database, settings, bus, tenant_name, organization_name or tenant_name, people, chosen
        )
    told = () if password else (f"Password: {chosen}", "It is stored nowhere in clear and shown only now.")
    return SeedReport(made.tenant_id, True, (f"Sign in as {email}.", *told))


def password_policy(settings: Settings) -> PasswordPolicy:
    """The policy for new passwords that the settings describe."""
    return PasswordPolicy(
        settings.password_min_length,
        settings.password_require_digit,
        settings.password_require_uppercase,
        settings.password_require_special,
    )


def _made_password(policy: PasswordPolicy) -> str:
    return f"{secrets.token_urlsafe(max(12, policy.min_length))}-A1"


def _demo_lines() -> tuple[str, ...]:
    from app.seed_data import DEMO_PASSWORD, DEMO_USERS

    emails = ", ".join(email for email, _, _ in DEMO_USERS)
    return (f"Demo users: {emails}", f"Password: {DEMO_PASSWORD}")


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[Any]:
    """A connection that holds the lock of seeding: of several processes that start together, one does it."""
    async with database.system() as connection:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        try:
            yield connection
        finally:
            await connection.execute("select pg_advisory_unlock($1)", _LOCK)


async def _any_tenant(connection: Any) -> bool:
    return bool(await connection.fetchval("select exists (select from tenants)"))


async def _demo_tenant(connection: Any, settings: Settings) -> UUID | None:
    """The tenant that the demo's first user is in."""
    from app.seed_data import DEMO_USERS

    digest = _keys(settings).email_hash(DEMO_USERS[0][0])
    found: UUID | None = await connection.fetchval(
        "select tenant_id from users where email_hash = $1 and deleted_at is null limit 1", digest
    )
    return found


async def _make_demo(database: Database, settings: Settings, bus: "Bus | None") -> SeedReport:
    from app.seed_data import DEMO_DRAFTS, DEMO_PASSWORD, DEMO_TENANT, DEMO_USERS

    made = await _install(
        database, settings, bus, DEMO_TENANT, DEMO_TENANT, DEMO_USERS, DEMO_PASSWORD, drafts=DEMO_DRAFTS
    )
    return SeedReport(made.tenant_id, True, _demo_lines())


async def _install(
    database: Database,
    settings: Settings,
    bus: "Bus | None",
    tenant_name: str,
    organization_name: str,
    people: Iterable[tuple[str, str, str | None]],
    password: str,
    drafts: "Sequence[Draft]" = (),
) -> "Installed":
    """A tenant with its users (e-mail, role, name), all with one password, and its dictionaries."""
    from app.main import make_bus
    from commands.setup import FirstUser, InstallTenant

    bus = bus or make_bus(database, settings)
    keys = _keys(settings)
    passwords = Passwords(keys.password_seal)
    users: list[FirstUser] = [
        FirstUser(email, keys.email_hash(email), await passwords.hash(password), role, name)
        for email, role, name in people
    ]
    scope, options = system_scope(random_id()), Options(source="system")
    command = InstallTenant(name=tenant_name, organization_name=organization_name, users=tuple(users))
    made: Installed = (await bus.execute(command, scope, options)).result
    await _fill(bus, made.tenant_id, made.organization_id, drafts)
    return made


async def _fill(bus: "Bus", tenant_id: UUID, organization_id: UUID, drafts: "Sequence[Draft]") -> None:
    from app.seed_data import system_drafts
    from commands.feature_toggles import SeedToggles

    for draft in (*system_drafts(), *drafts):
        await bus.execute(draft.command(organization_id), system_scope(tenant_id), Options(source="system"))
    await bus.execute(SeedToggles(), system_scope(tenant_id), Options(source="system"))


async def _platform_defaults(
    connection: Any, database: Database, settings: Settings, bus: "Bus | None"
) -> None:
    """Make the platform's default toggles that the installation never had, filed under its first tenant."""
    from commands.feature_toggles import SeedToggles
    from domain.feature_toggles import DEFAULTS

    tenant_id = await connection.fetchval(
        "select id from tenants t where deleted_at is null and exists (select from unnest($1::text[]) d(identifier)"
        " where not exists (select from feature_toggles f where f.identifier = d.identifier))"
        " order by created_at, id limit 1",
        [one.identifier for one in DEFAULTS],
    )
    if tenant_id is not None:
        from app.main import make_bus

        bus = bus or make_bus(database, settings)
        await bus.execute(SeedToggles(), system_scope(tenant_id), Options(source="system"))


async def _finish_demo(
    connection: Any, database: Database, settings: Settings, bus: "Bus | None", tenant_id: UUID
) -> None:
    """Seed the dictionaries of a demo tenant whose seeding was killed before it came to them."""
    organization_id = await connection.fetchval(
        "select id from organizations o where tenant_id = $1 and not exists"
        " (select from dictionaries d where d.tenant_id = o.tenant_id) order by created_at, id limit 1",
        tenant_id,
    )
    if organization_id is not None:
        from app.main import make_bus
        from app.seed_data import DEMO_DRAFTS

        await _fill(bus or make_bus(database, settings), tenant_id, organization_id, DEMO_DRAFTS)


def _keys(settings: Settings) -> SignInKeys:
    from app.sign_in import sign_in_keys

    return sign_in_keys(settings, master_key(settings))
