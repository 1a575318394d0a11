"""What the queries of both audit logs share: conditions, and the names that belong to ids."""

from typing import Any
from uuid import UUID

import asyncpg

USER_NAME = "coalesce(nullif(u.name, ''), u.email)"
"""The name of the user `u` as lists show it."""
NAME_COLUMNS = (
    f"{USER_NAME} as actor_name, u.id is not null as actor_known, t.name as tenant_name,"
    " o.name as organization_name"
)
"""The columns that go with `names`."""


class Conditions:
    """SQL conditions over the alias `a` and their numbered arguments."""

    def __init__(self, tenant_id: UUID) -> None:
        self.sql = ["a.tenant_id = $1"]
        self.args: list[Any] = [tenant_id]

    def place(self, value: Any) -> str:
        """The placeholder of a further argument."""
        self.args.append(value)
        return f"${len(self.args)}"

    def add(self, template: str, value: Any) -> None:
        """Add `template` with `{}` standing for `value`, unless that is None."""
        if value is not None:
            self.sql.append(template.format(self.place(value)))

    @property
    def where(self) -> str:
        """All conditions in one."""
        return " and ".join(self.sql)


def names(alias: str) -> str:
    """Joins that find the actor (`u`), tenant (`t`) and organization (`o`) of a row, where they still exist."""
    return (
        f"left join users u on u.tenant_id = {alias}.tenant_id and u.id = {alias}.actor_user_id"
        " and u.deleted_at is null"
        f" left join tenants t on t.tenant_id = {alias}.tenant_id and t.id = {alias}.tenant_id"
        " and t.deleted_at is null"
        f" left join organizations o on o.tenant_id = {alias}.tenant_id and o.id = {alias}.organization_id"
        " and o.deleted_at is null"
    )


def actor_name(row: asyncpg.Record) -> str | None:
    """The actor's name, else e-mail, else id; None for an API key and for somebody who is not there any more."""
    if not row["actor_known"]:
        return None
    return row["actor_name"] or str(row["actor_user_id"])
