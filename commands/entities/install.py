"""Giving a tenant the custom fields that the product declares (contract: entities.md section 8)."""

from commands.registry import Command, command, handles
from commands.unit import Unit
from domain.custom_fields.declared import declared_rows
from domain.entities import DEFINITION_KIND, field_definitions
from domain.entities import declared as _declared  # noqa: F401  # declares them

_KNOWN = """
select entity_id, key from field_definitions where tenant_id = $1 and organization_id is null
"""


@command(
    "entities.definitions.install",
    resource=DEFINITION_KIND,
    label="Install field definitions",
    undoable=False,
    why="the installation's own set-up; delete the fields instead",
    system_only=True,
)
class InstallDefinitions(Command, frozen=True):
    """Add the declared fields that the tenant lacks; what exists, deleted or not, is left alone."""


@handles(InstallDefinitions)
async def install_definitions(command: InstallDefinitions, unit: Unit) -> dict[str, int]:
    """How many fields were added."""
    known = await unit.fetch(_KNOWN, unit.scope.tenant_id)
    rows = declared_rows(frozenset((row["entity_id"], row["key"]) for row in known))
    return {"installed": len(await unit.insert_many(field_definitions, rows))}
