"""The command `backstep replay`."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import rich_click as click

from app.cli_shared import data_option

if TYPE_CHECKING:
    from app.replay.report import Report
    from app.replay.run import Mode, Progress, Wanted


_HELP = {
    "state": "Apply the recorded row changes and compare with the live tables (default).",
    "commands": "Execute the recorded inputs with today's handlers and compare what they change.",
    "bisect": "Find the first command after which this is not true any more.",
    "until": "Stop after this log row, or at this time (ISO 8601, UTC unless it says otherwise).",
    "tenant": "Only this tenant.",
    "resource": "Compare or execute only what is about this kind of record, or this record.",
    "keep": "Keep the scratch database and print how to connect to it.",
    "serve": "Serve the API read-only on the scratch database until Ctrl+C.",
    "resume": "Go on with a run with these options that was cut off.",
    "log": "Replay a saved log in place of the live one, which is then not looked at.",
    "json": "Write the whole report to this file (-: standard output).",
}
_LOG = click.Path(path_type=Path, dir_okay=False, exists=True)
_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@click.command()
@click.option("--state", "mode", flag_value="state", default=True, help=_HELP["state"])
@click.option("--commands", "mode", flag_value="commands", help=_HELP["commands"])
@click.option("--bisect", metavar="SQL", help=_HELP["bisect"])
@click.option("--until", metavar="LOG_ID|TIME", help=_HELP["until"])
@click.option("--tenant", metavar="ID", type=click.UUID, help=_HELP["tenant"])
@click.option("--resource", metavar="KIND[:ID]", help=_HELP["resource"])
@click.option("--keep", is_flag=True, help=_HELP["keep"])
@click.option("--serve", "port", metavar="PORT", type=click.IntRange(1, 65535), help=_HELP["serve"])
@click.option("--resume", is_flag=True, help=_HELP["resume"])
@click.option("--log", metavar="FILE", type=_LOG, help=_HELP["log"])
@click.option("--json", "file", metavar="FILE", type=_FILE, help=_HELP["json"])
@click.option("--progress-lines", "lines", is_flag=True, hidden=True)
@data_option
def replay(
    mode: "Mode",
    bisect: str | None,
    until: str | None,
    tenant: UUID | None,
    resource: str | None,
    keep: bool,
    port: int | None,
    resume: bool,
    log: Path | None,
    file: Path | None,
    lines: bool,
    data: Path | None,
) -> None:
    """Do history again in a scratch database beside the live one, which is only read.

    Ends with 0 when all is equal, with 1 when it is not, and with 2 when that could not be found out.
    """
    from app.replay.compare import Focus
    from app.replay.copy import Span
    from app.replay.run import Wanted

    if bisect is not None and mode != "state":
        raise click.UsageError("Give one of --state, --commands and --bisect.")
    log_id, moment = _until(until)
    wanted = Wanted(
        mode="bisect" if bisect is not None else mode,
        span=Span(tenant, until_log=log_id, until_time=moment),
        focus=_focus(Focus, resource),
        sql=bisect,
        log=None if log is None else str(log.absolute()),
        keep=keep,
        serve=port is not None,
        resume=resume,
    )
    report = _run(wanted, data, port, lines)
    text_on_stdout = file is None or str(file) != "-"
    for line in report.lines():
        click.echo(line, err=not text_on_stdout)
    if file is not None:
        _write(file, report)
    raise SystemExit(report.exit_code)


def _run(wanted: "Wanted", data: Path | None, port: int | None, lines: bool) -> "Report":
    """Run it on the database of the settings, which another process may be serving meanwhile."""
    from app.database import Database
    from app.embedded import opened
    from app.replay.run import Run
    from app.settings import Settings

    settings = Settings.read(data=data)
    with opened(settings) as target, _progress(lines) as progress:

        async def run() -> "Report":
            database = Database(target)
            doing = Run(database, settings, wanted, progress)
            try:
                async with doing.finished() as finished:
                    if wanted.keep:
                        click.echo(f"The scratch database is {finished.scratch.dsn}", err=True)
                    if port is not None:
                        from app.replay.serve import serve

                        progress.phase(f"Serving on http://127.0.0.1:{port} (Ctrl+C ends it)", None)
                        await serve(settings, finished.scratch.target, port)
                    return finished.report
            finally:
                await database.close()
                if doing.interrupted is not None:
                    click.echo("Cut off; the same command with --resume goes on with it.", err=True)

        return asyncio.run(run())


def _until(text: str | None) -> tuple[UUID | None, datetime | None]:
    if text is None:
        return None, None
    try:
        return UUID(text), None
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text} is neither the id of a log row nor a time", param_hint="--until"
        ) from None
    return None, moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _focus(focus: Any, text: str | None) -> Any:
    """The focus that the text names. Raises UsageError for an unknown kind or an id that is none."""
    if text is None:
        return None
    from app.main import load_parts
    from domain.resources import all_resources

    load_parts()
    found = focus.parse(text)
    kinds = sorted(resource.kind for resource in all_resources() if resource.kind and resource.logged)
    if found.kind not in kinds:
        raise click.BadParameter(f"{found.kind} is not one of {', '.join(kinds)}", param_hint="--resource")
    try:
        UUID(found.id) if found.id is not None else None
    except ValueError:
        raise click.BadParameter(f"{found.id} is not an id", param_hint="--resource") from None
    return found


def _write(file: Path, report: "Report") -> None:
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(report), indent=2).decode()
    if str(file) == "-":
        click.echo(text)
    else:
        file.write_text(text + "\n", encoding="utf-8")


class _Bar:
    """Progress on a terminal: what is done, how much of it, how fast, and how long it will take."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self._task: Any = None
        self._done = 0
        self._begun = 0.0

    def phase(self, name: str, total: int | None) -> None:
        """Begin a new line."""
        if self._task is not None:
            self._progress.update(self._task, visible=False)
        self._task = self._progress.add_task(name, total=total, rate="")
        self._done, self._begun = 0, time.perf_counter()

    def advance(self, steps: int, note: str = "") -> None:
        """Move on."""
        self._done += steps
        rate = self._done / max(time.perf_counter() - self._begun, 0.001)
        self._progress.update(self._task, advance=steps, rate=note or f"{rate:,.0f}/s")


class _Lines:
    """Progress for a program: JSON lines on standard error, a few each second."""

    def __init__(self) -> None:
        self._told = {"phase": "", "total": None, "done": 0}
        self._last = 0.0

    def phase(self, name: str, total: int | None) -> None:
        """Begin another part."""
        self._told = {"phase": name, "total": total, "done": 0}
        self._tell()

    def advance(self, steps: int, note: str = "") -> None:
        """Move on."""
        self._told["done"] += steps  # type: ignore[operator]  # it is a number
        if time.monotonic() - self._last >= 0.3:
            self._tell()

    def _tell(self) -> None:
        self._last = time.monotonic()
        print(json.dumps(self._told), file=sys.stderr, flush=True)


@contextmanager
def _progress(lines: bool) -> Iterator["Progress"]:
    """Lines for a program that asked for them, a bar on a terminal, nothing elsewhere."""
    from app.replay.run import Silent

    if lines:
        yield _Lines()
        return
    if not sys.stderr.isatty():
        yield Silent()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _Bar(bar)
