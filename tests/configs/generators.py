"""Random commands on the settings of modules."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from commands import configs as c
from commands.registry import Command
from domain.configs import Setting, declare_settings
from tests.generators import World, generates

declare_settings(
    Setting("tests", "color", "red", "Only the tests have this setting."),
    Setting("tests", "limit", 10, "Only the tests have this setting."),
)

names = st.sampled_from(("color", "limit", "limit", "unknown"))
values: SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(("", "blue", "1.10"))
)


@generates(c.SetSetting)
def set_setting(world: World) -> SearchStrategy[Command]:
    return st.builds(c.SetSetting, module=st.just("tests"), name=names, value=values)


@generates(c.RestoreSetting)
def restore_setting(world: World) -> SearchStrategy[Command]:
    return st.builds(c.RestoreSetting, module=st.just("tests"), name=names)
