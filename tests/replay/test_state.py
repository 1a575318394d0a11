"""State replay: the log alone leads to the live tables, and whatever does not is found and explained."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from app.database import Target
from app.main import Application
from app.replay import scratch
from app.replay.compare import OUTSIDE
from app.replay.copy import Span
from app.replay.run import Run, Silent, Wanted
from app.settings import StartError
from commands.dictionaries import DeleteEntry, UpdateDictionary
from tests.conftest import Tenant
from tests.heart.proofs import exact_state_of
from tests.heart.scenes import Scene, label, scene, token_of
from tests.replay.conftest import Replay, behind, scratch_databases


@pytest.fixture
async def place(application: Application, tenant: Tenant) -> Scene:
    """A dictionary with three entries and some history: edits, an undo, a deletion."""
    made = await scene(application.bus, tenant.admin.scope, "red", "green", "blue")
    await label(application.bus, tenant.admin.scope, made, "Rot")
    outcome = await label(application.bus, tenant.admin.scope, made, "Rouge")
    await application.bus.undo(token_of(outcome), tenant.admin.scope)
    gone = DeleteEntry(dictionary_id=made.dictionary_id, entry_id=made.entry_ids[2])
    await application.bus.execute(gone, tenant.admin.scope)
    return made


async def test_given_any_history_then_it_leads_to_the_live_tables_which_are_only_read(
    application: Application, target: Target, tenant: Tenant, place: Scene, replay: Replay, template: str
) -> None:
    before = await exact_state_of(application.database, tenant.id)
    report = await replay(tenant.id)
    assert (report.verdict, report.exit_code) == ("equal", 0)
    assert report.log_rows >= 9 and report.rows_compared > 10 and report.tables > 10
    assert await exact_state_of(application.database, tenant.id) == before
    assert report.database is None and await scratch_databases(target, template) == []


async def test_given_all_tenants_then_they_are_replayed_together(
    tenant: Tenant, place: Scene, replay: Replay
) -> None:
    report = await replay(None)
    own = [one for one in report.differences if one.tenant_id == tenant.id]
    assert own == [] and report.log_rows > 9


async def test_given_a_row_changed_by_sql_then_no_command_explains_it(
    target: Target, tenant: Tenant, place: Scene, replay: Replay
) -> None:
    async with behind(target, tenant.id) as connection:
        await connection.execute(
            "update dictionary_entries set label = 'forged' where id = $1", place.entry_ids[1]
        )
    report = await replay(tenant.id)
    assert (report.verdict, report.exit_code) == ("not_equal", 1)
    (found,) = report.differences
    assert (found.table, found.id, found.kind) == ("dictionary_entries", place.entry_ids[1], "different")
    assert found.columns == {"label": ('"green"', '"forged"')}
    assert found.explanation == OUTSIDE and found.command is None
    assert any("forged" in line for line in report.lines())


async def test_given_rows_planted_and_removed_by_sql_then_both_are_found(
    target: Target, tenant: Tenant, place: Scene, replay: Replay
) -> None:
    planted = uuid4()
    async with behind(target, tenant.id) as connection:
        await connection.execute(
            "insert into dictionary_entries select (jsonb_populate_record(e, jsonb_build_object('id', $2::uuid,"
            " 'value', 'x', 'normalized_value', 'x'))).* from dictionary_entries e where id = $1",
            place.entry_ids[0],
            planted,
        )
        await connection.execute("delete from dictionary_entries where id = $1", place.entry_ids[0])
    report = await replay(tenant.id)
    assert {(one.id, one.kind) for one in report.differences} == {
        (planted, "unexpected"),
        (place.entry_ids[0], "missing"),
    }
    assert all(one.explanation == OUTSIDE for one in report.differences)


async def test_given_a_row_put_back_to_an_earlier_state_then_the_command_that_it_lacks_is_named(
    application: Application, target: Target, tenant: Tenant, place: Scene, replay: Replay
) -> None:
    outcome = await label(application.bus, tenant.admin.scope, place, "Rosso")
    async with behind(target, tenant.id) as connection:
        changes = await connection.fetchval(
            "select changes->0->'b' from action_logs where id = $1", outcome.log.id
        )  # type: ignore[union-attr]
        await connection.execute(
            "update dictionary_entries e set label = r.label, updated_at = r.updated_at"
            " from jsonb_populate_record(null::dictionary_entries, $2::text::jsonb) r where e.id = $1",
            place.entry_ids[0],
            changes,
        )
    (found,) = (await replay(tenant.id)).differences
    assert outcome.log is not None and found.command is not None
    assert found.command.log_id == outcome.log.id
    assert "as if this command had never been" in found.explanation


async def test_given_a_forged_log_row_then_it_is_named_as_a_contradiction(
    application: Application, target: Target, tenant: Tenant, place: Scene, replay: Replay
) -> None:
    outcome = await label(application.bus, tenant.admin.scope, place, "Rosso")
    assert outcome.log is not None
    async with behind(target, tenant.id) as connection:
        await connection.execute(
            "update action_logs set changes = jsonb_set(changes, '{0,b,label}', '\"never\"') where id = $1",
            outcome.log.id,
        )
    report = await replay(tenant.id)
    assert report.verdict == "not_equal"
    assert [(one.log_id, one.why) for one in report.broken] == [
        (str(outcome.log.id), "starts from another state of the row")
    ]


async def test_given_a_place_in_history_then_the_scratch_database_stands_there(
    application: Application, tenant: Tenant, place: Scene, template: str
) -> None:
    middle = await label(application.bus, tenant.admin.scope, place, "middle")
    moment = datetime.now(UTC)
    await label(application.bus, tenant.admin.scope, place, "end")
    assert middle.log is not None
    for span in (Span(tenant.id, until_log=middle.log.id), Span(tenant.id, until_time=moment)):
        wanted = Wanted("state", span, serve=True)
        async with Run(
            application.database, application.settings, wanted, Silent(), template
        ).finished() as done:
            connection = await asyncpg.connect(done.scratch.dsn)
            text = await connection.fetchval(
                "select label from dictionary_entries where id = $1", place.entry_ids[0]
            )
            document = await connection.fetchval(
                "select doc::jsonb->>'label' from entity_index where entity_id = $1", place.entry_ids[0]
            )
            constraints = await connection.fetchval(
                "select count(*) from pg_constraint where conname = 'dictionary_entries_dictionary'"
            )
            await connection.close()
        assert (text, document, constraints) == ("middle", "middle", 1)
        assert done.report.verdict == "equal" and done.report.tables == 0


async def test_given_a_focus_then_only_that_is_compared(
    application: Application, target: Target, tenant: Tenant, place: Scene, replay: Replay
) -> None:
    rename = UpdateDictionary(dictionary_id=place.dictionary_id, name="Colours")
    await application.bus.execute(rename, tenant.admin.scope)
    async with behind(target, tenant.id) as connection:
        await connection.execute("update dictionaries set name = 'forged' where id = $1", place.dictionary_id)
    entry, other = (f"dictionaries.{kind}" for kind in ("entry", "dictionary"))
    assert (await replay(tenant.id, focus=entry)).verdict == "equal"
    assert (await replay(tenant.id, focus=other)).verdict == "not_equal"
    assert (await replay(tenant.id, focus=f"{other}:{place.dictionary_id}")).verdict == "not_equal"
    assert (await replay(tenant.id, focus=f"{other}:{uuid4()}")).verdict == "equal"


async def test_given_writers_meanwhile_then_what_they_did_is_replayed_too(
    application: Application, tenant: Tenant, place: Scene, replay: Replay
) -> None:
    running, written = True, 0
    before = (await replay(tenant.id)).log_rows

    async def write() -> None:
        nonlocal written
        while running:
            await label(application.bus, tenant.admin.scope, place, f"label {written}")
            written += 1

    writer = asyncio.create_task(write())
    try:
        report = await replay(tenant.id)
    finally:
        running = False
        await writer
    assert report.verdict == "equal" and report.differences == []
    assert before < report.log_rows <= before + written


class Cut(Silent):
    """Cuts the run off after some log rows, like Ctrl+C."""

    def __init__(self, after: int) -> None:
        self._left = after

    def advance(self, steps: int, note: str = "") -> None:
        self._left -= steps
        if self._left <= 0:
            raise KeyboardInterrupt


async def test_given_a_run_that_was_cut_off_then_another_goes_on_with_it(
    application: Application, target: Target, tenant: Tenant, place: Scene, replay: Replay, template: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        await replay(tenant.id, progress=Cut(9))
    (left,) = await scratch_databases(target, template)
    connection = await asyncpg.connect(target.admin_dsn, database=left)
    position = await connection.fetchval("select position from replay.run")
    await connection.close()
    assert position > 0, "what was done before the cut is kept"
    await label(application.bus, tenant.admin.scope, place, "later")
    report = await replay(tenant.id, resume=True)
    assert report.verdict == "equal" and report.row_changes == 1, "only what was recorded since is left to do"
    assert await scratch_databases(target, template) == []
    with pytest.raises(StartError, match="no run with these options"):
        await replay(tenant.id, resume=True)


async def test_given_a_run_that_nobody_goes_on_with_then_a_later_one_clears_it_away(
    target: Target,
    tenant: Tenant,
    place: Scene,
    replay: Replay,
    template: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(KeyboardInterrupt):
        await replay(tenant.id, progress=Cut(9))
    assert len(await scratch_databases(target, template)) == 1
    assert (await replay(tenant.id)).verdict == "equal"
    assert len(await scratch_databases(target, template)) == 1, "it might have been beginning"
    monkeypatch.setattr(scratch, "GRACE_SECONDS", 0.0)
    assert (await replay(tenant.id)).verdict == "equal"
    assert await scratch_databases(target, template) == []


async def test_given_a_kept_scratch_database_then_later_runs_leave_it(
    target: Target, tenant: Tenant, place: Scene, replay: Replay, template: str
) -> None:
    report: Any = await replay(tenant.id, keep=True)
    await replay(tenant.id)
    assert await scratch_databases(target, template) == [report.database]
    await scratch.drop(target, report.database)


async def test_given_no_such_history_then_it_says_so(tenant: Tenant, replay: Replay) -> None:
    with pytest.raises(StartError, match="no history"):
        await replay(uuid4())
    with pytest.raises(StartError, match="no log row"):
        await replay(tenant.id, until_log=uuid4())
