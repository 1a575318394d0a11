"""Users over HTTP (contract: auth.md 8.1 to 8.4)."""

import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.auth.office import PASSWORD, Office, operation
from tests.conftest import MakeTenant, Person, sign_in

UNKNOWN = "00000000-0000-4000-8000-00000000dead"
NOTHING = {"items": [], "total": 0, "totalPages": 1}


async def login(office: Office, email: str, password: str = PASSWORD) -> httpx.Response:
    form = {"email": email, "password": password, "tenantId": str(office.tenant.id)}
    return await office.client.post("/auth/login", data=form)


async def emails(office: Office, who: Person, **query: Any) -> list[str]:
    return [item["email"] for item in (await office.get(who, "/auth/users", **query))["items"]]


# Lists


async def test_the_list_shows_everybody_but_super_admins(office: Office) -> None:
    admin = office.tenant.admin
    await office.make_user(["employee", "admin"], name="Zoe", email="zoe@example.com")
    found = await office.get(admin, "/auth/users")
    assert found["total"] == 3
    assert (found["totalPages"], found["isSuperAdmin"]) == (1, False)
    item = found["items"][-1]
    assert (item["email"], item["name"]) == ("zoe@example.com", "Zoe")
    assert item["roles"] == ["admin", "employee"]
    assert len(item["roleIds"]) == 2
    assert item["organizationId"] == str(office.tenant.organization_id)
    assert item["organizationName"].startswith("Organization ")
    assert item["tenantId"] == str(office.tenant.id)
    assert "hasPassword" not in item
    assert "superadmin" not in json.dumps(found)


async def test_a_single_user_tells_whether_there_is_a_password(office: Office) -> None:
    user = await office.make_user()
    found = await office.get(office.tenant.admin, "/auth/users", id=str(user))
    assert found["items"][0]["hasPassword"] is True


async def test_filters_narrow_together(office: Office) -> None:
    admin = office.tenant.admin
    picked = await office.make_role("Wine taster")
    await office.make_user([picked], name="Ümit Öz", email="umit@somewhere.example")
    await office.make_user(name="Ann Example", email="ann@elsewhere.example")
    assert await emails(office, admin, search="umit oz") == ["umit@somewhere.example"]
    assert await emails(office, admin, search="elsewhere ann") == ["ann@elsewhere.example"]
    assert await emails(office, admin, search="wine") == ["umit@somewhere.example"]
    assert await emails(office, admin, search="öz") == ["umit@somewhere.example"]
    assert len(await emails(office, admin, search="organization")) == 4
    assert await emails(office, admin, search="nobody at all") == []
    assert await emails(office, admin, name="öz") == ["umit@somewhere.example"]
    assert await emails(office, admin, roleId=str(picked)) == ["umit@somewhere.example"]
    assert await emails(office, admin, roleId=str(picked), search="ann") == []
    employee = next(r["id"] for r in await office.rows("roles", name="employee"))
    both = await office.ask(
        admin, "GET", "/auth/users", params=[("roleId", str(picked)), ("roleId", str(employee))]
    )
    assert both.json()["total"] == 2
    assert await emails(office, admin, organizationId=UNKNOWN) == []
    assert len(await emails(office, admin, scopeToActiveOrganization="true")) == 4


@pytest.mark.parametrize(
    "query", [{"id": "x"}, {"organizationId": "x"}, {"roleId": "x"}, {"page": "1.5"}, {"pageSize": "200"}]
)
async def test_a_query_that_makes_no_sense_finds_nothing(office: Office, query: dict[str, str]) -> None:
    answer = await office.ask(office.tenant.admin, "GET", "/auth/users", params=query)
    assert (answer.status_code, answer.json()) == (200, NOTHING)


async def test_somebody_bound_to_an_organization_sees_its_users_only(office: Office) -> None:
    branch = await new_organization(office, "Branch")
    inside = await office.make_user(organization_id=branch, email="inside@example.com")
    clerk = await office.hire("auth.users.*", organizations=[str(branch)])
    assert await emails(office, clerk) == ["inside@example.com"]
    assert (await office.get(clerk, "/auth/users", id=str(inside)))["total"] == 1
    home = str(office.tenant.organization_id)
    assert await emails(office, clerk, organizationId=home) == []


async def test_a_super_admin_sees_all_tenants_or_the_selected_one(
    office: Office, make_tenant: MakeTenant
) -> None:
    other, boss = await make_tenant(), office.tenant.superadmin
    assert (await office.get(boss, "/auth/users", search=other.superadmin.email))["total"] == 1
    selected = {"cookie": f"om_selected_tenant={office.tenant.id}"}
    answer = await office.ask(
        boss, "GET", "/auth/users", headers=selected, params={"search": other.superadmin.email}
    )
    assert answer.json()["total"] == 0
    answer = await office.ask(boss, "GET", "/auth/users", headers=selected)
    assert (answer.json()["total"], answer.json()["isSuperAdmin"]) == (3, True)


# Create


async def new_organization(office: Office, name: str, parent: UUID | None = None) -> UUID:
    body = {"name": name, "parentId": str(parent) if parent else None}
    made = await office.ask(office.tenant.superadmin, "POST", "/directory/organizations", json=body)
    assert made.status_code == 201, made.text
    return UUID(made.json()["id"])


def draft(office: Office, **changes: Any) -> dict[str, Any]:
    body = {
        "email": f"{uuid4().hex[:10]}@example.com",
        "organizationId": str(office.tenant.organization_id),
        "password": PASSWORD,
    }
    return {key: value for key, value in {**body, **changes}.items() if value is not ...}


async def test_a_new_user_can_sign_in_and_undo_and_redo_keep_id_and_password(office: Office) -> None:
    admin = office.tenant.admin
    body = draft(office, name=" Ada ", roles=["employee"], cf_shoe=44)
    made = await office.ask(admin, "POST", "/auth/users", json=body)
    assert (made.status_code, set(made.json())) == (201, {"id"})
    id = UUID(made.json()["id"])
    assert (await office.row("users", id))["name"] == "Ada"
    first = await login(office, body["email"])
    assert first.status_code == 200
    assert (await office.undo(admin, made)).status_code == 200
    assert await office.row("users", id) is None
    assert (await login(office, body["email"])).status_code == 401
    assert (await office.redo(admin, made)).status_code == 200
    assert (await login(office, body["email"])).status_code == 200
    assert [row["user_id"] for row in await office.rows("user_roles", user_id=id)] == [id]
    token = {"authorization": f"Bearer {first.json()['token']}"}
    assert (await office.client.get("/auth/profile", headers=token)).status_code == 401, (
        "no session is revived"
    )


async def test_no_password_reaches_the_log(office: Office) -> None:
    admin = office.tenant.admin
    made = await office.ask(admin, "POST", "/auth/users", json=draft(office, password="Sichtbar-77"))
    await office.ask(admin, "PUT", "/auth/users", json={"id": made.json()["id"], "password": "Sichtbar-78"})
    async with office.application.database.system() as connection:
        rows = await connection.fetch(
            "select row_to_json(l)::text as row from action_logs l where tenant_id = $1", office.tenant.id
        )
        hashes = await connection.fetch(
            "select password_hash from users where tenant_id = $1", office.tenant.id
        )
    text = " ".join(row["row"] for row in rows)
    assert "Sichtbar" not in text
    assert "argon2" not in text, "hashes are sealed"
    for field in ("snapshotAfter", "snapshotBefore", "changes"):
        listed = await office.get(admin, "/audit_logs/audit-logs/actions")
        assert all(
            row["password_hash"] not in json.dumps(listed) for row in hashes if row["password_hash"]
        ), field


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"email": "nope"}, ["email"]),
        ({"email": ...}, ["email"]),
        ({"organizationId": "x"}, ["organizationId"]),
        ({"organizationId": ...}, ["organizationId"]),
        ({"password": "short"}, ["password"]),
        ({"password": "no-digit-A"}, ["password"]),
        ({"password": "A1-" + "x" * 300}, ["password"]),
        ({"password": ...}, ["password"]),
        ({"name": "x" * 121}, ["name"]),
        ({"roles": "admin"}, ["roles"]),
    ],
)
async def test_what_is_wrong_with_a_new_user_is_told(office: Office, changes: Any, path: list[str]) -> None:
    answer = await office.ask(office.tenant.admin, "POST", "/auth/users", json=draft(office, **changes))
    assert answer.status_code == 400
    assert answer.json()["details"][0]["path"] == path
    assert len(await office.rows("users")) == 3


async def test_an_address_is_taken_within_the_tenant_only(office: Office, make_tenant: MakeTenant) -> None:
    other = await make_tenant()
    body = draft(office, email="Twice@example.com")
    assert (await office.ask(office.tenant.admin, "POST", "/auth/users", json=body)).status_code == 201
    again = await office.ask(
        office.tenant.admin, "POST", "/auth/users", json=body | {"email": "twice@EXAMPLE.com"}
    )
    assert again.status_code == 400
    assert "email" in again.json()["fieldErrors"]
    assert again.json()["details"][0] | {"message": ""} == {
        "code": "duplicate",
        "path": ["email"],
        "message": "",
        "origin": "validation",
    }
    abroad = body | {"organizationId": str(other.organization_id)}
    assert (await office.ask(other.admin, "POST", "/auth/users", json=abroad)).status_code == 201


async def test_the_organization_must_be_ones_own(office: Office, make_tenant: MakeTenant) -> None:
    other, admin = await make_tenant(), office.tenant.admin
    unknown = await office.ask(admin, "POST", "/auth/users", json=draft(office, organizationId=UNKNOWN))
    assert (unknown.status_code, unknown.json()["error"]) == (400, "Organization not found")
    foreign = draft(office, organizationId=str(other.organization_id))
    refused = await office.ask(admin, "POST", "/auth/users", json=foreign)
    assert (refused.status_code, refused.json()) == (404, {"error": "Organization not found"})
    assert len(await office.rows("users")) == 3
    made = await office.ask(office.tenant.superadmin, "POST", "/auth/users", json=foreign)
    assert made.status_code == 201
    async with office.application.database.system() as connection:
        place = await connection.fetchval(
            "select tenant_id from users where id = $1", UUID(made.json()["id"])
        )
    assert place == other.id


async def test_roles_are_named_or_given_by_id(office: Office, make_tenant: MakeTenant) -> None:
    admin, role = office.tenant.admin, await office.make_role("Both ways")
    body = draft(office, roles=[str(role), "Both ways", "employee"])
    made = await office.ask(admin, "POST", "/auth/users", json=body)
    assert len(await office.rows("user_roles", user_id=UUID(made.json()["id"]))) == 2
    other = await make_tenant()
    foreign = str(await Office(office.application, office.client, other).make_role())
    for token in ("no such role", foreign):
        refused = await office.ask(admin, "POST", "/auth/users", json=draft(office, roles=[token]))
        assert refused.status_code == 400
        assert token in refused.json()["error"]


# Update


async def test_updating_replaces_what_is_sent(office: Office) -> None:
    admin = office.tenant.admin
    user = await office.make_user(["employee"], name="Before")
    branch = await new_organization(office, "Branch")

    async def put(**changes: Any) -> httpx.Response:
        return await office.ask(admin, "PUT", "/auth/users", json={"id": str(user), **changes})

    answer = await put(name="After", email="new@example.com", organizationId=str(branch), roles=["admin"])
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    row = await office.row("users", user)
    assert (row["name"], row["email"], row["organization_id"]) == ("After", "new@example.com", branch)
    found = (await office.get(admin, "/auth/users", id=str(user)))["items"][0]
    assert found["roles"] == ["admin"]
    assert (await put(name=" ")).status_code == 200
    assert (await office.row("users", user))["name"] is None
    assert (await put(roles=[])).status_code == 200
    assert await office.rows("user_roles", user_id=user) == []
    assert (await put()).status_code == 200
    assert (await login(office, "new@example.com")).status_code == 200


async def test_roles_of_an_update_are_seen_in_the_log_and_taken_back(office: Office) -> None:
    admin, user = office.tenant.admin, await office.make_user(["employee"])
    changed = await office.ask(
        admin, "PUT", "/auth/users", json={"id": str(user), "roles": ["admin", "employee"]}
    )
    found = await office.get(admin, "/audit_logs/audit-logs/actions", resourceId=str(user))
    entry = found["items"][0]
    assert (entry["commandId"], entry["resourceKind"]) == ("auth.users.update", "auth.user")
    assert entry["changes"] == {"roles": {"from": ["employee"], "to": ["admin", "employee"]}}
    assert (await office.undo(admin, changed)).status_code == 200
    assert (await office.get(admin, "/auth/users", id=str(user)))["items"][0]["roles"] == ["employee"]
    again = (await office.get(admin, "/audit_logs/audit-logs/actions", resourceId=str(user)))["items"][0]
    assert again["changes"] == {"roles": {"from": ["admin", "employee"], "to": ["employee"]}}


async def test_a_new_password_ends_the_sessions_and_so_does_its_undo(office: Office) -> None:
    admin, user = office.tenant.admin, await office.make_user(email="sleeper@example.com")
    person = await office.person(user)
    changed = await office.ask(admin, "PUT", "/auth/users", json={"id": str(user), "password": "Anders-22"})
    assert changed.status_code == 200
    assert (await office.ask(person, "GET", "/auth/profile")).status_code == 401
    assert (await login(office, "sleeper@example.com")).status_code == 401
    assert (await login(office, "sleeper@example.com", "Anders-22")).status_code == 200
    person = await office.person(user)
    renamed = await office.ask(admin, "PUT", "/auth/users", json={"id": str(user), "name": "Later"})
    assert (await office.undo(admin, renamed)).status_code == 200
    assert (await office.ask(person, "GET", "/auth/profile")).status_code == 200
    assert (await office.undo(admin, changed)).status_code == 200
    assert (await office.ask(person, "GET", "/auth/profile")).status_code == 401
    assert (await login(office, "sleeper@example.com")).status_code == 200


async def test_ones_own_session_outlives_ones_own_new_password(office: Office) -> None:
    admin = office.tenant.admin
    second = await sign_in(
        office.application, office.tenant.id, office.tenant.organization_id, admin.id, admin.email
    )
    body = {"id": str(admin.id), "password": "Selber-33"}
    assert (await office.ask(admin, "PUT", "/auth/users", json=body)).status_code == 200
    assert (await office.ask(admin, "GET", "/auth/profile")).status_code == 200
    assert (await office.ask(second, "GET", "/auth/profile")).status_code == 401


async def test_undo_of_an_update_leaves_what_others_changed(office: Office) -> None:
    user = await office.make_user(email="shared@example.com")
    renamed = await office.ask(
        office.tenant.admin, "PUT", "/auth/users", json={"id": str(user), "name": "Ann"}
    )
    await office.ask(
        office.tenant.superadmin, "PUT", "/auth/users", json={"id": str(user), "password": "Anders-22"}
    )
    assert (await office.undo(office.tenant.admin, renamed)).status_code in (200, 400)
    assert (await login(office, "shared@example.com", "Anders-22")).status_code == 200


async def test_moving_a_user_kills_old_tokens_and_stays_in_the_tenant(
    office: Office, make_tenant: MakeTenant
) -> None:
    other, admin = await make_tenant(), office.tenant.admin
    user = await office.make_user(["employee"])
    person = await office.person(user)
    branch = await new_organization(office, "Branch")
    for who, status in ((admin, 404), (office.tenant.superadmin, 400)):
        body = {"id": str(user), "organizationId": str(other.organization_id)}
        assert (await office.ask(who, "PUT", "/auth/users", json=body)).status_code == status
    unknown = {"id": str(user), "organizationId": UNKNOWN}
    assert (await office.ask(admin, "PUT", "/auth/users", json=unknown)).status_code == 400
    moved = await office.ask(
        admin, "PUT", "/auth/users", json={"id": str(user), "organizationId": str(branch)}
    )
    assert moved.status_code == 200
    assert (await office.ask(person, "GET", "/auth/profile")).status_code == 401


async def test_another_tenants_user_does_not_exist(office: Office, make_tenant: MakeTenant) -> None:
    other, user = await make_tenant(), str(await office.make_user())
    put = await office.ask(other.admin, "PUT", "/auth/users", json={"id": user, "name": "x"})
    delete = await office.ask(other.admin, "DELETE", "/auth/users", params={"id": user})
    assert (put.status_code, put.json()) == (404, {"error": "User not found"})
    assert delete.status_code == 404
    assert (await office.get(other.admin, "/auth/users", id=user))["total"] == 0


# Delete


async def test_deleting_takes_everything_along_and_undo_brings_it_back_but_no_session(office: Office) -> None:
    admin, user = office.tenant.admin, await office.make_user(["employee"], email="leaver@example.com")
    await office.ask(
        admin, "PUT", "/auth/users/acl", json={"userId": str(user), "features": ["dictionaries.view"]}
    )
    person = await office.person(user)
    await office.ask(person, "PUT", "/auth/sidebar/preferences", json={})
    deleted = await office.ask(admin, "DELETE", "/auth/users", json={"id": str(user)})
    assert (deleted.status_code, deleted.json()) == (200, {"ok": True})
    for table in ("user_acls", "user_roles", "sessions", "password_resets", "user_sidebar_preferences"):
        assert await office.rows(table, user_id=user) == []
    assert operation(deleted)["commandId"] == "auth.users.delete"
    assert (await office.undo(admin, deleted)).status_code == 200
    assert (await login(office, "leaver@example.com")).status_code == 200
    assert len(await office.rows("user_acls", user_id=user)) == 1
    assert len(await office.rows("user_roles", user_id=user)) == 1
    assert (await office.ask(person, "GET", "/auth/profile")).status_code == 401
    assert await emails(office, admin, search="leaver") == ["leaver@example.com"], "the index knows it again"


async def test_undoing_a_deletion_is_refused_when_the_address_was_taken(office: Office) -> None:
    admin, user = office.tenant.admin, await office.make_user(email="place@example.com")
    deleted = await office.ask(admin, "DELETE", "/auth/users", params={"id": str(user)})
    await office.make_user(email="place@example.com")
    refused = await office.undo(admin, deleted)
    assert refused.status_code == 400
    assert refused.json()["code"] == "conflict"


async def test_nobody_deletes_themselves_or_without_a_clear_id(office: Office) -> None:
    admin, user = office.tenant.admin, await office.make_user()

    async def status(**request: Any) -> int:
        return (await office.ask(admin, "DELETE", "/auth/users", **request)).status_code

    assert await status(params={"id": str(admin.id)}) == 400
    assert await status() == 400
    assert await status(params={"id": "x"}) == 400
    assert await status(params={"id": UNKNOWN}) == 404
    assert await status(params={"id": str(user)}, json={"id": str(admin.id)}) == 400
    assert await office.row("users", user) is not None


async def test_an_invited_user_gets_a_letter_in_the_outbox(office: Office) -> None:
    body = draft(office, password=..., sendInviteEmail=True)
    made = await office.ask(office.tenant.admin, "POST", "/auth/users", json=body)
    assert (made.status_code, set(made.json())) == (201, {"id"})
    user = UUID(made.json()["id"])
    assert (await office.row("users", user))["password_hash"] is None
    assert len(await office.rows("password_resets", user_id=user)) == 1
    assert (await login(office, body["email"])).status_code == 401


async def test_a_rehearsal_writes_nothing(office: Office) -> None:
    headers = {"x-backstep-dry-run": "true"}
    answer = await office.ask(office.tenant.admin, "POST", "/auth/users", json=draft(office), headers=headers)
    assert answer.json()["dryRun"] is True, answer.text
    assert "passwordHash" not in answer.text
    assert len(await office.rows("users")) == 3


async def test_the_log_stands_in_the_users_organization(office: Office) -> None:
    branch = await new_organization(office, "Branch")
    made = await office.make_user(organization_id=branch)
    rows = await office.rows("action_logs", resource_id=str(made))
    assert [row["organization_id"] for row in rows] == [branch]
