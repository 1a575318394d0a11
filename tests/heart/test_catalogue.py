"""What the tables must be like, so that nothing can change behind the unit and no tenant can see another."""

from typing import Any

import asyncpg
import pytest

from app.database import Database
from domain.resources import Resource, all_resources

Rows = list[asyncpg.Record]
GUARD = "command_guard"

_TENANT_TABLES = """
select c.oid, c.relname as name, c.relrowsecurity as secured, c.relispartition as partition,
       pg_get_userbyid(c.relowner) as owner,
       (select array_agg(distinct r.rolname::text) from pg_policy p, pg_roles r
         where p.polrelid = c.oid and r.oid = any (p.polroles)) as policies,
       (select array_agg(a.attname::text order by k.place) from pg_constraint x,
               unnest(x.conkey) with ordinality k(number, place), pg_attribute a
         where x.conrelid = c.oid and x.contype = 'p' and a.attrelid = c.oid and a.attnum = k.number) as key,
       has_table_privilege('backstep_app', c.oid, 'select, insert, update, delete') as reachable,
       coalesce((select array_agg(t.tgname::text) from pg_trigger t
                  where t.tgrelid = c.oid and not t.tgisinternal), '{}') as triggers
  from pg_class c join pg_attribute t on t.attrelid = c.oid and t.attname = 'tenant_id' and not t.attisdropped
 where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
"""
_FOREIGN_KEYS = """
select x.conname as name, x.conrelid::regclass::text as here, x.confdeltype::text as on_delete,
       x.confupdtype::text as on_update, x.condeferrable as deferrable,
       (select array_agg(a.attname::text) from pg_attribute a
         where a.attrelid = x.conrelid and a.attnum = any (x.conkey)) as columns
  from pg_constraint x where x.contype = 'f' and x.connamespace = 'public'::regnamespace
"""
_COLUMNS = """
select a.attname::text as name, t.typname::text as type, t.typtype::text as kind, a.attidentity::text as identity,
       a.attgenerated::text as generated, a.attnotnull as required, pg_get_expr(d.adbin, d.adrelid) as default_value
  from pg_attribute a join pg_type t on t.oid = a.atttypid
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
 where a.attrelid = $1::text::regclass and a.attnum > 0 and not a.attisdropped
"""


async def ask(database: Database, sql: str, *arguments: Any) -> Rows:
    async with database.system() as connection:
        rows: Rows = await connection.fetch(sql, *arguments)
        return rows


async def test_every_table_with_a_tenant_is_behind_row_level_security(database: Database) -> None:
    tables = await ask(database, _TENANT_TABLES)
    assert len(tables) > 20
    for table in tables:
        if table["partition"]:  # rows are reached through the whole table, whose policy applies
            assert not table["reachable"], f"{table['name']} can be reached around its policy"
            continue
        assert table["secured"], f"{table['name']} has no row level security"
        assert set(table["policies"]) >= {"backstep_app", "backstep_system"}, table["name"]
        assert table["owner"] not in ("backstep_app", "backstep_system"), table["name"]
        assert table["key"][0] == "tenant_id", f"{table['name']}: the key must begin with the tenant"


async def test_no_trigger_writes_behind_the_unit(database: Database) -> None:
    for table in await ask(database, _TENANT_TABLES):
        assert set(table["triggers"]) <= {GUARD}, f"{table['name']} has triggers: {table['triggers']}"


async def test_foreign_keys_carry_the_tenant_and_change_nothing_by_themselves(database: Database) -> None:
    keys = await ask(database, _FOREIGN_KEYS)
    assert keys
    for key in keys:
        assert (key["on_delete"], key["on_update"]) == ("a", "a"), (
            f"{key['here']}.{key['name']} acts on its own"
        )
        assert "tenant_id" in key["columns"], f"{key['here']}.{key['name']} may cross tenants"
        assert key["deferrable"], f"{key['here']}.{key['name']} stands in the way of undo"


def resources() -> list[Any]:
    from app.main import load_parts

    load_parts()
    return [pytest.param(resource, id=resource.name) for resource in all_resources()]


@pytest.mark.parametrize("resource", resources())
async def test_the_description_of_a_table_is_the_table(database: Database, resource: Resource) -> None:
    columns = await ask(database, _COLUMNS, resource.name)
    assert {c["name"] for c in columns if not c["generated"]} == set(resource.columns)
    described = {str(c.name): c for c in resource.table.columns}
    for column in columns:
        nullable = described[column["name"]].nullable
        assert column["required"] == (not nullable), (
            f"{resource.name}.{column['name']} may be null in one place only"
        )


@pytest.mark.parametrize("resource", resources())
async def test_a_table_that_commands_write_has_only_what_images_can_hold(
    database: Database, resource: Resource
) -> None:
    for column in await ask(database, _COLUMNS, resource.name):
        place = f"{resource.name}.{column['name']}"
        assert column["kind"] != "e", f"{place} is an enum"
        assert column["type"] not in ("json", "money", "xml"), f"{place} is {column['type']}"
        assert column["identity"] == "", f"{place} is an identity column"
        assert column["name"] not in ("old", "new"), f"{place} has a name that RETURNING uses"
        default = column["default_value"] or ""
        volatile = ("nextval", "now(", "random", "gen_", "uuid_", "uuidv", "clock_", "current_", "statement_")
        assert not any(word in default for word in volatile), f"{place} has a volatile default: {default}"


async def test_every_logged_table_has_the_guard(database: Database) -> None:
    guarded = {table["name"] for table in await ask(database, _TENANT_TABLES) if GUARD in table["triggers"]}
    assert guarded >= {resource.name for resource in all_resources() if resource.logged}


async def test_derived_tables_of_the_index_and_the_log_are_known_to_nobody_but_the_bus(
    database: Database,
) -> None:
    tables = {table["name"] for table in await ask(database, _TENANT_TABLES) if not table["partition"]}
    kept_by_the_bus = {
        *("action_logs", "action_log_reversals", "action_log_rows", "idempotency_keys", "access_logs"),
        *("entity_index", "entity_index_gaps", "entity_search", "entity_counters", "outbox", "event_stream"),
        *("action_log_marks", "action_log_scopes", "log_seals", "log_verifications"),
        *("log_bases", "log_base_rows", "log_tombstones", "entity_values"),
    }
    assert tables == kept_by_the_bus | {resource.name for resource in all_resources()}, "an undescribed table"
