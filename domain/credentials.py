"""Proofs of identity: access tokens, session tokens, API key secrets, and the keyed hashes that are stored of them.

Contract: auth.md sections 2 and 8.9. A stored hash is useless without the keys of the installation, and none of the
secrets is stored itself.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import jwt
from msgspec import Struct

from domain.keys import derived_key

ACCESS_SECONDS: Final = 28_800
"""Life of an access token, and of a session that is not remembered."""

_ISSUER: Final = "open-mercato"
_AUDIENCE: Final = "staff"
_API_KEY_MARK: Final = "omk_"
_PREFIX_LENGTH: Final = 12


class SignInKeys(Struct, frozen=True):
    """One key for each kind of proof; 32 bytes or more each."""

    jwt: bytes
    session: bytes
    lookup: bytes
    api_key: bytes
    password_seal: bytes

    @classmethod
    def derive(
        cls,
        master: bytes,
        *,
        jwt_secret: str | None = None,
        jwt_staff_secret: str | None = None,
        token_secret: str | None = None,
        pepper: str | None = None,
    ) -> "SignInKeys":
        """Keys from the master key, except where the installation sets one by itself (auth.md 2.1, 2.2 and 3).

        Raises ValueError for a `jwt_staff_secret` of fewer than 32 bytes.
        """
        signing = derived_key(master, "auth/access-token")
        if jwt_staff_secret:
            signing = jwt_staff_secret.encode()
        elif jwt_secret:
            signing = hmac.digest(jwt_secret.encode(), b"open-mercato:jwt:v1:staff", "sha256").hex().encode()
        if len(signing) < 32:
            raise ValueError("JWT_STAFF_SECRET must have at least 32 bytes.")
        token = token_secret or jwt_secret
        return cls(
            jwt=signing,
            session=token.encode() if token else derived_key(master, "auth/session-token"),
            lookup=pepper.encode() if pepper else derived_key(master, "auth/email-lookup"),
            api_key=derived_key(master, "auth/api-key"),
            password_seal=derived_key(master, "auth/password-seal"),
        )

    def email_hash(self, email: str) -> str:
        """What an e-mail address is found by, whatever its case and outer blanks."""
        return "v2:" + _hmac(self.lookup, email.strip().lower())

    def session_hash(self, token: str) -> str:
        """What is stored of a session token."""
        return _hmac(self.session, token)

    def api_key_hash(self, secret: str) -> str:
        """What is stored of an API key's secret, which has 192 random bits and needs no slow hash."""
        return _hmac(self.api_key, secret)


class Claims(Struct, frozen=True):
    """What a verified access token says. The rights it names are not trusted: they are read anew."""

    user_id: UUID
    session_id: UUID
    tenant_id: UUID
    organization_id: UUID | None
    expires_at: datetime


class RefusedTokenError(Exception):
    """A token with a good signature that cannot identify a member of the staff; `customer`: it is a customer's."""

    def __init__(self, *, customer: bool) -> None:
        """Keep the reason."""
        super().__init__("customer" if customer else "claims")
        self.customer = customer


def sign_access_token(
    key: bytes,
    *,
    user_id: UUID,
    session_id: UUID,
    tenant_id: UUID,
    organization_id: UUID | None,
    email: str,
    roles: Sequence[str],
    now: datetime,
) -> str:
    """An access token (JWT, HS256) that is good for `ACCESS_SECONDS` from `now`."""
    issued = int(now.timestamp())
    claims: dict[str, Any] = {
        "iat": issued,
        "exp": issued + ACCESS_SECONDS,
        "sub": str(user_id),
        "sid": str(session_id),
        "tenantId": str(tenant_id),
        "orgId": None if organization_id is None else str(organization_id),
        "email": email,
        "roles": list(roles),
        "iss": _ISSUER,
        "aud": _AUDIENCE,
    }
    return jwt.encode(claims, key, "HS256")


def read_access_token(key: bytes, token: str) -> Claims | None:
    """The claims of an access token; None when it is not ours or no longer good.

    Raises RefusedTokenError when it is ours but cannot be a staff member's.
    """
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=["HS256"],
            audience=_AUDIENCE,
            issuer=_ISSUER,
            options={"require": ["exp", "sub"], "verify_iat": False},
        )
    except (jwt.PyJWTError, ValueError):
        return None
    if claims.get("type") == "customer":
        raise RefusedTokenError(customer=True)
    user, session, tenant = (uuid_or_none(claims.get(name)) for name in ("sub", "sid", "tenantId"))
    organization = claims.get("orgId")
    organization_id = uuid_or_none(organization)
    blank = organization is None or (isinstance(organization, str) and not organization.strip())
    if user is None or session is None or tenant is None or (organization_id is None and not blank):
        raise RefusedTokenError(customer=False)
    return Claims(user, session, tenant, organization_id, datetime.fromtimestamp(claims["exp"], UTC))


def new_session_token() -> str:
    """A session token: 64 hexadecimal digits of 32 random bytes."""
    return secrets.token_hex(32)


def new_api_secret() -> str:
    """The secret of a new API key, shown once: `omk_<8 hex>.<48 hex>`."""
    return f"{_API_KEY_MARK}{secrets.token_hex(4)}.{secrets.token_hex(24)}"


def api_key_prefix(secret: str) -> str | None:
    """The part of an API key's secret that it is found by; None when `secret` is no API key."""
    return secret[:_PREFIX_LENGTH] if secret.startswith(_API_KEY_MARK) else None


def fingerprint(secret: str) -> bytes:
    """A digest that stands for a secret inside this process, so that memory holds no list of live tokens."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def uuid_or_none(value: object) -> UUID | None:
    """A UUID from its canonical text; None for anything else."""
    if not isinstance(value, str) or len(value) != 36:
        return None
    try:
        return UUID(value)
    except ValueError:
        return None


def _hmac(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex()
