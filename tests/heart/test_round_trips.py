"""How often a request asks the database. Every statement is a round trip; these counts are promises."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from app.main import Application
from tests.conftest import Tenant
from tests.heart.requests import holdings_of

UNDO_AT_MOST = 6
"""BEGIN, what is undone and may it, the rows, the log, COMMIT; and the optimistic look at nothing else."""


class Statements:
    """The statements that were sent since it was last cleared."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, query: Any) -> None:
        self.texts.append(" ".join(query.query.split())[:90])

    async def of(self, request: Callable[[], Awaitable[httpx.Response]], status: int = 200) -> list[str]:
        """What one request sends when everything about it is warm (statements prepared, identity known)."""
        for _ in range(2):
            await self.forget()
            answer = await request()
            assert answer.status_code == status, answer.text
        return await self.sent()

    async def sent(self) -> list[str]:
        """What was sent; the driver tells of a statement a moment after its answer."""
        await asyncio.sleep(0.01)
        return list(self.texts)

    async def forget(self) -> None:
        """Start anew."""
        await self.sent()
        self.texts.clear()


@pytest.fixture
async def statements(application: Application) -> AsyncIterator[Statements]:
    """Counts statements while nothing else is at work."""
    await application.relay.stop()
    await application.jobs.stop()
    counted = Statements()
    application.database.log_queries(counted)
    yield counted
    application.database.stop_logging(counted)
    await application.relay.start()
    await application.jobs.start()


@pytest.fixture
async def ids(application: Application, tenant: Tenant) -> dict[str, str]:
    return dict((await holdings_of(application.bus, tenant)).ids)


@pytest.fixture
async def signed_in(client: httpx.AsyncClient, tenant: Tenant) -> httpx.AsyncClient:
    client.headers.update(tenant.admin.headers)
    return client


def counter() -> Callable[[], int]:
    """Gives 1, 2, 3 …"""
    numbers = iter(range(1, 1000))
    return lambda: next(numbers)


async def test_an_update_takes_three_round_trips_begin_and_commit_included(
    statements: Statements, signed_in: httpx.AsyncClient, ids: dict[str, str]
) -> None:
    number, url = counter(), "/dictionaries/{dictionaryId}/entries/{entryId}".format_map(ids)
    sent = await statements.of(lambda: signed_in.patch(url, json={"label": f"label {number()}"}))
    assert len(sent) == 3, sent
    assert sent[0].startswith("begin;") and sent[-1].startswith("execute")


async def test_a_creation_takes_three_round_trips(
    statements: Statements, signed_in: httpx.AsyncClient, ids: dict[str, str]
) -> None:
    number, url = counter(), "/dictionaries/{dictionaryId}/entries".format_map(ids)
    sent = await statements.of(lambda: signed_in.post(url, json={"value": f"value {number()}"}), 201)
    assert len(sent) == 3, sent


async def test_a_deletion_takes_three_round_trips(
    statements: Statements, signed_in: httpx.AsyncClient, ids: dict[str, str]
) -> None:
    url = "/dictionaries/{dictionaryId}/entries".format_map(ids)
    doomed = [(await signed_in.post(url, json={"value": f"doomed {n}"})).json()["id"] for n in range(2)]
    sent = await statements.of(lambda: signed_in.delete(f"{url}/{doomed.pop()}"))
    assert len(sent) == 3, sent


async def test_a_change_that_is_none_takes_three_round_trips(
    statements: Statements, signed_in: httpx.AsyncClient, ids: dict[str, str]
) -> None:
    url = "/dictionaries/{dictionaryId}/entries/{entryId}".format_map(ids)
    sent = await statements.of(lambda: signed_in.patch(url, json={"label": "the same"}))
    assert len(sent) == 3 and sent[-1] == "rollback", sent


@pytest.mark.parametrize(
    "path",
    [
        "/dictionaries",
        "/dictionaries/{dictionaryId}",
        "/dictionaries/{dictionaryId}/entries",
        "/dictionaries/{dictionaryId}/entries?page=1&pageSize=50",
        "/dictionaries/{dictionaryId}/entries?page=2&pageSize=50&search=zwi",
        "/audit_logs/audit-logs/actions",
        "/audit_logs/audit-logs/actions?pageSize=50&page=1&resourceKind=dictionaries.entry",
        "/audit_logs/audit-logs/access",
    ],
)
async def test_a_list_takes_at_most_two_round_trips(
    statements: Statements, signed_in: httpx.AsyncClient, ids: dict[str, str], path: str
) -> None:
    url = path.format_map(ids)
    sent = await statements.of(lambda: signed_in.get(url))
    assert 1 <= len(sent) <= 2, sent


async def test_undo_and_redo_take_few_round_trips(
    statements: Statements, signed_in: httpx.AsyncClient, ids: dict[str, str]
) -> None:
    url = "/dictionaries/{dictionaryId}/entries/{entryId}".format_map(ids)
    actions = "/audit_logs/audit-logs/actions"
    for turn in range(2):
        await signed_in.patch(url, json={"label": f"label {turn}"})
        newest = (await signed_in.get(actions, params={"undoableOnly": "1", "limit": "1"})).json()["items"][0]
        await statements.forget()
        assert (
            await signed_in.post(f"{actions}/undo", json={"undoToken": newest["undoToken"]})
        ).status_code == 200
        undo = await statements.sent()
        await statements.forget()
        assert (await signed_in.post(f"{actions}/redo", json={"logId": newest["id"]})).status_code == 200
        redo = await statements.sent()
    assert len(undo) <= UNDO_AT_MOST, undo
    assert len(redo) <= UNDO_AT_MOST, redo


async def test_an_undo_of_many_rows_takes_no_more_round_trips_than_one_of_two(
    statements: Statements, signed_in: httpx.AsyncClient, ids: dict[str, str]
) -> None:
    url = "/dictionaries/{dictionaryId}/entries".format_map(ids)
    made = [(await signed_in.post(url, json={"value": f"value {n}"})).json()["id"] for n in range(40)]
    counts = []
    for chosen in (made[:2], made):
        moved = await signed_in.post(
            f"{url}/reorder", json={"entries": [{"id": id, "position": 100 + len(chosen)} for id in chosen]}
        )
        assert moved.status_code == 200
        actions = "/audit_logs/audit-logs/actions"
        newest = (await signed_in.get(actions, params={"undoableOnly": "1", "limit": "1"})).json()["items"][0]
        await statements.forget()
        answer = await signed_in.post(f"{actions}/undo", json={"undoToken": newest["undoToken"]})
        assert answer.status_code == 200, answer.text
        counts.append(len(await statements.sent()))
    assert counts[0] == counts[1] <= UNDO_AT_MOST + 2


async def test_who_asks_is_looked_up_in_one_round_trip_and_then_remembered(
    statements: Statements,
    application: Application,
    signed_in: httpx.AsyncClient,
    tenant: Tenant,
    ids: dict[str, str],
) -> None:
    url = "/dictionaries/{dictionaryId}".format_map(ids)
    known = await statements.of(lambda: signed_in.get(url))
    application.identity.forget(tenant.id)
    await statements.forget()
    await signed_in.get(url)
    assert len(await statements.sent()) == len(known) + 1
    await statements.forget()
    await signed_in.get(url)
    assert len(await statements.sent()) == len(known) == 1
