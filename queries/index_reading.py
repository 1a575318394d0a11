"""How lists read the query index, and what they do while documents are missing (query-index.md 8, decision 0025).

Each statement over the index also tells whether its entity type has a gap. Then it is asked again in its other form,
over the tables themselves (`made`), which shows every record and costs what it costs.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

UNSEARCHED: Final = ("password", "token", "secret", "hash")
"""Search never looks at custom fields with one of these words in their key (query-index.md 4)."""


class IndexReading(Struct, frozen=True):
    """What an installation says of reading the index, and the tenant's key of search tokens."""

    search_key: bytes
    tokens: bool = True
    """Whether searches look records up by their tokens; else they compare the texts of all of them."""
    unsearched: tuple[str, ...] = UNSEARCHED
    """Words in keys of custom fields that keep search from looking at them."""
    forced: bool = False
    """Whether the index is read in spite of a gap."""

    def searches(self, field: str) -> bool:
        """Whether search may look at a custom field."""
        return not any(part.lower() in field for part in self.unsearched)


def gap_of(entity_type: str, tenant: str | None = "$1") -> str:
    """SQL: whether some records of an entity type (itself SQL) have no document; without a tenant, of any."""
    place = f"g.tenant_id = {tenant} and " if tenant else ""
    return (
        f"exists (select from entity_index_gaps g where {place}g.entity_type = {entity_type}"
        " and g.noted_at is not null)"
    )


async def rows_of(
    connection: Any, reading: IndexReading, sql: Callable[[bool], str], *args: Any
) -> tuple[Sequence[Any], bool]:
    """The rows of a statement (at least one, with the column `gap`), and whether there is a gap.

    `sql` gives the statement, `made` or not; it is asked a second time only where there is a gap.
    """
    rows: Sequence[Any] = await connection.fetch(sql(False), *args)
    gap = bool(rows and rows[0]["gap"])
    return (await connection.fetch(sql(True), *args) if gap and not reading.forced else rows), gap


async def has_gap(connection: Any, tenant_id: UUID, entity_type: str) -> bool:
    """Whether some records of an entity type have no document; for what does not come as one page."""
    return bool(await connection.fetchval(f"select {gap_of('$2')}", tenant_id, entity_type))
