"""The job that replays a tenant's history: in a process of its own, so that requests do not wait for it."""

import asyncio
import contextlib
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from app.jobs.queue import Run, job
from app.settings import PREFIX
from domain.replay import REPLAY_JOB, ReplayRequest
from domain.resources import resource_of

if TYPE_CHECKING:
    from app.main import Application

_HOURS: Final = 12 * 3600.0
_BEAT_SECONDS: Final = 0.5
_WORDS: Final = 600
"""Characters of an error that are kept."""
_STATES: Final = {0: "equal", 1: "not_equal"}


@job(REPLAY_JOB, payload=ReplayRequest, attempts=1, concurrency=1, timeout=_HOURS)
async def replay(run: Run, wanted: ReplayRequest) -> None:
    """Do one run, telling how far it is; whatever happens, it does not stay under way."""
    assert run.tenant_id is not None, "a replay is of a tenant"
    place = (run.tenant_id, wanted.run_id)
    async with run.app.database.system() as connection:
        row = await connection.fetchrow(
            "update replay_runs set state = 'running', updated_at = $3 where tenant_id = $1 and id = $2 returning *",
            *place,
            datetime.now(UTC),
        )
    if row is None:
        return
    state, report, error = "could_not", None, "The server was stopped"
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "report.json"
            code, words = await _process(run, row["mode"], row["until"], place, file)
            report = await asyncio.to_thread(_report, file)
        state, error = _STATES.get(code, "could_not"), words if code not in _STATES else None  # type: ignore[assignment]  # text or none
    finally:
        async with run.app.database.system() as connection:
            await connection.execute(
                "update replay_runs set state = $3, report = $4::text::jsonb, error = $5, phase = null,"
                " finished_at = $6, updated_at = $6 where tenant_id = $1 and id = $2",
                *place,
                state,
                report,
                error,
                datetime.now(UTC),
            )


async def _process(
    run: Run, mode: str, until: str | None, place: tuple[UUID, UUID], file: Path
) -> tuple[int, str]:
    """Run `backstep replay`; returns its exit code and its last words."""
    arguments = ["--tenant", str(place[0]), f"--{mode}", "--json", str(file), "--progress-lines"]
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", "replay", *arguments, *(["--until", until] if until else [])),
        env=_environment(run.app),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert child.stderr is not None, "it was asked for"
    stopping = asyncio.create_task(run.stopping.wait())
    stopping.add_done_callback(lambda done: None if done.cancelled() else _end(child))
    words = ""
    told = 0.0
    try:
        while line := await child.stderr.readline():
            text = line.decode(errors="replace").strip()
            if not text.startswith("{"):
                words = text or words
                continue
            now = asyncio.get_running_loop().time()
            if now - told >= _BEAT_SECONDS:
                told = now
                await _beat(run.app, place, msgspec.json.decode(text))
        return await child.wait(), words[-_WORDS:]
    finally:
        stopping.cancel()
        _end(child)


def _end(child: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.terminate()


def _environment(app: "Application") -> dict[str, str]:
    """What the process needs to find the database and the keys of this one."""
    settings, target = app.settings, app.database.target
    found = {**os.environ, PREFIX + "DATA": str(settings.data)}
    found[PREFIX + "ATTACHED" if target.embedded else "DATABASE_URL"] = target.admin_dsn
    if settings.secret is not None:
        found[PREFIX + "SECRET"] = settings.secret.get_secret_value()
    return found


async def _beat(app: "Application", place: tuple[UUID, UUID], told: dict[str, Any]) -> None:
    """Note how far it is."""
    async with app.database.system() as connection:
        await connection.execute(
            "update replay_runs set phase = $3, done = $4, total = $5, updated_at = $6"
            " where tenant_id = $1 and id = $2",
            *place,
            told["phase"],
            told["done"],
            told["total"],
            datetime.now(UTC),
        )


def _report(file: Path) -> str | None:
    """The report as it is kept: values of columns that nobody is shown are left out."""
    if not file.exists():
        return None
    report = msgspec.json.decode(file.read_bytes())
    rows = [*report["differences"], *(row for one in report["diverged"] for row in one["rows"])]
    for row in rows:
        with contextlib.suppress(KeyError):  # a table that is gone has no hidden columns
            hidden = resource_of(row["table"]).hidden
            row["columns"] |= {column: [None, None] for column in hidden & row["columns"].keys()}
    return msgspec.json.encode(report).decode()
