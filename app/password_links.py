"""Links by which somebody chooses a password: forgotten ones, and the first one of invited people.

Whatever is slow or secret about it happens here, outside any transaction: the commands store hashes, and letters that
are sealed.
"""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog

from app.database import Database
from app.mail.delivery import Delivery
from app.settings import Settings
from commands.auth import ConfirmPasswordReset, RequestPasswordReset, SendInvitation
from commands.auth.resets import INVITATION_LIFE, RESET_LIFE, refused
from commands.bus import Bus
from domain.credentials import SignInKeys, new_session_token
from domain.errors import Problem
from domain.mail import Kind, Letter, ResetRequest, sealed_letter
from domain.passwords import PasswordPolicy, Passwords
from domain.scope import Options, Scope, system_scope
from queries.auth.resets import Addressee, addressee, addressees_of, link_of

LEAST_TOKEN: Final = 10
"""Shortest text that is looked up as a link's secret, in characters."""

_logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.password_links")


class Letters:
    """Writes letters with fresh links."""

    def __init__(self, keys: SignInKeys, mail_key: bytes) -> None:
        """`mail_key` seals what is written."""
        self.mail_key = mail_key
        self._keys = keys

    def write(self, kind: Kind, to: Addressee, locale: str, base_url: str) -> tuple[str, str]:
        """The hash of a new link's secret, and the sealed letter with the link."""
        token = new_session_token()
        life = RESET_LIFE if kind == "password_reset" else INVITATION_LIFE
        values = {
            "link": f"{base_url}/reset/{token}",
            "email": to.email,
            "tenant": to.tenant_name,
            "minutes": str(int(life.total_seconds() // 60)),
            "hours": str(int(life.total_seconds() // 3600)),
        }
        letter = Letter(kind, to.email, locale, values)
        return self._keys.session_hash(token), sealed_letter(self.mail_key, to.tenant_id, letter)


class PasswordResets:
    """Forgotten passwords. One per process."""

    def __init__(
        self, database: Database, bus: Bus, keys: SignInKeys, letters: Letters, passwords: Passwords
    ) -> None:
        """Take the parts."""
        self._database = database
        self._bus = bus
        self._keys = keys
        self._letters = letters
        self._passwords = passwords

    async def ask(self, delivery: Delivery, email: str, locale: str, base_url: str) -> None:
        """Take note that somebody wants a link. Does the same whether or not there is an account."""
        await delivery.request(ResetRequest(email, locale, base_url, datetime.now(UTC)))

    async def answer(self, request: ResetRequest) -> None:
        """Mail a link to every account with the address: one letter for each tenant, which it names."""
        async with self._database.system() as connection:
            found = await addressees_of(connection, self._keys.email_hash(request.email))
        for person in found:
            token_hash, letter = self._letters.write(
                "password_reset", person, request.locale, request.base_url
            )
            command = RequestPasswordReset(user_id=person.id, token_hash=token_hash, letter=letter)
            await self._bus.execute(command, system_scope(person.tenant_id))

    async def confirm(self, token: str, password: str, policy: PasswordPolicy, options: Options) -> None:
        """Use a link once. Raises Problem 400 for a link that is not good, and for a password that will not do."""
        if len(token) < LEAST_TOKEN:
            raise Problem(400, {"ok": False, "error": "Invalid request"})
        faults = policy.faults(password)
        if faults:
            raise Problem(400, {"ok": False, "error": faults[0]})
        token_hash = self._keys.session_hash(token)
        async with self._database.system() as connection:
            link = await link_of(connection, token_hash, datetime.now(UTC))
        if link is None:
            raise refused()
        command = ConfirmPasswordReset(
            user_id=link.user_id, token_hash=token_hash, password_hash=await self._passwords.hash(password)
        )
        plain = Options(request_id=options.request_id, correlation_id=options.correlation_id)
        await self._bus.execute(command, system_scope(link.tenant_id), plain)


class Invitations:
    """Letters to users who have no password yet. One per process."""

    def __init__(self, database: Database, bus: Bus, settings: Settings, letters: Letters) -> None:
        """Take the parts."""
        self._database = database
        self._bus = bus
        self._settings = settings
        self._letters = letters

    async def send(
        self,
        scope: Scope,
        user_id: UUID,
        email: str,
        locale: str,
        *,
        base_url: str | None = None,
        options: Options | None = None,
    ) -> bool:
        """Invite the user of the scope's tenant with this address, as its actor; whether the letter is on its way.

        `base_url` is what the link begins with (`security_base_url` of the request); without it, APP_URL.
        """
        try:
            person = await self._person(scope, user_id)
            if person.email != email:
                raise Problem.conflict("The address was changed meanwhile")
            await self._invite(scope, person, locale, base_url, options)
        except Problem as problem:
            _logger.warning("invitation not sent", user=str(user_id), reason=str(problem))
            return False
        return True

    async def invite(
        self, scope: Scope, user_id: UUID, locale: str, base_url: str, options: Options | None = None
    ) -> None:
        """The same again, for a user who did not use the first link.

        Raises Problem 404 when the tenant has no such user, and 409 for one who has a password.
        """
        person = await self._person(scope, user_id)
        if person.has_password:
            raise Problem.conflict("The user already has a password")
        await self._invite(scope, person, locale, base_url, options)

    async def _person(self, scope: Scope, user_id: UUID) -> Addressee:
        async with self._database.system() as connection:
            person = await addressee(connection, scope.tenant_id, user_id)
        if person is None:
            raise Problem.not_found("User not found")
        return person

    async def _invite(
        self, scope: Scope, person: Addressee, locale: str, base_url: str | None, options: Options | None
    ) -> None:
        token_hash, letter = self._letters.write("invitation", person, locale, base_url or self._base_url())
        command = SendInvitation(user_id=person.id, token_hash=token_hash, letter=letter)
        given = options or Options()
        plain = Options(
            request_id=given.request_id,
            correlation_id=given.correlation_id,
            reason=given.reason,
            source=given.source,
        )
        await self._bus.execute(command, scope, plain)

    def _base_url(self) -> str:
        base = self._settings.base_url
        if base is None and self._settings.production:
            raise Problem(500, {"error": "APP_URL is not configured"})
        return base or "http://localhost:8000"
