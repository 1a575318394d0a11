"""Taking back many actions beside others: whom it stops, what can be seen of it, and what it finds in the end."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest
from msgspec.structs import replace

from app import undo_progress
from app.database import Database
from app.main import Application
from commands import spill, undo_net
from commands.batch import Batch, Step
from commands.progress import listening
from commands.undo_many import UndoFilter, UndoMany
from domain.errors import Problem
from tests.audit_logs.test_history import Desk
from tests.audit_logs.test_undo_by_key import ENTITY
from tests.audit_logs.test_undo_many import ACTIONS, entries, imported, undo_many
from tests.conftest import MakeTenant, Person, Tenant
from tests.heart.proofs import assert_proven

PATH = f"{ACTIONS}/undo-many"
IMPORT = {"filter": {"correlationId": "import-7"}}


@pytest.fixture
def desk(client: httpx.AsyncClient, tenant: Tenant) -> Desk:
    """The administrator's."""
    return Desk(client, tenant.admin)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test need not wait until a run is worth telling of."""
    monkeypatch.setattr(undo_progress, "_BEAT_SECONDS", 0.05)


async def running(desk: Desk) -> list[dict[str, Any]]:
    """What is under way, as a person sees it."""
    return list((await desk.ask("GET", PATH))["items"])


async def in_phase(desk: Desk, phase: str) -> dict[str, Any]:
    """The run of the tenant, once it has come to a phase."""
    async with asyncio.timeout(30):
        while True:
            for run in await running(desk):
                if run["phase"] == phase:
                    return run
            await asyncio.sleep(0.05)


async def test_a_preview_waits_for_no_writer_and_stops_none(
    desk: Desk, database: Database, tenant: Tenant
) -> None:
    dictionary = await imported(desk, 3)
    writer = await database.begin(tenant.id, "test")  # it has the tenant's lock
    try:
        async with asyncio.timeout(30):
            plan = await undo_many(desk, dry=True, **IMPORT)
    finally:
        await writer.rollback()
    assert (plan["ok"], plan["total"], plan["rows"]) == (True, 7, 2)
    assert len(await entries(desk, dictionary)) == 2


async def test_a_run_is_seen_by_those_who_may_from_outside_of_its_transaction(
    desk: Desk, database: Database, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    dictionary = await imported(desk, 3)
    stranger, employee = Desk(desk.client, (await make_tenant()).admin), Desk(desk.client, tenant.employee)
    writer = await database.begin(tenant.id, "test")
    try:
        asked = asyncio.create_task(undo_many(desk, **IMPORT))
        run = await in_phase(desk, "waiting")
        assert (run["actorUserId"], run["dryRun"]) == (str(tenant.admin.id), False)
        assert (run["done"], run["total"]) == (0, 7)
        assert await running(Desk(desk.client, tenant.superadmin)) == [run]
        assert await running(stranger) == await running(employee) == []
    finally:
        await writer.rollback()
    assert (await asked)["total"] == 7
    assert await running(desk) == [] and await entries(desk, dictionary) == []


async def test_a_run_that_is_silent_is_taken_for_dead(
    desk: Desk, database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = (
        "insert into undo_runs (tenant_id, id, actor_user_id, dry_run, phase, done, created_at, updated_at)"
        " select $1, gen_random_uuid(), $2, false, 'going_back', 1, t, t"
        " from unnest(array[now() - interval '31 s', now() - interval '2 h', now()]) t"
    )
    async with database.system() as connection:
        await connection.execute(sql, tenant.id, tenant.admin.id)
    assert len(await running(desk)) == 1
    monkeypatch.setattr(undo_progress, "_BEAT_SECONDS", 0.0)
    await imported(desk, 1)
    await undo_many(desk, **IMPORT)
    async with database.system() as connection:
        count = "select count(*) from undo_runs where tenant_id = $1"
        assert await connection.fetchval(count, tenant.id) == 2


async def test_what_others_did_while_it_waited_counts(
    desk: Desk, database: Database, tenant: Tenant, application: Application
) -> None:
    """Given a run that waits, When others take one of its actions back and add another, Then it has what is left."""
    dictionary = await imported(desk, 2)
    path = f"/dictionaries/{dictionary}/entries"
    items = (await desk.ask("GET", ACTIONS))["items"]
    newest = next(one for one in items if one["commandId"] == "dictionaries.entries.update")
    writer = await database.begin(tenant.id, "test")
    try:
        headers = {"x-correlation-id": "import-7"}
        before = [
            asyncio.create_task(desk.ask("POST", f"{ACTIONS}/undo", json={"undoToken": newest["undoToken"]})),
            asyncio.create_task(
                desk.ask("POST", path, 201, json={"value": "late", "label": "late"}, headers=headers)
            ),
        ]
        await asyncio.sleep(0.3)  # they wait for the lock, in this order
        asked = asyncio.create_task(undo_many(desk, **IMPORT))
        assert (await in_phase(desk, "waiting"))["total"] == 4
    finally:
        await writer.rollback()
    await asyncio.gather(*before)
    done = await asked
    assert (done["total"], done["rows"]) == (4, 3)
    assert newest["id"] not in {one["logId"] for one in done["actions"]}
    assert await entries(desk, dictionary) == []
    await assert_proven(application, tenant.id)


async def test_the_phases_are_told_in_order_with_counts(
    desk: Desk, application: Application, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo_net, "CHUNK", 2)
    await imported(desk, 9)
    heard: list[tuple[str, int, int | None]] = []
    with listening(lambda *told: heard.append(told)):
        await application.bus.execute(
            UndoMany(filter=UndoFilter(correlation_id="import-7")), tenant.admin.scope
        )
    assert list(dict.fromkeys(phase for phase, _, _ in heard)) == [
        *("choosing", "comparing", "waiting", "going_back", "checking", "recording")
    ]
    assert [(done, total) for phase, done, total in heard if phase == "going_back"] == [
        (2, 6),
        (4, 6),
        (6, 6),
    ]


async def test_records_of_custom_entities_are_put_down_piece_by_piece(
    desk: Desk, application: Application, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their table has a guard, which is asked of each piece: memory stays bounded."""
    monkeypatch.setattr(spill, "HELD", 50)
    monkeypatch.setattr(undo_net, "CHUNK", 20)
    await desk.ask("POST", "/entities/entities", json={"entityId": ENTITY, "label": "Thing"})
    body = {"entityId": ENTITY, "key": "name", "kind": "text", "configJson": {}}
    await desk.ask("POST", "/entities/definitions", json=body)
    made = await application.bus.execute(_records(120), tenant.admin.scope)
    assert made.log is not None
    most = 0
    noted = spill.Unit.note

    def counted(unit: Any, *args: Any) -> Any:
        nonlocal most
        found = noted(unit, *args)
        most = max(most, len(unit.changes))
        return found

    monkeypatch.setattr(spill.Unit, "note", counted)
    done = await undo_many(desk, logIds=[str(made.log.id)])
    assert done["rows"] == 120 and most < 100
    undo = await desk.ask("POST", f"{ACTIONS}/undo", json={"undoToken": done["undoToken"]})
    assert undo["ok"]
    await assert_proven(application, tenant.id)


async def test_a_guard_of_pieces_refuses_all_of_it(
    desk: Desk, application: Application, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill, "HELD", 50)
    monkeypatch.setattr(undo_net, "CHUNK", 20)
    body = {"entityId": ENTITY, "label": "Thing", "accessRestricted": True}
    await Desk(desk.client, tenant.superadmin).ask("POST", "/entities/entities", json=body)
    field = {"entityId": ENTITY, "key": "name", "kind": "text", "configJson": {}}
    await desk.ask("POST", "/entities/definitions", json=field)
    made = await application.bus.execute(_records(120), tenant.superadmin.scope)
    assert made.log is not None
    with pytest.raises(Problem) as refused:
        await application.bus.execute(UndoMany(log_ids=[made.log.id]), _without_records(tenant.admin))
    assert refused.value.status == 403
    async with application.database.read(tenant.id) as connection:
        assert await connection.fetchval("select count(*) from entity_records") == 120


def _records(count: int) -> Batch:
    values = [
        {"entityId": ENTITY, "recordId": str(uuid4()), "values": {"name": f"n{n}"}} for n in range(count)
    ]
    return Batch(commands=[Step(command="entities.records.create", input=value) for value in values])


def _without_records(person: Person) -> Any:
    """The scope of somebody who may undo anything, but not touch restricted records."""
    return replace(person.scope, features=("audit_logs.*", "entities.records.manage"))
