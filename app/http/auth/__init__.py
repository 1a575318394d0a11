"""Operations of accounts. Importing the package declares them all."""

from app.http.auth import (
    acls,
    consents,
    features,
    locale,
    nav,
    own_sessions,
    profile,
    resets,
    roles,
    sidebar,
    sign_in,
    users,
    variants,
)

__all__ = (
    "acls",
    "consents",
    "features",
    "locale",
    "nav",
    "own_sessions",
    "profile",
    "resets",
    "roles",
    "sidebar",
    "sign_in",
    "users",
    "variants",
)
