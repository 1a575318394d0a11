"""Configuration: features, the tables of module settings, upgrade actions and cache purges (contract: configs.md)."""

from typing import Any, Final

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.dialects import postgresql as pg

from domain.features import Feature, Module, declare
from domain.resources import Resource, tenant_table

STATUS_VIEW = "configs.system_status.view"
CACHE_VIEW = "configs.cache.view"
CACHE_MANAGE = "configs.cache.manage"
MANAGE = "configs.manage"

MAX_MODULE: Final = 64
MAX_NAME: Final = 128

declare(
    Module("configs", "Configuration"),
    [
        Feature(STATUS_VIEW, "View system status", "configs", (), ("admin",)),
        Feature(CACHE_VIEW, "View cache overview", "configs", (), ("admin",)),
        Feature(CACHE_MANAGE, "Manage cache", "configs", (), ("admin",)),
        Feature(MANAGE, "Manage configuration", "configs", (), ("admin",)),
    ],
)

module_configs = tenant_table(
    "module_configs",
    sa.Column("module_id", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("value", pg.JSONB),
    sa.Column("for_everyone", sa.Boolean, nullable=False, default=False),
)
"""A module's setting. One `for_everyone` holds for every tenant without one of its own; a null value is none."""

upgrade_action_runs = tenant_table(
    "upgrade_action_runs",
    sa.Column("organization_id", sa.Uuid, nullable=False),
    sa.Column("action_id", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("completed_at", sa.DateTime(timezone=True), nullable=False),
)

cache_purges = tenant_table(
    "cache_purges",
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("segment", sa.Text),
    sa.Column("deleted", sa.Integer, nullable=False),
)
"""What was thrown out of the cache, and when; bookkeeping, the log row tells by whom."""

SETTING = Resource(
    module_configs,
    kind="configs.setting",
    view=(MANAGE,),
    conflicts={
        "module_configs_of_tenant": "The setting exists already",
        "module_configs_for_everyone": "The setting exists already",
    },
)

RUN = Resource(
    upgrade_action_runs,
    kind="configs.upgrade_action",
    view=(MANAGE,),
    conflicts={"upgrade_action_runs_once": "The upgrade action was executed already"},
)

PURGE = Resource(cache_purges, logged=False)


class Setting(Struct, frozen=True):
    """A declared setting of a module, with the value it has when nobody set one."""

    module: str
    name: str
    default: Any
    description: str


_settings: dict[tuple[str, str], Setting] = {}


def declare_settings(*settings: Setting) -> None:
    """Add settings that may be read and set; the first declaration of a name wins."""
    for one in settings:
        _settings.setdefault((one.module, one.name), one)


def declared_setting(module: str, name: str) -> Setting | None:
    """The declaration of a setting, if some module made one."""
    return _settings.get((module, name))


def declared_settings() -> list[Setting]:
    """All declared settings by module and name."""
    return [_settings[key] for key in sorted(_settings)]
