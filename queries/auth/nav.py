"""What a menu is made of besides pages: the layouts that apply, and the brand (contract: auth.md 7.17)."""

from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.scope import Scope
from domain.sidebar import SidebarSettings, home_of_preferences

_TRIMMINGS = """
select (select p.settings::text from unnest($2::uuid[]) with ordinality x(id, n)
          join role_sidebar_preferences p on p.tenant_id = $1 and p.role_id = x.id and p.deleted_at is null
         order by x.n limit 1) as of_role,
       (select p.settings::text from user_sidebar_preferences p
         where p.tenant_id = $1 and p.user_id = $3 and p.organization_id is not distinct from $4
           and p.deleted_at is null) as of_user,
       (select json_build_object('name', o.name, 'logo',
                                 json_build_object('src', o.logo_url, 'alt', o.name || ' logo'))::text
          from organizations o
         where o.tenant_id = $1 and o.id = $5 and o.deleted_at is null and o.logo_url <> '') as brand
"""


class Logo(Struct, frozen=True):
    """A picture and what it shows."""

    src: str
    alt: str


class Brand(Struct, frozen=True):
    """How an organization shows itself."""

    name: str
    logo: Logo


class Trimmings(Struct, frozen=True):
    """The layout of the first role that has one, the person's own, and the brand of an organization."""

    of_role: SidebarSettings | None
    of_user: SidebarSettings | None
    brand: Brand | None


async def trimmings(connection: Any, scope: Scope, organization_id: UUID | None) -> Trimmings:
    """All of it in one statement; `organization_id` names the organization of the brand."""
    row = await connection.fetchrow(
        _TRIMMINGS,
        scope.tenant_id,
        list(scope.role_ids),
        scope.actor.user_id,
        home_of_preferences(scope),
        organization_id,
    )
    return Trimmings(
        _settings(row["of_role"]),
        _settings(row["of_user"]),
        None if row["brand"] is None else msgspec.json.decode(row["brand"], type=Brand),
    )


def _settings(text: str | None) -> SidebarSettings | None:
    return None if text is None else msgspec.json.decode(text, type=SidebarSettings)
