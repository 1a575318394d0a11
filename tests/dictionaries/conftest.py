"""A signed-in client of the dictionaries, and short ways to say what is asked."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote
from uuid import UUID, uuid4

import httpx
import pytest

from app.main import Application
from tests.conftest import Person, Tenant

Json = dict[str, Any]


class Desk:
    """One person at the API; `organization` is the one that they selected."""

    def __init__(self, client: httpx.AsyncClient, person: Person) -> None:
        self.client = client
        self.person = person
        self.organization: UUID | str | None = None

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Any request; underscores in header names stand for dashes."""
        sent = {**self.person.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.organization is not None:
            sent["cookie"] = f"om_selected_org={self.organization}"
        return await self.client.request(method, path, json=body, headers=sent)

    async def get(self, path: str, status: int = 200) -> Json:
        """The JSON answer to a GET request that must have this status."""
        answer = await self.ask("GET", path)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    async def post(self, path: str, body: Any, status: int = 200) -> Json:
        """The same for POST."""
        return await self._send("POST", path, body, status)

    async def patch(self, path: str, body: Any, status: int = 200) -> Json:
        """The same for PATCH."""
        return await self._send("PATCH", path, body, status)

    async def delete(self, path: str, status: int = 200) -> Json:
        """The same for DELETE."""
        return await self._send("DELETE", path, None, status)

    async def _send(self, method: str, path: str, body: Any, status: int) -> Json:
        answer = await self.ask(method, path, body)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    async def dictionary(self, key: str = "colors", **fields: Any) -> str:
        """The path of a new dictionary."""
        made = await self.post("/dictionaries", {"key": key, "name": key.capitalize(), **fields}, 201)
        return f"/dictionaries/{made['id']}"

    async def entries(self, dictionary: str, *values: str) -> list[str]:
        """The ids of new entries of these values, in positions 0, 1, 2 …"""
        return [
            (await self.post(f"{dictionary}/entries", {"value": value, "position": position}, 201))["id"]
            for position, value in enumerate(values)
        ]

    async def values(self, dictionary: str, query: str = "") -> list[str]:
        """The values of a dictionary's entries in the order of the list."""
        return [item["value"] for item in (await self.get(f"{dictionary}/entries{query}"))["items"]]

    async def undo(self, token: str, status: int = 200) -> Json:
        """Take an action back."""
        return await self.post("/audit_logs/audit-logs/actions/undo", {"undoToken": token}, status)

    async def redo(self, log_id: str, status: int = 200) -> Json:
        """Put an action forward again."""
        return await self.post("/audit_logs/audit-logs/actions/redo", {"logId": log_id}, status)

    async def did(self, method: str, path: str, body: Any = None, status: int = 200) -> Json:
        """Do something, and answer with its operation header, decoded."""
        answer = await self.ask(method, path, body)
        assert answer.status_code == status, answer.text
        return operation_of(answer.headers)


def operation_of(headers: Mapping[str, str]) -> Json:
    """The decoded `x-om-operation` header of an answer."""
    value = headers["x-om-operation"]
    assert value.startswith("omop:")
    return dict(json.loads(unquote(value.removeprefix("omop:"))))


@pytest.fixture
def desk(client: httpx.AsyncClient, tenant: Tenant) -> Desk:
    """The tenant's admin."""
    return Desk(client, tenant.admin)


@pytest.fixture
def employee(client: httpx.AsyncClient, tenant: Tenant) -> Desk:
    """The tenant's employee, who may look at dictionaries and no more."""
    return Desk(client, tenant.employee)


@pytest.fixture
async def child(application: Application, tenant: Tenant) -> UUID:
    """An organization below the tenant's first one."""
    return await new_organization(application, tenant, tenant.organization_id)


async def new_organization(application: Application, tenant: Tenant, parent: UUID | None) -> UUID:
    """Puts an organization into the tree by SQL, as a command would leave it."""
    id, database = uuid4(), application.database
    transaction = await database.begin(tenant.id, "test.organization")
    connection = transaction.connection
    above = []
    if parent is not None:
        found = await connection.fetchval("select ancestor_ids from organizations where id = $1", parent)
        above = [*found, parent]
    await connection.execute(
        "insert into organizations (tenant_id, id, name, parent_id, root_id, tree_path, depth, ancestor_ids,"
        " created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, now(), now())",
        tenant.id,
        id,
        f"Organization {id.hex[:6]}",
        parent,
        above[0] if above else id,
        "/".join(str(each) for each in (*above, id)),
        len(above),
        above,
    )
    await connection.execute(
        "update organizations set descendant_ids = descendant_ids || $2::uuid where id = any ($1)", above, id
    )
    if parent is not None:
        await connection.execute(
            "update organizations set child_ids = child_ids || $2::uuid where id = $1", parent, id
        )
    await transaction.commit()
    application.identity.forget(tenant.id)
    return id
