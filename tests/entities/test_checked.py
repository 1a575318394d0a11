"""Taking custom values into a command (contract: entities.md 1.4, 1.5, 3.6 and 6)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.database import Database
from commands.custom_fields import checked
from commands.unit import Unit
from domain.errors import Problem
from queries.custom_fields import decorated, definitions
from tests.conftest import Tenant
from tests.entities.conftest import THING, Desk

DEAL = "customers:customer_deal"
NEEDED = [{"rule": "required", "message": "Say it"}, {"rule": "gt", "param": 3, "message": "More"}]


@pytest.fixture
async def unit(database: Database, tenant: Tenant) -> AsyncIterator[Unit]:
    async with database.read(tenant.id) as connection:
        yield Unit(connection, tenant.admin.scope, datetime.now(UTC), uuid4())


async def refused(unit: Unit, values: dict[str, Any], organization: UUID, **more: Any) -> dict[str, str]:
    more = {"undeclared": "refuse", **more}
    with pytest.raises(Problem) as caught:
        await checked(unit, THING, values, organization, **more)
    assert caught.value.status == 400 and caught.value.body["error"]
    return dict(caught.value.body["fields"])


async def test_given_values_that_break_a_rule_then_400_says_which(
    desk: Desk, unit: Unit, tenant: Tenant
) -> None:
    here = tenant.organization_id
    await desk.define("size", "integer", validation=NEEDED)
    await desk.define("note")
    assert await refused(unit, {"note": "x"}, here) == {"cf_size": "Say it"}
    assert await refused(unit, {"size": 2}, here) == {"cf_size": "More"}
    assert await refused(unit, {"size": 4, "odd": 1}, here) == {"cf_odd": "[internal] Unknown custom field"}
    many = {f"k{n}": n for n in range(130)}
    assert list(await refused(unit, many, here, undeclared="keep")) == ["_customFields"]
    kept = await checked(unit, THING, {"size": 4, "odd": 1}, here, undeclared="keep")
    assert kept == {"size": 4, "odd": 1}
    stored = {"size": 9}
    assert await checked(unit, THING, {}, here, undeclared="refuse", required_from=stored) == {}
    assert await refused(unit, {"size": ""}, here, required_from=stored) == {"cf_size": "Say it"}


async def test_given_a_field_that_one_organization_deleted_then_it_is_neither_checked_nor_known_there(
    desk: Desk, elsewhere: Desk, unit: Unit, tenant: Tenant, child: UUID
) -> None:
    await elsewhere.undefine("estimated_seats", DEAL)
    for organization, status in ((tenant.organization_id, "known"), (child, "unknown")):
        values = {"estimated_seats": 5}
        if status == "known":
            assert await checked(unit, DEAL, values, organization, undeclared="refuse") == values
        else:
            with pytest.raises(Problem, match="Validation failed"):
                await checked(unit, DEAL, values, organization, undeclared="refuse")


async def test_given_a_field_of_one_organization_then_others_do_not_have_it(
    desk: Desk, unit: Unit, tenant: Tenant, child: UUID
) -> None:
    await desk.define("size", "integer", validation=NEEDED)
    assert await checked(unit, THING, {}, child, undeclared="refuse") == {}
    assert await checked(unit, THING, {}, None, undeclared="refuse") == {}
    assert await refused(unit, {}, tenant.organization_id) == {"cf_size": "Say it"}


async def test_given_rich_text_then_it_is_made_harmless_and_other_text_is_left_alone(
    desk: Desk, unit: Unit, tenant: Tenant
) -> None:
    raw = "<p onclick='x()'>hi</p><script>x</script>"
    await desk.define("page", "text", editor="htmlRichText")
    await desk.define("note")
    values = {"page": [raw, 5, raw], "note": raw, "odd": raw}
    clean = await checked(unit, THING, values, tenant.organization_id, undeclared="keep")
    assert clean == {"page": ["<p>hi</p>", 5, "<p>hi</p>"], "note": raw, "odd": raw}


async def test_given_text_that_is_empty_once_it_is_harmless_then_a_required_field_refuses_it(
    desk: Desk, unit: Unit, tenant: Tenant
) -> None:
    await desk.define("page", "text", editor="htmlRichText", validation=NEEDED[:1])
    wrong = await refused(unit, {"page": "<script>x</script>"}, tenant.organization_id)
    assert wrong == {"cf_page": "Say it"}


async def test_given_an_entity_with_a_default_editor_then_its_declared_texts_of_several_lines_use_it(
    desk: Desk, unit: Unit, database: Database, tenant: Tenant
) -> None:
    await desk.entity(defaultEditor="htmlRichText")
    await desk.define("page", "multiline")
    transaction = await database.begin(tenant.id, "test.editor")
    await transaction.connection.execute(
        "update field_definitions set config = config - 'editor' where tenant_id = $1 and key = 'page'",
        tenant.id,
    )
    await transaction.commit()
    assert (await desk.fields())[0]["editor"] == "htmlRichText"
    clean = await checked(
        unit, THING, {"page": "<i onclick=x>a</i>"}, tenant.organization_id, undeclared="keep"
    )
    assert clean == {"page": "<i>a</i>"}


async def test_given_values_then_a_record_is_decorated_in_the_order_of_the_fields(
    desk: Desk, unit: Unit, tenant: Tenant
) -> None:
    await desk.define("b", "integer", priority=1, label="Second", multi=True)
    await desk.define("a", priority=2)
    await desk.define("c", priority=0)
    fields = await definitions(unit.connection, tenant.id, THING, tenant.organization_id)
    shown = decorated(fields, {"a": "x", "gone": 1, "b": [1, 2]})
    assert shown == {
        "customValues": {"b": [1, 2], "a": "x"},
        "customFields": [
            {"key": "b", "label": "Second", "value": [1, 2], "kind": "integer", "multi": True},
            {"key": "a", "label": "a", "value": "x", "kind": "text", "multi": False},
        ],
    }
    assert decorated(fields, {"gone": 1}) == {"customValues": None, "customFields": []}
