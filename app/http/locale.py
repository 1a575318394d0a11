"""The language of a request (contract: auth.md 7.18)."""

from functools import lru_cache
from typing import Any

from litestar import Request

from domain.i18n import DEFAULT, LOCALES


def request_locale(request: Request[Any, Any, Any], forced: str | None) -> str:
    """The forced locale, else the cookie `locale`, else the best match of `Accept-Language`, else `en`."""
    if forced in LOCALES:
        return forced
    chosen = request.cookies.get("locale")
    if chosen in LOCALES:
        return chosen
    return best_locale(request.headers.get("accept-language", ""))


@lru_cache(1024)
def best_locale(accepted: str) -> str:
    """The known locale that an `Accept-Language` value prefers; `pl-PL` and `pl_PL` count as `pl`."""
    best, weight = DEFAULT, 0.0
    for part in accepted.split(","):
        tag, _, parameters = part.partition(";")
        language = tag.strip().replace("_", "-").partition("-")[0].lower()
        quality = _quality(parameters)
        if language in LOCALES and quality > weight:
            best, weight = language, quality
    return best


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0
