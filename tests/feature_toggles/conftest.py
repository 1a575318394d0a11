"""What the tests of the feature toggles share: the routes as functions, as a super admin unless told otherwise."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.conftest import Tenant
from tests.directory.conftest import cookies, operation_of

GLOBAL = "/feature_toggles/global"
OVERRIDES = "/feature_toggles/overrides"
UNKNOWN = "00000000-0000-4000-8000-00000000dead"


def fresh(name: str = "flag") -> str:
    """An identifier that nothing else has."""
    return f"{name}.{uuid4().hex}"


class Board:
    """The toggles as a tenant's people see them."""

    def __init__(self, client: httpx.AsyncClient, tenant: Tenant) -> None:
        self.client = client
        self.tenant = tenant

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        by: Any = None,
        more: Mapping[str, str] | None = None,
        **query: Any,
    ) -> httpx.Response:
        headers = {**(by or self.tenant.superadmin).headers, **(more or {})}
        return await self.client.request(method, path, json=body, params=query, headers=headers)

    async def get(self, path: str, by: Any = None, **query: Any) -> httpx.Response:
        return await self.send("GET", path, by=by, **query)

    async def make(self, kind: str = "boolean", default: Any = True, **fields: Any) -> tuple[str, str]:
        """A new toggle: its id and its identifier."""
        identifier = fields.pop("identifier", None) or fresh()
        body = {"identifier": identifier, "name": "A toggle", "type": kind, "defaultValue": default, **fields}
        answer = await self.send("POST", GLOBAL, body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"]), identifier

    async def put(
        self, id: str, by: Any = None, more: Mapping[str, str] | None = None, **fields: Any
    ) -> httpx.Response:
        return await self.send("PUT", GLOBAL, {"id": id, **fields}, by, more)

    async def delete(self, id: str, by: Any = None, more: Mapping[str, str] | None = None) -> httpx.Response:
        return await self.send("DELETE", GLOBAL, by=by, more=more, id=id)

    async def override(
        self, id: str, by: Any = None, more: Mapping[str, str] | None = None, **fields: Any
    ) -> httpx.Response:
        body = {"toggleId": id, "isOverride": True, **fields}
        return await self.send("PUT", OVERRIDES, body, by or self.tenant.admin, more)

    async def check(
        self, identifier: str, kind: str = "boolean", by: Any = None, more: Any = None
    ) -> httpx.Response:
        return await self.send(
            "GET",
            f"/feature_toggles/check/{kind}",
            by=by or self.tenant.employee,
            more=more,
            identifier=identifier,
        )

    async def value(self, identifier: str, kind: str = "boolean", by: Any = None) -> tuple[Any, str]:
        """What a check answers: the value and where it comes from."""
        answer = await self.check(identifier, kind, by)
        assert answer.status_code == 200, answer.text
        return answer.json()["value"], answer.json()["source"]

    async def undo(self, answer: httpx.Response, by: Any = None, more: Any = None) -> httpx.Response:
        token = {"undoToken": operation_of(answer)["undoToken"]}
        return await self.send("POST", "/audit_logs/audit-logs/actions/undo", token, by, more)

    async def redo(self, log_id: str, by: Any = None, more: Any = None) -> httpx.Response:
        return await self.send("POST", "/audit_logs/audit-logs/actions/redo", {"logId": log_id}, by, more)


@pytest.fixture
def board(client: httpx.AsyncClient, tenant: Tenant) -> Board:
    """The toggles in a fresh tenant."""
    return Board(client, tenant)


__all__ = ["GLOBAL", "OVERRIDES", "UNKNOWN", "Board", "cookies", "fresh", "operation_of"]
