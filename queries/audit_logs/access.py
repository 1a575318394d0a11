"""Who read what."""

import asyncpg
from msgspec import Raw

from domain.audit_logs import VIEW_TENANT
from domain.scope import Scope
from domain.wire import iso_ms
from queries.audit_logs.conditions import NAME_COLUMNS, Conditions, actor_name, names
from queries.audit_logs.types import AccessFilter, AccessItem, AccessPage, Window


async def access_logs(
    connection: asyncpg.Connection, scope: Scope, wanted: AccessFilter, window: Window
) -> AccessPage:
    """A page of the access log, newest first, in one statement."""
    conditions = Conditions(scope.tenant_id)
    conditions.add("a.actor_user_id = {}", wanted.actor_id)
    conditions.add("a.organization_id = {}", wanted.organization_id)
    conditions.add("a.resource_kind = {}", wanted.resource_kind)
    conditions.add("a.access_type = {}", wanted.access_type)
    conditions.add("a.created_at < {}", wanted.before)
    conditions.add("a.created_at > {}", wanted.after)
    where, args = conditions.where, list(conditions.args)
    size, start = conditions.place(window.size), conditions.place(window.start)
    rows = await connection.fetch(
        f"with counted as (select count(*) as total from access_logs a where {where}),"
        f" page as (select a.* from access_logs a where {where}"
        f" order by a.created_at desc, a.id desc limit {size} offset {start})"
        " select counted.total, p.* from counted left join (select p.id, p.resource_kind, p.resource_id,"
        " p.access_type, p.actor_user_id, p.organization_id, p.fields::text as fields,"
        f" p.context::text as context, p.created_at, {NAME_COLUMNS} from page p {names('p')}) p on true"
        " order by p.created_at desc, p.id desc",
        *args,
        window.size,
        window.start,
    )
    total = rows[0]["total"]
    items = [_access_item(scope, row) for row in rows if row["id"] is not None]
    return AccessPage(
        items, scope.can(VIEW_TENANT), window.page, window.size, total, max(1, -(-total // window.size))
    )


def _access_item(scope: Scope, row: asyncpg.Record) -> AccessItem:
    return AccessItem(
        id=row["id"],
        resource_kind=row["resource_kind"],
        resource_id=row["resource_id"],
        access_type=row["access_type"],
        actor_user_id=row["actor_user_id"],
        actor_user_name=actor_name(row),
        tenant_id=scope.tenant_id,
        tenant_name=row["tenant_name"],
        organization_id=row["organization_id"],
        organization_name=row["organization_name"],
        fields=Raw(row["fields"] or "[]"),
        context=Raw(row["context"]) if row["context"] else None,
        created_at=iso_ms(row["created_at"]),
    )
