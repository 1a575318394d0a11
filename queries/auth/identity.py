"""Who somebody is and what they may: the questions of signing in and of every request after it.

All of them are asked by the installation's own role, because the tenant is part of the answer.
"""

from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec
from msgspec import Struct


class Connection(Protocol):
    """The part of an asyncpg connection that these queries need."""

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """All rows."""
        ...

    async def fetchrow(self, query: str, *args: Any) -> Any:
        """The first row, or None."""
        ...


class Grant(Struct, frozen=True):
    """A role that the actor has (with its grants, if any), or the user's own grants, which have no role."""

    role_id: UUID | None
    role: str | None
    features: list[str] | None
    is_super_admin: bool | None
    organizations: list[str] | None


class Organization(Struct, frozen=True):
    """A live organization with the ids of all its descendants."""

    id: UUID
    descendants: list[UUID]


class Principal(Struct, frozen=True):
    """An actor that may act, with what is needed to make its scope."""

    id: UUID
    user_id: UUID | None
    """The person; None for an API key that nobody stands behind."""
    email: str | None
    name: str | None
    home_tenant_id: UUID
    home_organization_id: UUID | None
    expires_at: datetime | None
    """When the session or the key ends."""
    is_super_admin: bool
    tenant_id: UUID
    """The tenant to act in: the selected one for a super admin, if it is alive; else the actor's own."""
    grants: list[Grant]
    organizations: list[Organization]
    behind: list[Grant] | None = None
    """Of an API key with a person behind it: that person's grants, which the key cannot exceed."""


_REST = """
power as (
  select coalesce(bool_or(g.is_super_admin), false)
         and ((select user_id is null or user_id = id from me) or (select coalesce(bool_or(b.is_super_admin), false)
                                                                   from behind b)) as super
    from grants g
),
place as (
  select power.super,
         coalesce((select t.id from tenants t
                    where power.super and t.tenant_id = $1 and t.id = $1 and t.deleted_at is null), me.tenant_id) as id
    from me, power
)
select me.*, place.super, place.id as place_id,
       coalesce((select json_agg(to_json(g) order by g.role) from grants g), '[]')::text as grants,
       coalesce((select json_agg(json_build_object('id', o.id, 'descendants', o.descendant_ids))
                   from organizations o
                  where o.tenant_id = place.id and o.deleted_at is null
                    and (o.id = $2 or (o.id = me.organization_id and place.id = me.tenant_id)
                         or o.id::text in (select unnest(g.organizations) from grants g)
                         or o.id::text in (select unnest(b.organizations) from behind b))), '[]')::text
         as organizations,
       case when me.user_id <> me.id
            then (select coalesce(json_agg(to_json(b)), '[]') from behind b)::text end as behind
  from me, place
"""

_OF_PERSON = """
  select r.id as role_id, r.name as role, a.features, a.is_super_admin, a.organizations
    from me
    join user_roles ur on ur.tenant_id = me.tenant_id and ur.user_id = me.user_id
    join roles r on r.tenant_id = ur.tenant_id and r.id = ur.role_id and r.deleted_at is null
    left join role_acls a on a.tenant_id = r.tenant_id and a.role_id = r.id
  union all
  select null, null, a.features, a.is_super_admin, a.organizations
    from me join user_acls a on a.tenant_id = me.tenant_id and a.user_id = me.user_id
"""

_USER = f"""
with me as (
  select u.id, u.id as user_id, u.email, u.name, u.tenant_id, u.organization_id, s.expires_at
    from users u
    join sessions s on s.tenant_id = u.tenant_id and s.user_id = u.id and s.id = $5 and s.expires_at >= now()
    join tenants t on t.tenant_id = u.tenant_id and t.id = u.tenant_id and t.deleted_at is null and t.is_active
   where u.tenant_id = $3 and u.id = $4 and u.deleted_at is null and u.is_confirmed
),
grants as ({_OF_PERSON}),
behind as (select * from grants where false),
{_REST}"""

_API_KEY = f"""
with me as (
  select k.id, coalesce(k.session_user_id, k.created_by) as user_id, null::text as email, k.name, k.tenant_id,
         k.organization_id, k.expires_at
    from api_keys k
    join tenants t on t.tenant_id = k.tenant_id and t.id = k.tenant_id and t.deleted_at is null and t.is_active
    left join users u on u.tenant_id = k.tenant_id and u.id = coalesce(k.session_user_id, k.created_by)
    left join organizations o on o.tenant_id = k.tenant_id and o.id = k.organization_id
   where k.key_prefix = $3 and k.key_hash = $4 and k.deleted_at is null and coalesce(k.expires_at > now(), true)
     and (coalesce(k.session_user_id, k.created_by) is null or (u.id is not null and u.deleted_at is null))
     and (k.organization_id is null or (o.deleted_at is null and o.is_active))
),
grants as (
  select r.id as role_id, r.name as role, a.features, a.is_super_admin, a.organizations
    from me
    join api_keys k on k.tenant_id = me.tenant_id and k.id = me.id
    join roles r on r.tenant_id = k.tenant_id and r.id = any(k.role_ids) and r.deleted_at is null
    left join role_acls a on a.tenant_id = r.tenant_id and a.role_id = r.id
),
behind as ({_OF_PERSON}),
{_REST}"""

_grants = msgspec.json.Decoder(list[Grant])
_organizations = msgspec.json.Decoder(list[Organization])


async def user_principal(
    connection: Connection,
    *,
    tenant_id: UUID,
    user_id: UUID,
    session_id: UUID,
    wanted_tenant_id: UUID | None = None,
    wanted_organization_id: UUID | None = None,
) -> Principal | None:
    """The user of a live session in a live tenant; None when any of that is not (any more) so."""
    row = await connection.fetchrow(
        _USER, wanted_tenant_id, wanted_organization_id, tenant_id, user_id, session_id
    )
    return _principal(row)


async def api_key_principal(
    connection: Connection,
    *,
    prefix: str,
    key_hash: str,
    wanted_tenant_id: UUID | None = None,
    wanted_organization_id: UUID | None = None,
) -> Principal | None:
    """The holder of a live API key; None when there is none, or its creator, tenant or organization is gone."""
    return _principal(
        await connection.fetchrow(_API_KEY, wanted_tenant_id, wanted_organization_id, prefix, key_hash)
    )


def _principal(row: Any) -> Principal | None:
    if row is None:
        return None
    return Principal(
        id=row["id"],
        user_id=row["user_id"],
        email=row["email"],
        name=row["name"],
        home_tenant_id=row["tenant_id"],
        home_organization_id=row["organization_id"],
        expires_at=row["expires_at"],
        is_super_admin=row["super"],
        tenant_id=row["place_id"],
        grants=_grants.decode(row["grants"]),
        organizations=_organizations.decode(row["organizations"]),
        behind=None if row["behind"] is None else _grants.decode(row["behind"]),
    )


class Account(Struct, frozen=True):
    """A user as signing in sees one."""

    tenant_id: UUID
    id: UUID
    organization_id: UUID | None
    email: str
    roles: list[str]
    password_hash: str | None = None
    session_id: UUID | None = None


_ROLES = (
    "coalesce((select array_agg(r.name order by r.name) from user_roles ur"
    " join roles r on r.tenant_id = ur.tenant_id and r.id = ur.role_id and r.deleted_at is null"
    " where ur.tenant_id = u.tenant_id and ur.user_id = u.id), '{}') as roles"
)
LIVE_TENANT = (
    " join tenants t on t.tenant_id = u.tenant_id and t.id = u.tenant_id"
    " and t.deleted_at is null and t.is_active"
)
"""Narrows a query over users as `u` to tenants that are in use."""


async def account_by_email(connection: Connection, email_hash: str, tenant_id: UUID | None) -> Account | None:
    """The user with this e-mail who may sign in, in the tenant or (without one) anywhere; None unless exactly one."""
    rows = await connection.fetch(
        f"select u.tenant_id, u.id, u.organization_id, u.email, u.password_hash, {_ROLES} from users u{LIVE_TENANT}"
        " where u.email_hash = $1 and u.deleted_at is null and u.is_confirmed"
        " and ($2::uuid is null or u.tenant_id = $2) limit 2",
        email_hash,
        tenant_id,
    )
    return Account(**rows[0]) if len(rows) == 1 else None


async def account_by_session(connection: Connection, token_hash: str) -> Account | None:
    """The user of a live session, found by the stored hash of its token."""
    row = await connection.fetchrow(
        f"select u.tenant_id, u.id, u.organization_id, u.email, {_ROLES}, s.id as session_id from sessions s"
        f" join users u on u.tenant_id = s.tenant_id and u.id = s.user_id and u.deleted_at is null{LIVE_TENANT}"
        " where s.token_hash = $1 and s.expires_at > now()",
        token_hash,
    )
    return None if row is None else Account(**row)


async def account_by_id(connection: Connection, tenant_id: UUID, user_id: UUID) -> Account | None:
    """A live user, with the password hash."""
    row = await connection.fetchrow(
        f"select u.tenant_id, u.id, u.organization_id, u.email, u.password_hash, {_ROLES} from users u{LIVE_TENANT}"
        " where u.tenant_id = $1 and u.id = $2 and u.deleted_at is null",
        tenant_id,
        user_id,
    )
    return None if row is None else Account(**row)


async def email_of(connection: Connection, tenant_id: UUID, user_id: UUID) -> str | None:
    """The e-mail address of a live user."""
    row = await connection.fetchrow(
        "select email from users where tenant_id = $1 and id = $2 and deleted_at is null", tenant_id, user_id
    )
    return None if row is None else str(row["email"])


async def sessions_of(
    connection: Connection, session_ids: list[UUID], token_hash: str | None
) -> dict[UUID, tuple[UUID, ...]]:
    """The existing sessions among `session_ids` and the one of the token, by tenant."""
    rows = await connection.fetch(
        "select tenant_id, array_agg(id) as ids from sessions where id = any($1::uuid[]) or token_hash = $2"
        " group by tenant_id",
        session_ids,
        token_hash,
    )
    return {row["tenant_id"]: tuple(row["ids"]) for row in rows}
