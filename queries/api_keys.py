"""Lists of API keys (contract: auth.md 8.9)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from projections.index import wire_object
from queries.found import Found, FoundPage

_ITEM = wire_object(
    id="k.id",
    name="k.name",
    description="k.description",
    keyPrefix="k.key_prefix",
    organizationId="k.organization_id",
    organizationName="o.name",
    createdAt="iso_ms(k.created_at)",
    lastUsedAt="iso_ms(g.last_used_at)",
    expiresAt="iso_ms(k.expires_at)",
    roles="(select coalesce(json_agg(json_build_object('id', r.id, 'name', r.name) order by x.n), '[]')"
    " from unnest(k.role_ids) with ordinality x(id, n) join roles r on r.tenant_id = k.tenant_id and r.id = x.id)",
    updatedAt="iso_ms(k.updated_at)",
)
_LIST = f"""
with listed as materialized (
  select k.* from api_keys k
   where k.tenant_id = $1 and k.deleted_at is null and k.session_token is null
     and ($2::uuid[] is null or k.organization_id = any($2) or ($3 and k.organization_id is null))
     and ($4::text = '' or position(lower($4) in lower(k.name)) > 0 or position(lower($4) in k.key_prefix) > 0)
)
select (select count(*) from listed) as total, k.id, {_ITEM} as document
  from (values (1)) one
  left join lateral (select * from listed order by created_at desc, id desc limit $5 offset $6) k on true
  left join organizations o on o.tenant_id = k.tenant_id and o.id = k.organization_id
  left join api_key_usage g on g.tenant_id = k.tenant_id and g.id = k.id
 order by k.created_at desc, k.id desc
"""


async def api_keys(
    connection: Any,
    tenant_id: UUID,
    organization_ids: Sequence[UUID] | None,
    *,
    without_organization: bool,
    search: str,
    limit: int,
    offset: int,
) -> FoundPage:
    """A page of live keys, newest first; those of chats are not for people to see.

    `organization_ids` None: of all organizations; `without_organization` adds the keys of the whole tenant.
    """
    rows = await connection.fetch(
        _LIST, tenant_id, organization_ids, without_organization, search, limit, offset
    )
    return FoundPage([Found(row["id"], row["document"]) for row in rows if row["id"]], rows[0]["total"])
