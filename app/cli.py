"""The command `backstep`. Whatever is heavy is imported inside the commands, so that `--help` is quick."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import rich_click as click

from app import VERSION
from app.cli_entities import entities
from app.cli_jobs import jobs
from app.cli_keys import keys
from app.cli_replay import replay
from app.cli_retention import retention
from app.cli_seals import head, seal, verify_log
from app.cli_shared import data_option
from app.cli_shared import settings_of as _settings
from app.cli_shared import with_database as _with_database

if TYPE_CHECKING:
    from app.database import Database
    from app.settings import Settings
    from app.verify import TenantReport

click.rich_click.USE_MARKDOWN = False
click.rich_click.SHOW_ARGUMENTS = True


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(VERSION, prog_name="backstep")
def cli() -> None:
    """A back office in which every change can be explained, undone and redone."""


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to listen on."
)
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Server processes.")
@click.option(
    "--demo/--no-demo", default=None, help="Seed an empty database with the demo tenant (BACKSTEP_DEMO)."
)
@data_option
def serve(host: str, port: int, workers: int, demo: bool | None, data: Path | None) -> None:
    """Start the server; the first time it makes its database."""
    from app.server import serve as run
    from app.settings import Settings

    run(Settings.read(data=data, demo=demo), host, port, workers)


@cli.command()
@data_option
def migrate(data: Path | None) -> None:
    """Bring the database to the schema of this version."""
    from app.embedded import opened
    from app.migrate import migrate as run
    from app.settings import Settings

    with opened(Settings.read(data=data)) as target:
        done = asyncio.run(run(target.admin_dsn, embedded=target.embedded))
    if done.changed:
        click.echo(f"Migrated from {done.before or 'an empty database'} to {done.after}.")
    else:
        click.echo(f"Nothing to do: the database is at {done.after}.")


@cli.command()
@click.option("--demo", is_flag=True, help="Make the demo tenant with its users.")
@click.option("--admin", metavar="EMAIL", help="Make the first administrator.")
@data_option
def seed(demo: bool, admin: str | None, data: Path | None) -> None:
    """Make the demo tenant, or the first administrator of a new installation.

    The administrator's password comes from BACKSTEP_ADMIN_PASSWORD or is asked for; without either, one is made and
    shown once.
    """
    if demo == (admin is not None):
        raise click.UsageError("Give either --demo or --admin EMAIL.")
    settings = _settings(data)
    password = _admin_password(settings) if admin is not None else None

    async def run(database: "Database") -> Any:
        from app import seed as seeding

        if admin is None:
            return await seeding.seed_demo(database, settings)
        return await seeding.seed_admin(database, settings, admin, password)

    report = _with_database(settings, run)
    click.echo(report.text())


@cli.command()
@click.option("--tenant", metavar="ID", type=click.UUID, help="Only this tenant.")
@click.option(
    "--log", "log", is_flag=True, help="Check the seals of the action log, and the rows under them."
)
@click.option(
    "--head",
    "head_file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="With --log: exported heads that history must still lead to.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@data_option
def verify(tenant: UUID | None, log: bool, head_file: Path | None, as_json: bool, data: Path | None) -> None:
    """Compare the index with a rebuild, and the action log with the tables. Ends with 1 when they differ."""
    if log:
        verify_log(tenant, head_file, as_json, data)
        return
    if head_file is not None:
        raise click.UsageError("--head goes with --log.")
    settings = _settings(data)

    async def run(database: "Database") -> "list[TenantReport]":
        from app.verify import verify as check

        reports = []
        async for report in check(database, settings, tenant):
            reports.append(report)
            if not as_json:
                click.echo(_verdict(report))
        return reports

    reports = _with_database(settings, run)
    ok = all(report.ok for report in reports)
    if as_json:
        import msgspec

        click.echo(
            msgspec.json.format(msgspec.json.encode({"ok": ok, "tenants": reports}), indent=2).decode()
        )
    else:
        click.echo(f"{len(reports)} tenants checked: {'all consistent' if ok else 'differences found'}.")
    if not ok:
        raise SystemExit(1)


@cli.command()
@click.option("--tenant", metavar="ID", type=click.UUID, help="Only this tenant.")
@click.option("--entity", metavar="TYPE", help="Only this entity type.")
@data_option
def reindex(tenant: UUID | None, entity: str | None, data: Path | None) -> None:
    """Build the query index anew, beside a running server."""
    settings = _settings(data)

    async def run(database: "Database") -> tuple[int, int, list[str]]:
        from app.main import load_parts
        from app.settings import StartError, master_key
        from domain.keys import tenant_key
        from projections.index import projection_for, projections
        from projections.rebuild import rebuild

        load_parts()
        if entity is not None and (projection_for(entity) is None or ":" not in entity):
            known = sorted(one.entity_type for one in projections() if one.type_column is None)
            raise StartError(f"The entity type {entity} is unknown. Known: {', '.join(known)}, and your own.")
        master = master_key(settings)
        done: dict[tuple[UUID, str], int] = {}
        removed = 0
        faults: list[str] = []
        with _progress("Indexing") as show:
            async for step in rebuild(
                database,
                lambda tenant_id: tenant_key(master, tenant_id, "search"),
                tenant_id=tenant,
                entity_type=entity,
            ):
                done[step.tenant_id, step.entity_type] = step.done
                removed += step.removed
                faults += [
                    f"{step.tenant_id} {step.entity_type} {one.id}: {one.reason}" for one in step.faults
                ]
                show(step.entity_type, step.done, step.total)
        return sum(done.values()), removed, faults

    indexed, removed, faults = _with_database(settings, run)
    for fault in faults:
        click.echo(f"Not indexed: {fault}", err=True)
    click.echo(f"{indexed - len(faults)} records indexed, {removed} orphans removed.")
    if faults:
        raise SystemExit(1)


@cli.group()
def mail() -> None:
    """Mail that waits to be sent, or was given up."""


@mail.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@data_option
def list_mail(as_json: bool, data: Path | None) -> None:
    """List the newest 500 letters that are not sent; what was sent is gone from here."""
    settings = _settings(data)

    async def run(database: "Database") -> list[dict[str, Any]]:
        from app.mail.outbox import listing

        return await listing(database, settings)

    rows = _with_database(settings, run)
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for row in rows:
        error = f": {row['lastError']}" if row["lastError"] else ""
        told = f"{row['state']} {row['kind']} to {row['to'] or 'unreadable'}, {row['attempts']} attempts"
        click.echo(f"{row['id']} {row['createdAt']} {told}{error}")
    click.echo(f"{len(rows)} letters.")


@mail.command("retry")
@click.argument("ids", nargs=-1, type=click.UUID)
@click.option("--all", "everything", is_flag=True, help="All that were given up.")
@data_option
def retry_mail(ids: tuple[UUID, ...], everything: bool, data: Path | None) -> None:
    """Let letters that were given up be tried again by the server, as long as their links are good."""
    if everything == bool(ids):
        raise click.UsageError("Give either ids or --all.")

    async def run(database: "Database") -> int:
        from app.mail.outbox import revive

        return await revive(database, None if everything else list(ids))

    click.echo(f"{_with_database(_settings(data), run)} letters wait again.")


cli.add_command(entities)
cli.add_command(jobs)
cli.add_command(keys)
cli.add_command(replay)
cli.add_command(retention)
cli.add_command(seal)
cli.add_command(head)


@cli.command()
def commands() -> None:
    """Print the table of all commands (docs/commands.md)."""
    from app.catalogue import markdown
    from app.main import load_parts

    load_parts()
    click.echo(markdown(), nl=False)


@cli.command()
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write; else standard output."
)
@data_option
def openapi(output: Path | None, data: Path | None) -> None:
    """Write the OpenAPI document. Needs no database."""
    from app.http.openapi import document

    text = json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")


@cli.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(arguments: tuple[str, ...]) -> None:
    """Measure against a hand-written floor; only in a checkout of the source."""
    from app.settings import StartError

    try:
        module = import_module("tests.bench.main")
    except ModuleNotFoundError as error:
        if error.name is None or not "tests.bench.main".startswith(error.name):
            raise
        raise StartError("The bench is part of the source checkout, not of the installed package.") from None
    raise SystemExit(module.main(list(arguments)))


def main() -> None:
    """Run the command line; what keeps a command from working is one line on standard error and exit code 2."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    from app.settings import StartError

    try:
        cli(prog_name="backstep")
    except StartError as error:
        _end(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        import traceback

        if os.environ.get("BACKSTEP_LOG_LEVEL", "").lower() == "debug":
            traceback.print_exc()
        text = " ".join(str(error).split()) or "no further detail"
        _end(f"{type(error).__name__}: {text} (BACKSTEP_LOG_LEVEL=debug shows where)")


def _end(text: str) -> None:
    print(f"backstep: {text}", file=sys.stderr)
    sys.exit(2)


def _admin_password(settings: "Settings") -> str | None:
    """From the environment or the terminal; `None` asks for a generated one."""
    if settings.admin_password is not None:
        return settings.admin_password.get_secret_value()
    if not sys.stdin.isatty():
        return None
    given: str = click.prompt(
        "Password (blank: make one)",
        default="",
        hide_input=True,
        show_default=False,
        confirmation_prompt=True,
    )
    return given or None


def _verdict(report: "TenantReport") -> str:
    """The report of one tenant as text: a line when consistent, else a line for each fault."""
    if report.ok:
        return f"{report.tenant_id}: consistent, {report.rows} rows"
    faults = [*report.log_faults, *report.table_faults, *report.index_faults]
    return "\n".join([f"{report.tenant_id}: {len(faults)} faults", *(f"  {fault}" for fault in faults)])


@contextmanager
def _progress(label: str) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal, nothing elsewhere; the yielded function takes what is worked on, records done and all."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda what, done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda what, done, total: bar.update(
            task, description=f"{label} {what}", completed=done, total=total
        )


if __name__ == "__main__":
    main()
