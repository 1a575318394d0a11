"""Proves that the installation is consistent: the log explains the tables, and the index is what a rebuild makes."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct

from app.settings import Settings, master_key
from commands import replay
from domain.keys import tenant_key
from projections import rebuild

if TYPE_CHECKING:
    from app.database import Database


class TenantReport(Struct, frozen=True, rename="camel"):
    """What was found for one tenant; consistent when all three lists are empty."""

    tenant_id: UUID
    rows: int
    log_faults: list[replay.Broken]
    table_faults: list[replay.Divergence]
    index_faults: list[rebuild.Difference]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not (self.log_faults or self.table_faults or self.index_faults)


async def verify(
    database: "Database", settings: Settings, tenant_id: UUID | None = None
) -> AsyncIterator[TenantReport]:
    """Check one tenant or all, one report each. Safe beside live traffic: each tenant is read in one snapshot."""
    from app.main import load_parts

    load_parts()
    master = master_key(settings)
    async with database.system() as connection:
        rows = await connection.fetch(
            "select id from tenants where $1::uuid is null or id = $1 order by id", tenant_id
        )
        for tenant in (row["id"] for row in rows):
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                state, broken = await replay.replay_state(connection, tenant)
                tables = await replay.compare(connection, tenant, state)
                index = await rebuild.differences(connection, tenant, tenant_key(master, tenant, "search"))
            yield TenantReport(tenant, sum(len(rows) for rows in state.values()), broken, tables, index)
