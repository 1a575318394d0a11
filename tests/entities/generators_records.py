"""Random commands over the records of custom entities."""

from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from commands import records as r
from commands.registry import Command
from tests.generators import World, generates, texts

FIXED = [UUID(int=(n << 80) | (4 << 76) | (8 << 60) | n) for n in range(1, 4)]
"""A few ids that records of several entities get, so that they meet."""

scalars = (
    texts
    | st.integers(-3, 3)
    | st.sampled_from((1.5, 1e21, 12345678901234567890, -0.0, "", "x" * 300, "yes", "1"))
    | st.booleans()
    | st.none()
)
values = scalars | st.lists(scalars, max_size=4) | st.just({"a": [1]})


def _entity(world: World) -> SearchStrategy[str]:
    """A registered entity or another that has fields; rarely one of the product or one that nobody knows."""
    known = {
        str(row["entity_id"])
        for table in ("custom_entities", "field_definitions")
        for row in world.rows[table]
    }
    own = sorted(known) or ["user:thing"]
    strange = st.sampled_from(("auth:user", "nobody:knows"))
    return st.integers(0, 15).flatmap(lambda n: strange if n == 0 else st.sampled_from(own))


def _record(world: World, entity_id: str) -> SearchStrategy[str]:
    ids = [str(row["record_id"]) for row in world.matching("entity_records", entity_type=entity_id)]
    made = st.sampled_from([*map(str, FIXED), "create", "no id"])
    return st.sampled_from(ids) | made if ids else made


def _values(world: World, entity_id: str) -> SearchStrategy[dict[str, Any]]:
    rows = world.matching("field_definitions", entity_id=entity_id)
    keys = sorted({str(row["key"]) for row in rows})
    allowed = st.dictionaries(st.sampled_from(keys), values, max_size=4) if keys else st.just({})
    return st.integers(0, 15).flatmap(lambda n: st.just({"undeclared_key": 1}) if n == 0 else allowed)


@generates(r.CreateRecord)
def create_record(world: World) -> SearchStrategy[Command]:
    return _entity(world).flatmap(
        lambda id: st.builds(
            r.CreateRecord,
            entity_id=st.just(id),
            record_id=st.none() | _record(world, id),
            values=_values(world, id),
        )
    )


@generates(r.UpdateRecord)
def update_record(world: World) -> SearchStrategy[Command]:
    return _entity(world).flatmap(
        lambda id: st.builds(
            r.UpdateRecord,
            entity_id=st.just(id),
            record_id=_record(world, id),
            values=_values(world, id),
        )
    )


@generates(r.DeleteRecord)
def delete_record(world: World) -> SearchStrategy[Command]:
    return _entity(world).flatmap(
        lambda id: st.builds(r.DeleteRecord, entity_id=st.just(id), record_id=_record(world, id))
    )
