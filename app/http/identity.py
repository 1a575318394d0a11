"""Who makes a request, and what they may do where (contract: auth.md 1.2 and 1.3, directory.md section 6).

One statement answers it all. The answer is remembered for seconds, under a digest of the proof, and forgotten as soon
as anything that it rests on is changed: in this process with the commit, in others when the relay hears of it.
"""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog
from litestar import Request
from msgspec import Struct

from app.database import Database
from app.http.locale import request_locale
from app.settings import Settings
from domain.auth import ALL_ORGANIZATIONS
from domain.credentials import (
    RefusedTokenError,
    SignInKeys,
    api_key_prefix,
    fingerprint,
    read_access_token,
    uuid_or_none,
)
from domain.errors import Problem
from domain.privileges import narrowed
from domain.scope import Actor, ActorKind, Scope
from domain.selection import Tree, select, shared_places
from queries.auth import Grant, Principal, api_key_principal, user_principal

ORGANIZATION_COOKIE: Final = "om_selected_org"
TENANT_COOKIE: Final = "om_selected_tenant"

_REMEMBERED_SECONDS: Final = 15.0
_REMEMBERED_MOST: Final = 5_000
_USAGE_SECONDS: Final = 60.0
_UNREACHABLE: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)

_logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.identity")

HttpRequest = Request[Any, Any, Any]
Key = tuple[bytes, str | None, str | None, str]


class Remembered(Struct, frozen=True):
    """A scope, the moment (of the monotonic clock) until which it may be used, and the tenants that it depends on."""

    scope: Scope
    until: float
    tenants: frozenset[UUID]


class Proofs(Struct, frozen=True):
    """What a request shows of itself, undecoded: an access token, and an API key's secret."""

    token: str | None
    secret: str | None


class Identity:
    """Resolves requests to scopes. One per process."""

    def __init__(self, database: Database, settings: Settings, keys: SignInKeys) -> None:
        """Remember nothing yet."""
        self._database = database
        self._forced_locale = settings.force_locale
        self._keys = keys
        self._remembered: dict[Key, Remembered] = {}
        self._generation = 0
        self._used: dict[UUID, float] = {}

    async def resolve(self, request: HttpRequest) -> Scope:
        """The scope of a request.

        Raises Problem 401 when nobody is signed in (and drops the cookies when the token was ours but is no longer
        good), and 503 when the database cannot be asked.
        """
        proofs = read_proofs(request)
        if proofs.token is None and proofs.secret is None:
            raise Problem.unauthorized()
        selection = _cookie(request, TENANT_COOKIE), _cookie(request, ORGANIZATION_COOKIE)
        locale = request_locale(request, self._forced_locale)
        refused = False
        try:
            if proofs.token is not None:
                scope, refused = await self._by_token(proofs.token, selection, locale)
                if scope is not None:
                    return scope
            if proofs.secret is not None:
                scope = await self._by_secret(proofs.secret, selection, locale)
                if scope is not None:
                    return scope
        except RefusedTokenError:
            raise Problem.unauthorized(clear_cookies=True) from None
        except _UNREACHABLE as error:
            _logger.warning("identity unknown", exc_info=error)
            raise Problem.unavailable() from error
        raise Problem.unauthorized(clear_cookies=refused)

    async def _by_token(
        self, token: str, selection: tuple[str | None, str | None], locale: str
    ) -> tuple[Scope | None, bool]:
        """The scope of an access token; without one, whether the token was ours. Raises RefusedTokenError."""
        key = (fingerprint(token), *selection, locale)
        if (known := self._recall(key)) is not None:
            return known, False
        try:
            claims = read_access_token(self._keys.jwt, token)
        except RefusedTokenError as error:
            if error.customer:
                raise
            return None, True
        if claims is None:
            return None, False

        async def ask(connection: Any) -> Principal | None:
            return await user_principal(
                connection,
                tenant_id=claims.tenant_id,
                user_id=claims.user_id,
                session_id=claims.session_id,
                wanted_tenant_id=_uuid(selection[0]),
                wanted_organization_id=_uuid(selection[1]),
            )

        principal, generation = await self._ask(ask)
        if principal is None or principal.home_organization_id != claims.organization_id:
            return None, True
        actor = Actor(principal.id, "user", principal.email, principal.name, claims.session_id, principal.id)
        scope = scope_of(principal, actor, selection[1], locale)
        self._remember(key, scope, generation, claims.expires_at, principal)
        return scope, False

    async def _by_secret(
        self, secret: str, selection: tuple[str | None, str | None], locale: str
    ) -> Scope | None:
        """The scope of an API key."""
        key = (fingerprint(secret), *selection, locale)
        if (known := self._recall(key)) is not None:
            return known
        prefix = api_key_prefix(secret)
        if prefix is None or not secret.isascii():
            return None

        async def ask(connection: Any) -> Principal | None:
            found = await api_key_principal(
                connection,
                prefix=prefix,
                key_hash=self._keys.api_key_hash(secret),
                wanted_tenant_id=_uuid(selection[0]),
                wanted_organization_id=_uuid(selection[1]),
            )
            if found is not None:
                await self._note_use(connection, found)
            return found

        principal, generation = await self._ask(ask)
        if principal is None:
            return None
        actor = Actor(principal.id, "api_key", None, principal.name, None, principal.user_id)
        scope = scope_of(principal, actor, selection[1], locale)
        self._remember(key, scope, generation, None, principal)
        return scope

    async def _ask(self, ask: Callable[[Any], Awaitable[Principal | None]]) -> tuple[Principal | None, int]:
        generation = self._generation
        async with self._database.system() as connection:
            return await ask(connection), generation

    async def _note_use(self, connection: Any, key: Principal) -> None:
        """Write when the key was used last, at most once a minute; that it cannot be written stops nobody."""
        now = time.monotonic()
        if now - self._used.get(key.id, -_USAGE_SECONDS) < _USAGE_SECONDS:
            return
        self._used[key.id] = now
        try:
            await connection.execute(
                "insert into api_key_usage (tenant_id, id, last_used_at) values ($1, $2, $3)"
                " on conflict (tenant_id, id) do update set last_used_at = excluded.last_used_at",
                key.home_tenant_id,
                key.id,
                datetime.now(UTC),
            )
        except asyncpg.PostgresError as error:
            _logger.warning("use of an API key not noted", exc_info=error)

    # Memory

    def _recall(self, key: Key) -> Scope | None:
        found = self._remembered.get(key)
        if found is None:
            return None
        if found.until <= time.monotonic():
            del self._remembered[key]
            return None
        return found.scope

    def _remember(
        self, key: Key, scope: Scope, generation: int, expires_at: datetime | None, principal: Principal
    ) -> None:
        """Keep a scope unless something was forgotten while it was looked up."""
        if generation != self._generation:
            return
        ends = [end for end in (expires_at, principal.expires_at) if end is not None]
        left = min([_REMEMBERED_SECONDS, *((end - datetime.now(UTC)).total_seconds() for end in ends)])
        if left <= 0:
            return
        while len(self._remembered) >= _REMEMBERED_MOST:
            del self._remembered[next(iter(self._remembered))]
        tenants = frozenset({scope.tenant_id, principal.home_tenant_id})
        self._remembered[key] = Remembered(scope, time.monotonic() + left, tenants)

    def forget(self, tenant_id: UUID) -> None:
        """Drop what is remembered of one tenant's people, and of people who selected it."""
        self._generation += 1
        stale = [key for key, known in self._remembered.items() if tenant_id in known.tenants]
        for key in stale:
            del self._remembered[key]

    def forget_all(self) -> None:
        """Drop everything that is remembered."""
        self._generation += 1
        self._remembered.clear()


def read_proofs(request: HttpRequest) -> Proofs:
    """What the request shows of itself: a bearer token hides the cookie; `X-Api-Key` goes before `Authorization`."""
    scheme, _, value = request.headers.get("authorization", "").strip().partition(" ")
    scheme, value = scheme.lower(), value.strip()
    token, secret = None, request.headers.get("x-api-key", "").strip() or None
    if scheme == "bearer" and value:
        if api_key_prefix(value) is None:
            token = value
        else:
            secret = secret or value
    else:
        token = request.cookies.get("auth_token") or None
        if scheme == "apikey" and value:
            secret = secret or value
    return Proofs(token, secret)


def scope_of(principal: Principal, actor: Actor, wanted: str | None, locale: str) -> Scope:
    """The scope of an actor that selected the organization `wanted` (a cookie's value)."""
    home = principal.home_organization_id if principal.tenant_id == principal.home_tenant_id else None
    tree = {found.id: found.descendants for found in principal.organizations}
    features, accessible = _rights(principal, actor.kind, tree)
    chosen = select(
        tree, home=home, accessible=accessible, wanted=wanted, is_super_admin=principal.is_super_admin
    )
    names = {
        grant.role_id: grant.role for grant in principal.grants if grant.role_id is not None and grant.role
    }
    roles = tuple(names.values())
    if principal.is_super_admin and not any(role.lower() == "superadmin" for role in roles):
        roles = (*roles, "superadmin")
    return Scope(
        tenant_id=principal.tenant_id,
        actor=actor,
        home_organization_id=home,
        selected_organization_id=chosen.selected_id,
        filter_ids=chosen.filter_ids,
        allowed_ids=chosen.allowed_ids,
        selection_rejected=chosen.rejected,
        is_super_admin=principal.is_super_admin,
        features=() if chosen.stranded else features,
        roles=roles,
        role_ids=tuple(names),
        actor_tenant_id=principal.home_tenant_id,
        locale=locale,
    )


def _rights(principal: Principal, kind: ActorKind, tree: Tree) -> tuple[tuple[str, ...], list[str] | None]:
    """The effective grants (auth.md 4.2): features, and organizations (None: all of the tenant)."""
    if principal.is_super_admin:
        return ("*",), None
    if kind != "api_key":
        return _of_person(principal.grants)
    used = [grant for grant in principal.grants if grant.features is not None]
    features, places = _features(used), _organizations(used) if used else None
    if principal.home_organization_id is not None:
        places = [str(principal.home_organization_id)]
    if principal.behind is None or any(grant.is_super_admin for grant in principal.behind):
        return features, places
    ceiling, reach = _of_person(principal.behind)
    return narrowed(features, ceiling), shared_places(tree, places, reach)


def _of_person(grants: list[Grant]) -> tuple[tuple[str, ...], list[str] | None]:
    """A person's own grants, or else those of the person's roles."""
    own = [grant for grant in grants if grant.role_id is None]
    used = own or [grant for grant in grants if grant.features is not None]
    return _features(used), _organizations(used)


def _features(grants: list[Grant]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(feature for grant in grants for feature in grant.features or ()))


def _organizations(grants: list[Grant]) -> list[str] | None:
    """The union of the grants' organizations; one grant for all is for all, and no grant is for none."""
    if any(grant.organizations is None or ALL_ORGANIZATIONS in grant.organizations for grant in grants):
        return None
    return [organization for grant in grants for organization in grant.organizations or ()]


def require_valid_selection(scope: Scope, *, listing: bool = False) -> None:
    """Raise Problem 422 when the organization that the request selected does not exist or is not the actor's.

    `listing`: the answer also drops the cookie, so that the next try goes through; writes never do.
    """
    if scope.selection_rejected:
        problem = Problem.unprocessable(
            "The selected organization is not available", "organization_selection_invalid"
        )
        if listing:
            problem.cookies = (f"{ORGANIZATION_COOKIE}=; Path=/; Max-Age=0; SameSite=Lax",)
        raise problem


def _cookie(request: HttpRequest, name: str) -> str | None:
    value = request.cookies.get(name)
    return None if value is None else value.strip()[:100]


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else uuid_or_none(text.lower())
