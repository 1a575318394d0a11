"""Custom fields on the product's own entities: in, out, checked, merged, in history and in the index."""

from typing import Any

import httpx
import pytest

from app.database import Database
from app.main import Application
from tests.conftest import MakeTenant
from tests.custom.conftest import DICTIONARIES, ENTRIES, KINDS, ORGANIZATIONS, TENANTS, USERS, Kind, Office
from tests.heart.proofs import assert_proven

pytestmark = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.entity)


async def test_given_values_in_any_form_then_lists_show_them_as_cf_keys(kind: Kind, office: Office) -> None:
    sent: list[dict[str, Any]] = [
        {"cf_size": 4, "cf_note": "ok"},
        {"cf:size": 4, "cf:note": "ok"},
        {"customValues": {"size": 4, "note": "ok"}},
        {"customFields": {"size": 4, "note": "ok"}},
        {"customFields": [{"key": "size", "value": 4}, {"key": "note", "value": "ok"}]},
    ]
    for values in sent:
        id = await kind.make(office, **values)
        assert await kind.custom(office, id) == {"cf_size": 4, "cf_note": "ok"}, values


async def test_given_no_custom_value_then_nothing_is_shown_and_unknown_keys_are_dropped(
    kind: Kind, office: Office
) -> None:
    id = await kind.make(office, custom_fields={"a": 1}, customFields="x", custom={"b": 2}, cf_="")
    assert await kind.custom(office, id) == {}


async def test_given_an_update_then_values_that_are_not_sent_stay_to_the_last_digit(
    kind: Kind, office: Office, database: Database
) -> None:
    id = await kind.make(office, cf_price=0.1, cf_tags=["a", "b"], cf_note="long")
    await kind.change(office, id, cf_note=None, cf_size=2)
    found = await kind.custom(office, id)
    assert found == {"cf_price": 0.1, "cf_tags": ["a", "b"], "cf_note": None, "cf_size": 2}
    async with database.system() as connection:
        row = await connection.fetchval(
            f"select custom_fields->>'price' from {kind.table} where id = $1::uuid", id
        )
    assert row == "0.1"


async def test_given_a_rule_when_a_value_breaks_it_then_400_with_the_message_of_the_field(
    kind: Kind, office: Office
) -> None:
    rules = [{"rule": "integer", "message": "A whole number"}]
    await office.define("size", "integer", kind.entity, validation=rules)
    refused = await office.ask("POST", await kind.path(office), kind.base(office) | {"cf_size": "big"})
    assert refused.status_code == 400
    assert refused.json() == {"error": "Validation failed", "fields": {"cf_size": "A whole number"}}
    id = await kind.make(office, cf_size=3)
    refused = await kind.change(office, id, 400, cf_size=1.5)
    assert refused.json()["fields"] == {"cf_size": "A whole number"}
    assert await kind.custom(office, id) == {"cf_size": 3}


async def test_given_a_required_field_then_an_update_of_others_is_fine_once_it_has_a_value(
    kind: Kind, office: Office
) -> None:
    id = await kind.make(office, cf_note="before the rule")
    rules = [{"rule": "required", "message": "Needed"}]
    await office.define("size", "integer", kind.entity, validation=rules)
    if kind is TENANTS:
        return  # another tenant's record is judged by what is sent
    assert (await kind.change(office, id, 400, cf_note="x")).json()["fields"] == {"cf_size": "Needed"}
    await kind.change(office, id, cf_size=1)
    await kind.change(office, id, cf_note="y")
    assert (await kind.change(office, id, 400, cf_size=None)).json()["fields"] == {"cf_size": "Needed"}


async def test_given_rich_text_then_it_is_made_harmless(kind: Kind, office: Office) -> None:
    await office.define("story", "multiline", kind.entity, editor="htmlRichText")
    id = await kind.make(office, cf_story="<p onclick='x()'>Hi<script>alert(1)</script></p>")
    shown = (await kind.custom(office, id))["cf_story"]
    assert "Hi" in shown and "script" not in shown and "onclick" not in shown


async def test_given_keys_that_cannot_be_then_400(kind: Kind, office: Office) -> None:
    id = await kind.make(office)
    refused = await kind.change(office, id, 400, **{f"cf_{'k' * 101}": 1})
    assert list(refused.json()) == ["error", "fields"]
    many = {f"cf_f{number}": number for number in range(129)}
    assert "_customFields" in (await kind.change(office, id, 400, **many)).json()["fields"]


async def test_given_a_change_then_history_names_the_field_and_undo_and_redo_are_exact(
    kind: Kind, office: Office, application: Application
) -> None:
    id = await kind.make(office, cf_size=1)
    answer = await kind.change(office, id, cf_size=2, cf_note="new")
    if not kind.undoable:
        assert await kind.custom(office, id) == {"cf_size": 2, "cf_note": "new"}
        return
    action = await office.newest()
    assert action["changes"] == {"cf_size": {"from": 1, "to": 2}, "cf_note": {"to": "new"}}
    assert "x-om-operation" in answer.headers
    await office.undo(action["undoToken"])
    assert await kind.custom(office, id) == {"cf_size": 1}
    await office.redo(action["id"])
    assert await kind.custom(office, id) == {"cf_size": 2, "cf_note": "new"}
    await assert_proven(application, office.tenant.id)


async def test_given_values_then_they_are_indexed_and_the_index_is_what_a_rebuild_makes(
    kind: Kind, office: Office, application: Application
) -> None:
    id = await kind.make(office, cf_size=7, cf_tags=["red", "blue"])
    async with application.database.system() as connection:
        rows = await connection.fetch(
            "select field, text from entity_values where entity_type = $1 and entity_id = $2::uuid order by 1, 2",
            kind.indexed_as,
            id,
        )
    assert [tuple(row) for row in rows] == [("size", "7"), ("tags", "blue"), ("tags", "red")]
    await assert_proven(application, office.tenant.id)


async def test_given_the_same_values_again_then_nothing_changes(kind: Kind, office: Office) -> None:
    id = await kind.make(office, cf_size=1)
    before = await kind.read(office, id)
    answer = await kind.change(office, id, cf_size=1)
    assert "x-om-operation" not in answer.headers
    assert await kind.read(office, id) == before


async def test_given_an_encrypted_field_then_it_is_sealed_in_the_table_and_open_for_its_tenant_alone(
    kind: Kind, office: Office, database: Database, client: httpx.AsyncClient, make_tenant: MakeTenant
) -> None:
    secret = "Zq-a-secret-of-ours"
    await office.define("iban", "text", kind.entity, encrypted=True)
    id = str(office.tenant.id) if kind is TENANTS else await kind.make(office, cf_iban=secret)
    if kind is TENANTS:
        await kind.change(office, id, cf_iban=secret)
    async with database.system() as connection:
        at_rest = await connection.fetchval(
            f"select custom_fields::text from {kind.table} where id = $1::uuid", id
        )
        document = await connection.fetchval(
            "select doc from entity_index where entity_type = $1 and entity_id = $2::uuid",
            kind.indexed_as,
            id,
        )
        log = await connection.fetchval(
            "select string_agg(input::text || changes::text, '') from action_logs where tenant_id = $1",
            office.tenant.id,
        )
    assert "bse1:" in at_rest and secret not in at_rest + document + log
    assert (await kind.custom(office, id))["cf_iban"] == secret
    if kind is USERS:
        assert [one["id"] for one in await kind.items(office, f"?cf_iban={secret}")] == [id]

    # When somebody of another tenant asks for the same record
    stranger = Office(client, await make_tenant())
    if kind in (DICTIONARIES, ENTRIES):
        stranger.dictionary_path = office.dictionary_path
        path = await kind.path(office) + (f"/{id}" if kind is DICTIONARIES else "")
        answer = await stranger.ask("GET", path)
        assert answer.status_code == 404
    else:
        query = ORGANIZATIONS.one if kind is ORGANIZATIONS else kind.one
        answer = await stranger.ask("GET", f"{await kind.path(stranger)}{query.format(id=id)}")
    assert secret not in answer.text
