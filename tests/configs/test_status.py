"""System status (contract: configs.md section 4)."""

import pytest

from app.system_status import categories, without_credentials
from tests.configs.conftest import STATUS, Build
from tests.conftest import Tenant


def item(key: str, **environment: str) -> tuple[str, str | None, str | None]:
    found = next(one for group in categories(True, environment) for one in group.items if one.key == key)
    return found.state, found.value, found.normalized_value


@pytest.mark.parametrize(
    ("key", "typed", "state", "value", "normalized"),
    [
        ("QUERY_ENGINE_DEBUG_SQL", "YES", "enabled", "YES", "true"),
        ("QUERY_ENGINE_DEBUG_SQL", " off ", "disabled", "off", "false"),
        ("QUERY_ENGINE_DEBUG_SQL", "maybe", "unknown", "maybe", "maybe"),
        ("QUERY_ENGINE_DEBUG_SQL", "  ", "unset", None, None),
        ("LOG_LEVEL", " debug ", "set", "debug", "debug"),
        ("LOG_LEVEL", "", "unset", None, None),
    ],
)
def test_given_a_variable_then_its_state_follows_the_rules(
    key: str, typed: str, state: str, value: str | None, normalized: str | None
) -> None:
    assert item(key, **{key: typed}) == (state, value, normalized)
    assert item(key) == ("unset", None, None)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (
            "postgresql://user:s3cret@db.example:5432/app?sslpassword=s3cret",
            "postgresql://db.example:5432/app",
        ),
        ("postgres://user:p@ss@db/app", "postgres://db/app"),
        ("postgres://[::1]:5432/app", "postgres://[::1]:5432/app"),
        ("postgres://user:s3cret@host:notaport/app?password=s3cret", "postgres://host:notaport/app"),
        ("not an address s3cret@host", ""),
        ("host=db password=s3cret", ""),
        ("postgresql:///app?host=/run/s3cret", "postgresql:///app"),
    ],
)
def test_given_an_address_then_no_secret_of_it_is_shown(address: str, shown: str) -> None:
    assert without_credentials(address) == shown
    assert "s3cret" not in str(item("DATABASE_URL", DATABASE_URL=address))


async def test_given_the_status_then_six_categories_with_24_variables_come_in_order(
    build: Build, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUERY_ENGINE_DEBUG_SQL", "YES")
    monkeypatch.setenv("DATABASE_URL", "postgres://user:s3cret@db.internal/app")
    house = await build()
    answer = await house.get(STATUS, tenant.superadmin)
    body = answer.json()
    assert answer.status_code == 200
    assert [group["key"] for group in body["categories"]] == [
        *("profiling", "logging", "security", "caching", "query_index", "entities")
    ]
    assert [len(group["items"]) for group in body["categories"]] == [4, 3, 5, 4, 7, 1]
    assert body["runtimeMode"] == "development"
    assert body["log"]["actions"] >= 1
    index = body["categories"][4]
    assert index["labelKey"] == "configs.systemStatus.categories.queryIndex"
    assert index["descriptionKey"] == "configs.systemStatus.categories.queryIndexDescription"
    sql = body["categories"][1]["items"][0]
    assert sql == {
        "key": "QUERY_ENGINE_DEBUG_SQL",
        "category": "logging",
        "kind": "boolean",
        "labelKey": "configs.systemStatus.variables.queryEngineDebugSql.label",
        "descriptionKey": "configs.systemStatus.variables.queryEngineDebugSql.description",
        "docUrl": "https://docs.openmercato.com/docs/framework/operations/system-status#query_engine_debug_sql",
        "defaultValue": "false",
        "state": "enabled",
        "value": "YES",
        "normalizedValue": "true",
    }
    assert "s3cret" not in answer.text and "db.internal" in answer.text

    # A tenant's admin sees the states, and nothing of what the platform is set to
    limited = await house.get(STATUS, tenant.admin)
    assert "db.internal" not in limited.text
    items = [one for group in limited.json()["categories"] for one in group["items"]]
    assert {one["value"] for one in items} == {one["normalizedValue"] for one in items} == {None}
    assert {one["state"] for one in items if one["key"] == "DATABASE_URL"} == {"set"}
    refused = await house.get(STATUS, tenant.employee)
    assert refused.json() == {"error": "Forbidden", "requiredFeatures": ["configs.system_status.view"]}
    assert (await house.client.get(STATUS)).status_code == 401


async def test_given_test_mode_then_the_runtime_mode_says_so(build: Build, tenant: Tenant) -> None:
    house = await build(test_mode=True)
    assert (await house.get(STATUS, tenant.admin)).json()["runtimeMode"] == "test"
