"""Random commands of the shared dictionaries."""

from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec import UNSET

from commands import dictionaries as d
from commands.registry import Command
from tests.generators import UNKNOWN, World, generates, maybe, one_of_ids, some_custom, texts

colors = st.none() | st.sampled_from(("#ff0000", "#00FF00", "#abcdef"))
icons = st.none() | st.sampled_from(("lucide:star", "🙂"))
positions = st.integers(0, 4) | st.sampled_from((2_147_483_647, 1_000_000))
keys = st.sampled_from(("colors", "sizes", "units", "a-b_c", "0", "currency"))
loose_keys = keys | st.sampled_from(("Colors", " sizes ", "BAD KEY", "x.y"))
descriptions = st.sampled_from(("", "Some text", "null", "1.10", "  two\nlines"))
sort_modes: SearchStrategy[Any] = st.sampled_from(("label_asc", "value_desc", "created_at_asc"))


def _dictionary(world: World) -> SearchStrategy[UUID]:
    return one_of_ids(world.ids("dictionaries", deleted_at=None) or world.ids("dictionaries"))


def _entry(world: World) -> SearchStrategy[tuple[UUID, UUID]]:
    """A dictionary and an entry of it; rarely one of another."""
    pairs = [
        (UUID(str(row["dictionary_id"])), UUID(str(row["id"])))
        for row in world.matching("dictionary_entries")
    ]
    if not pairs:
        return st.tuples(_dictionary(world), st.just(UNKNOWN))
    strange = st.tuples(_dictionary(world), st.sampled_from([id for _, id in pairs]))
    return st.integers(0, 15).flatmap(lambda n: st.sampled_from(pairs) if n else strange)


@generates(d.CreateDictionary)
def create_dictionary(world: World) -> SearchStrategy[Command]:
    return st.builds(
        d.CreateDictionary,
        key=keys,
        name=texts,
        description=maybe(descriptions),
        is_system=st.booleans(),
        is_active=st.booleans() | st.just(True),
        entry_sort_mode=sort_modes,
        custom_fields=some_custom(),
    )


@generates(d.UpdateDictionary)
def update_dictionary(world: World) -> SearchStrategy[Command]:
    return st.builds(
        d.UpdateDictionary,
        dictionary_id=_dictionary(world),
        key=maybe(loose_keys),
        name=maybe(texts),
        description=maybe(descriptions),
        is_system=maybe(st.booleans()),
        is_active=st.just(UNSET) | st.just(UNSET) | st.just(True) | st.booleans(),
        entry_sort_mode=maybe(sort_modes),
        custom_fields=some_custom(),
    )


@generates(d.DeleteDictionary)
def delete_dictionary(world: World) -> SearchStrategy[Command]:
    return st.builds(d.DeleteDictionary, dictionary_id=_dictionary(world))


@generates(d.CreateEntry)
def create_entry(world: World) -> SearchStrategy[Command]:
    return st.builds(
        d.CreateEntry,
        dictionary_id=_dictionary(world),
        value=texts,
        label=maybe(texts),
        color=colors,
        icon=icons,
        position=positions,
        custom_fields=some_custom(),
    )


@generates(d.UpdateEntry)
def update_entry(world: World) -> SearchStrategy[Command]:
    return _entry(world).flatmap(
        lambda pair: st.builds(
            d.UpdateEntry,
            dictionary_id=st.just(pair[0]),
            entry_id=st.just(pair[1]),
            value=maybe(texts),
            label=maybe(texts),
            color=maybe(colors),
            icon=maybe(icons),
            position=maybe(positions),
            is_default=maybe(st.booleans()),
            custom_fields=some_custom(),
        )
    )


@generates(d.DeleteEntry)
def delete_entry(world: World) -> SearchStrategy[Command]:
    return _entry(world).map(lambda pair: d.DeleteEntry(dictionary_id=pair[0], entry_id=pair[1]))


@generates(d.ReorderEntries)
def reorder_entries(world: World) -> SearchStrategy[Command]:
    place = st.builds(d.EntryPosition, id=one_of_ids(world.ids("dictionary_entries")), position=positions)
    return st.builds(
        d.ReorderEntries, dictionary_id=_dictionary(world), entries=st.lists(place, min_size=1, max_size=6)
    )


@generates(d.SetDefaultEntry)
def set_default_entry(world: World) -> SearchStrategy[Command]:
    return _entry(world).map(lambda pair: d.SetDefaultEntry(dictionary_id=pair[0], entry_id=pair[1]))
