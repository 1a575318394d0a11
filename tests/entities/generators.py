"""Random commands on field definitions, custom entities and their settings."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from commands.entities import batch as b
from commands.entities import custom_entities as e
from commands.entities import definitions as d
from commands.registry import Command
from domain.custom_fields.fieldsets import Fieldset
from tests.generators import World, generates, maybe, texts

entities = st.sampled_from(
    ("user:thing", "user:other", "customers:customer_deal", "auth:user", "dictionaries:dictionary_entry")
)
keys = st.sampled_from(("size", "color", "note", "estimated_seats", "competitive_risk"))
kinds: SearchStrategy[Any] = st.sampled_from(
    ("text", "multiline", "integer", "float", "boolean", "select", "phone")
)
labels = texts.map(lambda text: text[:200])
rules = st.sampled_from(
    (
        {"rule": "required", "message": "Needed"},
        {"rule": "gt", "param": 1.5, "message": "More"},
        {"rule": "regex", "param": "^[a-z]+$", "message": "Letters"},
    )
)
configs = st.fixed_dictionaries(
    {},
    optional={
        "label": labels,
        "options": st.lists(st.sampled_from(("a", "b", 2, 1.25)), max_size=3),
        "multi": st.booleans(),
        "priority": st.sampled_from((0, 3, -1.5, 10**15)),
        "encrypted": st.just(False),
        "validation": st.lists(rules, max_size=2),
        "fieldset": st.sampled_from(("basic", "more")),
        "unit": st.none() | st.just({"deep": [1, None, {"x": 1.10}]}),
    },
)


def _names(world: World) -> SearchStrategy[tuple[str, str]]:
    """An entity and a key that it has a row of; rarely one that it has not."""
    known = sorted({(row["entity_id"], row["key"]) for row in world.matching("field_definitions")})
    strange = st.tuples(entities, keys)
    if not known:
        return strange
    return st.integers(0, 7).flatmap(lambda n: st.sampled_from(known) if n else strange)


@generates(d.UpsertDefinition)
def upsert_definition(world: World) -> SearchStrategy[Command]:
    return st.builds(
        d.UpsertDefinition,
        entity_id=entities,
        key=keys,
        kind=kinds,
        config_json=maybe(configs),
        is_active=st.just(True) | st.booleans(),
    )


@generates(d.DeleteDefinition)
def delete_definition(world: World) -> SearchStrategy[Command]:
    return _names(world).map(lambda pair: d.DeleteDefinition(entity_id=pair[0], key=pair[1]))


@generates(d.RestoreDefinition)
def restore_definition(world: World) -> SearchStrategy[Command]:
    return _names(world).map(lambda pair: d.RestoreDefinition(entity_id=pair[0], key=pair[1]))


@generates(b.UpsertDefinitions)
def upsert_definitions(world: World) -> SearchStrategy[Command]:
    entry = st.builds(
        b.DefinitionEntry,
        key=keys,
        kind=kinds,
        config_json=maybe(st.none() | configs),
        is_active=st.just(True) | st.booleans(),
        priority=maybe(st.integers(-5, 20) | st.sampled_from((0.5, 1.25))),
    )
    fieldset = st.builds(Fieldset, code=st.sampled_from(("basic", "more")), label=labels)
    return st.builds(
        b.UpsertDefinitions,
        entity_id=entities,
        definitions=st.lists(entry, max_size=4),
        fieldsets=maybe(st.lists(fieldset, max_size=2)),
        single_fieldset_per_record=maybe(st.booleans()),
    )


@generates(e.UpsertEntity)
def upsert_entity(world: World) -> SearchStrategy[Command]:
    return st.builds(
        e.UpsertEntity,
        entity_id=entities,
        label=labels,
        description=st.none() | texts,
        label_field=maybe(st.sampled_from(("size", "note"))),
        default_editor=maybe(st.sampled_from(("plain", "htmlRichText"))),
        show_in_sidebar=st.booleans(),
        access_restricted=maybe(st.booleans()),
        is_active=st.just(True) | st.booleans(),
    )


@generates(e.DeleteEntity)
def delete_entity(world: World) -> SearchStrategy[Command]:
    known = sorted({row["entity_id"] for row in world.matching("custom_entities")})
    chosen = st.sampled_from(known) if known else entities
    return st.builds(e.DeleteEntity, entity_id=chosen)


@generates(e.UpdateEntitySettings)
def update_settings(world: World) -> SearchStrategy[Command]:
    return st.builds(e.UpdateEntitySettings, new_entities_restricted_by_default=st.booleans())
