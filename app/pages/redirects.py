"""Addresses of the product's menus whose pages are elsewhere (contract: auth.md 15).

`domain.pages` names the addresses as clients of the API know them; what our pages call otherwise is led on from here.
"""

from typing import Final

REDIRECTS: Final = {
    "/backend/settings": "/backend/account",
    "/backend/profile": "/backend/account",
    "/backend/auth/profile": "/backend/account",
    "/backend/profile/change-password": "/backend/account#password",
    "/backend/sidebar-customization": "/backend/account",
    "/backend/roles/create": "/backend/roles#create",
    "/backend/users/create": "/backend/users#create",
    "/backend/directory/organizations": "/backend/organizations",
    "/backend/directory/organizations/create": "/backend/organizations",
    "/backend/directory/branding": "/backend/organizations",
    "/backend/directory/tenants": "/backend/data/directory:tenant",
    "/backend/audit-logs": "/backend/activity",
    "/backend/config/dictionaries": "/backend/dictionaries",
    "/backend/config/encryption": "/backend/entities",
    "/backend/feature-toggles/global": "/backend/toggles",
    "/backend/feature-toggles/overrides": "/backend/toggles",
    "/backend/config/cache": "/backend/system",
    "/backend/config/module-telemetry": "/backend/system",
    "/backend/config/system-status": "/backend/system",
    "/backend/entities/system": "/backend/entities?source=code",
    "/backend/entities/user": "/backend/entities?source=custom",
    "/backend/entities/user/create": "/backend/entities?source=custom#create",
}
"""Where an address leads; what comes after `#` opens the form there."""

DETAILS: Final = {
    "/backend/users/{id:str}/edit": "/backend/users/{id}",
    "/backend/roles/{id:str}/edit": "/backend/roles/{id}",
    "/backend/config/dictionaries/{id:str}": "/backend/dictionaries/{id}",
    "/backend/entities/system/{id:str}": "/backend/entities/{id}",
    "/backend/entities/user/{id:str}": "/backend/entities/{id}",
}
"""Where the pages of one record are; `{id}` is the record's."""
