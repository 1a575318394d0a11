"""Random commands of the feature toggles; identifiers hold the tenant's id, because they are the whole platform's."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from commands import feature_toggles as f
from commands.registry import Command
from domain.feature_toggles import TYPES
from tests.generators import World, generates, maybe, one_of_ids, texts

values: SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from((2.5, "", "null", "1.10", "straße")),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=4,
)
kinds: SearchStrategy[Any] = st.sampled_from(TYPES)
categories = st.none() | texts


def _identifiers(world: World) -> SearchStrategy[str]:
    own = str(world.rows["tenants"][0]["id"])
    return st.sampled_from([f"t.{own}.{letter}" for letter in "abcde"])


def _toggle(world: World) -> SearchStrategy[Any]:
    return one_of_ids(world.ids("feature_toggles", deleted_at=None) or world.ids("feature_toggles"))


@generates(f.CreateToggle)
def create_toggle(world: World) -> SearchStrategy[Command]:
    return st.builds(
        f.CreateToggle,
        identifier=_identifiers(world),
        name=texts,
        description=categories,
        category=categories,
        type=kinds,
        default_value=values,
    )


@generates(f.UpdateToggle)
def update_toggle(world: World) -> SearchStrategy[Command]:
    return st.builds(
        f.UpdateToggle,
        id=_toggle(world),
        identifier=maybe(_identifiers(world)),
        name=maybe(texts),
        description=maybe(categories),
        category=maybe(categories),
        type=maybe(kinds),
        default_value=maybe(values),
    )


@generates(f.DeleteToggle)
def delete_toggle(world: World) -> SearchStrategy[Command]:
    return st.builds(f.DeleteToggle, id=_toggle(world))


@generates(f.ChangeOverride)
def change_override(world: World) -> SearchStrategy[Command]:
    return st.builds(
        f.ChangeOverride, toggle_id=_toggle(world), is_override=st.booleans(), override_value=maybe(values)
    )
