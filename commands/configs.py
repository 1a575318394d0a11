"""Commands of the configuration: settings of modules, purges of the cache, upgrade actions (contract: configs.md)."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from commands.registry import Command, command, guards, handles
from commands.unit import Unit
from domain.configs import (
    CACHE_MANAGE,
    MANAGE,
    MAX_MODULE,
    MAX_NAME,
    cache_purges,
    declared_setting,
    module_configs,
    upgrade_action_runs,
)
from domain.errors import Problem

ModuleId = Annotated[str, Meta(min_length=1, max_length=MAX_MODULE)]
SettingName = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]

_PURGE_WHY = "What was thrown out of the cache is looked up again when it is needed."


# Settings of modules


@command("configs.settings.set", resource="configs.setting", label="Change setting", features=(MANAGE,))
class SetSetting(Command, frozen=True, kw_only=True, rename="camel"):
    """Give a declared setting a value: for the tenant, or (super admins only) for all without one of their own."""

    module: ModuleId
    name: SettingName
    value: Any
    for_everyone: bool = False


@handles(SetSetting)
async def set_setting(command: SetSetting, unit: Unit) -> None:
    """Raises Problem 404 for a setting that no module declared, and 403."""
    if declared_setting(command.module, command.name) is None:
        raise Problem.not_found("There is no such setting")
    stored = await _stored(unit, command)
    if stored is not None:
        await unit.update(module_configs, stored, {"value": command.value})
        return
    row = {"module_id": command.module, "name": command.name, "value": command.value}
    await unit.insert(module_configs, row | {"for_everyone": command.for_everyone})


@command(
    "configs.settings.restore",
    resource="configs.setting",
    label="Restore default setting",
    features=(MANAGE,),
)
class RestoreSetting(Command, frozen=True, kw_only=True, rename="camel"):
    """Take a setting's value away, so that the next wider one holds: everyone's, or the default."""

    module: ModuleId
    name: SettingName
    for_everyone: bool = False


@handles(RestoreSetting)
async def restore_setting(command: RestoreSetting, unit: Unit) -> None:
    """Does nothing when there is no value."""
    stored = await _stored(unit, command)
    if stored is not None:
        await unit.delete(module_configs, stored)


async def _stored(unit: Unit, command: SetSetting | RestoreSetting) -> UUID | None:
    found: UUID | None = await unit.fetchval(
        "select id from module_configs where tenant_id = $1 and module_id = $2 and name = $3 and for_everyone = $4",
        unit.scope.tenant_id,
        command.module,
        command.name,
        command.for_everyone,
    )
    return found


@guards("module_configs")
async def only_super_admins_for_everyone(unit: Unit) -> None:
    """A value that holds for everyone is changed by super admins only, by undo and redo too. Raises Problem 403."""
    if unit.scope.is_super_admin:
        return
    for change in unit.changes:
        if change.t == "module_configs" and _is_for_everyone(change):
            raise Problem.forbidden(error="Only super admins may change settings of all tenants")


def _is_for_everyone(change: Any) -> bool:
    row = {**(change.u or {}), **(change.b or {}), **(change.a or {})}
    return bytes(row["for_everyone"]) == b"true"


# The cache


@command(
    "configs.cache.purge",
    resource="configs.cache",
    label="Purge cache",
    features=(CACHE_MANAGE,),
    target="segment",
    undoable=False,
    why=_PURGE_WHY,
)
class PurgeCache(Command, frozen=True, kw_only=True, rename="camel"):
    """Write down that the tenant's cache, or a segment of it, was purged; `deleted` entries were in it."""

    action: Literal["purgeAll", "purgeSegment"]
    segment: Annotated[str, Meta(max_length=200)] | None = None
    deleted: Annotated[int, Meta(ge=0, le=2_147_483_647)]


@handles(PurgeCache)
async def purge_cache(command: PurgeCache, unit: Unit) -> None:
    """Note it; the log row tells who did it."""
    row = {"action": command.action, "segment": command.segment, "deleted": command.deleted}
    await unit.insert(cache_purges, row)


@command(
    "configs.cache.clear",
    resource="configs.cache",
    label="Clear cache",
    features=(MANAGE,),
    undoable=False,
    why=_PURGE_WHY,
)
class ClearCache(Command, frozen=True, kw_only=True, rename="camel"):
    """Write down that everything the cache held of the tenant was cleared."""

    deleted: Annotated[int, Meta(ge=0, le=2_147_483_647)]


@handles(ClearCache)
async def clear_cache(command: ClearCache, unit: Unit) -> None:
    """Note it."""
    await unit.insert(cache_purges, {"action": "clear", "segment": None, "deleted": command.deleted})


# Upgrade actions

Run = Callable[[Unit, UUID], Awaitable[None]]


class UpgradeAction(Struct, frozen=True):
    """What is to be done once after an upgrade to `version`: in each organization, or once in each tenant.

    The texts are English sentences, translated by the catalogues. `run` writes through the unit it is given; the other
    argument is the organization that the person works in.
    """

    id: str
    version: str
    message: str
    cta_label: str
    success_message: str
    loading_label: str
    per_organization: bool
    run: Run


_actions: dict[str, UpgradeAction] = {}


def upgrade_action(
    id: str,
    *,
    version: str,
    message: str,
    cta_label: str,
    success_message: str,
    loading_label: str,
    per_organization: bool = True,
) -> Callable[[Run], Run]:
    """Declare the decorated function as an upgrade action."""

    def register(run: Run) -> Run:
        _actions[id] = UpgradeAction(
            id, version, message, cta_label, success_message, loading_label, per_organization, run
        )
        return run

    return register


def upgrade_actions() -> list[UpgradeAction]:
    """All declared actions, those of the earliest version first."""
    return sorted(_actions.values(), key=lambda action: (version_order(action.version), action.id))


def version_order(version: str) -> tuple[int, ...]:
    """The numbers of a semantic version, for comparing; what follows them (`-rc.1`) does not count."""
    return tuple(int(part) for part in version.partition("-")[0].split("."))


class UpgradeRun(Struct, frozen=True):
    """How the execution of an action ended."""

    status: Literal["completed", "already_completed"]
    message: str


@command(
    "configs.upgrade_actions.execute",
    resource="configs.upgrade_action",
    label="Execute upgrade action",
    features=(MANAGE,),
    target="action_id",
    undoable=False,
    why="An upgrade belongs to the version of the program; what it made can be changed or deleted like anything else.",
)
class ExecuteUpgrade(Command, frozen=True, kw_only=True, rename="camel"):
    """Run a declared upgrade action where it has not been run yet; `version` is that of the program."""

    action_id: str
    version: Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)*(-.*)?$")]


@handles(ExecuteUpgrade)
async def execute_upgrade(command: ExecuteUpgrade, unit: Unit) -> UpgradeRun:
    """The action and the note that it was run are one transaction, and the tenant's lock lets one in at a time.

    Raises Problem 400 for an unknown action and without an organization, 500 when the action refuses.
    """
    action = _actions.get(command.action_id)
    if action is None or version_order(action.version) > version_order(command.version):
        raise Problem.bad_request("There is no such upgrade action", "unknown_action")
    organization_id = upgrade_organization(unit.scope)
    if organization_id is None:
        raise Problem.bad_request("Tenant and organization context are required")
    if await _was_run(unit, action, organization_id):
        return UpgradeRun("already_completed", action.success_message)
    try:
        await action.run(unit, organization_id)
    except Problem as problem:
        body = {"error": "The upgrade action failed", "details": str(problem)}
        raise Problem(500, body) from problem
    await unit.insert(
        upgrade_action_runs,
        {
            "organization_id": organization_id,
            "action_id": action.id,
            "version": action.version,
            "completed_at": unit.now,
        },
    )
    return UpgradeRun("completed", action.success_message)


def upgrade_organization(scope: Any) -> UUID | None:
    """The organization that upgrade actions are run for: of the feature check, else selected, else the caller's own."""
    found: UUID | None = (
        scope.feature_organization_id or scope.selected_organization_id or scope.home_organization_id
    )
    return found


async def _was_run(unit: Unit, action: UpgradeAction, organization_id: UUID) -> bool:
    return bool(
        await unit.fetchval(
            "select exists (select from upgrade_action_runs where tenant_id = $1 and version = $2 and action_id = $3"
            " and ($4::uuid is null or organization_id = $4))",
            unit.scope.tenant_id,
            action.version,
            action.id,
            organization_id if action.per_organization else None,
        )
    )
