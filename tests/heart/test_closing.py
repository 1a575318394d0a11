"""The statement that closes a command travels as text together with COMMIT: nothing may get lost or out on the way."""

import asyncio
import random
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

import app.database
from app.database import Database, Target, literal
from app.main import Application
from commands.dictionaries import CreateEntry
from domain.scope import Options
from domain.wire import quoted_array_text
from tests.conftest import Tenant
from tests.heart.proofs import assert_proven
from tests.heart.scenes import Scene, label, scene, token_of

NASTY = (
    "it's",
    "''",
    "'",
    "\\",
    "\\'",
    "\\\\'; drop table users; --",
    "E'\\x41'",
    "$1 $$ $tag$ %s %(a)s :a {0}",
    "/* -- */ ; commit; select 1",
    '"quoted" {array,"of"} NULL',
    "tab\tline\nreturn\r\x01\x7f",
    "žluťoučký 🐎 \u202e\ufeff\uffff",
    "\u00bf\u5c27\u0a5c",
)


@pytest.mark.parametrize(
    ("setting", "value"), [("standard_conforming_strings", "on"), ("client_encoding", "UTF8")]
)
async def test_every_connection_has_the_settings_that_quoting_rests_on(
    application: Application, tenant: Tenant, target: Target, setting: str, value: str
) -> None:
    admin = await asyncpg.connect(target.admin_dsn)
    name = await admin.fetchval("select quote_ident(current_database())")
    await admin.execute(f"alter database {name} set standard_conforming_strings = off")
    try:
        link = await application.database.connect("backstep_app")
        assert await link.fetchval(f"show {setting}") == value
        await link.close()
    finally:
        await admin.execute(f"alter database {name} reset standard_conforming_strings")
        await admin.close()


async def test_a_literal_is_read_as_what_it_was_made_of(application: Application, tenant: Tenant) -> None:
    chance = random.Random(3)
    alphabet = "'\\\"$;-/*{},:% \n\ta0é€🐎"
    texts = [*NASTY, "", "'" * 100_000, *("".join(chance.choices(alphabet, k=40)) for _ in range(300))]
    transaction = await application.database.begin(tenant.id, "test.literal")
    for text in texts:
        link = transaction.connection
        await link.execute(f"set local app.command_id = {literal(text)}")
        assert await link.fetchval("select current_setting('app.command_id')") == text
        assert await link.fetchval(f"select {literal(text.encode())}::bytea") == text.encode()
    assert await link.fetchval(f"select {literal(['a', 'b-1'])}::text[]") == ["a", "b-1"]
    await transaction.rollback()


async def test_an_array_of_any_texts_is_read_as_what_it_was_made_of(
    application: Application, tenant: Tenant
) -> None:
    texts = [*NASTY, "", "null", "{a,b}", '"', "\\", "a b", ","]
    async with application.database.system() as connection:
        sql = f"select {literal(quoted_array_text(texts))}::text[]"
        assert await connection.fetchval(sql) == texts


@pytest.mark.parametrize("value", ["a\0b", ["a\0"]])
def test_a_text_with_nul_is_no_literal(value: Any) -> None:
    with pytest.raises(ValueError, match="NUL"):
        literal(value)


async def test_given_any_text_then_row_log_and_undo_hold_it_exactly(
    application: Application, tenant: Tenant
) -> None:
    scope = tenant.admin.scope
    place = await scene(application.bus, scope, "red")
    for text in NASTY:
        before = await label_of(application.database, place)
        changed = await label(application.bus, scope, place, text, reason=text, correlation_id=text)
        assert changed.log is not None
        assert await label_of(application.database, place) == text
        async with application.database.system() as connection:
            row = await connection.fetchrow(
                "select reason, correlation_id, changes->0->'a'->>'label' as label from action_logs where id = $1",
                changed.log.id,
            )
        assert tuple(row) == (text, text, text)
        await application.bus.undo(token_of(changed), scope)
        assert await label_of(application.database, place) == before
        await application.bus.redo(changed.log.id, scope)
        assert await label_of(application.database, place) == text
    await assert_proven(application, tenant.id)


async def test_given_a_huge_value_then_it_is_kept(application: Application, tenant: Tenant) -> None:
    place = await scene(application.bus, tenant.admin.scope, "red")
    reason = "'\\🐎" * 700_000
    changed = await label(application.bus, tenant.admin.scope, place, "huge", reason=reason)
    assert changed.log is not None
    async with application.database.system() as connection:
        assert reason == await connection.fetchval(
            "select reason from action_logs where id = $1", changed.log.id
        )


@pytest.mark.parametrize("options", [{"source": "nowhere"}, {"reason": "a\0b"}])
async def test_given_a_last_statement_that_fails_then_nothing_is_left_and_all_goes_on(
    application: Application, tenant: Tenant, options: dict[str, Any]
) -> None:
    place = await scene(application.bus, tenant.admin.scope, "red")
    logged = await log_count(application.database, tenant)
    for _ in range(3):
        with pytest.raises((asyncpg.CheckViolationError, ValueError)):
            await label(application.bus, tenant.admin.scope, place, "never", **options)
    assert await label_of(application.database, place) == "red"
    assert await log_count(application.database, tenant) == logged
    failing = [label(application.bus, tenant.admin.scope, place, f"bad {n}", **options) for n in range(4)]
    working = [label(application.bus, tenant.admin.scope, place, f"good {n}") for n in range(4)]
    both = zip(failing, working, strict=True)
    found = await asyncio.gather(*(one for pair in both for one in pair), return_exceptions=True)
    assert [isinstance(one, asyncpg.PostgresError | ValueError) for one in found] == [True, False] * 4
    assert await log_count(application.database, tenant) == logged + 4
    await assert_proven(application, tenant.id)


async def test_given_long_transactions_of_many_tenants_then_another_tenant_still_writes(
    application: Application, tenant: Tenant
) -> None:
    place = await scene(application.bus, tenant.admin.scope, "red")
    long = [await application.database.begin(uuid4(), "test.long") for _ in range(6)]
    try:
        async with asyncio.timeout(5):
            await label(application.bus, tenant.admin.scope, place, "blue")
    finally:
        for transaction in long:
            await transaction.rollback()
    async with asyncio.timeout(5):  # and every slot came back once
        await asyncio.gather(
            *(label(application.bus, tenant.admin.scope, place, f"blue {number}") for number in range(12))
        )
    assert application.database._slots._free._value == app.database._SLOTS


async def test_given_a_schema_that_changes_then_prepared_statements_go_on(
    application: Application, tenant: Tenant, target: Target
) -> None:
    place = await scene(application.bus, tenant.admin.scope, "red")
    admin = await asyncpg.connect(target.admin_dsn)
    try:
        await label(application.bus, tenant.admin.scope, place, "before")
        await admin.execute("alter table action_logs add column later text default 'x'")
        await label(application.bus, tenant.admin.scope, place, "between")
    finally:
        await admin.execute("alter table action_logs drop column if exists later")
        await admin.close()
    await label(application.bus, tenant.admin.scope, place, "after")
    await assert_proven(application, tenant.id)


async def test_given_prepared_statements_that_are_gone_then_they_are_made_again(
    application: Application, tenant: Tenant
) -> None:
    place = await scene(application.bus, tenant.admin.scope, "red")
    await label(application.bus, tenant.admin.scope, place, "before")
    for link in application.database.writers._idle:
        for statement in link.prepared.values():
            await link.execute(f"deallocate {statement.get_name()}")
    await label(application.bus, tenant.admin.scope, place, "after")
    assert await label_of(application.database, place) == "after"


async def test_a_connection_keeps_no_more_statements_than_it_may(
    application: Application, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.database, "_MOST_PREPARED", 1)
    for link in application.database.writers._idle:
        link.prepared.clear()
    place = await scene(application.bus, tenant.admin.scope, "red")
    for number in range(3):
        await label(application.bus, tenant.admin.scope, place, f"label {number}")
        command = CreateEntry(dictionary_id=place.dictionary_id, value=f"value {number}")
        outcome = await application.bus.execute(command, tenant.admin.scope, Options())
        await application.bus.undo(token_of(outcome), tenant.admin.scope)
    last = application.database.writers._idle[-1]
    assert len(last.prepared) == 1
    held = await last.fetchval(
        "select count(*) from pg_prepared_statements where statement like 'with l as%'"
    )
    assert held <= 2  # what is dropped is closed with the next statement
    await assert_proven(application, tenant.id)


async def label_of(database: Database, place: Scene) -> str:
    async with database.system() as connection:
        return str(
            await connection.fetchval(
                "select label from dictionary_entries where id = $1", place.entry_ids[0]
            )
        )


async def log_count(database: Database, tenant: Tenant) -> int:
    async with database.system() as connection:
        return int(
            await connection.fetchval("select count(*) from action_logs where tenant_id = $1", tenant.id)
        )
