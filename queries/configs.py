"""Reads of the configuration: settings of modules, upgrade actions that were run, the size of the log (configs.md)."""

from typing import Any
from uuid import UUID

from msgspec import Struct


class StoredSetting(Struct, frozen=True):
    """A value that somebody set: as JSON text, and whether it is the tenant's own or everyone's."""

    value: str
    source: str


async def setting(connection: Any, tenant_id: UUID, module: str, name: str) -> StoredSetting | None:
    """The value that holds for a tenant: its own, else everyone's; a stored null counts as none."""
    row = await connection.fetchrow(
        "select value::text as value, source from ("
        " select 1 as place, c.value, 'tenant' as source from module_configs c"
        " where c.tenant_id = $1 and c.module_id = $2 and c.name = $3 and not c.for_everyone"
        " union all select 2, e.value, 'instance' from module_config_for_everyone($2, $3) e"
        ") found where value is not null order by place limit 1",
        tenant_id,
        module,
        name,
    )
    return None if row is None else StoredSetting(row["value"], row["source"])


async def tenant_of_setting(connection: Any, module: str, name: str) -> UUID | None:
    """The tenant that everyone's value of a setting is filed under."""
    found: UUID | None = await connection.fetchval(
        "select tenant_id from module_config_for_everyone($1, $2)", module, name
    )
    return found


class UpgradeRunRow(Struct, frozen=True):
    """One action that was run, in one organization."""

    action_id: str
    version: str
    organization_id: UUID


async def upgrade_runs(connection: Any, tenant_id: UUID) -> list[UpgradeRunRow]:
    """Every upgrade action that was run in a tenant."""
    rows = await connection.fetch(
        "select action_id, version, organization_id from upgrade_action_runs where tenant_id = $1", tenant_id
    )
    return [UpgradeRunRow(**row) for row in rows]


class LogSize(Struct, frozen=True, rename="camel"):
    """How much history a tenant has."""

    actions: int
    oldest: str | None
    newest: str | None


async def log_size(connection: Any, tenant_id: UUID) -> LogSize:
    """The number of a tenant's log rows and the times of the first and the last one (ISO 8601)."""
    row = await connection.fetchrow(
        "select count(*) as actions, iso_ms(min(created_at)) as oldest, iso_ms(max(created_at)) as newest"
        " from action_logs where tenant_id = $1",
        tenant_id,
    )
    return LogSize(**row)
