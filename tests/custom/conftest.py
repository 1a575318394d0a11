"""The product's own entities, each with the same few ways to make, change and read a record."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from msgspec import Struct

from tests.conftest import Tenant
from tests.dictionaries.conftest import Json
from tests.entities.conftest import Desk


class Office(Desk):
    """The super admin of a tenant, who may change everything in it."""

    def __init__(self, client: httpx.AsyncClient, tenant: Tenant) -> None:
        super().__init__(client, tenant.superadmin)
        self.tenant = tenant
        self.dictionary_path = ""

    async def newest(self) -> Json:
        """The newest action of the tenant's log."""
        return dict((await self.get("/audit_logs/audit-logs/actions?limit=1"))["items"][0])


class Kind(Struct, frozen=True):
    """An entity whose records have custom fields."""

    entity: str
    table: str
    indexed_as: str
    path: Callable[[Office], Awaitable[str]]
    base: Callable[[Office], Json]
    method: str
    one: str
    """The query that finds one record; `{id}` stands for its id."""
    many: str = ""
    """The query that lists all."""
    undoable: bool = True

    async def make(self, office: Office, status: int = 201, **values: Any) -> str:
        """A new record; its id."""
        body = self.base(office) | values
        return str((await office.post(await self.path(office), body, status)).get("id"))

    async def change(self, office: Office, id: str, status: int = 200, **values: Any) -> httpx.Response:
        """Change a record."""
        path = await self.path(office)
        sent: tuple[str, Json] = (path, {"id": id, **values})
        if self.method == "PATCH":
            sent = f"{path}/{id}", values
        answer = await office.ask(self.method, *sent)
        assert answer.status_code == status, answer.text
        return answer

    async def read(self, office: Office, id: str) -> Json:
        """A record as lists show it."""
        return next(one for one in await self.items(office, self.one.format(id=id)) if one["id"] == id)

    async def items(self, office: Office, query: str) -> list[Json]:
        """The records that a query finds."""
        return list((await office.get(f"{await self.path(office)}{query}"))["items"])

    async def custom(self, office: Office, id: str) -> Json:
        """Its custom values."""
        return {key: value for key, value in (await self.read(office, id)).items() if key.startswith("cf_")}


def _at(path: str) -> Callable[[Office], Awaitable[str]]:
    async def found(_: Office) -> str:
        return path

    return found


async def _entries(office: Office) -> str:
    if not office.dictionary_path:
        office.dictionary_path = await office.dictionary(f"d-{uuid4().hex[:8]}")
    return f"{office.dictionary_path}/entries"


def _user(office: Office) -> Json:
    place = str(office.tenant.organization_id)
    return {
        "email": f"{uuid4().hex[:12]}@example.com",
        "password": "Passw0rd!",
        "organizationId": place,
        "roles": [],
    }


def _named(_: Office) -> Json:
    return {"name": f"Name {uuid4().hex[:8]}"}


USERS = Kind("auth:user", "users", "auth:user", _at("/auth/users"), _user, "PUT", "?id={id}")
ROLES = Kind("auth:role", "roles", "auth:role", _at("/auth/roles"), _named, "PUT", "?id={id}")
ORGANIZATIONS = Kind(
    "directory:organization",
    "organizations",
    "directory:organization",
    _at("/directory/organizations"),
    _named,
    "PUT",
    "?view=manage&ids={id}",
    "?view=manage",
)
TENANTS = Kind(
    "directory:tenant",
    "tenants",
    "directory:tenant",
    _at("/directory/tenants"),
    _named,
    "PUT",
    "?id={id}",
    undoable=False,
)
DICTIONARIES = Kind(
    "dictionaries:dictionary",
    "dictionaries",
    "dictionaries:dictionary",
    _at("/dictionaries"),
    lambda _: {"key": f"k-{uuid4().hex[:8]}", "name": "Colours"},
    "PATCH",
    "",
)
ENTRIES = Kind(
    "dictionaries:dictionary_entry",
    "dictionary_entries",
    "dictionaries:entry",
    _entries,
    lambda _: {"value": f"v {uuid4().hex[:8]}"},
    "PATCH",
    "?ids={id}",
)
KINDS = (USERS, ROLES, ORGANIZATIONS, TENANTS, DICTIONARIES, ENTRIES)
FILTERED = (USERS, ROLES, ORGANIZATIONS, TENANTS, ENTRIES)


@pytest.fixture
def office(client: httpx.AsyncClient, tenant: Tenant) -> Office:
    """The tenant's super admin."""
    return Office(client, tenant)
