"""The database itself keeps tenants apart and history whole, whatever SQL the application's role may run."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from app.database import Database, Link
from app.main import Application
from domain.resources import all_resources
from tests.conftest import MakeTenant, Tenant
from tests.heart.scenes import label, scene, token_of

_TABLES = """
select c.relname::text from pg_class c join pg_attribute t on t.attrelid = c.oid and t.attname = 'tenant_id'
 where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by 1
"""


class Pair:
    """Two tenants with rows in many tables, and the names of all tables that have a tenant."""

    def __init__(self, here: Tenant, there: Tenant, tables: list[str]) -> None:
        self.here, self.there, self.tables = here, there, tables


@pytest.fixture
async def pair(application: Application, make_tenant: MakeTenant) -> Pair:
    tenants = [await make_tenant(), await make_tenant()]
    for tenant in tenants:
        place = await scene(application.bus, tenant.admin.scope, "red", "blue")
        outcome = await label(application.bus, tenant.admin.scope, place, "Rot", idempotency_key=uuid4().hex)
        await application.bus.undo(token_of(outcome), tenant.admin.scope)
    async with application.database.system() as connection:
        return Pair(tenants[0], tenants[1], [row[0] for row in await connection.fetch(_TABLES)])


@pytest.fixture
async def app_role(database: Database) -> AsyncIterator[Link]:
    """A bare connection of the application's role, in a transaction that is rolled back."""
    link = await database.connect("backstep_app")
    transaction = link.transaction()
    await transaction.start()
    yield link
    await transaction.rollback()
    await link.close()


async def set_local(link: Link, **values: Any) -> None:
    for name, value in values.items():
        await link.execute(f"set local app.{name} = '{value}'")


async def seen(link: Link, table: str, where: str = "true") -> int:
    """How many rows of a table the role sees; none of one that it may not touch."""
    try:
        async with link.transaction():
            return int(await link.fetchval(f"select count(*) from {table} where {where}"))
    except asyncpg.InsufficientPrivilegeError:
        return 0


async def refusal(link: Link, sql: str, *arguments: Any) -> str:
    """The SQLSTATE that a statement is refused with; it must be refused."""
    try:
        async with link.transaction():
            status = await link.execute(sql, *arguments)
    except asyncpg.PostgresError as error:
        return str(error.sqlstate)
    raise AssertionError(f"not refused ({status}): {sql}")


async def test_given_no_tenant_then_no_row_of_any_table_is_visible(app_role: Link, pair: Pair) -> None:
    assert {table: n for table in pair.tables if (n := await seen(app_role, table))} == {}
    await set_local(app_role, tenant_id="")
    assert {table: n for table in pair.tables if (n := await seen(app_role, table))} == {}


async def test_given_one_tenant_then_no_row_of_another_is_visible(app_role: Link, pair: Pair) -> None:
    await set_local(app_role, tenant_id=pair.here.id)
    foreign = f"tenant_id <> '{pair.here.id}'"
    assert {table: n for table in pair.tables if (n := await seen(app_role, table, foreign))} == {}
    for table in (
        "dictionaries",
        "dictionary_entries",
        "action_logs",
        "entity_index",
        "entity_search",
        "users",
    ):
        assert await seen(app_role, table), f"the tenant's own rows of {table} are visible"


async def test_given_one_tenant_then_a_row_for_another_is_refused_in_every_table(
    app_role: Link, database: Database, pair: Pair
) -> None:
    await set_local(app_role, tenant_id=pair.here.id, command_id="test.trespass")
    async with database.system() as system:
        for table in pair.tables:
            if not await seen(system, table, f"tenant_id = '{pair.there.id}'"):
                continue
            row = await system.fetchval(
                f"select to_jsonb(t)::text from {table} t where tenant_id = $1 limit 1", pair.there.id
            )
            copy = f"insert into {table} select * from jsonb_populate_record(null::{table}, $1::text::jsonb)"
            assert await refusal(app_role, copy, row) == "42501", table


async def test_given_one_tenant_then_rows_of_another_are_neither_changed_nor_deleted(
    app_role: Link, pair: Pair
) -> None:
    await set_local(app_role, tenant_id=pair.here.id, command_id="test.trespass")
    for resource in all_resources():
        there = f"where tenant_id = '{pair.there.id}'"
        assert await app_role.execute(f"update {resource.name} set id = id {there}") == "UPDATE 0"
        assert await app_role.execute(f"delete from {resource.name} {there}") == "DELETE 0"
    moved = f"update dictionaries set tenant_id = '{pair.there.id}'"
    assert await refusal(app_role, moved) == "42501", "a row cannot be handed to another tenant"


@pytest.mark.parametrize("table", ["action_logs", "action_log_reversals", "action_log_rows"])
@pytest.mark.parametrize("role", ["backstep_app", "backstep_system"])
async def test_history_can_neither_be_changed_nor_deleted(
    database: Database, tenant: Tenant, table: str, role: str
) -> None:
    link = await database.connect(role)
    async with link.transaction():
        await set_local(link, tenant_id=tenant.id, command_id="test.rewrite")
        assert await refusal(link, f"update {table} set tenant_id = tenant_id") == "42501"
        assert await refusal(link, f"delete from {table}") == "42501"
        assert await refusal(link, f"truncate {table}") == "42501"
    await link.close()


@pytest.mark.parametrize("role", ["backstep_app", "backstep_system"])
async def test_outside_a_command_no_guarded_table_can_be_written(
    database: Database, tenant: Tenant, role: str
) -> None:
    link = await database.connect(role)
    async with link.transaction():
        await set_local(link, tenant_id=tenant.id)
        for name in (resource.name for resource in all_resources() if resource.logged):
            assert await refusal(link, f"update {name} set id = id") == "BS001", name
            assert await refusal(link, f"delete from {name}") == "BS001", name
            assert await refusal(link, f"insert into {name} select * from {name} limit 0") == "BS001", name
            assert await refusal(link, f"truncate {name}") == "42501", name
            assert await refusal(link, f"alter table {name} disable trigger all") == "42501", name
    await link.close()


@pytest.mark.parametrize("role", ["backstep_app", "backstep_system"])
async def test_the_roles_are_not_powerful(database: Database, role: str) -> None:
    async with database.system() as connection:
        row = await connection.fetchrow("select * from pg_roles where rolname = $1", role)
    powers = ("rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb", "rolreplication")
    assert {power: row[power] for power in powers} == dict.fromkeys(powers, False)
    link = await database.connect(role)
    assert await refusal(link, "create table mine (id int)") == "42501"
    assert (
        await link.fetchval(
            "select count(*) from pg_auth_members m join pg_roles r on r.oid = m.member where r.rolname = $1",
            role,
        )
        == 0
    )
    await link.close()


async def test_given_one_tenant_then_the_search_function_finds_nothing_of_another(
    app_role: Link, application: Application, pair: Pair
) -> None:
    key = application.search_key(pair.there.id)
    search = "select count(*) from search_ids($1, 'dictionaries:entry', search_needle('blue', $2))"
    await set_local(app_role, tenant_id=pair.here.id)
    assert await app_role.fetchval(search, pair.there.id, key) == 0
    await set_local(app_role, tenant_id=pair.there.id)
    assert await app_role.fetchval(search, pair.there.id, key) == 1


async def test_search_tokens_of_two_tenants_have_nothing_in_common(database: Database, pair: Pair) -> None:
    async with database.system() as connection:
        rows = await connection.fetch(
            "select tenant_id, array_agg(g) as grams from entity_search, unnest(grams) g"
            " where tenant_id = any ($1) and entity_type = 'dictionaries:entry' group by 1",
            [pair.here.id, pair.there.id],
        )
    assert len(rows) == 2 and set(rows[0]["grams"]).isdisjoint(rows[1]["grams"])
