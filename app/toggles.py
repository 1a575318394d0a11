"""Checks of feature toggles from memory (contract: feature-toggles.md section 4).

A resolution, that there is no such toggle included, is kept for a minute in the tenant's part of the cache, and counts
no more as soon as a toggle of the platform or an override of the tenant is changed, in whichever process.
"""

import re
from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

import msgspec

from app.cache import ALL, PLATFORM, Cache, Tag
from app.database import Database
from app.settings import Settings
from domain.errors import Problem
from domain.feature_toggles import IDENTIFIER_PATTERN, MAX_IDENTIFIER, ToggleType, value_fits
from queries import feature_toggles as queries
from queries.feature_toggles import Resolution

_KEEP_SECONDS: Final = 60.0
_TAG: Final = "toggles"
_IDENTIFIER: Final = re.compile(IDENTIFIER_PATTERN)
_encode = msgspec.json.encode
_resolution = msgspec.msgpack.Decoder(Resolution)


class Toggles:
    """Answers what a toggle is for a tenant. One per process."""

    def __init__(self, database: Database, cache: Cache, settings: Settings) -> None:
        """Nothing is known yet."""
        self._database = database
        self._cache = None if settings.toggles_uncached else cache

    async def resolve(self, tenant_id: UUID, identifier: str) -> Resolution:
        """What the toggle of this identifier is for the tenant; a text that can be no identifier is not looked up."""
        if len(identifier) > MAX_IDENTIFIER or not _IDENTIFIER.fullmatch(identifier):
            identifier = ""
        if self._cache is None:
            return await self._ask(tenant_id, identifier)
        near, key = self._cache.near, (tenant_id, identifier)
        known, generation = near.get(key), near.generation
        if known is None:
            tags = _tags(tenant_id)
            known, slot = await self._cache.find(
                tenant_id, f"feature_toggles:resolution:{identifier}", tags[:2]
            )
            if known is None:
                known = msgspec.msgpack.encode(await self._ask(tenant_id, identifier))
                await self._cache.keep(slot, known, _KEEP_SECONDS)
            near.put(key, tags, known, _KEEP_SECONDS, generation)
        return _resolution.decode(known)

    async def check(self, tenant_id: UUID, wanted: ToggleType, identifier: str) -> bytes:
        """The answer to a check, as `checked` makes it; one that was given a moment ago is given again as it is."""
        if self._cache is None:
            return checked(await self.resolve(tenant_id, identifier), wanted, identifier, tenant_id)
        near, key = self._cache.near, (tenant_id, wanted, identifier)
        known = near.get(key)
        if known is None:
            generation = near.generation
            known = checked(await self.resolve(tenant_id, identifier), wanted, identifier, tenant_id)
            near.put(key, _tags(tenant_id), known, _KEEP_SECONDS, generation)
        return known

    async def _ask(self, tenant_id: UUID, identifier: str) -> Resolution:
        async with self._database.read(tenant_id, one_plan=True) as connection:
            return await queries.resolve(connection, tenant_id, identifier)

    async def value(self, tenant_id: UUID, identifier: str, otherwise: Any = None) -> Any:
        """The value for a tenant, decoded; `otherwise` when there is no such toggle or its value is not of its type."""
        found = await self.resolve(tenant_id, identifier)
        value = msgspec.json.decode(found.value)
        return value if found.type is not None and value_fits(found.type, value) else otherwise


def _tags(tenant_id: UUID) -> tuple[Tag, ...]:
    return (PLATFORM, _TAG), (tenant_id, _TAG), (tenant_id, ALL)


def stale_tags(tenant_id: UUID, tables: Collection[str]) -> list[Tag]:
    """The tags of the resolutions that a change of these tables makes stale."""
    tags: list[Tag] = []
    if "feature_toggles" in tables:
        tags.append((PLATFORM, _TAG))
    if "feature_toggle_overrides" in tables or "tenants" in tables:
        tags.append((tenant_id, _TAG))
    return tags


def checked(found: Resolution, wanted: ToggleType, identifier: str, tenant_id: UUID) -> bytes:
    """The answer to a check of the type `wanted`: the documented flat form, and the nested one that clients read.

    Raises Problem: 404 without the tenant or the toggle, 400 when the type or the value does not fit.
    """
    if not found.tenant_known:
        raise Problem.not_found("Tenant not found")
    resolution: dict[str, Any] = {
        "valueType": found.type or "boolean",
        "value": msgspec.Raw(found.value.encode()),
        "source": "missing" if found.type is None else "override" if found.overridden else "default",
        "toggleId": found.toggle_id,
        "identifier": identifier,
        "tenantId": tenant_id,
    }
    refusal = _refusal(found, wanted, identifier)
    if refusal is None:
        flat = {"enabled": resolution["value"]} if wanted == "boolean" else {}
        return _encode({"ok": True, **flat, **resolution, "resolution": resolution})
    status, code, error = refusal
    raise Problem(
        status,
        {
            "error": error,
            "ok": False,
            "code": code,
            "identifier": identifier,
            "expectedType": wanted,
            "actualType": resolution["valueType"],
            "source": resolution["source"],
            "resolution": resolution,
        },
    )


def _refusal(found: Resolution, wanted: ToggleType, identifier: str) -> tuple[int, str, str] | None:
    """Status, code and sentence of the fault; None for a toggle that has a value of the type."""
    if found.type is None:
        return 404, "MISSING_TOGGLE", f"Feature toggle {identifier} not found"
    if found.type != wanted:
        return 400, "TYPE_MISMATCH", f"Feature toggle {identifier} is of type {found.type}, not {wanted}"
    if not value_fits(wanted, msgspec.json.decode(found.value)):
        return 400, "INVALID_VALUE", f"The value of feature toggle {identifier} is not of type {wanted}"
    return None
