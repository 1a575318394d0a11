"""Settings of modules, as the other parts of the program ask for them (contract: configs.md section 8).

A tenant's own value holds, else the one for everyone, else the declared default. A look-up, that nothing is set
included, is kept for a minute and counts no more as soon as a setting is changed, in whichever process.
"""

from collections.abc import Collection
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from app.cache import PLATFORM, Cache, Tag
from app.database import Database
from app.http.kit import in_tenant
from commands.bus import Bus
from commands.configs import RestoreSetting, SetSetting
from domain.configs import declared_setting
from domain.errors import Problem
from domain.scope import Options, Scope
from queries import configs as queries
from queries.configs import StoredSetting

_KEEP_SECONDS: Final = 60.0
_TAG: Final = "module_configs"
_NOTHING: Final = b"\xc0"
_stored = msgspec.msgpack.Decoder(StoredSetting | None)


class SettingValue(Struct, frozen=True):
    """What a setting is for a tenant, and who said so."""

    value: Any
    source: Literal["tenant", "instance", "default"]


class ModuleSettings:
    """Reads and writes settings. One per process."""

    def __init__(self, database: Database, bus: Bus, cache: Cache) -> None:
        """Nothing is known yet."""
        self._database = database
        self._bus = bus
        self._cache = cache

    async def get(self, tenant_id: UUID, module: str, name: str) -> SettingValue:
        """The value that holds for a tenant. Raises Problem 404 for a setting that no module declared."""
        declared = declared_setting(module, name)
        if declared is None:
            raise Problem.not_found("There is no such setting")
        tags: tuple[Tag, ...] = ((PLATFORM, _TAG), (tenant_id, _TAG))
        packed, slot = await self._cache.find(tenant_id, f"module-config:v2:{module}:{name}", tags)
        if packed is None:
            async with self._database.read(tenant_id) as connection:
                found = await queries.setting(connection, tenant_id, module, name)
            packed = _NOTHING if found is None else msgspec.msgpack.encode(found)
            await self._cache.keep(slot, packed, _KEEP_SECONDS)
        known = _stored.decode(packed)
        if known is None:
            return SettingValue(declared.default, "default")
        source: Literal["tenant", "instance"] = "tenant" if known.source == "tenant" else "instance"
        return SettingValue(msgspec.json.decode(known.value), source)

    async def set(
        self,
        scope: Scope,
        module: str,
        name: str,
        value: Any,
        options: Options,
        *,
        for_everyone: bool = False,
    ) -> None:
        """Set a value, for the scope's tenant or for everyone. Raises Problem 403 and 404."""
        command = SetSetting(module=module, name=name, value=value, for_everyone=for_everyone)
        await self._bus.execute(command, await self._place(scope, command), options)

    async def restore(
        self, scope: Scope, module: str, name: str, options: Options, *, for_everyone: bool = False
    ) -> None:
        """Take a value away. Raises Problem 403."""
        command = RestoreSetting(module=module, name=name, for_everyone=for_everyone)
        await self._bus.execute(command, await self._place(scope, command), options)

    async def _place(self, scope: Scope, command: SetSetting | RestoreSetting) -> Scope:
        """Where the setting is filed: everyone's value stays with the tenant that it was made in."""
        if not command.for_everyone or not scope.is_super_admin:
            return scope
        async with self._database.read(scope.tenant_id) as connection:
            tenant_id = await queries.tenant_of_setting(connection, command.module, command.name)
        return in_tenant(scope, tenant_id or scope.actor_tenant_id or scope.tenant_id)


def stale_setting_tags(tenant_id: UUID, tables: Collection[str]) -> list[Tag]:
    """The tags of the settings that a change of these tables makes stale."""
    return [(PLATFORM, _TAG), (tenant_id, _TAG)] if "module_configs" in tables else []
