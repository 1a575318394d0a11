"""Commands of accounts: sessions, roles, users, grants, and what people set for themselves.

Importing the package declares them all: each file of commands is named here.
"""

from commands.auth.acls import UpdateRoleAcl, UpdateUserAcl
from commands.auth.consents import RecordConsent
from commands.auth.profile import UpdateProfile
from commands.auth.resets import ConfirmPasswordReset, RequestPasswordReset, SendInvitation
from commands.auth.roles import CreateRole, DeleteRole, UpdateRole
from commands.auth.sessions import EndSessions, OpenSession, RefuseSignIn, SessionOpened
from commands.auth.sidebar import ClearRoleSidebar, UpdateRoleSidebar, UpdateSidebar
from commands.auth.users import CreateUser, DeleteUser, UpdateUser
from commands.auth.variants import CreateVariant, DeleteVariant, UpdateVariant

__all__ = (
    "ClearRoleSidebar",
    "ConfirmPasswordReset",
    "CreateRole",
    "CreateUser",
    "CreateVariant",
    "DeleteRole",
    "DeleteUser",
    "DeleteVariant",
    "EndSessions",
    "OpenSession",
    "RecordConsent",
    "RefuseSignIn",
    "RequestPasswordReset",
    "SendInvitation",
    "SessionOpened",
    "UpdateProfile",
    "UpdateRole",
    "UpdateRoleAcl",
    "UpdateRoleSidebar",
    "UpdateSidebar",
    "UpdateUser",
    "UpdateUserAcl",
    "UpdateVariant",
)
