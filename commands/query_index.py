"""Commands on the query index: have documents built anew, or taken out (contract: query-index.md 2 and 11)."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from commands.registry import Command, command, handles
from commands.unit import Unit
from domain.errors import Problem
from domain.query_index import (
    ENTITY_TYPE_PATTERN,
    LONGEST_TYPE,
    MOST_PARTITIONS,
    PURGE,
    PURGE_JOB,
    REINDEX,
    REINDEX_JOB,
    Purging,
    ReindexPart,
    acting_organization,
    status_logs,
)

_WHY = "The index follows from the records: it is built again, not restored."


@command(
    "query_index.index.reindex",
    resource="query_index",
    label="Rebuild query index",
    features=(REINDEX,),
    undoable=False,
    why=_WHY,
    target="entity_type",
)
class Reindex(Command, frozen=True, rename="camel"):
    """Have the documents of an entity type built anew in the organization that the actor works in.

    Either all partitions are done, or the one named. `force` does not wait for a run that is under way.
    """

    entity_type: Annotated[str, Meta(pattern=ENTITY_TYPE_PATTERN, max_length=LONGEST_TYPE)]
    force: bool = False
    batch_size: Annotated[int, Meta(ge=1, le=5_000)] = 500
    partition_count: Annotated[int, Meta(ge=1, le=MOST_PARTITIONS)] = 1
    partition_index: Annotated[int, Meta(ge=0)] | None = None


@handles(Reindex)
async def reindex(command: Reindex, unit: Unit) -> dict[str, bool]:
    """A background job for each partition. Raises Problem 401 where no organization is meant, 400 for a bad index."""
    organization_id = _organization(unit)
    index, count = command.partition_index, command.partition_count
    if index is not None and index >= count:
        raise Problem.bad_request("partitionIndex must be < partitionCount")
    await _note(unit, REINDEX_JOB, command.entity_type, organization_id, "requested")
    for place, partition in enumerate(range(count) if index is None else [index]):
        part = ReindexPart(
            command.entity_type,
            organization_id,
            command.force,
            command.batch_size,
            count,
            partition,
            place == 0,
            requested_by=unit.scope.actor.id,
        )
        unit.enqueue(REINDEX_JOB, part, organization_id)
    await _note(unit, REINDEX_JOB, command.entity_type, organization_id, "queued", 1)
    return {"ok": True}


@command(
    "query_index.index.purge",
    resource="query_index",
    label="Purge query index",
    features=(PURGE,),
    undoable=False,
    why=_WHY,
    target="entity_type",
)
class Purge(Command, frozen=True, rename="camel"):
    """Take the documents of an entity type out of the index of the organization that the actor works in."""

    entity_type: Annotated[str, Meta(min_length=1, max_length=LONGEST_TYPE)]


@handles(Purge)
async def purge(command: Purge, unit: Unit) -> dict[str, bool]:
    """One background job. Raises Problem 401 where no organization is meant."""
    organization_id = _organization(unit)
    await _note(unit, PURGE_JOB, command.entity_type, organization_id, "requested")
    unit.enqueue(PURGE_JOB, Purging(command.entity_type, organization_id), organization_id)
    await _note(unit, PURGE_JOB, command.entity_type, organization_id, "queued", 1)
    return {"ok": True}


def _organization(unit: Unit) -> UUID:
    organization_id = acting_organization(unit.scope)
    if organization_id is None:
        raise Problem.unauthorized()
    return organization_id


async def _note(
    unit: Unit, handler: str, entity_type: str, organization_id: UUID, message: str, place: int = 0
) -> None:
    """A note for people; those of one command are shown in the order of their `place`."""
    await unit.insert(
        status_logs,
        {
            "organization_id": organization_id,
            "source": "query_index",
            "handler": handler,
            "level": "info",
            "entity_type": entity_type,
            "message": message,
            "occurred_at": unit.now + timedelta(microseconds=place),
        },
    )
