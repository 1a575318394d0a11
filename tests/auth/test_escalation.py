"""Nobody raises anybody's rights above their own: by no route, no batch, no undo and no redo (auth.md section 5)."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import pytest
from msgspec import Struct

from app.http.openapi import all_operations
from tests.auth.office import PASSWORD, Office, operation
from tests.conftest import Person
from tests.heart.proofs import differing, exact_state_of

TENANTS = "directory.tenants.view"
"""A feature that an admin does not have."""


class Scenery(Struct):
    """Targets of a tenant: whom and what the attempts are about."""

    office: Office
    superadmin: str
    superadmin_role: str
    flagged_role: str
    """Makes super admins, but nobody has it."""
    grand_role: str
    """Grants a feature that an admin does not have."""
    plain_role: str
    plain_user: str
    grand_user: str
    organization: str

    async def state(self) -> Any:
        return await exact_state_of(self.office.application.database, self.office.tenant.id)

    async def refuses(self, who: Person, attempt: "Attempt", *statuses: int) -> httpx.Response:
        """The attempt fails with one of the statuses, and leaves no trace."""
        before = await self.state()
        answer = await self.office.ask(who, attempt.method, attempt.path, json=attempt.body)
        assert answer.status_code in (statuses or (403,)), f"{attempt}: {answer.status_code} {answer.text}"
        assert differing(before, await self.state()) == {}, attempt
        return answer


class Attempt(Struct):
    """A request that somebody tries."""

    method: str
    path: str
    body: dict[str, Any]


@pytest.fixture
async def scenery(office: Office) -> Scenery:
    grand = await office.make_role("Grand", [TENANTS, "dictionaries.*"])
    plain = await office.make_role("Plain", ["dictionaries.view"])
    return Scenery(
        office,
        str(office.tenant.superadmin.id),
        str((await office.rows("roles", name="superadmin"))[0]["id"]),
        str(await office.make_role("Harmless", [], is_super_admin=True)),
        str(grand),
        str(plain),
        str(await office.make_user([plain])),
        str(await office.make_user([grand])),
        str(office.tenant.organization_id),
    )


def person(scenery: Scenery, **changes: Any) -> dict[str, Any]:
    return {
        "email": "new@example.com",
        "organizationId": scenery.organization,
        "password": PASSWORD,
        **changes,
    }


BEYOND_AN_ADMIN: dict[str, Callable[[Scenery, Person], Attempt]] = {
    "rename a role with the flag": lambda s, me: Attempt(
        "PUT", "/auth/roles", {"id": s.flagged_role, "name": "Mine"}
    ),
    "delete a role with the flag": lambda s, me: Attempt("DELETE", "/auth/roles", {"id": s.flagged_role}),
    "empty a role with the flag": lambda s, me: Attempt(
        "PUT", "/auth/roles/acl", {"roleId": s.flagged_role, "features": ["auth.*"]}
    ),
    "drop the flag": lambda s, me: Attempt(
        "PUT", "/auth/roles/acl", {"roleId": s.flagged_role, "isSuperAdmin": False}
    ),
    "set the flag": lambda s, me: Attempt(
        "PUT", "/auth/roles/acl", {"roleId": s.plain_role, "isSuperAdmin": True}
    ),
    "grant everything": lambda s, me: Attempt(
        "PUT", "/auth/roles/acl", {"roleId": s.plain_role, "features": ["*"]}
    ),
    "grant more than one has": lambda s, me: Attempt(
        "PUT", "/auth/roles/acl", {"roleId": s.plain_role, "features": [TENANTS]}
    ),
    "grant a wider wildcard": lambda s, me: Attempt(
        "PUT", "/auth/roles/acl", {"roleId": s.plain_role, "features": ["directory.*"]}
    ),
    "save a role that grants more": lambda s, me: Attempt(
        "PUT", "/auth/roles/acl", {"roleId": s.grand_role, "organizations": []}
    ),
    "change a super admin": lambda s, me: Attempt("PUT", "/auth/users", {"id": s.superadmin, "name": "Me"}),
    "take a super admin's password": lambda s, me: Attempt(
        "PUT", "/auth/users", {"id": s.superadmin, "password": PASSWORD}
    ),
    "take a super admin's roles": lambda s, me: Attempt(
        "PUT", "/auth/users", {"id": s.superadmin, "roles": []}
    ),
    "delete a super admin": lambda s, me: Attempt("DELETE", "/auth/users", {"id": s.superadmin}),
    "bind a super admin": lambda s, me: Attempt(
        "PUT", "/auth/users/acl", {"userId": s.superadmin, "features": ["auth.*"]}
    ),
    "take over who has more": lambda s, me: Attempt(
        "PUT", "/auth/users", {"id": s.grand_user, "password": PASSWORD}
    ),
    "redirect the mail of who has more": lambda s, me: Attempt(
        "PUT", "/auth/users", {"id": s.grand_user, "email": "mine@example.com"}
    ),
    "make a super admin by name": lambda s, me: Attempt(
        "POST", "/auth/users", person(s, roles=["superadmin"])
    ),
    "make a super admin by id": lambda s, me: Attempt(
        "POST", "/auth/users", person(s, roles=[s.flagged_role])
    ),
    "make a user who has more": lambda s, me: Attempt("POST", "/auth/users", person(s, roles=["Grand"])),
    "make oneself a super admin": lambda s, me: Attempt(
        "PUT", "/auth/users", {"id": str(me.id), "roles": ["admin", "superadmin"]}
    ),
    "give oneself more": lambda s, me: Attempt(
        "PUT", "/auth/users", {"id": str(me.id), "roles": ["Grand", "admin"]}
    ),
    "give somebody more": lambda s, me: Attempt(
        "PUT", "/auth/users", {"id": s.plain_user, "roles": ["Grand"]}
    ),
    "set one's own flag": lambda s, me: Attempt(
        "PUT", "/auth/users/acl", {"userId": str(me.id), "isSuperAdmin": True}
    ),
    "set somebody's flag": lambda s, me: Attempt(
        "PUT", "/auth/users/acl", {"userId": s.plain_user, "isSuperAdmin": True, "features": ["auth.*"]}
    ),
    "grant oneself everything": lambda s, me: Attempt(
        "PUT", "/auth/users/acl", {"userId": str(me.id), "features": ["*"]}
    ),
    "grant a user more": lambda s, me: Attempt(
        "PUT", "/auth/users/acl", {"userId": s.plain_user, "features": [TENANTS]}
    ),
    "a key of a super admin": lambda s, me: Attempt(
        "POST", "/api_keys/keys", {"name": "Key", "roles": ["superadmin"]}
    ),
    "a key with the flag": lambda s, me: Attempt(
        "POST", "/api_keys/keys", {"name": "Key", "roles": [s.flagged_role]}
    ),
    "a key that has more": lambda s, me: Attempt(
        "POST", "/api_keys/keys", {"name": "Key", "roles": ["Grand"]}
    ),
}


@pytest.mark.parametrize("name", BEYOND_AN_ADMIN)
async def test_what_an_admin_may_not_do_is_refused_and_a_super_admin_may(scenery: Scenery, name: str) -> None:
    office = scenery.office
    admin, boss = office.tenant.admin, office.tenant.superadmin
    attempt = BEYOND_AN_ADMIN[name](scenery, admin)
    answer = await scenery.refuses(admin, attempt)
    assert "requiredFeatures" not in answer.json(), (
        "the route is open to admins: it is the guard that refuses"
    )
    secret = (
        await office.ask(admin, "POST", "/api_keys/keys", json={"name": "Key", "roles": ["admin"]})
    ).json()
    key = Person(admin.id, admin.email, admin.scope, {"x-api-key": secret["secret"]})
    await scenery.refuses(key, attempt)
    if attempt.body.get("id") != str(boss.id) and attempt.body.get("userId") != str(boss.id):
        allowed = await office.ask(boss, attempt.method, attempt.path, json=attempt.body)
        assert allowed.status_code in (200, 201), allowed.text


PROMOTIONS = ("make oneself a super admin", "set one's own flag")
"""After these, the admin is a super admin."""


@pytest.mark.parametrize("name", [name for name in BEYOND_AN_ADMIN if name not in PROMOTIONS])
async def test_what_a_super_admin_did_an_admin_can_neither_undo_nor_redo(scenery: Scenery, name: str) -> None:
    """An admin may undo and redo for everybody in the tenant: it is the guard that refuses."""
    office = scenery.office
    admin, boss = office.tenant.admin, office.tenant.superadmin
    attempt = BEYOND_AN_ADMIN[name](scenery, admin)
    if attempt.body.get("id") == str(boss.id) or attempt.body.get("userId") == str(boss.id):
        second = await office.make_user(["superadmin"])
        attempt.body = {key: str(second) if v == str(boss.id) else v for key, v in attempt.body.items()}
    done = await office.ask(boss, attempt.method, attempt.path, json=attempt.body)
    assert done.status_code in (200, 201), done.text
    undo = {"undoToken": operation(done)["undoToken"]}
    harmless = {  # taking such a right away from somebody who is no super admin raises nobody
        "grant everything",
        "grant more than one has",
        "grant a wider wildcard",
        "make a user who has more",
        "give somebody more",
        "give oneself more",
        "grant a user more",
        "grant oneself everything",
        "a key of a super admin",
        "a key with the flag",
        "a key that has more",
    }
    before = await scenery.state()
    answer = await office.ask(admin, "POST", "/audit_logs/audit-logs/actions/undo", json=undo)
    assert name in harmless or answer.status_code == 400, answer.text
    if answer.status_code != 200:
        assert (answer.status_code, answer.json()["code"]) == (400, "not_permitted"), answer.text
        assert differing(before, await scenery.state()) == {}
        assert (await office.undo(boss, done)).status_code == 200
    redo = Attempt("POST", "/audit_logs/audit-logs/actions/redo", {"logId": operation(done)["id"]})
    refused = await scenery.refuses(admin, redo, 400)
    assert refused.json()["code"] in ("not_permitted", "not_latest"), refused.text
    assert (await office.redo(boss, done)).status_code == 200


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("auth.role_acls.update", lambda s: {"roleId": s.plain_role, "isSuperAdmin": True}),
        ("auth.role_acls.update", lambda s: {"roleId": s.plain_role, "features": ["*"]}),
        ("auth.user_acls.update", lambda s: {"userId": s.plain_user, "isSuperAdmin": True}),
        ("auth.user_acls.update", lambda s: {"userId": s.superadmin, "features": ["auth.*"]}),
        ("auth.roles.delete", lambda s: {"id": s.flagged_role}),
        ("auth.users.delete", lambda s: {"id": s.superadmin}),
    ],
)
async def test_a_batch_is_no_way_around(
    scenery: Scenery, command: str, body: Callable[[Scenery], Any]
) -> None:
    admin = scenery.office.tenant.admin
    step = {"command": command, "input": body(scenery)}
    await scenery.refuses(admin, Attempt("POST", "/commands/batch", {"commands": [step]}))


@pytest.mark.parametrize("command", ["auth.users.create", "auth.users.update", "api_keys.keys.create"])
async def test_hashes_cannot_be_handed_in(scenery: Scenery, command: str) -> None:
    step = {"command": command, "input": {"passwordHash": "x", "emailHash": "x", "keyHash": "x"}}
    await scenery.refuses(
        scenery.office.tenant.superadmin, Attempt("POST", "/commands/batch", {"commands": [step]}), 400
    )


async def test_a_batch_cannot_build_in_steps_what_it_cannot_do_at_once(scenery: Scenery) -> None:
    """Given a role that grants nothing, When it is given to somebody and then raised, Then all of it is refused."""
    office = scenery.office
    clerk = await office.hire("auth.*", "dictionaries.view", "audit_logs.*")
    steps = [
        {"command": "auth.roles.create", "input": {"name": "Ladder"}},
        {
            "command": "auth.role_acls.update",
            "input": {"roleId": scenery.plain_role, "features": ["customers.*"]},
        },
    ]
    await scenery.refuses(clerk, Attempt("POST", "/commands/batch", {"commands": steps}))


# Without the features of the route


GATED = sorted(
    {
        (item.method, item.path, item.features)
        for item in all_operations()
        if item.method != "GET" and item.path.startswith(("/auth/", "/api_keys/")) and item.features
    }
)


@pytest.mark.parametrize(("method", "path", "features"), GATED)
async def test_an_employee_does_none_of_it(
    scenery: Scenery, method: str, path: str, features: tuple[str, ...]
) -> None:
    employee = scenery.office.tenant.employee
    answer = await scenery.refuses(employee, Attempt(method, path, {"id": scenery.plain_user}))
    assert answer.json()["requiredFeatures"] == list(features)


async def test_an_employee_neither_undoes_nor_redoes_what_others_did(scenery: Scenery) -> None:
    office = scenery.office
    admin, employee = office.tenant.admin, office.tenant.employee
    for attempt in (
        Attempt("POST", "/auth/roles", {"name": "Another"}),
        Attempt("PUT", "/auth/roles", {"id": scenery.flagged_role, "name": "Other"}),
        Attempt("PUT", "/auth/roles/acl", {"roleId": scenery.plain_role, "features": ["auth.*"]}),
        Attempt("POST", "/auth/users", person(scenery)),
        Attempt("PUT", "/auth/users", {"id": scenery.plain_user, "name": "Other"}),
        Attempt("PUT", "/auth/users/acl", {"userId": scenery.plain_user, "features": ["auth.*"]}),
        Attempt("DELETE", "/auth/users", {"id": scenery.plain_user}),
        Attempt("POST", "/api_keys/keys", {"name": "Key"}),
    ):
        who = office.tenant.superadmin if attempt.body.get("id") == scenery.flagged_role else admin
        done = await office.ask(who, attempt.method, attempt.path, json=attempt.body)
        assert done.status_code in (200, 201), done.text
        undo = Attempt(
            "POST", "/audit_logs/audit-logs/actions/undo", {"undoToken": operation(done)["undoToken"]}
        )
        assert (await scenery.refuses(employee, undo, 400)).json()["code"] == "not_available"
        redo = Attempt("POST", "/audit_logs/audit-logs/actions/redo", {"logId": operation(done)["id"]})
        await scenery.refuses(employee, redo, 400, 403)


# Time passes


async def test_a_redo_gives_nothing_that_one_could_not_give_now(scenery: Scenery) -> None:
    """Given a role that was given and taken back, When it was raised meanwhile, Then it is not given again."""
    office = scenery.office
    admin, boss = office.tenant.admin, office.tenant.superadmin
    body = {"id": scenery.plain_user, "roles": ["Plain", "admin"]}
    given = await office.ask(admin, "PUT", "/auth/users", json=body)
    assert (await office.undo(admin, given)).status_code == 200
    role = (await office.rows("roles", name="admin"))[0]["id"]
    raised = {"roleId": str(role), "features": ["auth.*", "audit_logs.*"], "isSuperAdmin": True}
    assert (await office.ask(boss, "PUT", "/auth/roles/acl", json=raised)).status_code == 200
    clerk = await office.hire("auth.*", "audit_logs.*")
    redo = Attempt("POST", "/audit_logs/audit-logs/actions/redo", {"logId": operation(given)["id"]})
    assert (await scenery.refuses(clerk, redo, 400)).json()["code"] == "not_permitted"


async def test_an_undo_of_ones_own_removal_gives_nothing_that_was_raised_since(scenery: Scenery) -> None:
    office = scenery.office
    admin, boss = office.tenant.admin, office.tenant.superadmin
    taken = await office.ask(admin, "PUT", "/auth/users", json={"id": scenery.plain_user, "roles": []})
    raised = {"roleId": scenery.plain_role, "features": ["*"]}
    assert (await office.ask(boss, "PUT", "/auth/roles/acl", json=raised)).status_code == 200
    undo = Attempt(
        "POST", "/audit_logs/audit-logs/actions/undo", {"undoToken": operation(taken)["undoToken"]}
    )
    assert (await scenery.refuses(admin, undo, 400)).json()["code"] == "not_permitted"
    assert (await office.undo(boss, taken)).status_code == 200


async def test_who_lost_the_feature_undoes_and_redoes_nothing(scenery: Scenery) -> None:
    office = scenery.office
    role = await office.make_role(features=["auth.*", "audit_logs.*", "customers.*"])
    clerk = await office.person(await office.make_user([role]))
    attempt = {"roleId": scenery.plain_role, "features": ["customers.deals.manage"]}
    boss = office.tenant.superadmin
    given = await office.ask(
        boss, "PUT", "/auth/roles/acl", json={"roleId": scenery.plain_role, "features": []}
    )
    assert given.status_code == 200
    given = await office.ask(clerk, "PUT", "/auth/roles/acl", json=attempt)
    assert (await office.undo(clerk, given)).status_code == 200
    less = {"roleId": str(role), "features": ["auth.*", "audit_logs.*"]}
    assert (await office.ask(boss, "PUT", "/auth/roles/acl", json=less)).status_code == 200
    redo = Attempt("POST", "/audit_logs/audit-logs/actions/redo", {"logId": operation(given)["id"]})
    assert (await scenery.refuses(clerk, redo, 400)).json()["code"] == "not_permitted"
    none = {"roleId": str(role), "features": ["audit_logs.*"]}
    assert (await office.ask(boss, "PUT", "/auth/roles/acl", json=none)).status_code == 200
    assert (await scenery.refuses(clerk, redo, 400)).json()["code"] == "not_available"


async def test_a_revoked_key_does_not_come_back_with_more(scenery: Scenery) -> None:
    office = scenery.office
    admin, boss = office.tenant.admin, office.tenant.superadmin
    made = await office.ask(admin, "POST", "/api_keys/keys", json={"name": "Key", "roles": ["Plain"]})
    gone = await office.ask(admin, "DELETE", "/api_keys/keys", params={"id": made.json()["id"]})
    raised = {"roleId": scenery.plain_role, "features": [TENANTS]}
    assert (await office.ask(boss, "PUT", "/auth/roles/acl", json=raised)).status_code == 200
    undo = Attempt("POST", "/audit_logs/audit-logs/actions/undo", {"undoToken": operation(gone)["undoToken"]})
    assert (await scenery.refuses(admin, undo, 400)).json()["code"] == "not_permitted"


# Bound to less


async def test_grants_of_ones_own_are_a_bond_that_one_cannot_shed(scenery: Scenery) -> None:
    """Given an admin who was bound to less, When they take the bond away, Then their role would raise them: refused."""
    office = scenery.office
    role = await office.make_role(features=["auth.*", "audit_logs.*", "customers.*"])
    bound = await office.make_user([role])
    body = {"userId": str(bound), "features": ["auth.*", "audit_logs.*"]}
    saved = await office.ask(office.tenant.superadmin, "PUT", "/auth/users/acl", json=body)
    assert saved.status_code == 200
    me = await office.person(bound)
    await scenery.refuses(me, Attempt("PUT", "/auth/users/acl", {"userId": str(bound)}))
    undo = Attempt(
        "POST", "/audit_logs/audit-logs/actions/undo", {"undoToken": operation(saved)["undoToken"]}
    )
    assert (await scenery.refuses(me, undo, 400)).json()["code"] == "not_permitted"


async def test_who_is_bound_to_an_organization_stays_in_it(scenery: Scenery) -> None:
    office = scenery.office
    boss, home = office.tenant.superadmin, scenery.organization
    made = await office.ask(boss, "POST", "/directory/organizations", json={"name": "Branch"})
    branch = made.json()["id"]
    grants = ["auth.*", "audit_logs.*", "api_keys.*", "dictionaries.*"]
    clerk = await office.hire(*grants, organizations=[branch])
    inside = await office.make_user(organization_id=UUID(branch))
    wide = str(await office.make_role("Wide", ["dictionaries.view"]))
    local = str(await office.make_role("Local", ["dictionaries.view"], organizations=[branch]))
    for attempt in (
        Attempt("POST", "/auth/users", person(scenery)),
        Attempt("PUT", "/auth/users", {"id": scenery.plain_user, "name": "Mine"}),
        Attempt("PUT", "/auth/users", {"id": str(inside), "organizationId": home}),
        Attempt("DELETE", "/auth/users", {"id": scenery.plain_user}),
        Attempt("PUT", "/auth/users/acl", {"userId": scenery.plain_user, "features": ["auth.*"]}),
        Attempt("PUT", "/auth/users/acl", {"userId": str(inside), "features": ["auth.*"]}),
        Attempt(
            "PUT", "/auth/users/acl", {"userId": str(inside), "features": ["auth.*"], "organizations": [home]}
        ),
        Attempt("PUT", "/auth/users", {"id": str(inside), "roles": [wide]}),
        Attempt("PUT", "/auth/roles/acl", {"roleId": local, "organizations": None}),
        Attempt("PUT", "/auth/roles/acl", {"roleId": local, "organizations": [branch, "__all__"]}),
        Attempt("PUT", "/auth/roles/acl", {"roleId": local, "organizations": [branch, home]}),
        Attempt("POST", "/api_keys/keys", {"name": "Key", "organizationId": home}),
        Attempt("POST", "/api_keys/keys", {"name": "Key", "organizationId": None}),
    ):
        await scenery.refuses(clerk, attempt)
    for attempt in (
        Attempt("POST", "/auth/users", person(scenery, organizationId=branch, roles=[local])),
        Attempt("PUT", "/auth/users", {"id": str(inside), "roles": [local]}),
        Attempt(
            "PUT",
            "/auth/users/acl",
            {"userId": str(inside), "features": ["auth.*"], "organizations": [branch]},
        ),
        Attempt("POST", "/api_keys/keys", {"name": "Key", "roles": [wide]}),
    ):
        answer = await office.ask(clerk, attempt.method, attempt.path, json=attempt.body)
        assert answer.status_code in (200, 201), f"{attempt}: {answer.text}"
    seen = await office.ask(clerk, "GET", "/auth/users/acl", params={"userId": scenery.plain_user})
    assert seen.status_code == 403


async def test_the_grants_of_super_admins_are_for_super_admins_to_see(scenery: Scenery) -> None:
    office = scenery.office
    for path, query in (
        ("/auth/roles/acl", {"roleId": scenery.flagged_role}),
        ("/auth/users/acl", {"userId": scenery.superadmin}),
    ):
        assert (await office.ask(office.tenant.admin, "GET", path, params=query)).status_code == 403
        assert (await office.ask(office.tenant.superadmin, "GET", path, params=query)).status_code == 200


# The last one


async def test_a_tenant_keeps_a_super_admin(scenery: Scenery) -> None:
    office, me = scenery.office, scenery.office.tenant.superadmin
    for attempt in (
        Attempt("PUT", "/auth/users", {"id": str(me.id), "roles": ["admin"]}),
        Attempt("PUT", "/auth/roles/acl", {"roleId": scenery.superadmin_role, "isSuperAdmin": False}),
        Attempt("DELETE", "/auth/users", {"id": str(me.id)}),
    ):
        await scenery.refuses(me, attempt, 400)
    second = await office.make_user(["superadmin"])
    stepped = await office.ask(me, "PUT", "/auth/users", json={"id": str(me.id), "roles": ["admin"]})
    assert stepped.status_code == 200
    other = await office.person(second)
    await scenery.refuses(other, Attempt("PUT", "/auth/users", {"id": str(second), "roles": []}), 400)
    assert (await office.undo(other, stepped)).status_code == 200
