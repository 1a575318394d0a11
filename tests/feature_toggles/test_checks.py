"""Checks: what they answer, and that they answer it from memory (contract: feature-toggles.md section 4)."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from app.database import Database
from app.main import Application, create_app
from app.settings import Settings
from tests.conftest import MakeTenant
from tests.feature_toggles.conftest import Board, fresh, operation_of


async def test_given_a_boolean_toggle_then_the_answer_has_both_forms(board: Board) -> None:
    id, identifier = await board.make("boolean", True)
    found = {
        "valueType": "boolean",
        "value": True,
        "source": "default",
        "toggleId": id,
        "identifier": identifier,
        "tenantId": str(board.tenant.id),
    }
    assert (await board.check(identifier)).json() == {
        "enabled": True,
        "ok": True,
        **found,
        "resolution": found,
    }


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", "héllo"),
        ("string", ""),
        ("number", 42.5),
        ("number", -7),
        ("json", None),
        ("json", [1, {"a": None}]),
        ("json", "text"),
    ],
)
async def test_given_a_value_of_the_type_then_it_is_answered(board: Board, kind: str, value: Any) -> None:
    _, identifier = await board.make(kind, value)
    answer = await board.check(identifier, kind)
    assert answer.status_code == 200
    assert (answer.json()["value"], answer.json()["valueType"]) == (value, kind)
    assert "enabled" not in answer.json()


@pytest.mark.parametrize(
    ("kind", "value"),
    [("boolean", "yes"), ("boolean", None), ("string", 1), ("number", True), ("number", "1")],
)
async def test_given_a_value_of_another_type_then_400(board: Board, kind: str, value: Any) -> None:
    _, identifier = await board.make(kind, value)
    answer = await board.check(identifier, kind)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_VALUE")


async def test_given_another_type_or_no_toggle_then_the_refusal_says_so(board: Board) -> None:
    _, identifier = await board.make("string", "x")
    answer = await board.check(identifier, "boolean")
    body = answer.json()
    assert answer.status_code == 400
    assert {
        key: body[key] for key in ("ok", "code", "expectedType", "actualType", "source", "identifier")
    } == {
        "ok": False,
        "code": "TYPE_MISMATCH",
        "expectedType": "boolean",
        "actualType": "string",
        "source": "default",
        "identifier": identifier,
    }
    assert isinstance(body["error"], str)
    missing = await board.check("no_such_toggle", "number")
    assert missing.status_code == 404
    assert missing.json()["code"] == "MISSING_TOGGLE"
    assert missing.json()["resolution"] == {
        "valueType": "boolean",
        "value": None,
        "source": "missing",
        "toggleId": "",
        "identifier": "no_such_toggle",
        "tenantId": str(board.tenant.id),
    }
    assert (await board.check("Not an identifier" * 50)).status_code == 404
    assert (await board.get("/feature_toggles/check/json")).status_code == 400
    assert (await board.get("/feature_toggles/check/json", identifier="")).status_code == 400
    assert (await board.client.get("/feature_toggles/check/json?identifier=x")).status_code == 401
    polish = await board.check(identifier, "boolean", more={"accept-language": "pl"})
    assert polish.json()["error"] != body["error"]


async def test_given_changes_then_the_next_check_sees_each_at_once(board: Board) -> None:
    id, identifier = await board.make("boolean", True)
    assert await board.value(identifier) == (True, "default")
    await board.override(id, overrideValue=False)
    assert await board.value(identifier) == (False, "override")
    cleared = await board.override(id, isOverride=False)
    assert await board.value(identifier) == (True, "default")
    await board.undo(cleared, board.tenant.admin)
    assert await board.value(identifier) == (False, "override")
    await board.redo(operation_of(cleared)["id"], board.tenant.admin)
    renamed = fresh()
    moved = await board.put(id, identifier=renamed, defaultValue=False)
    assert (await board.check(identifier)).status_code == 404
    assert await board.value(renamed) == (False, "default")
    await board.undo(moved)
    assert await board.value(identifier) == (True, "default")
    assert (await board.check(renamed)).status_code == 404
    gone = await board.delete(id)
    assert (await board.check(identifier)).status_code == 404
    await board.undo(gone)
    assert await board.value(identifier) == (True, "default")


async def test_given_other_tenants_then_a_changed_definition_reaches_them_at_once(
    board: Board, make_tenant: MakeTenant
) -> None:
    id, identifier = await board.make("number", 1)
    there = await make_tenant()
    for by in (board.tenant.employee, there.employee):
        assert await board.value(identifier, "number", by) == (1, "default")
    await board.put(id, defaultValue=2)
    for by in (board.tenant.employee, there.employee):
        assert await board.value(identifier, "number", by) == (2, "default")


@contextmanager
def resolutions(database: Database) -> Iterator[list[str]]:
    """The statements, run inside, that look a toggle up."""
    found: list[str] = []

    def note(record: Any) -> None:
        if "feature_toggle_named" in record.query:
            found.append(record.query)

    database.log_queries(note)
    yield found
    database.stop_logging(note)


async def test_given_repeated_checks_then_the_database_is_asked_once_for_missing_ones_too(
    board: Board, database: Database
) -> None:
    _, identifier = await board.make("boolean", True)
    nothing = fresh("missing")
    await board.check(fresh("warm"))
    with resolutions(database) as asked:
        for _ in range(5):
            assert (await board.check(identifier)).status_code == 200
            assert (await board.check(nothing)).status_code == 404
        await asyncio.sleep(0.01)  # the driver tells its loggers a moment later
        assert len(asked) == 2
        await board.check("Impossible Name")
        await board.check("x" * 400)
        await asyncio.sleep(0.01)
        assert len(asked) == 3, "what can be no identifier is one question"


async def test_given_the_kill_switch_then_each_check_asks_the_database(
    board: Board, settings: Settings, target: Any
) -> None:
    _, identifier = await board.make("boolean", True)
    chosen = settings.model_copy(update={"toggles_uncached": True})
    running = Application(chosen, Database(target))
    transport = httpx.ASGITransport(create_app(chosen, running))
    async with httpx.AsyncClient(transport=transport, base_url="http://backstep.test") as client:
        other = Board(client, board.tenant)
        await other.check(identifier)
        with resolutions(running.database) as asked:
            for _ in range(3):
                assert await other.value(identifier) == (True, "default")
            await asyncio.sleep(0.01)  # the driver tells its loggers a moment later
            assert len(asked) == 3
    await running.database.close()


@pytest.fixture
async def second(settings: Settings, target: Any) -> AsyncIterator[Application]:
    """A second process of the installation, as far as its memory goes."""
    running = Application(settings, Database(target))
    await running.start()
    yield running
    await running.stop()


async def test_given_two_processes_then_the_other_one_forgets_at_once(
    board: Board, second: Application
) -> None:
    id, identifier = await board.make("number", 1)
    tenant_id = board.tenant.id
    async with asyncio.timeout(15):
        while second.relay.seconds_since_heard() is None:
            await asyncio.sleep(0.01)

    async def seen(there: Any) -> float:
        """Seconds until the second process answers the value."""
        started = asyncio.get_running_loop().time()
        async with asyncio.timeout(10):
            while await second.toggles.value(tenant_id, identifier) != there:
                await asyncio.sleep(0.002)
        return asyncio.get_running_loop().time() - started

    assert await second.toggles.value(tenant_id, identifier) == 1
    for value in (2, 3, 4):
        await board.put(id, defaultValue=value)
        assert await seen(value) < 2, "long before the minute is over"
    await board.override(id, overrideValue=5)
    assert await seen(5) < 2
    assert await second.toggles.value(tenant_id, fresh("none"), "fallback") == "fallback"
