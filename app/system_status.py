"""What the environment says of this process: 24 documented variables, none of them a secret (configs.md section 4)."""

import os
import re
from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct

from app.settings import Settings
from domain.images import camel
from domain.wire import flag

Kind = Literal["boolean", "string"]
State = Literal["enabled", "disabled", "set", "unset", "unknown"]
_DOCS: Final = "https://docs.openmercato.com/docs/framework/operations/system-status#"


class Variable(Struct, frozen=True):
    """One variable; `name` is its part of the keys of labels, `default` only informs."""

    key: str
    kind: Kind
    default: str | None
    name: str
    older: str | None = None
    """Another name that the setting is read from when this one is not given."""


def _variables(
    *rows: tuple[str, Kind, str | None, str] | tuple[str, Kind, str | None, str, str],
) -> tuple[Variable, ...]:
    return tuple(Variable(*row) for row in rows)


CATEGORIES: Final[Mapping[str, tuple[Variable, ...]]] = {
    "profiling": _variables(
        ("OM_PROFILE", "string", "", "omProfile"),
        ("NEXT_PUBLIC_OM_PROFILE", "string", "", "nextPublicOmProfile"),
        ("OM_CRUD_PROFILE", "string", "", "omCrudProfile"),
        ("OM_QE_PROFILE", "string", "", "omQeProfile"),
    ),
    "logging": _variables(
        ("QUERY_ENGINE_DEBUG_SQL", "boolean", "false", "queryEngineDebugSql"),
        ("LOG_VERBOSITY", "string", "", "logVerbosity"),
        ("LOG_LEVEL", "string", "", "logLevel"),
    ),
    "security": _variables(
        ("OM_PASSWORD_MIN_LENGTH", "string", "6", "passwordMinLength"),
        ("DATABASE_URL", "string", None, "databaseUrl"),
        ("OM_PASSWORD_REQUIRE_DIGIT", "boolean", "true", "passwordRequireDigit"),
        ("OM_PASSWORD_REQUIRE_UPPERCASE", "boolean", "true", "passwordRequireUppercase"),
        ("OM_PASSWORD_REQUIRE_SPECIAL", "boolean", "true", "passwordRequireSpecial"),
    ),
    "caching": _variables(
        ("ENABLE_CRUD_API_CACHE", "boolean", "false", "enableCrudApiCache"),
        ("CACHE_STRATEGY", "string", "memory", "cacheStrategy"),
        ("CACHE_TTL", "string", "", "cacheTtl"),
        ("CACHE_SQLITE_PATH", "string", "./.mercato/cache/cache.db", "cacheSqlitePath"),
    ),
    "query_index": _variables(
        ("SCHEDULE_AUTO_REINDEX", "boolean", "true", "scheduleAutoReindex", "QUERY_INDEX_AUTO_REINDEX"),
        ("OPTIMIZE_INDEX_COVERAGE_STATS", "boolean", "false", "optimizeIndexCoverageStats"),
        ("FORCE_QUERY_INDEX_ON_PARTIAL_INDEXES", "boolean", "false", "forceQueryIndexOnPartialIndexes"),
        ("QUERY_INDEX_WARMUP_ENABLED", "boolean", "true", "queryIndexWarmupEnabled"),
        ("QUERY_INDEX_WARMUP_THROTTLE_MS", "string", "300000", "queryIndexWarmupThrottleMs"),
        ("QUERY_INDEX_WARMUP_CONCURRENCY", "string", "10", "queryIndexWarmupConcurrency"),
        ("QUERY_INDEX_WARMUP_STAGGER_MS", "string", "0", "queryIndexWarmupStaggerMs"),
    ),
    "entities": _variables(
        ("ENTITIES_BACKCOMPAT_EAV_FOR_CUSTOM", "boolean", "false", "entitiesBackcompatEav")
    ),
}
"""The categories and their variables, in the documented order."""


class Item(Struct, frozen=True, rename="camel"):
    """One variable as it stands; `value` is what was typed, `normalized_value` what it means."""

    key: str
    category: str
    kind: Kind
    label_key: str
    description_key: str
    doc_url: str | None
    default_value: str | None
    state: State
    value: str | None
    normalized_value: str | None


class Category(Struct, frozen=True, rename="camel"):
    """A group of variables."""

    key: str
    label_key: str
    description_key: str | None
    items: list[Item]


def runtime_mode(settings: Settings) -> Literal["development", "production", "test"]:
    """How the process runs."""
    return "test" if settings.test_mode else settings.environment


def categories(with_values: bool, environment: Mapping[str, str] = os.environ) -> list[Category]:
    """All variables by category. What was typed is the platform's affair: without `with_values` only states show."""
    return [
        Category(
            key,
            f"configs.systemStatus.categories.{camel(key)}",
            f"configs.systemStatus.categories.{camel(key)}Description",
            [_item(key, one, _typed(one, environment), with_values) for one in variables],
        )
        for key, variables in CATEGORIES.items()
    ]


def _typed(variable: Variable, environment: Mapping[str, str]) -> str | None:
    typed = environment.get(variable.key)
    return typed if typed or variable.older is None else environment.get(variable.older)


def _item(category: str, variable: Variable, typed: str | None, with_values: bool) -> Item:
    state, value, normalized = _read(variable, (typed or "").strip())
    return Item(
        key=variable.key,
        category=category,
        kind=variable.kind,
        label_key=f"configs.systemStatus.variables.{variable.name}.label",
        description_key=f"configs.systemStatus.variables.{variable.name}.description",
        doc_url=None if variable.key == "DATABASE_URL" else _DOCS + variable.key.lower(),
        default_value=variable.default,
        state=state,
        value=value if with_values else None,
        normalized_value=normalized if with_values else None,
    )


def _read(variable: Variable, text: str) -> tuple[State, str | None, str | None]:
    if not text:
        return "unset", None, None
    if variable.kind == "string":
        shown = without_credentials(text) if variable.key == "DATABASE_URL" else text
        return "set", shown, shown
    token = flag(text)
    if token is None:
        return "unknown", text, text
    return ("enabled", text, "true") if token else ("disabled", text, "false")


def without_credentials(address: str) -> str:
    """An address without user, password and query; of a text that is no address, what cannot hold any of them."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if host:
        shown = f"[{host}]" if ":" in host else host
        return urlunsplit((parts.scheme, shown if port is None else f"{shown}:{port}", parts.path, "", ""))
    head = re.split(r"[?#]", address, maxsplit=1)[0]
    scheme, mark, rest = head.partition("://")
    if mark:
        return f"{scheme}://{rest.rpartition('@')[2]}"
    return "" if "password" in head.lower() or "@" in head else head
