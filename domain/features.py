"""Feature ids: how a grant matches a feature, and the catalogue that modules declare theirs in.

The matching rules are those of the contract (auth.md 4.1 and 4.3).
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from msgspec import Struct


class Feature(Struct, frozen=True):
    """One right that a route or command may demand."""

    id: str
    title: str
    module: str
    depends_on: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    """Default roles that hold it on a fresh installation: of superadmin, admin, employee."""


class Module(Struct, frozen=True):
    """A part of the product with a title of its own."""

    id: str
    title: str


_features: dict[str, Feature] = {}
_modules: dict[str, Module] = {}
_extra_grants: dict[str, list[str]] = {}


def declare(
    module: Module, features: Iterable[Feature], grants: dict[str, Sequence[str]] | None = None
) -> None:
    """Add a module and its features; `grants` lists further grant strings (wildcards) for default roles."""
    _modules.setdefault(module.id, module)
    for feature in features:
        _features.setdefault(feature.id, feature)
    for role, strings in (grants or {}).items():
        _extra_grants.setdefault(role, []).extend(strings)
    _covered.cache_clear()


def catalogue() -> list[Feature]:
    """All declared features, sorted by module, then id."""
    return sorted(_features.values(), key=lambda feature: (feature.module, feature.id))


def modules() -> list[Module]:
    """All declared modules in the order of their declaration."""
    return list(_modules.values())


def default_grants(role: str) -> list[str]:
    """The grant strings that a default role starts with, without duplicates."""
    extra = _extra_grants.get(role, ())
    singles = [feature.id for feature in _features.values() if role in feature.roles]
    return list(
        dict.fromkeys([*extra, *(id for id in singles if not any(matches(grant, id) for grant in extra))])
    )


def matches(grant: str, feature: str) -> bool:
    """Whether one stored grant covers one feature."""
    if grant == "*":
        return True
    if grant.endswith(".*"):
        prefix = grant[:-2]
        return feature == prefix or feature.startswith(prefix + ".")
    return grant == feature


def granted(required: Iterable[str], grants: Sequence[str], is_super_admin: bool) -> bool:
    """Whether every required feature is covered; only features of declared modules ever are."""
    held = tuple(grants)
    return all(_covered(feature, held, is_super_admin) for feature in required)


@lru_cache(maxsize=10_000)
def _covered(feature: str, grants: tuple[str, ...], is_super_admin: bool) -> bool:
    if not _owner_enabled(feature):
        return False
    return is_super_admin or any(matches(grant, feature) for grant in grants)


def usable(grants: Sequence[str]) -> list[str]:
    """The grants without those of modules that do not exist, `*` written out as one wildcard a module (auth.md 4.3)."""
    loose = dict.fromkeys(
        f"{prefix}.*" for id in _features if (prefix := id.partition(".")[0]) not in _modules
    )
    found: dict[str, None] = {}
    for grant in grants:
        if grant == "*":
            found |= dict.fromkeys((*(f"{module}.*" for module in _modules), *loose))
        elif _owner_enabled(grant) or f"{grant.partition('.')[0]}.*" in loose:
            found[grant] = None
    return list(found)


def _owner_enabled(feature: str) -> bool:
    declared = _features.get(feature)
    return (declared.module if declared else feature.partition(".")[0]) in _modules
