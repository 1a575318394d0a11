"""HashiCorp Vault, KV version 2, over its HTTP API: where wrapping keys are kept when VAULT_ADDR is set."""

import base64
import binascii
import os
from time import monotonic
from typing import Any, Final
from uuid import UUID

import httpx2
import structlog

from app.settings import Settings, StartError
from domain.encryption.wrapping import KeyMissing, KeysUnavailable

COOLDOWN_SECONDS: Final = 30.0
"""After a failure nobody asks again for so long: a Vault that is down must not slow every request."""

logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.vault")


class Vault:
    """Wrapping keys as secrets `<VAULT_KV_PATH>/tenant_key_<tenant id>`, each `{"key": base64 of 32 bytes}`."""

    kind: Final = "vault"

    def __init__(self, settings: Settings) -> None:
        """Raises StartError when there is no token."""
        if settings.vault_token is None:
            raise StartError("Set VAULT_TOKEN: VAULT_ADDR is set, so the wrapping keys are kept in Vault.")
        self._address = str(settings.vault_addr).rstrip("/")
        self._path = settings.vault_kv_path.strip("/")
        self._timeout = settings.vault_request_timeout_ms / 1000
        self._token = settings.vault_token.get_secret_value()
        self._failed: float | None = None

    async def wrapping_key(self, tenant_id: UUID, *, make: bool) -> bytes:
        """The key of a tenant; made when there is none and `make` says so.

        Raises KeysUnavailable while Vault does not answer as it should, KeyMissing for a tenant without a key.
        """
        place = f"{self._path}/tenant_key_{tenant_id}"
        found = await self._read(place)
        if found is None and make:
            found = await self._create(place)
        if found is None:
            raise KeyMissing(f"Vault has no secret {place}.")
        return _decoded(found, place)

    async def check(self) -> None:
        """Raises StartError when Vault cannot be reached, or does not let us read."""
        try:
            await self._read(f"{self._path}/backstep_probe")
        except KeysUnavailable as error:
            raise StartError(f"Vault at {self._address} cannot be used: {error}") from None

    async def _read(self, place: str) -> dict[str, Any] | None:
        answer = await self._ask("GET", place)
        if answer.status_code == 404:
            return None
        return self._data(answer)

    async def _create(self, place: str) -> dict[str, Any] | None:
        """Write a new key if no other process did meanwhile (check-and-set 0); then read which one stands."""
        key = base64.b64encode(os.urandom(32)).decode()
        answer = await self._ask("POST", place, {"options": {"cas": 0}, "data": {"key": key}})
        if answer.status_code not in (200, 204, 400):  # 400: somebody was faster
            raise self._failure(f"answered {answer.status_code} when a key was written")
        return await self._read(place)

    def _data(self, answer: httpx2.Response) -> dict[str, Any]:
        if answer.status_code != 200:
            raise self._failure(f"answered {answer.status_code}")
        try:
            data = answer.json()["data"]["data"]
        except (ValueError, KeyError, TypeError):
            raise self._failure("answered something that is no secret of KV version 2") from None
        if not isinstance(data, dict):
            raise self._failure("answered a secret without data")
        return data

    async def _ask(self, method: str, place: str, body: Any = None) -> httpx2.Response:
        if self._failed is not None and monotonic() - self._failed < COOLDOWN_SECONDS:
            raise KeysUnavailable("Vault failed a moment ago.")
        headers = {"X-Vault-Token": self._token}
        try:
            async with httpx2.AsyncClient(timeout=self._timeout, headers=headers) as client:
                answer = await client.request(method, f"{self._address}/v1/{place}", json=body)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise self._failure(f"does not answer ({type(error).__name__})") from None
        self._failed = None
        return answer

    def _failure(self, what: str) -> KeysUnavailable:
        """Begin the cooldown; the words name neither token nor key."""
        self._failed = monotonic()
        logger.warning("vault failed", reason=what)
        return KeysUnavailable(f"Vault {what}.")


def _decoded(data: dict[str, Any], place: str) -> bytes:
    try:
        key = base64.b64decode(str(data.get("key")), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 32:
        raise KeyMissing(f"The secret {place} holds no key of 32 bytes under `key`.")
    return key
