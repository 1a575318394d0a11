"""What a command leaves beside its rows: inputs, answers and events hold the tokens that its rows hold."""

import os
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx
import msgspec
from msgspec import Raw

from app.database import Database
from app.main import Application, load_parts
from commands.bus import Work
from commands.sealing import Seals
from commands.unit import Unit
from domain.auth import users
from domain.encryption.plan import EncryptionMap, MappedField, Plan
from domain.encryption.tokens import DATA_BYTES, LOOKUP_BYTES, TenantKeys, is_token, open_value
from domain.resources import resource_of
from domain.scope import Options
from tests.conftest import Tenant
from tests.encryption.conftest import save_map

LOG = uuid4()


def seals(*fields: str) -> Seals:
    load_parts()
    keys = TenantKeys(uuid4(), {1: os.urandom(DATA_BYTES)}, os.urandom(LOOKUP_BYTES))
    chosen = tuple(MappedField(field) for field in fields)
    return Seals(Plan([EncryptionMap("auth:user", None, chosen)], []), keys)


def user_row(**values: Any) -> dict[str, Any]:
    return {"id": uuid4(), "organization_id": uuid4(), **values}


def hidden(one: Seals, value: Any) -> Any:
    return msgspec.json.decode(one.hide(msgspec.json.encode(value), LOG))


def test_values_are_found_by_the_name_of_their_field_in_all_its_forms() -> None:
    one = seals("name", "cf_badge")
    row = one.row(resource_of("users"), user_row(name="Ada", custom_fields={"badge": 7, "other": 1.5}), {})
    token, badge = row["name"], row["custom_fields"]["badge"]
    assert row["custom_fields"]["other"] == 1.5
    given = {
        "name": "Ada",
        "cf_badge": 7,
        "customFields": [{"key": "badge", "value": 7}],
        "custom": {"badge": 8},
    }
    found = hidden(one, given)
    assert (found["name"], found["cf_badge"], found["customFields"][0]["value"]) == (token, badge, badge)
    assert is_token(found["custom"]["badge"]) and found["custom"]["badge"] != badge
    assert open_value(found, lambda text: one.open(text).value) == given


def test_a_text_that_was_sealed_is_found_under_any_name_and_names_of_commands_are_kept() -> None:
    one = seals("name")
    token = one.row(resource_of("users"), user_row(name="Ada"), {})["name"]
    steps = {"features": ["Ada"], "command": "Ada", "label": "Ada", "list": ["Ada", "Eve"]}
    assert hidden(one, steps) == {**steps, "label": token, "list": [token, "Eve"]}


def test_a_command_that_wrote_nothing_designated_is_recorded_as_it_came() -> None:
    content = b'{"name":"Ada","price":1.10}'
    assert seals("name").hide(content, LOG) is content


def test_raw_json_is_sealed_without_touching_its_neighbours() -> None:
    one = seals("cf_badge")
    fields = Raw(b'{"badge":12345678901234567890.10,"other":1.10,"deep":{"n":1.0}}')
    row = one.row(resource_of("users"), user_row(custom_fields=fields), {})
    kept = row["custom_fields"]
    assert (bytes(kept["other"]), bytes(kept["deep"])) == (b"1.10", b'{"n":1.0}')
    assert bytes(one.open(kept["badge"]).value) == b"12345678901234567890.10"
    assert hidden(one, {"n": 1}) == {"n": 1}


def test_null_and_the_empty_text_stay_and_lists_are_sealed_by_element() -> None:
    one = seals("name", "cf_badge")
    values = {"badge": ["a", None, "", Decimal("1.5")]}
    row = one.row(resource_of("users"), user_row(name="", custom_fields=values), {})
    first, nothing, empty, number = row["custom_fields"]["badge"]
    assert (row["name"], nothing, empty) == ("", None, "") and is_token(first) and is_token(number)
    assert one.row(resource_of("users"), row, {}) == row, "sealing what is sealed changes nothing"


async def test_events_and_stored_answers_hold_tokens_and_live_streams_open_them(
    admin: httpx.AsyncClient, application: Application, tenant: Tenant, database: Database, secret: str
) -> None:
    await save_map(admin, "auth:user", "name")

    async def perform(unit: Unit) -> dict[str, str]:
        await unit.update(users, tenant.employee.id, {"name": secret})
        unit.emit("auth.user.updated", {"id": str(tenant.employee.id), "name": secret, "note": secret})
        return {"name": secret}

    work = Work("auth.users.update", "Update user", "auth.user", True, True, None, perform)
    outcome = await application.bus.run(work, tenant.admin.scope, Options(idempotency_key=uuid4().hex))
    assert outcome.result == {"name": secret}
    async with database.system() as connection:
        answer = await connection.fetchval(
            "select result::text from idempotency_keys where tenant_id = $1", tenant.id
        )
        for table, column in (("outbox", "events"), ("event_stream", "payload")):
            kept = await connection.fetch(
                f"select {column}::text from {table} where tenant_id = $1", tenant.id
            )
            assert not any(secret in row[0] for row in kept), table
    assert secret not in answer and "bse1:" in answer
    opened = await application.encryption.opened(tenant.id, answer.encode())
    assert msgspec.json.decode(opened) == {"name": secret}
