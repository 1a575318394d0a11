"""What an installation may say of searches (query-index.md 4 and 10, decision 0025)."""

from typing import Any

import pytest

from app.main import Application
from app.settings import Settings, StartError
from app.system_status import categories
from tests.conftest import Tenant
from tests.query_index.conftest import Json, Operator

THING = "user:thing"


def set_to(application: Application, monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
    monkeypatch.setattr(application, "settings", application.settings.model_copy(update=values))


async def asked(operator: Operator, path: str) -> Json:
    answer = await operator.ask("GET", path)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def made(operator: Operator, path: str, body: Json) -> Json:
    answer = await operator.ask("POST", path, body)
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json())


async def found(operator: Operator, term: str, *fields: str) -> list[str]:
    """The names of the records that a search finds."""
    path = f"/entities/records?entityId={THING}&search={term}&searchFields={','.join(fields)}"
    return sorted(item["name"] for item in (await asked(operator, path))["items"])


@pytest.fixture
async def things(operator: Operator) -> Operator:
    """Records whose fields hold the same words."""
    await made(operator, "/entities/entities", {"entityId": THING, "label": "Things"})
    for key in ("name", "note", "api_token", "internal_code"):
        body = {"entityId": THING, "key": key, "kind": "text", "configJson": {"label": key}}
        await made(operator, "/entities/definitions", body)
    for n, key in enumerate(("note", "api_token", "internal_code")):
        values = {"name": f"by {key}", key: f"Zażóć {n}"}
        await made(operator, "/entities/records", {"entityId": THING, "values": values})
    return operator


FIELDS = ("note", "api_token", "internal_code")


async def test_fields_that_sound_secret_are_not_searched(things: Operator) -> None:
    assert await found(things, "zazoc", *FIELDS) == ["by internal_code", "by note"]
    assert await found(things, "zazoc", "api_token") == []
    assert await found(things, "za", "api_token") == []


async def test_given_a_blocklist_then_its_fields_are_not_searched(
    things: Operator, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_to(application, monkeypatch, search_blocklist=("Internal", "other"))
    assert await found(things, "zazoc", *FIELDS) == ["by note"]
    assert await found(things, "zazoc", "internal_code") == []


async def test_given_no_search_by_tokens_then_searches_find_the_same(
    things: Operator,
    application: Application,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dictionary = (await made(things, "/dictionaries", {"key": "colors", "name": "Colours"}))["id"]
    for value in ("dark red", "blue"):
        await made(things, f"/dictionaries/{dictionary}/entries", {"value": value})
    entries = f"/dictionaries/{dictionary}/entries?search=red&page=1"
    users = f"/auth/users?search={tenant.employee.email}"
    before = [await asked(things, entries), await asked(things, users)]
    assert [answer["total"] for answer in before] == [1, 1]

    async with application.database.system() as connection:
        await connection.execute("delete from entity_search where tenant_id = $1", tenant.id)
    assert (await asked(things, entries))["total"] == 0, "by tokens"
    set_to(application, monkeypatch, search_tokens=False)
    assert [await asked(things, entries), await asked(things, users)] == before
    assert await found(things, "zazoc", *FIELDS) == ["by internal_code", "by note"]
    assert await found(things, "nowhere", *FIELDS) == []


@pytest.mark.parametrize(
    ("name", "text", "setting", "value"),
    [
        ("SCHEDULE_AUTO_REINDEX", "off", "auto_reindex", False),
        ("QUERY_INDEX_AUTO_REINDEX", "0", "auto_reindex", False),
        ("SCHEDULE_AUTO_REINDEX", "strange", "auto_reindex", True),
        ("FORCE_QUERY_INDEX_ON_PARTIAL_INDEXES", "yes", "force_partial_index", True),
        ("FORCE_QUERY_INDEX_ON_PARTIAL_INDEXES", "strange", "force_partial_index", False),
        ("QUERY_INDEX_COVERAGE_CACHE_MS", "1500", "coverage_cache_ms", 1500),
        ("QUERY_INDEX_COVERAGE_CACHE_MS", "soon", "coverage_cache_ms", 300_000),
        ("OM_SEARCH_ENABLED", "false", "search_tokens", False),
        ("OM_SEARCH_FIELD_BLOCKLIST", "iban, ssn", "search_blocklist", ("iban", "ssn")),
        ("OM_ENCRYPTED_SORT_MAX_ROWS", "200", "encrypted_sort_max_rows", 200),
        ("OM_ENCRYPTED_SORT_MAX_ROWS", "-1", "encrypted_sort_max_rows", None),
    ],
)
def test_settings_are_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, setting: str, value: object
) -> None:
    monkeypatch.setenv(name, text)
    try:
        assert getattr(Settings.read(), setting) == value
    except StartError as error:
        pytest.fail(str(error))


@pytest.mark.parametrize(
    ("environment", "state", "value"),
    [
        ({}, "unset", None),
        ({"SCHEDULE_AUTO_REINDEX": "no"}, "disabled", "no"),
        ({"QUERY_INDEX_AUTO_REINDEX": "no"}, "disabled", "no"),
        ({"SCHEDULE_AUTO_REINDEX": "on", "QUERY_INDEX_AUTO_REINDEX": "no"}, "enabled", "on"),
    ],
)
def test_the_system_status_tells_what_holds(
    environment: dict[str, str], state: str, value: str | None
) -> None:
    (items,) = [one.items for one in categories(True, environment) if one.key == "query_index"]
    (item,) = [one for one in items if one.key == "SCHEDULE_AUTO_REINDEX"]
    assert (item.state, item.value) == (state, value)
