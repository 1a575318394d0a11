"""The history of a record, its states, what differs between two of them, and going back (design.md section 5)."""

from typing import Any

import httpx
import pytest

from tests.conftest import MakeTenant, Person, Tenant

HISTORY = "/audit_logs/audit-logs/history"


class Desk:
    """What a person asks of the server."""

    def __init__(self, client: httpx.AsyncClient, person: Person) -> None:
        self.client = client
        self.headers = person.headers

    async def ask(self, method: str, path: str, status: int = 200, **given: Any) -> Any:
        """The answer's JSON; its status must be as expected."""
        headers = {**self.headers, **given.pop("headers", {})}
        answer = await self.client.request(method, path, headers=headers, **given)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def dictionary(self, key: str = "colors") -> str:
        """A new dictionary."""
        made = await self.ask("POST", "/dictionaries", 201, json={"key": key, "name": "Colours"})
        return str(made["id"])

    async def history(self, kind: str, id: str, **query: Any) -> list[dict[str, Any]]:
        """The first page of a record's history."""
        found: list[dict[str, Any]] = (await self.ask("GET", f"{HISTORY}/{kind}/{id}", params=query))["items"]
        return found


@pytest.fixture
def desk(client: httpx.AsyncClient, tenant: Tenant) -> Desk:
    """The administrator's."""
    return Desk(client, tenant.admin)


async def _three_names(desk: Desk) -> tuple[str, str, list[dict[str, Any]]]:
    """An entry that had three labels, and its history, oldest first."""
    dictionary = await desk.dictionary()
    path = f"/dictionaries/{dictionary}/entries"
    entry = (await desk.ask("POST", path, 201, json={"value": "red", "label": "one"}))["id"]
    for label in ("two", "three"):
        await desk.ask("PATCH", f"{path}/{entry}", json={"label": label})
    history = await desk.history("dictionaries.entry", entry)
    return f"{path}/{entry}", entry, history[::-1]


async def test_every_action_on_a_record_is_told_with_what_it_changed(desk: Desk) -> None:
    _, _, history = await _three_names(desk)
    assert [one["commandId"].rpartition(".")[2] for one in history] == ["create", "update", "update"]
    assert [one["changes"] for one in history[1:]] == [
        {"label": {"from": "one", "to": "two"}},
        {"label": {"from": "two", "to": "three"}},
    ]
    assert all(one["touched"] for one in history)
    assert history[0]["snapshotAfter"]["label"] == "one"


async def test_the_history_is_paged(desk: Desk) -> None:
    _, entry, history = await _three_names(desk)
    page = await desk.ask("GET", f"{HISTORY}/dictionaries.entry/{entry}", params={"pageSize": 2, "page": 2})
    assert [one["id"] for one in page["items"]] == [history[0]["id"]]
    assert (page["total"], page["totalPages"], page["page"]) == (3, 2, 2)
    beyond = await desk.ask("GET", f"{HISTORY}/dictionaries.entry/{entry}", params={"page": 9})
    assert (beyond["items"], beyond["total"]) == ([], 3)


async def test_the_history_of_a_whole_tells_of_its_parts(desk: Desk) -> None:
    path, entry, _ = await _three_names(desk)
    dictionary = path.split("/")[2]
    history = await desk.history("dictionaries.dictionary", dictionary)
    assert len(history) == 4
    assert [one["touched"] for one in history] == [False, False, False, True]
    assert history[0]["resourceId"] == entry


async def test_a_record_is_shown_as_it_was(desk: Desk) -> None:
    path, entry, history = await _three_names(desk)
    url = f"{HISTORY}/dictionaries.entry/{entry}/state"
    labels = [(await desk.ask("GET", url, params={"at": one["id"]}))["state"]["label"] for one in history]
    assert labels == ["one", "two", "three"]
    await desk.ask("DELETE", path)
    gone = (await desk.history("dictionaries.entry", entry))[0]
    assert (await desk.ask("GET", url, params={"at": gone["id"]}))["exists"] is False
    assert (await desk.ask("GET", url, params={"at": "2001-01-01T00:00:00Z"})) | {"at": None} == {
        "resourceKind": "dictionaries.entry",
        "resourceId": entry,
        "at": None,
        "logId": None,
        "exists": False,
        "state": None,
    }
    assert (await desk.ask("GET", url, params={"at": history[1]["id"]}))["state"]["label"] == "two"
    assert (await desk.ask("GET", url, params={"at": "2999-01-01T00:00:00Z"}))["exists"] is False


async def test_two_moments_are_compared_in_both_directions(desk: Desk) -> None:
    _, entry, history = await _three_names(desk)
    url = f"{HISTORY}/dictionaries.entry/{entry}/compare"
    first, last = history[0]["id"], history[2]["id"]
    there = await desk.ask("GET", url, params={"from": first, "to": last})
    assert there["changes"] == {"label": {"from": "one", "to": "three"}}
    assert [one["id"] for one in there["actions"]] == [last, history[1]["id"]]
    back = await desk.ask("GET", url, params={"from": last, "to": first})
    assert back["changes"] == {"label": {"from": "three", "to": "one"}}
    same = await desk.ask("GET", url, params={"from": last, "to": last})
    assert (same["changes"], same["actions"]) == (None, [])


async def test_going_back_is_an_action_that_can_be_undone(desk: Desk) -> None:
    path, entry, history = await _three_names(desk)
    list_path = path.rpartition("/")[0]
    back = await desk.ask(
        "POST", f"{HISTORY}/dictionaries.entry/{entry}/restore", json={"at": history[0]["id"]}
    )
    assert back["restored"] is True
    assert (await desk.ask("GET", list_path))["items"][0]["label"] == "one"
    newest = (await desk.history("dictionaries.entry", entry))[0]
    assert (newest["commandId"], newest["resourceKind"]) == ("backstep.records.restore", "dictionaries.entry")
    assert newest["changes"] == {"label": {"from": "three", "to": "one"}}
    undo = {"undoToken": back["undoToken"]}
    await desk.ask("POST", "/audit_logs/audit-logs/actions/undo", json=undo)
    assert (await desk.ask("GET", list_path))["items"][0]["label"] == "three"
    await desk.ask("POST", "/audit_logs/audit-logs/actions/redo", json={"logId": back["logId"]})
    assert (await desk.ask("GET", list_path))["items"][0]["label"] == "one"


async def test_a_deleted_record_comes_back_with_its_id_and_its_parts(desk: Desk, tenant: Tenant) -> None:
    role = (await desk.ask("POST", "/auth/roles", 201, json={"name": "clerk"}))["id"]
    grants = {"roleId": role, "features": ["dictionaries.view"]}
    await desk.ask("PUT", "/auth/roles/acl", json=grants)
    before = (await desk.history("auth.role", role))[0]["id"]
    await desk.ask("DELETE", f"/auth/roles?id={role}", json={})
    back = await desk.ask("POST", f"{HISTORY}/auth.role/{role}/restore", json={"at": before})
    assert back["restored"] is True
    found = await desk.ask("GET", "/auth/roles/acl", params={"roleId": role})
    assert found["features"] == ["dictionaries.view"]


async def test_going_back_to_what_is_writes_nothing(desk: Desk) -> None:
    _, entry, history = await _three_names(desk)
    url = f"{HISTORY}/dictionaries.entry/{entry}/restore"
    same = await desk.ask("POST", url, json={"at": history[2]["id"]})
    assert same == {"ok": True, "restored": False, "logId": None, "undoToken": None}
    assert len(await desk.history("dictionaries.entry", entry)) == 3


async def test_a_dry_run_shows_what_would_come_back(desk: Desk) -> None:
    _, entry, history = await _three_names(desk)
    url = f"{HISTORY}/dictionaries.entry/{entry}/restore"
    shown = await desk.ask("POST", url, json={"at": history[0]["id"]}, headers={"x-backstep-dry-run": "true"})
    assert (shown["dryRun"], shown["changes"]) == (True, {"label": {"from": "three", "to": "one"}})
    assert len(await desk.history("dictionaries.entry", entry)) == 3


async def test_a_moment_must_be_one(desk: Desk) -> None:
    _, entry, _ = await _three_names(desk)
    url = f"{HISTORY}/dictionaries.entry/{entry}"
    unknown = "00000000-0000-4000-8000-00000000dead"
    assert (await desk.ask("GET", f"{url}/state", 400))["error"]
    assert (await desk.ask("GET", f"{url}/state", 400, params={"at": "soon"}))["code"] == "invalid_moment"
    await desk.ask("GET", f"{url}/state", 404, params={"at": unknown})
    await desk.ask("GET", f"{url}/compare", 400, params={"from": unknown})
    await desk.ask("GET", f"{url}/compare", 404, params={"from": unknown, "to": unknown})
    await desk.ask("POST", f"{url}/restore", 400, json={"at": "soon"})
    await desk.ask("POST", f"{url}/restore", 404, json={"at": unknown})


async def test_what_does_not_exist_has_no_history(desk: Desk) -> None:
    unknown = "00000000-0000-4000-8000-00000000dead"
    await desk.ask("GET", f"{HISTORY}/dictionaries.entry/{unknown}", 404)
    await desk.ask("GET", f"{HISTORY}/dictionaries.entry/me", 404)
    await desk.ask("GET", f"{HISTORY}/no.such.kind/{unknown}", 404)


async def test_another_tenants_record_has_no_history_here(
    client: httpx.AsyncClient, desk: Desk, make_tenant: MakeTenant
) -> None:
    _, entry, history = await _three_names(desk)
    other = Desk(client, (await make_tenant()).admin)
    url, at = f"{HISTORY}/dictionaries.entry/{entry}", history[0]["id"]
    await other.ask("GET", url, 404)
    await other.ask("GET", f"{url}/state", 404, params={"at": at})
    await other.ask("POST", f"{url}/restore", 404, json={"at": at})
    own = f"{HISTORY}/dictionaries.dictionary/{await other.dictionary()}/state"
    await other.ask("GET", own, 404, params={"at": at})


async def test_the_features_of_the_record_count(
    client: httpx.AsyncClient, desk: Desk, tenant: Tenant
) -> None:
    _, entry, history = await _three_names(desk)
    employee = Desk(client, tenant.employee)
    role = str(tenant.employee.scope.role_ids[0])
    refused = await employee.ask("GET", f"{HISTORY}/auth.role/{role}", 403)
    assert refused["error"]
    assert await employee.history("dictionaries.entry", entry) == []  # the actions are another's
    url = f"{HISTORY}/dictionaries.entry/{entry}"
    await employee.ask("GET", f"{url}/state", 403, params={"at": history[0]["id"]})
    await employee.ask("POST", f"{url}/restore", 403, json={"at": history[0]["id"]})
