"""A tenant that tests may furnish: organizations, people with passwords, grants, API keys."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from litestar import Request
from msgspec import Raw

from app.main import Application
from app.settings import master_key
from app.sign_in import sign_in_keys
from commands.auth import OpenSession
from commands.bus import Work
from commands.setup import FirstUser, InstallTenant
from commands.unit import Unit
from domain.api_keys import api_keys
from domain.auth import role_acls, roles, user_acls, user_roles, users
from domain.credentials import SignInKeys, new_api_secret, sign_access_token
from domain.directory import organizations, tenants
from domain.passwords import Passwords
from domain.scope import Options, Scope, system_scope
from tests.auth.office import Office
from tests.conftest import Tenant

PASSWORD = "correct horse"

Perform = Callable[[Unit], Awaitable[Any]]


class House:
    """One tenant under test. Everything is written as commands are, so the log explains it."""

    def __init__(self, application: Application, keys: SignInKeys, password_hash: str) -> None:
        self.application = application
        self.keys = keys
        self.password_hash = password_hash
        self.id = uuid4()
        self.organizations: dict[str, UUID] = {}
        self.users: dict[str, UUID] = {}
        self.emails: dict[str, str] = {}

    async def install(self) -> None:
        self.emails = {
            role: f"{role}.{self.id.hex[:12]}@Example.com" for role in ("superadmin", "admin", "employee")
        }
        command = InstallTenant(
            "House", "Home", tuple(self._first(email, role) for role, email in self.emails.items())
        )
        made = (await self.application.bus.execute(command, system_scope(self.id))).result
        self.organizations["Home"] = made.organization_id
        self.users = {role: made.users[email] for role, email in self.emails.items()}

    def _first(self, email: str, role: str) -> FirstUser:
        return FirstUser(email, self.keys.email_hash(email), self.password_hash, role)

    async def write(self, perform: Perform) -> Any:
        work = Work("tests.prepare", "Prepare", "directory.tenant", True, False, Raw(b"{}"), perform)
        return (await self.application.bus.run(work, system_scope(self.id), Options())).result

    async def add_organization(self, name: str, parent: str | None = None) -> UUID:
        async def perform(unit: Unit) -> UUID:
            made = unit.new_id()
            values = {"id": made, "name": name, "slug": name.lower(), "root_id": made, "tree_path": str(made)}
            if parent is not None:
                above = await unit.get(organizations, self.organizations[parent])
                lineage = [*above["ancestor_ids"], above["id"]]
                values |= {
                    "parent_id": above["id"],
                    "root_id": lineage[0],
                    "ancestor_ids": lineage,
                    "depth": len(lineage),
                }
                for ancestor in lineage:
                    row = await unit.get(organizations, ancestor)
                    await unit.update(
                        organizations, ancestor, {"descendant_ids": [*row["descendant_ids"], made]}
                    )
            await unit.insert(organizations, values)
            return made

        self.organizations[name] = await self.write(perform)
        return self.organizations[name]

    async def add_user(
        self,
        name: str,
        organization: str | None = "Home",
        *,
        role_names: Sequence[str] = (),
        email: str | None = None,
        confirmed: bool = True,
    ) -> UUID:
        address = email or f"{name}.{self.id.hex[:12]}@example.com"

        async def perform(unit: Unit) -> UUID:
            image = await unit.insert(
                users,
                {
                    "organization_id": self.organizations[organization] if organization else None,
                    "email": address,
                    "email_hash": self.keys.email_hash(address),
                    "password_hash": self.password_hash,
                    "is_confirmed": confirmed,
                },
            )
            for role in role_names:
                role_id = await unit.fetchval("select id from roles where name = $1", role)
                await unit.insert(user_roles, {"user_id": image.id, "role_id": role_id})
            return image.id

        self.emails[name] = address
        self.users[name] = await self.write(perform)
        return self.users[name]

    async def add_role(
        self,
        name: str,
        features: Sequence[str] | None,
        organizations_: Sequence[str] | None = None,
        *,
        super_admin: bool = False,
    ) -> UUID:
        async def perform(unit: Unit) -> UUID:
            image = await unit.insert(roles, {"name": name})
            if features is not None:
                await unit.insert(
                    role_acls,
                    {
                        "role_id": image.id,
                        "features": list(features),
                        "organizations": None if organizations_ is None else list(organizations_),
                        "is_super_admin": super_admin,
                    },
                )
            return image.id

        return await self.write(perform)

    async def grant(
        self,
        user: str,
        features: Sequence[str],
        organizations_: Sequence[str] | None,
        *,
        super_admin: bool = False,
    ) -> None:
        """Give a user grants of their own; organizations by name, or `__all__`."""

        async def perform(unit: Unit) -> None:
            wanted = None
            if organizations_ is not None:
                wanted = [str(self.organizations.get(name, name)) for name in organizations_]
            await unit.insert(
                user_acls,
                {
                    "user_id": self.users[user],
                    "features": list(features),
                    "organizations": wanted,
                    "is_super_admin": super_admin,
                },
            )

        await self.write(perform)

    async def add_api_key(
        self,
        role_names: Sequence[str],
        *,
        organization: str | None = None,
        creator: str | None = "admin",
        expires_in: timedelta | None = None,
    ) -> tuple[UUID, str]:
        secret = new_api_secret()

        async def perform(unit: Unit) -> UUID:
            found = await unit.fetch("select id from roles where name = any($1::text[])", list(role_names))
            image = await unit.insert(
                api_keys,
                {
                    "name": "Key",
                    "organization_id": self.organizations[organization] if organization else None,
                    "key_prefix": secret[:12],
                    "key_hash": self.keys.api_key_hash(secret),
                    "role_ids": [row["id"] for row in found],
                    "created_by": self.users[creator] if creator else None,
                    "expires_at": None if expires_in is None else unit.now + expires_in,
                },
            )
            return image.id

        return await self.write(perform), secret

    async def set(self, table: Any, id: UUID, **values: Any) -> None:
        await self.write(lambda unit: unit.update(table, id, values))

    async def close(self, **values: Any) -> None:
        """Change the tenant itself: `is_active`, `deleted_at`."""
        await self.set(tenants, self.id, **values)

    async def sign_in(self, user: str, organization: str | None = "Home") -> dict[str, str]:
        """Headers of a fresh session."""
        opening = OpenSession(self.users[user], uuid4().hex, 3600)
        opened = (await self.application.bus.execute(opening, system_scope(self.id))).result
        return self.bearer(user, opened.session_id, organization)

    def bearer(
        self, user: str, session_id: UUID, organization: str | None = "Home", **changes: Any
    ) -> dict[str, str]:
        """Headers with an access token for a session, whether that exists or not."""
        claims: dict[str, Any] = {
            "user_id": self.users[user],
            "session_id": session_id,
            "tenant_id": self.id,
            "organization_id": self.organizations[organization] if organization else None,
            "email": self.emails[user],
            "roles": [],
            "now": datetime.now(UTC),
        }
        return {"authorization": f"Bearer {sign_access_token(self.keys.jwt, **(claims | changes))}"}

    async def scope(self, headers: dict[str, str]) -> Scope:
        """What the identity makes of a request with these headers."""
        return await self.application.identity.resolve(as_request(headers))


def as_request(headers: dict[str, str]) -> Any:
    """A request with these headers, as far as the identity looks at one."""
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})  # type: ignore[typeddict-item]


@pytest.fixture(scope="session")
def keys(application: Application) -> SignInKeys:
    """The installation's keys."""
    return sign_in_keys(application.settings, master_key(application.settings))


@pytest.fixture(scope="session")
async def password_hash(keys: SignInKeys) -> str:
    """Of PASSWORD, made once."""
    return await Passwords(keys.password_seal).hash(PASSWORD)


@pytest.fixture
async def make_house(
    application: Application, keys: SignInKeys, password_hash: str
) -> Callable[[], Awaitable[House]]:
    """Makes furnished tenants."""

    async def make() -> House:
        house = House(application, keys, password_hash)
        await house.install()
        return house

    return make


@pytest.fixture
async def house(make_house: Callable[[], Awaitable[House]]) -> House:
    """A tenant with the organization Home and a person of each default role."""
    return await make_house()


@pytest.fixture
async def office(application: Application, client: httpx.AsyncClient, tenant: Tenant) -> Office:
    """A tenant whose accounts are managed over HTTP."""
    return Office(application, client, tenant)
