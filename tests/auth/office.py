"""A tenant whose accounts are managed over HTTP: what the tests of roles, users, grants and keys begin with."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote
from uuid import UUID, uuid4

import httpx
from msgspec import Struct

from app.main import Application
from tests.conftest import Person, Tenant, sign_in

PASSWORD = "Geheim-1"


class Office(Struct):
    """Requests by people of one tenant."""

    application: Application
    client: httpx.AsyncClient
    tenant: Tenant

    async def ask(self, who: Person | None, method: str, path: str, **request: Any) -> httpx.Response:
        headers = {**(who.headers if who else {}), **request.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **request)

    async def get(self, who: Person | None, path: str, **query: Any) -> Any:
        return (await self.ask(who, "GET", path, params=query)).json()

    async def make_role(
        self,
        name: str | None = None,
        features: list[str] | None = None,
        *,
        organizations: list[str] | None = None,
        is_super_admin: bool = False,
        who: Person | None = None,
    ) -> UUID:
        """A role that grants this, made by a super admin."""
        actor = who or self.tenant.superadmin
        made = await self.ask(actor, "POST", "/auth/roles", json={"name": name or f"role {uuid4().hex[:8]}"})
        assert made.status_code == 201, made.text
        id = UUID(made.json()["id"])
        if features is not None:
            body = {"roleId": str(id), "features": features, "organizations": organizations}
            grants = {**body, "isSuperAdmin": True} if is_super_admin else body
            saved = await self.ask(actor, "PUT", "/auth/roles/acl", json=grants)
            assert saved.status_code == 200, saved.text
        return id

    async def make_user(
        self,
        roles: Sequence[str | UUID] = (),
        *,
        organization_id: UUID | None = None,
        who: Person | None = None,
        email: str | None = None,
        name: str | None = None,
    ) -> UUID:
        """A user with a password, made by a super admin."""
        body = {
            "email": email or f"{uuid4().hex[:12]}@example.com",
            "organizationId": str(organization_id or self.tenant.organization_id),
            "password": PASSWORD,
            "roles": [str(role) for role in roles],
            "name": name,
        }
        made = await self.ask(who or self.tenant.superadmin, "POST", "/auth/users", json=body)
        assert made.status_code == 201, made.text
        return UUID(made.json()["id"])

    async def hire(self, *features: str, organizations: list[str] | None = None) -> Person:
        """Somebody with a role of exactly these features."""
        role = await self.make_role(features=list(features), organizations=organizations)
        return await self.person(await self.make_user([role]))

    async def person(self, user_id: UUID) -> Person:
        """Somebody signed in as this user."""
        row = await self.row("users", user_id)
        return await sign_in(self.application, self.tenant.id, row["organization_id"], user_id, row["email"])

    async def row(self, table: str, id: UUID) -> Any:
        async with self.application.database.system() as connection:
            return await connection.fetchrow(
                f"select * from {table} where tenant_id = $1 and id = $2", self.tenant.id, id
            )

    async def rows(self, table: str, **wanted: Any) -> list[Any]:
        conditions = "".join(f" and {column} = ${n}" for n, column in enumerate(wanted, 2))
        async with self.application.database.system() as connection:
            return list(
                await connection.fetch(
                    f"select * from {table} where tenant_id = $1{conditions} order by id",
                    self.tenant.id,
                    *wanted.values(),
                )
            )

    async def undo(self, who: Person, answer: httpx.Response) -> httpx.Response:
        """Take back what this answer tells of."""
        body = {"undoToken": operation(answer)["undoToken"]}
        return await self.ask(who, "POST", "/audit_logs/audit-logs/actions/undo", json=body)

    async def redo(self, who: Person, answer: httpx.Response) -> httpx.Response:
        """Put forward again what this answer told of."""
        body = {"logId": operation(answer)["id"]}
        return await self.ask(who, "POST", "/audit_logs/audit-logs/actions/redo", json=body)


def operation(answer: httpx.Response) -> dict[str, Any]:
    """The operation that an answer carries."""
    found: dict[str, Any] = json.loads(unquote(answer.headers["x-om-operation"].removeprefix("omop:")))
    return found
