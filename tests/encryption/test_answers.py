"""No answer of the API holds a sealed value: every operation that reads is asked where names and records are sealed."""

import httpx
import pytest

from app.main import Application
from domain.encryption.tokens import MARKED
from tests.conftest import Tenant, sign_in
from tests.encryption.conftest import define, save_map
from tests.encryption.test_keys import settled
from tests.heart.requests import ask, holdings_of, operations, query_of

FORMATS = ("csv", "json", "xml", "markdown")
READS = [
    one
    for one in operations(auth=True)
    if one.values[0].method == "GET" and one.values[0].path != "/auth/logout"
]


@pytest.fixture(scope="module")
async def sealed(application: Application) -> dict[str, object]:
    """A tenant in which the names of its people and the values of its records are sealed, and its ids."""
    from litestar import Litestar

    from app.main import create_app
    from tests.conftest import new_tenant

    tenant = await new_tenant(application)
    ids = dict((await holdings_of(application.bus, tenant)).ids)
    asgi: Litestar = create_app(application.settings, application)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(asgi), base_url="http://backstep.test")
    async with client:
        client.headers.update(tenant.admin.headers)
        await save_map(client, "auth:user", "name")
        await settled(application, tenant.id)
        await define(client, "user:thing", "code", encrypted=True)
        await define(client, "user:thing", "size", "integer", encrypted=True)
        for number in range(2):
            body = {"entityId": "user:thing", "values": {"code": f"Code {number}", "size": number}}
            made = await client.post("/entities/records", json=body)
            assert made.status_code == 200, made.text
        record = made.json()["item"]["recordId"]
        changed = {"entityId": "user:thing", "recordId": record, "values": {"code": "Changed"}}
        assert (await client.put("/entities/records", json=changed)).status_code == 200
        renamed = {"id": str(tenant.employee.id), "name": "Renamed"}
        assert (await client.put("/auth/users", json=renamed)).status_code == 200
    person = await sign_in(
        application, tenant.id, tenant.organization_id, tenant.admin.id, tenant.admin.email
    )
    assert str(person.scope.actor.name).startswith("bse1:"), "what the server itself knows is sealed"
    return {"tenant": tenant, "ids": ids, "record": record, "headers": person.headers}


@pytest.mark.parametrize("item", READS)
async def test_no_answer_holds_a_sealed_value(
    client: httpx.AsyncClient, sealed: dict[str, object], item: object
) -> None:
    ids: dict[str, str] = sealed["ids"]  # type: ignore[assignment]
    headers: dict[str, str] = sealed["headers"]  # type: ignore[assignment]
    chosen = query_of(item, ids)  # type: ignore[arg-type]
    entity = {key: value for key, value in chosen.items() if key == "entityId"}
    for query in (chosen, entity, *({**entity, "format": kind} for kind in FORMATS)):
        answer = await ask(client, item, ids, headers, query)  # type: ignore[arg-type]
        assert MARKED not in answer.content, (item, query, answer.text[:400])


@pytest.mark.parametrize("kind", ["users", "records"])
async def test_histories_show_what_was_sealed(
    client: httpx.AsyncClient, sealed: dict[str, object], kind: str
) -> None:
    tenant: Tenant = sealed["tenant"]  # type: ignore[assignment]
    client.headers.update(sealed["headers"])  # type: ignore[arg-type]
    place = {
        "users": {"resourceKind": "auth.user", "resourceId": str(tenant.employee.id)},
        "records": {"resourceKind": "entities.record", "resourceId": str(sealed["record"])},
    }[kind]
    answer = await client.get("/audit_logs/audit-logs/actions", params=place)
    assert answer.status_code == 200 and MARKED not in answer.content
    assert {"users": "Renamed", "records": "Changed"}[kind] in answer.text
