"""What the tests of the directory share: the routes as functions, and people who may do less."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import httpx
import msgspec
import pytest

from app.main import Application
from app.settings import master_key
from app.sign_in import sign_in_keys
from tests.auth.conftest import House
from tests.conftest import Tenant

ORGANIZATIONS = "/directory/organizations"
TENANTS = "/directory/tenants"
UNKNOWN = "00000000-0000-4000-8000-00000000dead"


class Desk:
    """The directory of a tenant over HTTP, as its admin unless told otherwise."""

    def __init__(self, client: httpx.AsyncClient, tenant: Tenant) -> None:
        self.client = client
        self.tenant = tenant
        self.home = str(tenant.organization_id)

    def headers(self, by: Any, more: Mapping[str, str] | None) -> dict[str, str]:
        own = by if isinstance(by, dict) else (by or self.tenant.admin).headers
        return {**own, **(more or {})}

    async def get(
        self, path: str, by: Any = None, more: Mapping[str, str] | None = None, **query: Any
    ) -> httpx.Response:
        return await self.client.get(path, params=query, headers=self.headers(by, more))

    async def send(
        self, method: str, path: str, body: Any = None, by: Any = None, more: Mapping[str, str] | None = None
    ) -> httpx.Response:
        return await self.client.request(method, path, json=body, headers=self.headers(by, more))

    async def create(self, name: str, by: Any = None, **fields: Any) -> str:
        """A new organization: its id."""
        answer = await self.send("POST", ORGANIZATIONS, {"name": name, **fields}, by)
        assert answer.status_code == 201, answer.text
        assert set(answer.json()) == {"id"}
        return str(answer.json()["id"])

    async def chain(self, *names: str) -> list[str]:
        """Organizations, each below the one before."""
        made: list[str] = []
        for name in names:
            made.append(await self.create(name, parentId=made[-1] if made else None))
        return made

    async def put(
        self, id: str, by: Any = None, more: Mapping[str, str] | None = None, **fields: Any
    ) -> httpx.Response:
        return await self.send("PUT", ORGANIZATIONS, {"id": id, **fields}, by, more)

    async def delete(self, id: str, by: Any = None, more: Mapping[str, str] | None = None) -> httpx.Response:
        return await self.send("DELETE", ORGANIZATIONS, {"id": id}, by, more)

    async def undo(self, answer: httpx.Response, by: Any = None) -> httpx.Response:
        """Take back what was answered."""
        token = {"undoToken": operation_of(answer)["undoToken"]}
        return await self.send("POST", "/audit_logs/audit-logs/actions/undo", token, by)

    async def redo(self, log_id: str, by: Any = None) -> httpx.Response:
        return await self.send("POST", "/audit_logs/audit-logs/actions/redo", {"logId": log_id}, by)

    async def rows(self, by: Any = None, **query: Any) -> dict[str, dict[str, Any]]:
        """The manage view by name."""
        answer = await self.get(ORGANIZATIONS, by, view="manage", pageSize=100, **query)
        assert answer.status_code == 200, answer.text
        return {row["name"]: row for row in answer.json()["items"]}

    async def tree(self) -> Any:
        """The tree view as nested names."""
        answer = await self.get(ORGANIZATIONS, view="tree")
        assert answer.status_code == 200, answer.text
        return _names(answer.json()["items"])

    async def actions(
        self, by: Any = None, more: Mapping[str, str] | None = None, **query: Any
    ) -> list[dict[str, Any]]:
        answer = await self.get("/audit_logs/audit-logs/actions", by, more, **query)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def readings(self, kind: str, by: Any = None) -> list[dict[str, Any]]:
        answer = await self.get("/audit_logs/audit-logs/access", by, resourceKind=kind, pageSize=200)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])


def _names(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    return {node["name"]: _names(node["children"]) for node in nodes}


def operation_of(answer: httpx.Response) -> dict[str, Any]:
    """The decoded `x-om-operation` header."""
    return dict(msgspec.json.decode(unquote(answer.headers["x-om-operation"].removeprefix("omop:"))))


def cookies(**values: Any) -> dict[str, str]:
    """A cookie header."""
    return {"cookie": "; ".join(f"{name}={value}" for name, value in values.items())}


@pytest.fixture
async def desk(client: httpx.AsyncClient, tenant: Tenant) -> Desk:
    """The directory of a fresh tenant."""
    return Desk(client, tenant)


@pytest.fixture
async def house(application: Application) -> House:
    """A tenant that can be furnished with people of any rights."""
    made = House(
        application, sign_in_keys(application.settings, master_key(application.settings)), "no password"
    )
    await made.install()
    return made
