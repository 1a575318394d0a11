"""Where the actions on platform-wide records are taken back: in the tenant that such a record is filed under.

Only super admins may change those records (feature toggles), and they may have selected another tenant meanwhile.
"""

from typing import Any
from uuid import UUID

from app.http.call import Call
from app.http.kit import in_tenant
from domain.scope import Scope
from queries.feature_toggles import tenant_of_action, tenant_of_token


async def scope_of_token(call: Call[Any], token: str) -> Scope:
    """The scope in which an undo token works: the caller's, or of the tenant that keeps the platform's record."""
    if not call.scope.is_super_admin:
        return call.scope
    async with call.app.database.system() as connection:
        tenant_id = await tenant_of_token(connection, token, call.scope.tenant_id)
    return call.scope if tenant_id is None else in_tenant(call.scope, tenant_id)


async def scope_of_action(call: Call[Any], log_id: UUID) -> Scope:
    """The scope in which an action is put forward again, found in the same way."""
    if not call.scope.is_super_admin:
        return call.scope
    async with call.app.database.system() as connection:
        tenant_id = await tenant_of_action(connection, log_id, call.scope.tenant_id)
    return call.scope if tenant_id is None else in_tenant(call.scope, tenant_id)
