"""What the tests of the audit logs share: a dictionary to write in, and the routes as functions."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import httpx
import msgspec
import pytest

Headers = Mapping[str, str]
LOGS = "/audit_logs/audit-logs"


class Desk:
    """One dictionary of a tenant, and everything that is done to its entries, over HTTP."""

    def __init__(self, client: httpx.AsyncClient, tenant: Any) -> None:
        self.client = client
        self.tenant = tenant
        self.dictionary = ""

    async def open(self) -> "Desk":
        """Make the dictionary."""
        body = {"key": f"colors-{uuid4().hex[:8]}", "name": "Colors"}
        made = await self.client.post("/dictionaries", json=body, headers=self.tenant.admin.headers)
        assert made.status_code == 201, made.text
        self.dictionary = made.json()["id"]
        return self

    async def create(self, value: str, by: Any = None, **more: Any) -> tuple[str, str]:
        """A new entry: its id, and the undo token."""
        answer = await self.client.post(
            f"/dictionaries/{self.dictionary}/entries",
            json={"value": value, "label": value.capitalize(), **more},
            headers=(by or self.tenant.admin).headers,
        )
        assert answer.status_code == 201, answer.text
        return answer.json()["id"], operation_of(answer)["undoToken"]

    async def update(self, entry: str, by: Any = None, headers: Headers | None = None, **fields: Any) -> str:
        """Change an entry; the undo token."""
        answer = await self.client.patch(
            f"/dictionaries/{self.dictionary}/entries/{entry}",
            json=fields,
            headers={**(by or self.tenant.admin).headers, **(headers or {})},
        )
        assert answer.status_code == 200, answer.text
        return str(operation_of(answer)["undoToken"])

    async def undo(self, token: Any, by: Any = None, headers: Headers | None = None) -> httpx.Response:
        """Use an undo token."""
        return await self.client.post(
            f"{LOGS}/actions/undo",
            json={"undoToken": token},
            headers={**(by or self.tenant.admin).headers, **(headers or {})},
        )

    async def redo(self, log_id: Any, by: Any = None) -> httpx.Response:
        """Put an action forward again."""
        return await self.client.post(
            f"{LOGS}/actions/redo", json={"logId": log_id}, headers=(by or self.tenant.admin).headers
        )

    async def actions(self, by: Any = None, **query: Any) -> dict[str, Any]:
        """A page of the action log."""
        answer = await self.client.get(
            f"{LOGS}/actions", params=query, headers=(by or self.tenant.admin).headers
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def of(self, entry: str, **query: Any) -> list[dict[str, Any]]:
        """The actions on one entry, oldest first."""
        found = await self.actions(
            resourceKind="dictionaries.entry", resourceId=entry, sortDir="asc", **query
        )
        return list(found["items"])


def operation_of(answer: httpx.Response) -> dict[str, Any]:
    """The decoded `x-om-operation` header."""
    return dict(msgspec.json.decode(unquote(answer.headers["x-om-operation"].removeprefix("omop:"))))


@pytest.fixture
async def desk(client: httpx.AsyncClient, tenant: Any) -> Desk:
    """A dictionary in a tenant of its own."""
    return await Desk(client, tenant).open()
