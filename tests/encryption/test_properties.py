"""The promises of history hold where fields are sealed: all can be undone and redone, and is explained."""

from uuid import UUID

from hypothesis import event, given
from hypothesis import strategies as st

from app.main import Application
from commands.encryption import FieldOfMap, UpsertMap
from commands.entities.definitions import UpsertDefinition
from commands.erasure import Erase
from domain.encryption.subjects import subjects_by_id
from domain.encryption.tokens import subjects_in
from domain.scope import system_scope
from tests.encryption.test_keys import settled
from tests.heart.proofs import assert_proven, differing, world_of
from tests.heart.test_properties import Walk, started, walks

ERASABLE = {
    "auth:user": "users",
    "auth:role": "roles",
    "dictionaries:dictionary_entry": "dictionary_entries",
}
MAPPED = ("auth:user", "auth:role", "dictionaries:entry", "user:thing")


async def sealed_walk(application: Application, data: st.DataObject) -> Walk:
    """A walk through a tenant where names of users, and custom fields of many entities, are sealed."""
    walk = await started(application, data)
    scope = system_scope(walk.tenant_id)
    world = await world_of(application.database, walk.tenant_id)
    walk.names = {row["id"]: row["name"] for table in ("users", "roles") for row in world.rows[table]}
    for entity in MAPPED:
        fields = (FieldOfMap("name"), FieldOfMap("cf_color"), FieldOfMap("cf_size", "size_hash"))
        await application.bus.execute(UpsertMap(entity_id=entity, fields=fields), scope)
    definition = UpsertDefinition(
        entity_id="auth:user", key="note", kind="text", config_json={"encrypted": True}
    )
    await application.bus.execute(definition, walk.actors["admin"])
    await settled(application, walk.tenant_id)
    return walk


@walks
@given(data=st.data())
async def test_given_any_history_of_sealed_rows_then_it_can_be_undone_and_redone_exactly(
    application: Application, data: st.DataObject
) -> None:
    walk = await sealed_walk(application, data)
    await walk.wander(data.draw(st.integers(2, 8), label="steps before"))
    first = await walk.state()
    pile = await walk.pile_up(data.draw(st.integers(2, 10), label="steps"))
    last = await walk.state()
    await assert_proven(application, walk.tenant_id)
    for done in reversed(pile):
        assert await walk.undo(done, done.scope), "undone newest first, everything can be undone"
    assert differing(first, await walk.state()) == {}
    for done in pile:
        assert await walk.redo(done, done.scope), "redone oldest first, everything can be redone"
    assert differing(last, await walk.state()) == {}
    await assert_proven(application, walk.tenant_id)


@walks
@given(data=st.data())
async def test_given_erasures_in_any_history_then_it_goes_on_and_no_row_holds_what_was_erased(
    application: Application, data: st.DataObject
) -> None:
    walk = await sealed_walk(application, data)
    scope = system_scope(walk.tenant_id)
    seen: set[UUID] = set()
    for _ in range(data.draw(st.integers(1, 3), label="erasures")):
        await walk.wander(data.draw(st.integers(1, 6), label="steps before"))
        seen |= await subjects_of(walk)
        rows = (await world_of(application.database, walk.tenant_id)).rows
        people = [
            (entity, UUID(row["id"]))
            for entity, table in ERASABLE.items()
            for row in rows[table]
            if not row.get("deleted_at")
        ]
        entity, record = walk.any_of(people, "who is erased")
        await application.bus.execute(Erase(entity_id=entity, record_id=record, reason="a test"), scope)
        await assert_proven(application, walk.tenant_id)
    await walk.wander(data.draw(st.integers(2, 8), label="steps after"))
    await assert_proven(application, walk.tenant_id)
    seen |= await subjects_of(walk)
    async with application.database.system() as connection:
        found = await subjects_by_id(connection, walk.tenant_id, seen)
    erased = {one.id for one in found if one.secret is None}
    event(f"subjects erased: {len(erased)}")
    assert not erased & await subjects_of(walk), "no row holds a value that was erased"


async def subjects_of(walk: Walk) -> set[UUID]:
    """The subjects of all tokens in the tables."""
    return {id for rows in (await walk.state()).values() for id in subjects_in(rows.encode())}
