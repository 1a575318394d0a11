"""Signed-in clients of custom entities and fields."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from app.main import Application
from commands.directory.organizations import CreateOrganization
from tests.conftest import Person, Tenant
from tests.dictionaries.conftest import Desk as AnyDesk
from tests.dictionaries.conftest import Json

THING = "user:thing"


class Desk(AnyDesk):
    """One person at the API, with short ways to define things."""

    async def define(self, key: str, kind: str = "text", entity: str = THING, **config: Any) -> Json:
        """A definition in the organization of the desk."""
        body = {"entityId": entity, "key": key, "kind": kind, "configJson": config}
        return dict((await self.post("/entities/definitions", body))["item"])

    async def undefine(self, key: str, entity: str = THING, status: int = 200) -> Json:
        """Take a field away."""
        return await self._send("DELETE", "/entities/definitions", {"entityId": entity, "key": key}, status)

    async def batch(self, *definitions: Json, status: int = 200, **more: Any) -> Json:
        """Save definitions at once."""
        body = {"entityId": THING, "definitions": list(definitions), **more}
        return await self.post("/entities/definitions.batch", body, status)

    async def fields(self, entity: str = THING, more: str = "") -> list[Json]:
        """The public list of an entity's fields."""
        return list((await self.get(f"/entities/definitions?entityId={entity}{more}"))["items"])

    async def keys(self, entity: str = THING, more: str = "") -> list[str]:
        """Their keys, in order."""
        return [item["key"] for item in await self.fields(entity, more)]

    async def managed(self, entity: str = THING) -> Json:
        """The management snapshot."""
        return await self.get(f"/entities/definitions.manage?entityId={entity}")

    async def entity(self, entity: str = THING, **more: Any) -> Json:
        """Register a custom entity."""
        return dict(
            (await self.post("/entities/entities", {"entityId": entity, "label": "Things", **more}))["item"]
        )


@pytest.fixture
def desk(client: httpx.AsyncClient, tenant: Tenant) -> Desk:
    """The tenant's admin."""
    return Desk(client, tenant.admin)


@pytest.fixture
def employee(client: httpx.AsyncClient, tenant: Tenant) -> Desk:
    """The tenant's employee, who reads definitions and no more."""
    return Desk(client, tenant.employee)


@pytest.fixture
def superadmin(client: httpx.AsyncClient, tenant: Tenant) -> Desk:
    """The tenant's super admin."""
    return Desk(client, tenant.superadmin)


@pytest.fixture
async def child(application: Application, tenant: Tenant) -> UUID:
    """An organization below the tenant's first one."""
    return await new_organization(application, tenant, tenant.organization_id)


async def new_organization(application: Application, tenant: Tenant, parent: UUID | None) -> UUID:
    """An organization of the tenant."""
    command = CreateOrganization(name=f"Organization {uuid4().hex[:6]}", parent_id=parent)
    id: UUID = (await application.bus.execute(command, tenant.superadmin.scope)).result["id"]
    return id


@pytest.fixture
def elsewhere(client: httpx.AsyncClient, tenant: Tenant, child: UUID) -> Desk:
    """The tenant's admin, with the child organization selected."""
    made = Desk(client, tenant.admin)
    made.organization = child
    return made


def desk_of(client: httpx.AsyncClient, person: Person) -> Desk:
    """Somebody else at the API."""
    return Desk(client, person)
