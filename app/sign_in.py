"""Signing in, staying in and signing out (contract: auth.md 7.1 to 7.4).

Whatever is slow or secret about it happens here, outside any transaction: the commands store sessions, nothing else.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog
from msgspec import Struct

from app.database import Database
from app.settings import Settings, StartError
from commands.auth import EndSessions, OpenSession, RefuseSignIn
from commands.bus import Bus
from domain.credentials import (
    ACCESS_SECONDS,
    RefusedTokenError,
    SignInKeys,
    new_session_token,
    read_access_token,
    sign_access_token,
)
from domain.errors import Problem
from domain.keys import derived_key
from domain.passwords import MAX_LENGTH, Passwords
from domain.scope import Options, system_scope
from queries.auth import Account, account_by_email, account_by_id, account_by_session, sessions_of

WRONG_CREDENTIALS: Final = "Invalid email or password"
MOST_AGENT: Final = 300
"""What is kept of the name that a program gives itself, in characters."""

LACKS_ROLE: Final = "This account does not have a role that is required here"


def sign_in_keys(settings: Settings, master: bytes) -> SignInKeys:
    """The keys of access tokens, session tokens, e-mail look-up and API keys. Raises StartError for a weak one."""

    def text(secret: object) -> str | None:
        reveal = getattr(secret, "get_secret_value", None)
        return None if reveal is None else str(reveal()).strip() or None

    try:
        return SignInKeys.derive(
            master,
            jwt_secret=text(settings.jwt_secret),
            jwt_staff_secret=text(settings.jwt_staff_secret),
            token_secret=text(settings.auth_token_secret),
            pepper=text(settings.lookup_hash_pepper),
        )
    except ValueError as error:
        raise StartError(str(error)) from None


def consent_key(settings: Settings, master: bytes) -> bytes:
    """The key of the seals on consents: the installation's own, else one derived from the master key."""
    own = settings.consent_integrity_secret
    text = own.get_secret_value().strip() if own is not None else ""
    return text.encode() or derived_key(master, "auth/consent-integrity")


_logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.sign_in")


class SignedIn(Struct, frozen=True):
    """The two proofs of a new session, and the seconds that the longer-lived one is good for."""

    access_token: str
    session_token: str
    lifetime_seconds: int


class SignIn:
    """What the sign-in operations do. One per process."""

    def __init__(self, database: Database, bus: Bus, settings: Settings, keys: SignInKeys) -> None:
        """Take the parts."""
        self._database = database
        self._bus = bus
        self._keys = keys
        self.passwords = Passwords(keys.password_seal)
        self._told: set[asyncio.Task[None]] = set()
        self._remembered_seconds = settings.remember_me_days * 86_400

    async def with_password(
        self,
        email: str,
        password: str,
        *,
        tenant_id: UUID | None = None,
        any_role: Sequence[str] = (),
        remember: bool = False,
        user_agent: str | None = None,
        options: Options,
    ) -> SignedIn:
        """Open a session for the one user with this e-mail (in the tenant, if given).

        Raises Problem 401 when there is not exactly one such user or the password is wrong, all at the same cost, and
        403 when the user has none of the roles `any_role`.
        """
        async with self._database.system() as connection:
            account = await account_by_email(connection, self._keys.email_hash(email), tenant_id)
        digest = account.password_hash if account is not None and len(password) <= MAX_LENGTH else None
        if not await self.passwords.verify(digest, password[:MAX_LENGTH]) or account is None:
            if account is not None:
                self._tell_refusal(account, options)
            raise Problem(401, {"ok": False, "error": WRONG_CREDENTIALS})
        if any_role and not set(any_role).intersection(account.roles):
            raise Problem(403, {"ok": False, "error": LACKS_ROLE})
        token = new_session_token()
        lifetime = self._remembered_seconds if remember else ACCESS_SECONDS
        command = OpenSession(
            user_id=account.id,
            token_hash=self._keys.session_hash(token),
            lifetime_seconds=lifetime,
            user_agent=user_agent[:MOST_AGENT] if user_agent else None,
        )
        outcome = await self._bus.execute(command, system_scope(account.tenant_id), _plain(options))
        return SignedIn(self._access_token(account, outcome.result.session_id), token, lifetime)

    async def refresh(self, session_token: str | None) -> str | None:
        """A fresh access token for a live session; None when the session is unknown, over, or its user gone."""
        if not session_token:
            return None
        async with self._database.system() as connection:
            account = await account_by_session(connection, self._keys.session_hash(session_token))
        if account is None or account.session_id is None:
            return None
        return self._access_token(account, account.session_id)

    async def is_password(self, tenant_id: UUID, user_id: UUID, password: str) -> bool:
        """Whether the user has this password; the same work for users who have none or are gone."""
        async with self._database.system() as connection:
            account = await account_by_id(connection, tenant_id, user_id)
        digest = account.password_hash if account is not None and len(password) <= MAX_LENGTH else None
        return await self.passwords.verify(digest, password[:MAX_LENGTH])

    async def renewed(self, tenant_id: UUID, user_id: UUID, session_id: UUID) -> str | None:
        """An access token for the same session with what is known of the user now; None when the user is gone."""
        async with self._database.system() as connection:
            account = await account_by_id(connection, tenant_id, user_id)
        return None if account is None else self._access_token(account, session_id)

    async def finish(self) -> None:
        """Wait for what is still to be told of refused tries."""
        await asyncio.gather(*self._told, return_exceptions=True)

    def _tell_refusal(self, account: Account, options: Options) -> None:
        """Publish that the password was wrong, beside the answer: waiting for it would tell that the account exists."""
        command = RefuseSignIn(
            email=account.email, reason="invalid_password" if account.password_hash else "invalid_credentials"
        )

        async def tell() -> None:
            try:
                await self._bus.execute(command, system_scope(account.tenant_id), _plain(options))
            except (
                Exception
            ) as error:  # nobody waits for it: what it says is logged, and nothing else is lost
                _logger.warning("refused sign-in not published", exc_info=error)

        task = asyncio.create_task(tell(), name="backstep-refused-sign-in")
        self._told.add(task)
        task.add_done_callback(self._told.discard)

    async def sign_out(
        self,
        *,
        session_id: UUID | None,
        access_token: str | None,
        session_token: str | None,
        options: Options,
    ) -> None:
        """End the session of the caller and those of its two cookies, as far as they exist."""
        ids = [] if session_id is None else [session_id]
        try:
            claims = read_access_token(self._keys.jwt, access_token) if access_token else None
        except RefusedTokenError:
            claims = None
        if claims is not None:
            ids.append(claims.session_id)
        digest = self._keys.session_hash(session_token) if session_token else None
        async with self._database.system() as connection:
            found = await sessions_of(connection, ids, digest)
        for tenant_id, sessions in found.items():
            await self._bus.execute(
                EndSessions(session_ids=sessions), system_scope(tenant_id), _plain(options)
            )

    def _access_token(self, account: Account, session_id: UUID) -> str:
        return sign_access_token(
            self._keys.jwt,
            user_id=account.id,
            session_id=session_id,
            tenant_id=account.tenant_id,
            organization_id=account.organization_id,
            email=account.email,
            roles=account.roles,
            now=datetime.now(UTC),
        )


def _plain(options: Options) -> Options:
    """Signing in and out are never rehearsed, and never answered from memory."""
    return Options(request_id=options.request_id, correlation_id=options.correlation_id)
