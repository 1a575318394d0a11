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
from domain.scope import system_scope
from tests.conftest import Tenant
from tests.entities.conftest import Desk

DEAL = "customers:customer_deal"


async def test_given_a_tenant_without_them_then_they_are_added_once(
    superadmin: Desk, application: Application
) -> None:
    bare = UUID((await superadmin.post("/directory/tenants", {"name": "Bare"}, 201))["id"])
    for installed in (17, 0):
        outcome = await application.bus.execute(InstallDefinitions(), system_scope(bare))
        assert outcome.result == {"installed": installed}
        assert outcome.log is None or outcome.log.undo_token is None


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
