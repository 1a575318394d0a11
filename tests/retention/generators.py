"""Random commands on the retention of the log."""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from commands import retention as c
from commands.registry import Command
from tests.generators import World, generates

kinds = st.sampled_from(("*", "dictionaries.entry", "auth.user", "no.kind"))


@generates(c.SetRetention)
def set_retention(world: World) -> SearchStrategy[Command]:
    return st.builds(c.SetRetention, kind=kinds, days=st.sampled_from((30, 31, 365)))


@generates(c.ClearRetention)
def clear_retention(world: World) -> SearchStrategy[Command]:
    return st.builds(c.ClearRetention, kind=kinds)
