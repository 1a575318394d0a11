"""Lists of users (contract: auth.md 8.1)."""

import unicodedata
from functools import cache
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

from projections.custom_members import with_custom
from projections.index import wire_object
from queries.custom_filters import arguments, conditions
from queries.custom_values import ValueFilter
from queries.found import FoundPage
from queries.index_reading import IndexReading, gap_of, rows_of

# Users who are super admins by their own grants or by those of a role, in the tenant of the user `u`.
_IS_SUPER_ADMIN = """(
  exists (select from user_acls a where a.tenant_id = u.tenant_id and a.user_id = u.id and a.is_super_admin)
  or exists (select from user_roles l join role_acls a on a.tenant_id = l.tenant_id and a.role_id = l.role_id
              where l.tenant_id = u.tenant_id and l.user_id = u.id and a.is_super_admin))"""

_HAS_WORDS = """(
  select coalesce(bool_and(position(search_text_normal(w) in search_text_normal(concat_ws(' ', u.name, u.email))) > 0),
                  false) from unnest($6::text[]) w)"""

# Every word in name or e-mail address, or all of it in the name of the user's organization, or of a role of the user.
_SCANNED = f"""({_HAS_WORDS}
  or exists (select from organizations o where o.tenant_id = u.tenant_id and o.id = u.organization_id
              and position(lower($7) in lower(o.name)) > 0)
  or exists (select from user_roles l join roles r on r.tenant_id = l.tenant_id and r.id = l.role_id
              where l.tenant_id = u.tenant_id and l.user_id = u.id and position(lower($7) in lower(r.name)) > 0))"""

# The same in one tenant, where a word is long enough for the index of trigrams.
_MATCHED = f"""
matched as materialized (
  select u.id
    from search_ids($1, 'auth:user',
           (select array_agg(g) from unnest($6::text[]) w, unnest(search_needle(w, $13)) g)) s(id)
    join users u on u.tenant_id = $1 and u.id = s.id
   where {_HAS_WORDS}
  union
  select u.id from organizations o join users u on u.tenant_id = o.tenant_id and u.organization_id = o.id
   where o.tenant_id = $1 and position(lower($7) in lower(o.name)) > 0
  union
  select l.user_id from roles r join user_roles l on l.tenant_id = r.tenant_id and l.role_id = r.id
   where r.tenant_id = $1 and position(lower($7) in lower(r.name)) > 0
),"""
_LONG_ENOUGH = 3
"""Characters, accents not counted, from which on a word has a trigram."""


class UserFilter(Struct, frozen=True):
    """What part of the users is asked for; all of it together must hold.

    `organization_ids`: only users of these organizations (None: all). `in_organization` with `organization_id` None:
    only users of no organization.
    """

    id: UUID | None = None
    organization_ids: tuple[UUID, ...] | None = None
    in_organization: bool = False
    organization_id: UUID | None = None
    role_ids: tuple[UUID, ...] | None = None
    search: str = ""
    name: str = ""
    custom: tuple[ValueFilter, ...] = ()

    @property
    def words(self) -> list[str]:
        """The words of the search."""
        return self.search.split()

    @property
    def has_trigrams(self) -> bool:
        """Whether a word is long enough for the index."""
        return any(_bare_length(word) >= _LONG_ENOUGH for word in self.words)


def _bare_length(word: str) -> int:
    return sum(not unicodedata.combining(character) for character in unicodedata.normalize("NFKD", word))


async def users(
    connection: Any,
    tenant_id: UUID | None,
    wanted: UserFilter,
    reading: IndexReading,
    *,
    everybody: bool,
    limit: int,
    offset: int,
) -> FoundPage:
    """A page of a tenant's users, oldest first; without a tenant (asked for super admins only), of all tenants.

    `everybody` False leaves out super admins. Whether a user has a password is told only of a single one.
    """

    def sql(made: bool) -> str:
        by_tokens = tenant_id and wanted.has_trigrams and reading.tokens and not made
        search = "none" if not wanted.words else "index" if by_tokens else "scan"
        return _list(search, wanted.id is not None, len(wanted.custom), made)

    rows, gap = await rows_of(
        connection,
        reading,
        sql,
        tenant_id,
        wanted.id,
        wanted.organization_ids,
        wanted.in_organization,
        wanted.organization_id,
        wanted.words,
        wanted.search,
        wanted.role_ids,
        wanted.name,
        everybody,
        limit,
        offset,
        reading.search_key,
        *arguments(wanted.custom),
    )
    return FoundPage.of(rows, gap)


@cache
def _list(search: Literal["none", "index", "scan"], single: bool, filters: int, made: bool) -> str:
    """The first thirteen parameters are always the same, so that every variant is called alike."""
    by_custom = conditions(filters, "u", "u.id", "auth:user", 14, "u.custom_fields" if made else None)
    gap = gap_of("'auth:user'", None) if search == "index" or filters else "false"
    more = {"hasPassword": "u.password_hash is not null"} if single else {}
    item = wire_object(
        id="u.id",
        email="u.email",
        name="u.name",
        organizationId="u.organization_id",
        organizationName="coalesce(o.name, u.organization_id::text)",
        tenantId="u.tenant_id",
        tenantName="coalesce(n.name, u.tenant_id::text)",
        roles="array(select unnest(held.names))",
        roleIds="array(select unnest(held.ids))",
        **more,
        updatedAt="iso_ms(u.updated_at)",
    )
    matches = {
        "none": "cardinality($6::text[]) = 0 and $7::text is not null and $13::bytea is not null",
        "index": "u.id in (select id from matched)",
        "scan": f"{_SCANNED} and $13::bytea is not null",
    }
    return f"""
with {_MATCHED if search == "index" else ""}
listed as materialized (
  select u.* from users u
   where ($1::uuid is null or u.tenant_id = $1) and u.deleted_at is null and ($2::uuid is null or u.id = $2)
     and ($3::uuid[] is null or u.organization_id = any($3))
     and (not $4 or u.organization_id is not distinct from $5::uuid)
     and ($8::uuid[] is null or exists (select from user_roles l where l.tenant_id = u.tenant_id and l.user_id = u.id
                                         and l.role_id = any($8)))
     and ($9::text = '' or position(search_text_normal($9) in search_text_normal(u.name)) > 0)
     and ($10 or not {_IS_SUPER_ADMIN}) and {matches[search]}{by_custom}
)
select (select count(*) from listed) as total, u.id, {with_custom(item, "u")} as document,
       {gap} as gap
  from (values (1)) one
  left join lateral (select * from listed order by created_at, id limit $11 offset $12) u on true
  left join lateral (select array_agg(r.name order by r.name, r.id) as names,
                            array_agg(r.id order by r.name, r.id) as ids
                       from user_roles l join roles r on r.tenant_id = l.tenant_id and r.id = l.role_id
                      where l.tenant_id = u.tenant_id and l.user_id = u.id) held on true
  left join organizations o on o.tenant_id = u.tenant_id and o.id = u.organization_id
  left join tenants n on n.tenant_id = u.tenant_id and n.id = u.tenant_id
 order by u.created_at, u.id
"""


async def tenant_of_user(connection: Any, user_id: UUID) -> UUID | None:
    """The tenant of a live user; asked for super admins only."""
    found: UUID | None = await connection.fetchval(
        "select tenant_id from users where id = $1 and deleted_at is null", user_id
    )
    return found
