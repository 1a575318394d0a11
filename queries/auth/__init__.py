"""Reading accounts: who somebody is and what they may, roles, users, grants."""

from queries.auth.identity import (
    Account,
    Grant,
    Organization,
    Principal,
    account_by_email,
    account_by_id,
    account_by_session,
    api_key_principal,
    email_of,
    sessions_of,
    user_principal,
)

__all__ = (
    "Account",
    "Grant",
    "Organization",
    "Principal",
    "account_by_email",
    "account_by_id",
    "account_by_session",
    "api_key_principal",
    "email_of",
    "sessions_of",
    "user_principal",
)
