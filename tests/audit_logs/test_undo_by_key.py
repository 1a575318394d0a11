"""Custom fields are taken back one by one: what others did to other fields of the record stays."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.database import Database
from app.main import Application
from commands.bus import Bus
from commands.entities.custom_entities import UpsertEntity
from commands.entities.definitions import UpsertDefinition
from commands.records import CreateRecord, UpdateRecord
from commands.undo_many import UndoMany
from domain.errors import Problem
from domain.scope import Scope
from tests.audit_logs.conftest import operation_of
from tests.audit_logs.test_history import HISTORY, Desk
from tests.conftest import Tenant, new_tenant
from tests.encryption.conftest import define, stored
from tests.heart.proofs import assert_proven

ACTIONS = "/audit_logs/audit-logs/actions"
ENTITY = "user:thing"


class Shelf:
    """One record of a custom entity, and two people who edit it."""

    def __init__(self, one: Desk, other: Desk, database: Database) -> None:
        self.one = one
        self.other = other
        self.database = database
        self.id = str(uuid4())

    async def put(self, who: Desk, correlation: str | None = None, **values: Any) -> str:
        """Set values, the others stay; the undo token."""
        return await self._send(who, "PUT", correlation, values)

    async def post(self, who: Desk, correlation: str | None = None, **values: Any) -> str:
        """Set values, there are no others then; the undo token."""
        return await self._send(who, "POST", correlation, values)

    async def delete(self, who: Desk, correlation: str) -> None:
        """Delete the record."""
        body = {"entityId": ENTITY, "recordId": self.id}
        headers = {"x-correlation-id": correlation}
        await who.ask("DELETE", "/entities/records", json=body, headers=headers)

    async def _send(self, who: Desk, method: str, correlation: str | None, values: dict[str, Any]) -> str:
        headers = who.headers | ({"x-correlation-id": correlation} if correlation else {})
        body = {"entityId": ENTITY, "recordId": self.id, "values": values}
        answer = await who.client.request(method, "/entities/records", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return str(operation_of(answer)["undoToken"])

    async def undo(self, token: str, status: int = 200) -> dict[str, Any]:
        """Take an action back."""
        return dict(await self.one.ask("POST", f"{ACTIONS}/undo", status, json={"undoToken": token}))

    async def redo(self, log_id: str, status: int = 200) -> dict[str, Any]:
        """Put it forward again."""
        return dict(await self.one.ask("POST", f"{ACTIONS}/redo", status, json={"logId": log_id}))

    async def undo_many(self, status: int = 200, **body: Any) -> dict[str, Any]:
        """Take back several."""
        return dict(await self.one.ask("POST", f"{ACTIONS}/undo-many", status, json=body))

    async def values(self) -> dict[str, Any]:
        """What the record holds."""
        query = {"entityId": ENTITY, "id": self.id}
        (item,) = (await self.one.ask("GET", "/entities/records", params=query))["items"]
        found: dict[str, Any] = msgspec.json.decode(await self.held())
        return {key: item[key] for key in found}

    async def held(self, what: str = "custom_fields") -> str:
        """Its column, or a part of it, as text."""
        async with self.database.system() as connection:
            sql = f"select ({what})::text from entity_records where id = $1::uuid"
            return str(await connection.fetchval(sql, self.id))

    async def actions(self) -> list[dict[str, Any]]:
        """Its history, oldest first."""
        return (await self.one.history("entities.record", self.id, pageSize=200))[::-1]


@pytest.fixture
async def shelf(client: httpx.AsyncClient, tenant: Tenant, database: Database) -> Shelf:
    """A record with two values, edited by the administrator and the super admin."""
    one, other = Desk(client, tenant.admin), Desk(client, tenant.superadmin)
    await one.ask("POST", "/entities/entities", json={"entityId": ENTITY, "label": "Thing"})
    for key, kind in (("name", "text"), ("note", "text"), ("size", "integer")):
        body = {"entityId": ENTITY, "key": key, "kind": kind, "configJson": {"label": key}}
        await one.ask("POST", "/entities/definitions", json=body)
    made = Shelf(one, other, database)
    await made.post(one, name="a", size=1)
    return made


async def test_an_edit_of_one_field_is_taken_back_after_another_was_edited(
    shelf: Shelf, application: Application, tenant: Tenant
) -> None:
    first = await shelf.put(shelf.one, name="b")
    second = await shelf.put(shelf.other, size=2)
    undone = await shelf.undo(first)
    assert await shelf.values() == {"name": "a", "size": 2}
    action = (await shelf.actions())[-1]
    assert action["changes"] == {"cf_name": {"from": "b", "to": "a"}}
    assert (action["snapshotBefore"]["cf_size"], action["snapshotAfter"]["cf_size"]) == (2, 2)
    await shelf.undo(second)
    assert await shelf.values() == {"name": "a", "size": 1}
    await shelf.redo((await shelf.actions())[2]["id"])
    assert await shelf.values() == {"name": "a", "size": 2}
    await shelf.redo(undone["logId"])
    assert await shelf.values() == {"name": "b", "size": 2}
    await assert_proven(application, tenant.id)


async def test_the_later_edit_is_taken_back_first_as_well(shelf: Shelf) -> None:
    await shelf.put(shelf.one, name="b")
    token = await shelf.put(shelf.other, size=2)
    await shelf.put(shelf.one, note="n")
    await shelf.undo(token)
    assert await shelf.values() == {"name": "b", "size": 1, "note": "n"}


async def test_an_index_entry_follows_the_key_that_was_set_back(shelf: Shelf) -> None:
    first = await shelf.put(shelf.one, name="b")
    await shelf.put(shelf.other, size=2)
    await shelf.undo(first)
    for name, count in (("a", 1), ("b", 0)):
        query = {"entityId": ENTITY, "name": name, "size": "2"}
        assert len((await shelf.one.ask("GET", "/entities/records", params=query))["items"]) == count


async def test_the_same_key_stands_in_the_way_and_its_action_is_named(shelf: Shelf) -> None:
    first = await shelf.put(shelf.one, name="b", note="n")
    await shelf.put(shelf.other, name="c")
    newest = await shelf.put(shelf.other, size=2)
    refused = await shelf.undo(first, 400)
    actions = await shelf.actions()
    assert (refused["code"], refused["changedFields"]) == ("changed_since", ["cf_name"])
    assert refused["changedBy"]["logId"] == actions[2]["id"]
    assert await shelf.values() == {"name": "c", "note": "n", "size": 2}
    await shelf.undo(newest)
    assert (await shelf.undo(first, 400))["changedFields"] == ["cf_name"]


async def test_a_redo_meets_the_same_guard(shelf: Shelf) -> None:
    token = await shelf.put(shelf.one, name="b")
    undone = await shelf.undo(token)
    await shelf.put(shelf.other, size=3)
    await shelf.put(shelf.other, name="c")
    refused = await shelf.redo(undone["logId"], 400)
    assert (refused["code"], refused["changedFields"]) == ("changed_since", ["cf_name"])


async def test_a_key_that_was_added_goes_and_one_that_was_removed_comes_back(
    shelf: Shelf, application: Application, tenant: Tenant
) -> None:
    added = await shelf.put(shelf.one, note=None)
    await shelf.put(shelf.other, size=5)
    assert (await shelf.values())["note"] is None
    await shelf.undo(added)
    assert await shelf.values() == {"name": "a", "size": 5}
    removed = await shelf.post(shelf.one, size=5)
    await shelf.put(shelf.other, note="n")
    assert await shelf.values() == {"size": 5, "note": "n"}
    await shelf.undo(removed)
    assert await shelf.values() == {"name": "a", "size": 5, "note": "n"}
    await assert_proven(application, tenant.id)


async def test_null_and_absent_are_not_the_same(shelf: Shelf) -> None:
    nulled = await shelf.put(shelf.one, name=None)
    await shelf.post(shelf.other, size=1)
    assert (await shelf.undo(nulled, 400))["changedFields"] == ["cf_name"]
    again = await shelf.post(shelf.one, size=1, name="z")
    await shelf.undo(again)
    assert await shelf.values() == {"size": 1}


async def test_a_column_beside_the_values_is_guarded_as_a_whole(shelf: Shelf) -> None:
    """A creation is taken back only when no key was added since."""
    other = Shelf(shelf.one, shelf.other, shelf.database)
    made = await other.post(other.one)
    await other.put(other.other, note="n")
    refused = await other.undo(made, 400)
    assert (refused["code"], refused["changedFields"]) == ("changed_since", ["cf_note"])


async def test_sealed_keys_are_taken_back_as_tokens(
    shelf: Shelf, tenant: Tenant, application: Application
) -> None:
    shelf.one.client.headers.update(tenant.admin.headers)
    await define(shelf.one.client, ENTITY, "name", encrypted=True)
    shelf.id = str(uuid4())
    await shelf.post(shelf.one, name="secret one", size=1)
    first = await shelf.held("custom_fields ->> 'name'")
    assert "secret" not in first
    token = await shelf.put(shelf.one, name="secret two")
    await shelf.put(shelf.other, size=2)
    await shelf.undo(token)
    assert await shelf.values() == {"name": "secret one", "size": 2}
    assert await shelf.held("custom_fields ->> 'name'") == first
    again = await shelf.put(shelf.one, name="secret three")
    await shelf.put(shelf.other, name="secret four")
    assert (await shelf.undo(again, 400))["code"] == "changed_since"
    await assert_proven(application, tenant.id)


async def test_what_many_deleted_comes_back_sealed_when_its_field_is_encrypted_now(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, application: Application
) -> None:
    client.headers.update(tenant.admin.headers)
    desk = Desk(client, tenant.admin)
    path = f"/dictionaries/{await desk.dictionary('colors')}/entries"
    body = {"value": "red", "cf_name": "plain text", "cf_size": 1}
    entry = (await desk.ask("POST", path, 201, json=body))["id"]
    await desk.ask("DELETE", f"{path}/{entry}", headers={"x-correlation-id": "import-7"})
    await define(client, "dictionaries:dictionary_entry", "name", encrypted=True)
    await desk.ask("POST", f"{ACTIONS}/undo-many", json={"filter": {"correlationId": "import-7"}})
    held = await stored(database, tenant, "dictionary_entries", "custom_fields::text", entry)
    assert "plain text" not in held and msgspec.json.decode(held)["size"] == 1
    (item,) = (await desk.ask("GET", path))["items"]
    assert (item["cf_name"], item["cf_size"]) == ("plain text", 1)
    await assert_proven(application, tenant.id)


async def test_many_are_taken_back_by_key(shelf: Shelf, application: Application, tenant: Tenant) -> None:
    await shelf.put(shelf.one, "import-7", name="b", note="n")
    await shelf.put(shelf.other, size=2)
    await shelf.put(shelf.one, "import-7", name="c")
    done = await shelf.undo_many(filter={"correlationId": "import-7"})
    assert (done["total"], done["rows"]) == (2, 1)
    assert await shelf.values() == {"name": "a", "size": 2}
    await shelf.put(shelf.other, size=3)
    undone = await shelf.undo(done["undoToken"])
    assert await shelf.values() == {"name": "c", "note": "n", "size": 3}
    await shelf.redo(undone["logId"])
    assert await shelf.values() == {"name": "a", "size": 3}
    await assert_proven(application, tenant.id)


async def test_many_meet_the_same_key_between_and_after(shelf: Shelf) -> None:
    await shelf.put(shelf.one, "import-7", name="b", note="n")
    await shelf.put(shelf.other, name="x")
    await shelf.put(shelf.other, size=2)
    after = await shelf.undo_many(409, filter={"correlationId": "import-7"})
    await shelf.put(shelf.one, "import-7", name="c")
    between = await shelf.undo_many(409, filter={"correlationId": "import-7"})
    for refused in (after, between):
        (obstacle,) = refused["blocked"]
        assert obstacle["changedFields"] == ["cf_name"]
        assert obstacle["changedBy"]["logId"] == (await shelf.actions())[2]["id"]


async def test_a_record_that_many_deleted_comes_back_with_what_others_wrote(shelf: Shelf) -> None:
    await shelf.put(shelf.one, "import-7", name="b")
    await shelf.put(shelf.other, size=2)
    await shelf.delete(shelf.one, "import-7")
    await shelf.undo_many(filter={"correlationId": "import-7"})
    assert await shelf.values() == {"name": "a", "size": 2}


async def test_a_record_that_many_made_stays_when_others_wrote_to_it(shelf: Shelf) -> None:
    made = Shelf(shelf.one, shelf.other, shelf.database)
    await made.post(made.one, "import-7")
    await made.put(made.one, "import-7", name="b")
    await made.put(made.other, size=2)
    refused = await made.undo_many(409, filter={"correlationId": "import-7"})
    assert refused["blocked"][0]["changedFields"] == ["cf_size"]


async def test_going_back_to_a_moment_is_taken_back_by_key(
    shelf: Shelf, application: Application, tenant: Tenant
) -> None:
    start = (await shelf.actions())[0]["id"]
    await shelf.put(shelf.one, name="b", note="n")
    url = f"{HISTORY}/entities.record/{shelf.id}"
    restored = await shelf.one.ask("POST", f"{url}/restore", json={"at": start})
    assert await shelf.values() == {"name": "a", "size": 1}
    await shelf.put(shelf.other, size=9)
    await shelf.undo(restored["undoToken"])
    assert await shelf.values() == {"name": "b", "note": "n", "size": 9}
    await assert_proven(application, tenant.id)


# The same against a model

Values = dict[str, Any]
Edit = tuple[bool, Values]
_VALUES = st.dictionaries(st.sampled_from("abcd"), st.sampled_from([None, 0, 1, "1", True]), max_size=3)
_EDITS = st.lists(st.tuples(st.booleans(), _VALUES), min_size=1, max_size=8)


def _model(states: Sequence[Values], chosen: Sequence[int]) -> Values | None:
    """What the record holds after the edits `chosen` are taken back; None where something stands in the way.

    `states` has the record before the first edit and after each. An edit changed the keys that differ before and after.
    """
    now, missing = states[-1], object()
    result = dict(now)
    keys = {key for state in states for key in state}
    for key in keys:
        of_key = [state.get(key, missing) for state in states]
        sames = [_same(of_key[n], of_key[n + 1]) for n in range(len(states) - 1)]
        own = [n for n in chosen if not sames[n]]
        if not own:
            continue
        for earlier, later in pairwise(own):
            if not _same(of_key[earlier + 1], of_key[later]):
                return None
        if not _same(of_key[own[-1] + 1], of_key[-1]):
            return None
        result.pop(key, None)
        if of_key[own[0]] is not missing:
            result[key] = of_key[own[0]]
    return result


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


@given(edits=_EDITS, data=st.data())
@settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
async def test_any_edits_are_taken_back_as_a_model_says(
    application: Application, edits: list[Edit], data: st.DataObject
) -> None:
    """Given some edits of a record, When any of them are taken back, Then their keys go back and no others."""
    scope = await _scope(application)
    bus, id = application.bus, uuid4()
    states: list[Values] = [{}]
    await bus.execute(CreateRecord(entity_id=ENTITY, record_id=str(id)), scope)
    logs: list[tuple[int, UUID]] = []
    for whole, values in edits:
        form = CreateRecord if whole else UpdateRecord
        outcome = await bus.execute(form(entity_id=ENTITY, record_id=str(id), values=values), scope)
        states.append(dict(values) if whole else {**states[-1], **values})
        if outcome.log is not None:
            logs.append((len(states) - 2, outcome.log.id))
    if not logs:
        return
    chosen = data.draw(st.lists(st.sampled_from(logs), min_size=1, unique=True).map(sorted))
    expected = _model(states, [n for n, _ in chosen])
    found = await _undo(bus, scope, [log_id for _, log_id in chosen])
    async with application.database.read(scope.tenant_id) as connection:
        text = await connection.fetchval("select custom_fields::text from entity_records where id = $1", id)
    held: Values = msgspec.json.decode(text)
    assert found == (expected is not None)
    wanted = states[-1] if expected is None else expected
    assert held.keys() == wanted.keys() and all(_same(held[key], wanted[key]) for key in wanted)


_scopes: dict[int, Scope] = {}


async def _scope(application: Application) -> Scope:
    """Of a tenant with a custom entity that has the fields of the model."""
    if id(application) not in _scopes:
        scope = (await new_tenant(application)).admin.scope
        await application.bus.execute(UpsertEntity(entity_id=ENTITY, label="Thing"), scope)
        for key in "abcd":
            await application.bus.execute(UpsertDefinition(entity_id=ENTITY, key=key, kind="text"), scope)
        _scopes[id(application)] = scope
    return _scopes[id(application)]


async def _undo(bus: Bus, scope: Scope, log_ids: list[UUID]) -> bool:
    try:
        await bus.execute(UndoMany(log_ids=log_ids), scope)
    except Problem as problem:
        if problem.code == "nothing_to_undo":
            return True  # they cancel each other out
        assert (problem.status, problem.code) == (409, "undo_many_blocked"), problem.body
        return False
    return True
