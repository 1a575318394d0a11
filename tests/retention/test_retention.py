"""What retention removes, what it leaves alone, and that what stays can be proven, replayed and undone."""

import asyncpg
import pytest

from app.database import Target
from app.jobs import sealer
from app.main import Application
from app.retention import Untrustworthy, removed
from app.settings import StartError
from commands.undo_many import UndoMany
from domain.errors import Problem
from domain.moments import moment_of
from tests.conftest import Tenant
from tests.heart.proofs import assert_proven, exact_state_of
from tests.heart.scenes import Scene, label, token_of
from tests.replay.conftest import Replay, behind
from tests.retention.conftest import Age, Remove, keep, places
from tests.seals.conftest import Seal, Verify


async def test_given_no_policy_then_nothing_goes(
    application: Application, tenant: Tenant, place: Scene, age: Age, remove: Remove
) -> None:
    await age(days=5_000)
    before = await places(application, tenant.id)
    assert await remove() == 0 and await places(application, tenant.id) == before


async def test_given_an_old_history_then_it_goes_and_the_rest_is_proven_and_replayed(
    application: Application,
    tenant: Tenant,
    place: Scene,
    age: Age,
    remove: Remove,
    verify: Verify,
    replay: Replay,
) -> None:
    await keep(application, tenant)
    old = await places(application, tenant.id)
    await age()
    await label(application.bus, tenant.admin.scope, place, "Rosso", number=2)
    tables = await exact_state_of(application.database, tenant.id)
    assert await remove() == len(old)
    assert not set(await places(application, tenant.id)) & set(old)
    after = await exact_state_of(application.database, tenant.id)
    assert {k: v for k, v in after.items() if not k.startswith("action_log")} == {
        k: v for k, v in tables.items() if not k.startswith("action_log")
    }
    report = await verify(tenant.id)
    assert report.intact and report.removed >= len(old), report.breaks
    await assert_proven(application, tenant.id)
    for mode in ("state", "commands"):
        outcome = await replay(tenant.id, mode)
        assert outcome.verdict == "equal", outcome.lines()
        assert (outcome.executed if mode == "commands" else outcome.log_rows) == 1
    async with application.database.system() as connection:
        for table in ("action_log_rows", "action_log_reversals", "action_log_marks"):
            left = await connection.fetchval(f"select count(*) from {table} where tenant_id = $1", tenant.id)
            assert left == (1 if table == "action_log_rows" else 0) or table == "action_log_rows", table
            assert table != "action_log_rows" or not await connection.fetchval(
                "select exists (select from action_log_rows where tenant_id = $1 and seq = any($2::bigint[]))",
                tenant.id,
                old,
            )


async def test_given_several_runs_then_each_goes_on_from_the_base_of_the_one_before(
    application: Application,
    tenant: Tenant,
    place: Scene,
    age: Age,
    remove: Remove,
    verify: Verify,
    replay: Replay,
) -> None:
    await keep(application, tenant, days=90)
    old = await places(application, tenant.id)
    await age(days=50)
    await age(days=50, until=old[4])
    assert await remove(most=2) == 5
    await assert_proven(application, tenant.id)
    await keep(application, tenant, days=30)
    assert await remove() == len(old) - 5
    assert (await verify(tenant.id)).intact
    await label(application.bus, tenant.admin.scope, place, "Rosso")
    await assert_proven(application, tenant.id)
    assert (await replay(tenant.id)).verdict == "equal"
    async with application.database.system() as connection:
        assert (
            await connection.fetchval("select count(*) from log_bases where tenant_id = $1", tenant.id) == 1
        )


async def test_given_a_policy_for_one_kind_then_all_others_stay(
    application: Application,
    tenant: Tenant,
    place: Scene,
    age: Age,
    remove: Remove,
    verify: Verify,
    replay: Replay,
) -> None:
    await keep(application, tenant, "dictionaries.entry", 60)
    others = set(await places(application, tenant.id)) - set(
        await places(application, tenant.id, "dictionaries.entry")
    )
    await age()
    assert await remove() == 7
    assert set(await places(application, tenant.id)) == others
    await label(application.bus, tenant.admin.scope, place, "Rosso")
    assert (await verify(tenant.id)).intact
    await assert_proven(application, tenant.id)
    assert (await replay(tenant.id)).verdict == "equal"
    assert (await replay(tenant.id, "commands")).verdict == "equal"


async def test_given_an_old_action_that_was_undone_lately_then_both_stay(
    application: Application, tenant: Tenant, place: Scene, age: Age, remove: Remove, verify: Verify
) -> None:
    await keep(application, tenant)
    outcome = await label(application.bus, tenant.admin.scope, place, "Rosso", number=2)
    assert outcome.log is not None
    old = await places(application, tenant.id)
    await age()
    await application.bus.undo(token_of(outcome), tenant.admin.scope)
    assert await remove() == len(old) - 1
    assert old[-1] in await places(application, tenant.id)
    again = await application.bus.redo(outcome.log.id, tenant.admin.scope)
    assert again.log is not None and (await verify(tenant.id)).intact
    await assert_proven(application, tenant.id)


async def test_given_old_actions_that_were_taken_back_lately_with_others_then_they_stay(
    application: Application, tenant: Tenant, place: Scene, age: Age, remove: Remove, verify: Verify
) -> None:
    await keep(application, tenant)
    outcome = await label(application.bus, tenant.admin.scope, place, "Rosso", number=2)
    assert outcome.log is not None
    old = await places(application, tenant.id)
    await age()
    await application.bus.execute(UndoMany(log_ids=[outcome.log.id]), tenant.admin.scope)
    assert await remove() == len(old) - 1
    assert old[-1] in await places(application, tenant.id) and (await verify(tenant.id)).intact


async def test_given_old_marks_then_they_go_with_their_actions(
    application: Application, tenant: Tenant, place: Scene, age: Age, remove: Remove, verify: Verify
) -> None:
    await keep(application, tenant)
    outcome = await label(application.bus, tenant.admin.scope, place, "Rosso", number=2)
    assert outcome.log is not None
    await application.bus.execute(UndoMany(log_ids=[outcome.log.id]), tenant.admin.scope)
    await age()
    await remove()
    async with application.database.system() as connection:
        assert not await connection.fetchval(
            "select count(*) from action_log_marks where tenant_id = $1", tenant.id
        )
    assert (await verify(tenant.id)).intact


async def test_given_a_moment_before_the_history_that_is_kept_then_it_is_refused(
    application: Application, tenant: Tenant, place: Scene, age: Age, remove: Remove
) -> None:
    await keep(application, tenant, "dictionaries.entry")
    await age()
    await remove()
    async with application.database.read(tenant.id) as connection:
        first = await connection.fetchval(
            "select id from action_logs where tenant_id = $1 order by seq limit 1", tenant.id
        )
        for text in (str(first), "2001-01-01"):
            with pytest.raises(Problem) as refused:
                await moment_of(connection, tenant.id, text)
            assert refused.value.code == "history_removed"
        now = await moment_of(connection, tenant.id, "2100-01-01")
        begins = await connection.fetchval("select max(seq) from log_bases where tenant_id = $1", tenant.id)
        assert now.seq >= begins
    await keep(application, tenant)
    await remove()
    async with application.database.read(tenant.id) as connection:
        begins = await connection.fetchval("select max(seq) from log_bases where tenant_id = $1", tenant.id)
        assert (await moment_of(connection, tenant.id, "2100-01-01")).seq >= begins


async def test_given_an_interrupted_run_then_the_next_one_goes_on(
    application: Application,
    tenant: Tenant,
    place: Scene,
    age: Age,
    remove: Remove,
    verify: Verify,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await keep(application, tenant)
    old = await places(application, tenant.id)
    monkeypatch.setattr(sealer, "MOST", 3)
    await age()
    steps = removed(application.database, application.settings, tenant.id)
    first = await anext(steps)
    await steps.aclose()  # type: ignore[attr-defined]  # an asynchronous generator
    report = await verify(tenant.id)
    assert 0 < first.rows <= 3 and report.intact and report.removed == first.rows
    await assert_proven(application, tenant.id)
    assert await remove() == len(old) - first.rows
    assert (await verify(tenant.id)).intact


async def test_given_a_log_that_was_tampered_with_then_nothing_is_removed_from_there(
    application: Application, target: Target, tenant: Tenant, place: Scene, age: Age, remove: Remove
) -> None:
    await keep(application, tenant)
    await age()
    before = await places(application, tenant.id)
    async with behind(target, tenant.id) as connection:
        await connection.execute(
            "update action_logs set reason = 'forged' where tenant_id = $1 and seq = $2", tenant.id, before[3]
        )
    with pytest.raises(Untrustworthy):
        await remove()
    assert await places(application, tenant.id) == before


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        (
            "delete from action_logs where tenant_id = $1 and resource_kind = 'dictionaries.dictionary'",
            "missing",
        ),
        (
            "update log_tombstones set removed = set_bit(removed, 0, 1 - get_bit(removed, 0)) where tenant_id = $1",
            "tombstone_forged",
        ),
        ("delete from log_tombstones where tenant_id = $1", "missing"),
        ("update log_bases set row_count = row_count + 1 where tenant_id = $1", "base_forged"),
        ("update log_base_rows set table_name = 'x' where tenant_id = $1", "base_forged"),
        ("delete from log_base_rows where tenant_id = $1", "base_forged"),
        ("delete from log_bases where tenant_id = $1", "base_missing"),
    ],
)
async def test_given_retention_then_nobody_can_hide_behind_it(
    application: Application,
    target: Target,
    tenant: Tenant,
    place: Scene,
    age: Age,
    remove: Remove,
    verify: Verify,
    statement: str,
    kind: str,
) -> None:
    await keep(application, tenant, "dictionaries.entry")
    await age()
    await remove()
    assert (await verify(tenant.id)).intact
    async with behind(target, tenant.id) as connection:
        await connection.execute(statement, tenant.id)
    assert kind in {one.kind for one in (await verify(tenant.id)).breaks}


async def test_rows_leave_the_log_by_no_other_way(
    application: Application, tenant: Tenant, place: Scene, seal: Seal
) -> None:
    await keep(application, tenant)
    await seal(tenant.id)
    for role in ("backstep_app", "backstep_system"):
        link = await application.database.connect(role)
        await link.execute(f"set app.tenant_id = '{tenant.id}'")
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await link.execute("delete from action_logs")
            refusal = asyncpg.InsufficientPrivilegeError if role == "backstep_app" else asyncpg.PostgresError
            with pytest.raises(refusal) as refused:
                await link.fetchval(
                    "select retention_remove($1, array(select seq from action_logs where tenant_id = $1), '{}', '{}')",
                    tenant.id,
                )
            assert role == "backstep_app" or refused.value.sqlstate == "BS002"
        finally:
            await link.close()


async def test_an_admin_can_neither_set_nor_run_nor_undo_it(application: Application, tenant: Tenant) -> None:
    from commands.retention import ClearRetention, RunRetention, SetRetention

    commands = (SetRetention(kind="*", days=30), ClearRetention(kind="*"), RunRetention())
    for command in commands:
        with pytest.raises(Problem) as refused:
            await application.bus.execute(command, tenant.admin.scope)
        assert refused.value.status == 403
    done = await application.bus.execute(commands[0], tenant.superadmin.scope)
    with pytest.raises(Problem):
        await application.bus.undo(token_of(done), tenant.admin.scope)
    await application.bus.undo(token_of(done), tenant.superadmin.scope)


async def test_given_a_replay_up_to_before_the_base_then_it_says_that_it_cannot(
    application: Application, tenant: Tenant, place: Scene, age: Age, remove: Remove, replay: Replay
) -> None:
    await keep(application, tenant, "dictionaries.entry")
    await age()
    await remove()
    async with application.database.system() as connection:
        rows = await connection.fetch(
            "select id from action_logs where tenant_id = $1 order by seq", tenant.id
        )
    with pytest.raises(StartError, match="removed from the log"):
        await replay(tenant.id, until_log=rows[0]["id"])
    outcome = await label(application.bus, tenant.admin.scope, place, "Rosso")
    assert outcome.log is not None
    assert (await replay(tenant.id, until_log=outcome.log.id)).broken == []
    found = await replay(
        tenant.id, "bisect", sql="select not exists (select from dictionary_entries where label = 'Rosso')"
    )
    assert found.bisection is not None and found.bisection.command is not None
    assert found.bisection.command.log_id == outcome.log.id
