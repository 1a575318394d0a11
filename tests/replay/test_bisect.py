"""Bisection: the command after which something is not true any more, or word that no command did it."""

import pytest

from app.database import Target
from app.main import Application
from app.settings import StartError
from tests.conftest import Tenant
from tests.heart.scenes import Scene, label, scene
from tests.replay.conftest import Replay, behind

NICE = "select not exists (select from dictionary_entries where label = 'bad' and id = '{id}')"


@pytest.fixture
async def place(application: Application, tenant: Tenant) -> Scene:
    """A dictionary with two entries, and forty edits of the first."""
    made = await scene(application.bus, tenant.admin.scope, "red", "green")
    for number in range(40):
        await label(application.bus, tenant.admin.scope, made, f"label {number}")
    return made


async def test_given_a_command_that_made_it_untrue_then_it_is_the_one_named(
    application: Application, tenant: Tenant, place: Scene, replay: Replay
) -> None:
    bad = await label(application.bus, tenant.admin.scope, place, "bad")
    for number in range(25):
        await label(application.bus, tenant.admin.scope, place, f"other {number}", 1)
    report = await replay(tenant.id, "bisect", sql=NICE.format(id=place.entry_ids[0]))
    assert bad.log is not None and report.bisection is not None and report.bisection.command is not None
    assert (report.verdict, report.bisection.command.log_id) == ("not_equal", bad.log.id)
    assert str(bad.log.id) in report.lines()[-1]


async def test_given_a_statement_that_is_not_true_at_first_then_it_counts_from_when_it_is(
    application: Application, tenant: Tenant, place: Scene, replay: Replay
) -> None:
    await label(application.bus, tenant.admin.scope, place, "good")
    gone = await label(application.bus, tenant.admin.scope, place, "gone")
    sql = (
        f"select exists (select from dictionary_entries where label = 'good' and id = '{place.entry_ids[0]}')"
    )
    report = await replay(tenant.id, "bisect", sql=sql)
    assert gone.log is not None and report.bisection is not None and report.bisection.command is not None
    assert report.bisection.command.log_id == gone.log.id


async def test_given_a_row_changed_by_sql_then_no_command_is_blamed(
    target: Target, tenant: Tenant, place: Scene, replay: Replay
) -> None:
    async with behind(target, tenant.id) as connection:
        await connection.execute(
            "update dictionary_entries set label = 'bad' where id = $1", place.entry_ids[0]
        )
    report = await replay(tenant.id, "bisect", sql=NICE.format(id=place.entry_ids[0]))
    assert report.bisection is not None and report.bisection.command is None
    assert "no command did that, it was changed outside" in report.bisection.why
    assert report.exit_code == 1


async def test_given_a_statement_that_holds_then_nothing_is_named(
    tenant: Tenant, place: Scene, replay: Replay
) -> None:
    report = await replay(tenant.id, "bisect", sql=NICE.format(id=place.entry_ids[0]))
    assert report.bisection is not None
    assert (report.exit_code, report.bisection.command) == (0, None)


async def test_given_a_statement_that_never_held_then_it_could_not_be_found_out(
    tenant: Tenant, place: Scene, replay: Replay
) -> None:
    report = await replay(tenant.id, "bisect", sql="select false")
    assert report.exit_code == 2


@pytest.mark.parametrize(
    "sql", ["select 1", "selec", "delete from dictionary_entries returning true", "select true from nowhere"]
)
async def test_given_a_statement_that_cannot_be_asked_then_it_says_so(
    tenant: Tenant, place: Scene, replay: Replay, sql: str
) -> None:
    with pytest.raises(StartError, match="statement"):
        await replay(tenant.id, "bisect", sql=sql)
