"""The fields that the product brings along (contract: entities.md section 8)."""

from uuid import UUID

import msgspec
import pytest
from msgspec import Raw

from app.main import Application
from commands.entities.install import InstallDefinitions
from domain.custom_fields.configuration import FieldConfig, obstacle
from domain.custom_fields.declared import declared_fields
from domain.entities.code import SHOWN, is_code_entity
from domain.images import wire_row
from domain.resources import resource_of
from domain.scope import Options, system_scope
from tests.conftest import Tenant
from tests.entities.conftest import Desk
from tests.replay.finale import spoil

DEAL = "customers:customer_deal"


async def made_tenant(superadmin: Desk) -> UUID:
    return UUID((await superadmin.post("/directory/tenants", {"name": "Bare"}, 201))["id"])


async def test_given_a_new_tenant_then_it_has_them_by_the_same_command(
    superadmin: Desk, application: Application
) -> None:
    made = await made_tenant(superadmin)
    async with application.database.system() as connection:
        rows = await connection.fetch(
            "select entity_id, key, organization_id from field_definitions where tenant_id = $1", made
        )
        logged = await connection.fetch(
            "select command_id, resource_id, jsonb_array_length(changes) as rows from action_logs where tenant_id = $1",
            made,
        )
    assert {(row["entity_id"], row["key"]) for row in rows} == {
        (entity, field.key) for entity, fields in declared_fields().items() for field in fields
    }
    assert {row["organization_id"] for row in rows} == {None}
    assert [tuple(row) for row in logged] == [("directory.tenants.create", str(made), 18)]


async def test_given_a_tenant_without_them_then_they_are_added(
    superadmin: Desk, application: Application
) -> None:
    bare = await made_tenant(superadmin)
    spoil(bare)
    taken = await application.database.begin(bare, "test")
    rows = await taken.connection.fetchval(
        "with gone as (delete from field_definitions where tenant_id = $1 returning *)"
        " select jsonb_agg(to_jsonb(gone))::text from gone",
        bare,
    )
    await taken.commit()
    outcome = await application.bus.execute(InstallDefinitions(), system_scope(bare), Options(dry_run=True))
    assert outcome.dry_run is not None
    assert outcome.dry_run.result == {"installed": 17}
    assert {(change.t, change.o) for change in outcome.dry_run.rows} == {("field_definitions", "i")}

    # The history does not know of what this test took away
    given = await application.database.begin(bare, "test")
    await given.connection.execute(
        "insert into field_definitions"
        " select * from jsonb_populate_recordset(null::field_definitions, $1::text::jsonb)",
        rows,
    )
    await given.commit()
    outcome = await application.bus.execute(InstallDefinitions(), system_scope(bare))
    assert outcome.result == {"installed": 0} and outcome.log is None


async def test_given_a_tenant_that_has_them_then_nothing_changes_and_what_is_deleted_stays_so(
    desk: Desk, application: Application, tenant: Tenant
) -> None:
    await desk.undefine("estimated_seats", DEAL)
    outcome = await application.bus.execute(InstallDefinitions(), system_scope(tenant.id))
    assert outcome.result == {"installed": 0} and outcome.log is None
    assert await desk.keys(DEAL) == ["competitive_risk", "implementation_complexity", "requires_legal_review"]


async def test_given_a_person_then_installing_is_not_theirs(
    desk: Desk, application: Application, tenant: Tenant
) -> None:
    body = {"commands": [{"command": "entities.definitions.install", "input": {}}]}
    assert (await desk.post("/commands/batch", body, 400))["code"] == "unknown_command"


@pytest.mark.parametrize("entity", sorted(declared_fields()))
def test_declared_fields_are_as_a_person_could_define_them(entity: str) -> None:
    for index, field in enumerate(declared_fields()[entity]):
        config = field.configuration(index)
        msgspec.convert(config, FieldConfig)
        assert obstacle(field.kind, config) is None
        assert config["priority"] == index


def test_what_relation_fields_may_show_exists() -> None:
    for entity, shown in SHOWN.items():
        table = resource_of(shown.table).table
        wanted = {*shown.labels, *({shown.organization} if shown.organization else ())}
        assert wanted <= {column.name for column in table.columns}, entity
        assert ("deleted_at" in table.columns) == shown.deletes, entity
        assert is_code_entity(entity) and not resource_of(shown.table).secret & wanted


def test_custom_values_stand_beside_the_other_fields_of_an_answer() -> None:
    row = {"id": Raw(b'"1"'), "name": Raw(b'"A"'), "custom_fields": Raw(b'{"size": 1.10, "tags": ["a"]}')}
    resource = resource_of("roles")
    shown = {"id": Raw(b'"1"'), "name": Raw(b'"A"')}
    assert wire_row(resource, row) == shown | {"cf_size": Raw(b"1.10"), "cf_tags": Raw(b'["a"]')}
    assert wire_row(resource, row | {"custom_fields": Raw(b"{}")}) == shown
