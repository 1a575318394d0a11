"""What one actor may hand to another: the grant ceiling (contract: auth.md 4.1, 4.5 and 5.5).

Nobody can give more than they have. `*` is for super admins to give, even where somebody else holds it.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from domain.auth import ALL_ORGANIZATIONS
from domain.credentials import uuid_or_none
from domain.scope import Scope

EVERYTHING = "*"


class Grants(Struct, frozen=True):
    """The three values of an ACL row; `organizations` None: all of the tenant."""

    features: tuple[str, ...] = ()
    is_super_admin: bool = False
    organizations: tuple[str, ...] | None = None

    @classmethod
    def of(cls, features: Sequence[str] | None, flag: bool | None, places: Sequence[str] | None) -> "Grants":
        """The grants of a row as it stands in a table."""
        return cls(tuple(features or ()), bool(flag), None if places is None else tuple(places))


def normalized_list(values: Iterable[str]) -> list[str]:
    """Features or organizations as they are stored: trimmed, without blanks and repetitions, in order."""
    return list(dict.fromkeys(stripped for value in values if (stripped := value.strip())))


def covers(grant: str, wanted: str) -> bool:
    """Whether one grant includes another one, which may be a wildcard itself."""
    if grant in (EVERYTHING, wanted):
        return True
    prefix = grant[:-1]
    return grant.endswith(".*") and (wanted.startswith(prefix) or wanted == prefix[:-1])


def uncovered(features: Iterable[str], held: Sequence[str]) -> str | None:
    """The first of `features` that nobody with the grants `held` may give; None when all may be given."""
    usable = [grant for grant in held if grant != EVERYTHING]
    return next(
        (one for one in features if one == EVERYTHING or not any(covers(grant, one) for grant in usable)),
        None,
    )


def refusal(scope: Scope, grants: Grants) -> str | None:
    """Why the actor may not give `grants` to anybody; None when it may."""
    if scope.is_super_admin:
        return None
    if grants.is_super_admin:
        return "Only a super admin can give super admin rights"
    missing = uncovered(grants.features, scope.features)
    if missing is not None:
        return f"You cannot give a feature that you do not have: {missing}"
    if scope.allowed_ids is None:
        return None
    if grants.organizations is None or ALL_ORGANIZATIONS in grants.organizations:
        return "You cannot give access to all organizations"
    outside = next((one for one in grants.organizations if uuid_or_none(one) not in scope.allowed_ids), None)
    return None if outside is None else f"You cannot give access to an organization outside yours: {outside}"


def narrowed(features: Iterable[str], ceiling: Sequence[str]) -> tuple[str, ...]:
    """The grants that two lists have in common: where one includes the other, the smaller one."""
    found: dict[str, None] = {}
    for one in features:
        if any(covers(other, one) for other in ceiling):
            found[one] = None
        else:
            found |= dict.fromkeys(other for other in ceiling if covers(one, other))
    return tuple(found)
