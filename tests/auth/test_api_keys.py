"""API keys over HTTP (contract: auth.md 8.9)."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.auth.office import Office, operation
from tests.auth.test_users import new_organization
from tests.conftest import MakeTenant, Person


async def make_key(office: Office, who: Person, *roles: str | UUID, **more: Any) -> httpx.Response:
    body = {"name": "Key", "roles": [str(role) for role in roles], **more}
    return await office.ask(who, "POST", "/api_keys/keys", json=body)


async def by_key(office: Office, secret: str, *names: str) -> Any:
    answer = await office.client.post(
        "/auth/feature-check", headers={"x-api-key": secret}, json={"features": list(names)}
    )
    return answer.json()["granted"] if answer.status_code == 200 else answer.status_code


async def test_the_secret_is_shown_once(office: Office) -> None:
    admin = office.tenant.admin
    made = await make_key(office, admin, "employee", description=" For imports ")
    assert made.status_code == 201, made.text
    body = made.json()
    assert set(body) == {"id", "name", "keyPrefix", "secret", "tenantId", "organizationId", "roles"}
    assert body["secret"].startswith(body["keyPrefix"])
    assert len(body["keyPrefix"]) == 12
    assert body["organizationId"] == str(office.tenant.organization_id)
    assert [role["name"] for role in body["roles"]] == ["employee"]
    assert made.headers["cache-control"] == "no-store"
    assert operation(made)["commandId"] == "api_keys.keys.create"
    listed = (await office.get(admin, "/api_keys/keys"))["items"]
    assert [(item["id"], item["description"], item["lastUsedAt"]) for item in listed] == [
        (body["id"], "For imports", None)
    ]
    assert "secret" not in str(listed)
    assert await by_key(office, body["secret"], "dictionaries.view") == ["dictionaries.view"]
    assert (await office.get(admin, "/api_keys/keys"))["items"][0]["lastUsedAt"] is not None
    rows = await office.rows("action_logs", command_id="api_keys.keys.create")
    assert body["secret"] not in str([dict(row) for row in rows])


async def test_lists_are_paged_searched_and_newest_first(office: Office) -> None:
    admin = office.tenant.admin
    assert await office.get(admin, "/api_keys/keys") == {
        "items": [],
        "total": 0,
        "page": 1,
        "pageSize": 20,
        "totalPages": 0,
    }
    for name in ("one", "two", "three"):
        await make_key(office, admin, name=name)
    found = await office.get(admin, "/api_keys/keys", pageSize=2, page="x")
    assert ([i["name"] for i in found["items"]], found["totalPages"]) == (["three", "two"], 2)
    assert (await office.get(admin, "/api_keys/keys", search="TW"))["total"] == 1
    prefix = found["items"][0]["keyPrefix"]
    assert (await office.get(admin, "/api_keys/keys", search=prefix))["total"] == 1
    assert (await office.get(admin, "/api_keys/keys", pageSize=900))["pageSize"] == 200


async def test_keys_of_other_organizations_and_of_chats_are_not_seen(office: Office) -> None:
    branch = await new_organization(office, "Branch")
    clerk = await office.hire("api_keys.*", organizations=[str(branch)])
    admin = office.tenant.admin
    hidden = await make_key(office, admin, name="Home")
    wide = await make_key(office, admin, name="Everywhere", organizationId=None)
    await make_key(office, admin, name="Branch", organizationId=str(branch))
    assert [i["name"] for i in (await office.get(clerk, "/api_keys/keys"))["items"]] == ["Branch"]
    for key in (hidden, wide):
        gone = await office.ask(clerk, "DELETE", "/api_keys/keys", params={"id": key.json()["id"]})
        assert gone.status_code == 404
    assert (await make_key(office, clerk, organizationId=None)).status_code == 403
    home = str(office.tenant.organization_id)
    assert (await make_key(office, clerk, organizationId=home)).status_code == 403
    assert (await make_key(office, clerk)).json()["organizationId"] == str(branch)


async def test_a_revoked_key_is_dead_until_that_is_undone(office: Office) -> None:
    admin = office.tenant.admin
    made = (await make_key(office, admin, "employee")).json()
    assert await by_key(office, made["secret"], "dictionaries.view") == ["dictionaries.view"]
    gone = await office.ask(admin, "DELETE", "/api_keys/keys", params={"id": made["id"]})
    assert (gone.status_code, gone.json()) == (200, {"success": True})
    assert await by_key(office, made["secret"]) == 401
    assert (await office.get(admin, "/api_keys/keys"))["total"] == 0
    again = await office.ask(admin, "DELETE", "/api_keys/keys", params={"id": made["id"]})
    assert (again.status_code, again.json()) == (404, {"error": "API key not found"})
    assert (await office.undo(admin, gone)).status_code == 200
    assert await by_key(office, made["secret"], "dictionaries.view") == ["dictionaries.view"]


async def test_undoing_the_creation_of_a_key_kills_it(office: Office) -> None:
    admin = office.tenant.admin
    made = await make_key(office, admin, "employee")
    secret = made.json()["secret"]
    assert await by_key(office, secret) == []
    assert (await office.undo(admin, made)).status_code == 200
    assert await by_key(office, secret) == 401
    assert (await office.redo(admin, made)).status_code == 200
    assert await by_key(office, secret, "dictionaries.view") == ["dictionaries.view"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"name": ""}, ["name"]),
        ({"name": "x" * 121}, ["name"]),
        ({"description": "x" * 1001}, ["description"]),
        ({"expiresAt": "yesterday"}, ["expiresAt"]),
        ({"expiresAt": "2020-01-01"}, ["expiresAt"]),
        ({"organizationId": "x"}, ["organizationId"]),
    ],
)
async def test_what_is_wrong_with_a_new_key_is_told(office: Office, body: Any, path: list[str]) -> None:
    answer = await make_key(office, office.tenant.admin, **body)
    assert answer.status_code == 400
    assert answer.json()["details"][0]["path"] == path


async def test_unknown_roles_organizations_and_tenants_are_refused(
    office: Office, make_tenant: MakeTenant
) -> None:
    other, admin = await make_tenant(), office.tenant.admin
    assert (await make_key(office, admin, "nobody")).status_code == 400
    assert (await make_key(office, admin, organizationId=str(other.organization_id))).status_code == 400
    assert (await make_key(office, admin, tenantId=str(other.id))).status_code == 403
    assert (await make_key(office, office.tenant.superadmin, tenantId=str(uuid4()))).status_code == 400
    abroad = await make_key(office, office.tenant.superadmin, tenantId=str(other.id), organizationId=None)
    assert (abroad.status_code, abroad.json()["tenantId"]) == (201, str(other.id))
    assert (await make_key(office, admin, expiresAt=" ")).status_code == 201
    assert (await make_key(office, admin, expiresAt="2999-01-01")).status_code == 201
    for query in ({}, {"id": "x"}):
        answer = await office.ask(admin, "DELETE", "/api_keys/keys", params=query)
        assert answer.status_code == 400


async def test_a_key_never_has_more_rights_than_its_creator_has_now(office: Office) -> None:
    boss = office.tenant.superadmin
    role = await office.make_role(features=["api_keys.*", "dictionaries.*", "audit_logs.view_self"])
    user = await office.make_user([role])
    creator = await office.person(user)
    secret = (await make_key(office, creator, role)).json()["secret"]
    asked = ("dictionaries.manage", "audit_logs.view_self")
    assert await by_key(office, secret, *asked) == list(asked)
    body = {"userId": str(user), "features": ["dictionaries.manage", "auth.*"]}
    await office.ask(boss, "PUT", "/auth/users/acl", json=body)
    assert await by_key(office, secret, *asked, "auth.users.list", "dictionaries.view") == [
        "dictionaries.manage"
    ]
    await office.ask(boss, "PUT", "/auth/users/acl", json={**body, "organizations": []})
    assert await by_key(office, secret, *asked) == []
    await office.ask(boss, "DELETE", "/auth/users", json={"id": str(user)})
    assert await by_key(office, secret) == 401


async def test_a_key_of_a_former_super_admin_is_super_no_more(office: Office) -> None:
    role = await office.make_role(features=["*"], is_super_admin=True)
    user = await office.make_user([role])
    creator = await office.person(user)
    secret = (await make_key(office, creator, role)).json()["secret"]
    headers = {"x-api-key": secret}
    assert (await office.client.get("/auth/roles", headers=headers)).json()["isSuperAdmin"] is True
    await office.ask(
        office.tenant.superadmin, "PUT", "/auth/users", json={"id": str(user), "roles": ["employee"]}
    )
    answer = await office.client.get("/auth/roles", headers=headers)
    assert answer.status_code == 403


async def test_a_key_may_make_keys_that_belong_to_its_person(office: Office) -> None:
    admin = office.tenant.admin
    role = await office.make_role(features=["api_keys.*", "dictionaries.view"])
    secret = (await make_key(office, admin, role)).json()["secret"]
    made = await office.client.post(
        "/api_keys/keys", headers={"x-api-key": secret}, json={"name": "Child", "roles": [str(role)]}
    )
    assert made.status_code == 201, made.text
    assert (await office.row("api_keys", UUID(made.json()["id"])))["created_by"] == admin.id
    refused = await office.client.post(
        "/api_keys/keys", headers={"x-api-key": secret}, json={"name": "Child", "roles": ["admin"]}
    )
    assert refused.status_code == 403


async def test_the_same_request_again_shows_no_secret(office: Office) -> None:
    headers = {"idempotency-key": uuid4().hex}
    body = {"name": "Once", "roles": []}
    first = await office.ask(office.tenant.admin, "POST", "/api_keys/keys", json=body, headers=headers)
    second = await office.ask(office.tenant.admin, "POST", "/api_keys/keys", json=body, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] == second.json()["id"]
    assert "secret" not in second.json()
    assert second.headers["idempotency-replayed"] == "true"
