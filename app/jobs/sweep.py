"""Keeping the house of background jobs: what became of jobs that are gone is forgotten after a week."""

from typing import TYPE_CHECKING, Final

from app.jobs.queue import at

if TYPE_CHECKING:
    from app.main import Application

_DAYS: Final = 7
_ROWS: Final = 5_000
_FORGET: Final = """
delete from jobs.pgqueuer_log where ctid = any (array(
  select l.ctid from jobs.pgqueuer_log l
   where l.created < now() - make_interval(days => $1)
     and not exists (select from jobs.pgqueuer j where j.id = l.job_id)
   limit $2))
"""


@at("17 * * * *", "jobs.sweep")
async def sweep(application: "Application") -> None:
    """Delete the old rows of the log, some thousand at a time."""
    while True:
        async with application.database.system() as connection:
            done = await connection.execute(_FORGET, _DAYS, _ROWS)
        if int(str(done).rpartition(" ")[2]) < _ROWS:
            return
