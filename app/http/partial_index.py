"""What a list says and does when some of its records have no document (command-bus.md 6.3, 6.4 and 10.3).

It shows all of them whatever happens (queries/index_reading.py); here is the warning, and the rebuild that it sets off.
"""

import json
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from app.http.call import Call
from app.jobs.queue import enqueue
from domain.query_index import REINDEX_JOB, WHOLE_TENANT, ReindexPart, acting_organization
from projections.coverage import entity_id_of, recount
from projections.gaps import claim_rebuild
from projections.index import projection_for

PARTIAL_HEADER: Final = "x-om-partial-index"
PARTIAL_HEADERS: Final = {
    PARTIAL_HEADER: "Some records are not in the index: which entity's, with the counts of `meta`."
}
"""How the document shows the header."""


class PartialIndexWarning(Struct, frozen=True, rename="camel"):
    """Records and documents of an entity, as last counted, in the organization that the caller works in or in all."""

    entity: str
    entity_label: str
    base_count: int
    indexed_count: int
    scope: Literal["scoped", "global"]


class ListMeta(Struct, frozen=True, rename="camel"):
    """What there is to know of a list besides its items."""

    partial_index_warning: PartialIndexWarning


class ListCoverage(Struct, frozen=True, dict=True):
    """What a list adds to its answer; nothing where every record that the caller may see has a document."""

    warning: PartialIndexWarning | None = None

    @property
    def extra(self) -> dict[str, Any]:
        """Further keys of the answer."""
        return {} if self.warning is None else {"meta": ListMeta(self.warning)}

    @cached_property
    def headers(self) -> dict[str, str]:
        """Further headers of the answer."""
        if self.warning is None:
            return {}
        told = {"type": "partial_index", **msgspec.to_builtins(self.warning)}
        return {PARTIAL_HEADER: json.dumps(told)}  # with escapes: a header has no other letters than ASCII


_COMPLETE = ListCoverage()

_KNOWN = """
select k.base_count, k.indexed_count, k.refreshed_at,
       coalesce((select e.label from custom_entities e where e.tenant_id = $1 and e.entity_id = $2
                  order by e.organization_id is not distinct from $3::uuid desc, e.organization_id is null desc
                  limit 1),
                $2) as label, g.noted_at
  from (values (1)) one
  left join entity_index_coverage k on k.tenant_id = $1 and k.organization_id = coalesce($3::uuid, $5::uuid)
   and k.entity_type = $2 and not k.with_deleted
  left join entity_index_gaps g on g.tenant_id = $1 and g.entity_type = $4
"""


async def coverage_of(call: Call[Any], entity_type: str, gap: bool) -> ListCoverage:
    """The warning of a list that met a gap; the first one in five minutes also has the missing documents built.

    `entity_type` is the name that the documents are kept under. Counts are those that are kept, unless they are older
    than the gap or than QUERY_INDEX_COVERAGE_CACHE_MS.
    """
    projection = projection_for(entity_type)
    if not gap or projection is None:
        return _COMPLETE
    scope, settings = call.scope, call.app.settings
    entity_id = entity_type if projection.type_column else entity_id_of(projection)
    place = acting_organization(scope)
    async with call.app.database.system() as connection:
        known = await connection.fetchrow(
            _KNOWN, scope.tenant_id, entity_id, place, entity_type, WHOLE_TENANT
        )
        base, indexed = known["base_count"], known["indexed_count"]
        oldest = datetime.now(UTC) - timedelta(milliseconds=settings.coverage_cache_ms)
        if base is None or known["refreshed_at"] < max(oldest, known["noted_at"] or oldest):
            counted = await recount(connection, scope.tenant_id, entity_id, place)
            assert counted is not None, "it has a projection"
            base, indexed = counted.base, counted.indexed
        if indexed >= base:
            return _COMPLETE
        await _rebuild_soon(call, connection, entity_id, entity_type)
    reach: Literal["scoped", "global"] = "global" if place is None else "scoped"
    return ListCoverage(PartialIndexWarning(entity_id, known["label"], base, indexed, reach))


async def _rebuild_soon(call: Call[Any], connection: Any, entity_id: str, entity_type: str) -> None:
    tenant_id = call.scope.tenant_id
    if not call.app.settings.auto_reindex:
        return
    async with connection.transaction():
        queued = await claim_rebuild(connection, tenant_id, entity_type) and await enqueue(
            connection,
            REINDEX_JOB,
            ReindexPart(entity_id, None),
            tenant_id=tenant_id,
            dedupe_key=f"{entity_type}:gap",
        )
    if queued:
        call.app.jobs.wake()
