"""The golden logs of all releases, replayed by today's code (docs/replay.md says how to add one).

`<release>.accepted.json` beside a log names the commands that are meant to do something else today, each with why.
"""

from pathlib import Path

import msgspec
import pytest

from app.main import Application
from app.replay import archive
from app.replay.copy import snapshot
from app.replay.run import Run, Silent, Wanted
from app.settings import StartError
from tests import generators
from tests.conftest import Tenant
from tests.heart.scenes import scene

generators.load()  # they declare settings for their commands to set, and the golden log has such commands
LOGS = sorted((Path(__file__).parent.parent / "golden").glob("*.jsonl.gz"))


def test_there_is_a_golden_log() -> None:
    assert LOGS


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
async def test_given_a_golden_log_then_its_changes_still_fit_together(
    application: Application, template: str, path: Path
) -> None:
    wanted = Wanted("state", log=str(path))
    async with Run(application.database, application.settings, wanted, Silent(), template).finished() as done:
        assert done.report.broken == [] and done.report.verdict == "equal"
        assert done.report.log_rows > 100


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
async def test_given_a_golden_log_then_todays_handlers_do_what_those_of_the_release_did(
    application: Application, template: str, path: Path
) -> None:
    side = path.with_name(path.name.replace(".jsonl.gz", ".accepted.json"))
    accepted = msgspec.json.decode(side.read_bytes(), type=dict[str, str]) if side.exists() else {}
    wanted = Wanted("commands", log=str(path))
    async with Run(application.database, application.settings, wanted, Silent(), template).finished() as done:
        report = done.report
    unexpected = [one for one in report.diverged if str(one.command.log_id) not in accepted]
    assert unexpected == [], "\n".join(line for one in unexpected for line in one.lines())
    assert accepted.keys() == {str(one.command.log_id) for one in report.diverged}, (
        "no acceptance is out of date"
    )
    assert report.broken == [] and report.executed > 100


async def test_given_a_saved_log_then_it_is_replayed_like_the_live_one(
    application: Application, tenant: Tenant, template: str, tmp_path: Path
) -> None:
    await scene(application.bus, tenant.admin.scope, "red")
    path = tmp_path / "log.jsonl.gz"
    async with snapshot(application.database.target) as live:
        count = await archive.save(live, path, "test")
    wanted = Wanted("state", log=str(path))
    async with Run(application.database, application.settings, wanted, Silent(), template).finished() as done:
        assert done.report.log_rows == count and done.report.row_changes >= count


async def test_given_a_file_that_is_no_log_then_it_says_so(
    application: Application, template: str, tmp_path: Path
) -> None:
    path = tmp_path / "no.jsonl.gz"
    path.write_bytes(b"no log")
    wanted = Wanted("state", log=str(path))
    with pytest.raises(StartError, match="not a saved log"):
        async with Run(application.database, application.settings, wanted, Silent(), template).finished():
            pass
