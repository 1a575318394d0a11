"""One run of the bus: what is asked of it, and what comes of it."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from msgspec import Raw, Struct

from commands.log import LogEntry
from commands.unit import Change, Unit


class DryRun(Struct, frozen=True, rename="camel"):
    """What a command would have done."""

    command_id: str
    resource_kind: str | None
    resource_id: str | None
    snapshot_before: Any
    snapshot_after: Any
    changes: Any
    rows: list[Change]
    result: Any


class Outcome(Struct, frozen=True):
    """What came of a command: the handler's result, and the log row when something changed."""

    result: Any
    log: LogEntry | None = None
    dry_run: DryRun | None = None
    replayed: bool = False


class Committed(Struct, frozen=True):
    """Told to listeners after a commit: whose rows, and of which tables."""

    tenant_id: UUID
    tables: frozenset[str]
    jobs: int = 0
    """How many background jobs it wrote down."""


class Work(Struct):
    """One run of the bus: what is to be recorded of it."""

    command_id: str
    label: str | None
    resource_kind: str | None
    logged: bool
    undoable: bool
    input: Raw | None
    perform: Callable[[Unit], Awaitable[Any]]
    prepare: Callable[[Unit], Awaitable[None]] | None = None
    """What it does before it waits for the tenant's lock."""
    target: UUID | None = None
    resource_id: str | None = None
    reverses: UUID | None = None
    history_action: str | None = None
    source_log_id: UUID | None = None
    context: dict[str, Any] | None = None
