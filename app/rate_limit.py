"""How often a caller may try (contract: auth.md section 6): a thin wrap of `limits`.

A window begins with its first hit; the hit after the last allowed one is refused and blocks the key for a while.
Counters live in this process, or in Redis for all processes together. A limiter that fails lets everybody pass.
"""

import hmac
import os
import time
from collections.abc import Mapping
from typing import Any, Final

import structlog
from limits.aio.storage import MemoryStorage, Storage
from limits.errors import ConfigurationError
from limits.storage import storage_from_string
from litestar import Request
from msgspec import Struct

from app.settings import Settings, StartError
from domain.errors import Problem
from domain.wire import flag

_logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.rate_limit")


class Rule(Struct, frozen=True):
    """At most `points` hits of a key in `seconds`; one more blocks the key for `block` seconds (0: not at all).

    `stem` is the part of the settings' names that tunes it: `RATE_LIMIT_<stem>_POINTS`, `_DURATION`,
    `_BLOCK_DURATION`.
    """

    stem: str
    points: int
    seconds: int
    block: int

    def tuned(self, environment: Mapping[str, str]) -> "Rule":
        """The rule as the environment changes it; values that are no positive whole numbers count as not set."""

        def read(suffix: str, default: int, least: int) -> int:
            text = environment.get(f"RATE_LIMIT_{self.stem}_{suffix}", "").strip()
            return int(text) if text.isdecimal() and int(text) >= least else default

        return Rule(
            self.stem,
            read("POINTS", self.points, 1),
            read("DURATION", self.seconds, 1),
            read("BLOCK_DURATION", self.block, 0),
        )


LOGIN_BY_ADDRESS: Final = Rule("LOGIN_IP", 20, 60, 60)
LOGIN: Final = Rule("LOGIN", 5, 60, 60)
REFRESH_BY_ADDRESS: Final = Rule("REFRESH_IP", 60, 60, 60)
REFRESH: Final = Rule("REFRESH", 15, 60, 60)
RESET_BY_ADDRESS: Final = Rule("RESET_IP", 10, 60, 60)
RESET: Final = Rule("RESET", 3, 60, 60)
RESET_CONFIRM: Final = Rule("RESET_CONFIRM", 5, 300, 0)
RESEND_INVITE: Final = Rule("RESEND_INVITE", 3, 300, 300)


class RateLimits:
    """The counters of one process, or its door to the shared ones."""

    def __init__(self, settings: Settings, environment: Mapping[str, str] | None = None) -> None:
        """Open the store that the settings ask for. Raises `StartError` when it cannot be used."""
        self._environment = os.environ if environment is None else environment
        self._enabled = (
            settings.rate_limit_enabled and flag(self._environment.get("OM_INTEGRATION_TEST")) is not True
        )
        self._prefix = settings.rate_limit_key_prefix
        self._depth = settings.rate_limit_trust_proxy_depth
        self._secret = os.urandom(32)
        self._storage: Storage = MemoryStorage()
        if settings.rate_limit_strategy == "redis":
            if settings.redis_url is None:
                raise StartError("RATE_LIMIT_STRATEGY=redis needs REDIS_URL.")
            self._secret = self._prefix.encode()
            self._storage = _shared(settings.redis_url.get_secret_value())

    async def hit(self, rule: Rule, request: Request[Any, Any, Any], identifier: str | None = None) -> None:
        """Count one try of the request's address, or of address and `identifier` (case and outer blanks ignored).

        An empty identifier is not counted. Raises Problem 429 when it was one too many.
        """
        if not self._enabled or identifier == "":
            return
        rule = rule.tuned(self._environment)
        key = self._key(rule, request, identifier)
        try:
            refused = await self._count(rule, key)
        except Exception as error:  # whatever a store may raise: nobody is locked out by a broken limiter
            _logger.warning("rate limiter failed", exc_info=error)
            return
        if refused is not None:
            raise Problem.too_many(refused, rule.points)

    async def clear(self, rule: Rule, request: Request[Any, Any, Any], identifier: str | None = None) -> None:
        """Forget the tries of a key, after one that succeeded."""
        if not self._enabled or identifier == "":
            return
        try:
            await self._storage.clear(self._key(rule, request, identifier))
        except Exception as error:  # as above
            _logger.warning("rate limiter failed", exc_info=error)

    async def _count(self, rule: Rule, key: str) -> int | None:
        """Seconds until the next try when this one is refused."""
        blocked = f"{key}:blocked"
        if rule.block and await self._storage.get(blocked):
            return await self._left(blocked)
        if await self._storage.incr(key, rule.seconds) <= rule.points:
            return None
        if not rule.block:
            return await self._left(key)
        await self._storage.incr(blocked, rule.block)
        return rule.block

    async def _left(self, key: str) -> int:
        return max(1, round(await self._storage.get_expiry(key) - time.time()))

    def _key(self, rule: Rule, request: Request[Any, Any, Any], identifier: str | None) -> str:
        address = client_address(request, self._depth)
        key = f"{self._prefix}:{rule.stem}:{address}"
        if identifier is not None:
            digest = hmac.digest(
                self._secret, identifier.strip().lower().encode("utf-8", "replace"), "sha256"
            )
            key += f":{digest.hex()}"
        return key


def client_address(request: Request[Any, Any, Any], depth: int) -> str:
    """The address of the caller: the peer's, or what the `depth`-th proxy from the right says it is."""
    peer = request.client.host if request.client is not None else "unknown"
    if depth == 0:
        return peer
    chain = [part.strip() for part in request.headers.get("x-forwarded-for", "").split(",") if part.strip()]
    if len(chain) >= depth:
        return chain[-depth][:100]
    if depth == 1:
        return request.headers.get("x-real-ip", "").strip()[:100] or peer
    return peer


def _shared(url: str) -> Storage:
    scheme = "async+valkey" if url.startswith("valkey") else "async+redis"
    options = {} if scheme == "async+valkey" else {"implementation": "redispy"}
    secure = "s" if url.startswith(("rediss://", "valkeys://")) else ""
    try:
        storage = storage_from_string(f"{scheme}{secure}://{url.partition('://')[2]}", **options)
    except (ConfigurationError, ValueError) as error:
        raise StartError(f"REDIS_URL cannot be used for rate limits: {error}") from None
    assert isinstance(storage, Storage), "the asynchronous scheme makes an asynchronous store"
    return storage
