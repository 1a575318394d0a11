"""What the heart must know of a table: its columns, the resource its rows are, and how clients see them.

A module describes each of its tables once, here, and gets audit views, undo, events and replay for it.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from msgspec import Raw
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from domain.scope import Scope

metadata = sa.MetaData()

BY_KEY: Final = {"by_key": True}
"""`info` of a column that holds one JSON object, never null, whose keys are edited apart from each other."""

Row = dict[str, Raw]
"""One row as PostgreSQL saw it: column name to the JSON text of its value, never decoded."""


class Resource:
    """A table that commands write, and the resource that its rows are.

    `kind` is the resource kind in the audit log; a table without one is bookkeeping or a child. `parent` names the
    column that holds the id of the root row for a child table (`root`: that root's table name). `hidden` columns are
    kept in history but never shown; `secret` ones besides stay out of the unchanged part of an image. `derived` adds
    values of other tables to the image (name on the wire to SQL over the alias `t`). `conflicts` says what a violated
    constraint (by name) means to a client. `event` is the prefix of the events that its changes cause, and `place` the
    column that names their organization. `logged` False: rows that are not part of history (sessions). `shared`: all
    tenants may read its rows, so a replay of one tenant needs those of all. `within` says
    which record a row belongs to, `related` which other one it concerns (each as resource kind, or a column that holds
    it as `.column`, and the column of the id): their histories show its actions too. A child is within its root.
    `view` are the features by which the record, and so its history, may be read; without any, only those who may view
    the tenant's audit logs see it. `admits(connection, scope, id)` raises a Problem where one record is closed to the
    caller. `encryptable` are the text columns that an encryption map may name: whatever reads them must bear a sealed
    value.

    `computed` columns follow from other columns and rows: a reversal neither guards nor restores them, their module
    works them out again (`commands.history.settles`). A row in which nothing else changed was not edited: it keeps its
    `updated_at` and causes no event.
    """

    def __init__(
        self,
        table: sa.Table,
        *,
        kind: str | None = None,
        entity_type: str | None = None,
        event: str | None = None,
        root: str | None = None,
        parent: str | None = None,
        child_name: str | None = None,
        hidden: frozenset[str] = frozenset(),
        secret: frozenset[str] = frozenset(),
        derived: Mapping[str, str] | None = None,
        conflicts: Mapping[str, str] | None = None,
        computed: frozenset[str] = frozenset(),
        place: str = "organization_id",
        within: tuple[str, str] | None = None,
        related: tuple[str, str] | None = None,
        view: tuple[str, ...] = (),
        admits: Callable[[Any, Scope, UUID], Awaitable[None]] | None = None,
        logged: bool = True,
        shared: bool = False,
        encryptable: frozenset[str] = frozenset(),
    ) -> None:
        self.table = table
        self.name = str(table.name)
        self.kind = kind
        self.entity_type = entity_type
        self.event = event
        self.root = root
        self.parent = parent
        self.child_name = child_name or table.name
        self.hidden = hidden | secret
        self.secret = secret
        self.derived = dict(derived or {})
        self.conflicts = dict(conflicts or {})
        self.computed = computed
        self.place = place
        self.within = within
        self.related = related
        self.view = view
        self.admits = admits
        self.logged = logged
        self.shared = shared
        self.encryptable = encryptable
        _resources[self.name] = self

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns that a write may name: all but the generated ones."""
        return tuple(str(column.name) for column in self.table.columns if column.computed is None)

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """Python-side scalar default of each column; None where there is none."""
        found: dict[str, Any] = {}
        for column in self.table.columns:
            if column.computed is None:
                default = column.default
                found[str(column.name)] = (
                    default.arg if isinstance(default, ScalarElementColumnDefault) else None
                )
        return found

    @cached_property
    def blank(self) -> Row:
        """The JSON text of every column's default; null where there is none."""
        return {column: Raw(msgspec.json.encode(value)) for column, value in self.defaults.items()}

    def completed(self, row: Row) -> Row:
        """A whole row, perhaps of an earlier schema, with the columns that were added since at their defaults."""
        return row | {column: value for column, value in self.blank.items() if column not in row}

    @cached_property
    def times(self) -> frozenset[str]:
        """Columns that hold an instant, which the wire form shows in milliseconds."""
        return frozenset(str(c.name) for c in self.table.columns if isinstance(c.type, sa.DateTime))

    @cached_property
    def volatile(self) -> frozenset[str]:
        """Columns that no guard compares and that every write stamps anew."""
        return frozenset({"updated_at"} & {column.name for column in self.table.columns})

    @cached_property
    def keyed(self) -> frozenset[str]:
        """Columns that hold one object (`BY_KEY`): a reversal guards and restores the changed keys, and no others."""
        return frozenset(str(column.name) for column in self.table.columns if column.info.get("by_key"))

    def edited(self, columns: Iterable[str]) -> bool:
        """Whether an update of these columns changed more than what is computed or stamped."""
        return not (self.computed | self.volatile).issuperset(columns)

    @cached_property
    def soft_deletes(self) -> bool:
        """Whether a set `deleted_at` means that the record is gone for clients."""
        return "deleted_at" in self.table.columns


_resources: dict[str, Resource] = {}

Images = tuple[dict[str, Any] | None, dict[str, Any] | None]
View = Callable[[list[dict[str, Any]], str | None], Images]
"""Makes the client's snapshots (before, after) from the decoded row changes of a command and its resource id."""

_views: dict[str, View] = {}


def resource_of(table_name: str) -> Resource:
    """The description of a table; KeyError for a table that no module described."""
    return _resources[table_name]


def all_resources() -> list[Resource]:
    """Every described table, in the order of declaration (parents before children)."""
    return list(_resources.values())


def resource_of_kind(kind: str) -> Resource | None:
    """The root table of a resource kind, if any."""
    return next((resource for resource in _resources.values() if resource.kind == kind), None)


def children_of(resource: Resource) -> list[Resource]:
    """The tables whose rows are part of the records of a root table."""
    return [child for child in _resources.values() if child.root == resource.name and child.parent]


def snapshot_view(command_id: str) -> Callable[[View], View]:
    """Declare the snapshots of a command that are not simply its root row before and after."""

    def register(view: View) -> View:
        _views[command_id] = view
        return view

    return register


def view_of(command_id: str) -> View | None:
    """The declared snapshot view of a command, if any."""
    return _views.get(command_id)


def tenant_table(name: str, *columns: sa.schema.SchemaItem, times: bool = True) -> sa.Table:
    """A table keyed by (tenant_id, id), with `created_at` and `updated_at` unless `times` is False."""
    stamps = [
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    ]
    return sa.Table(
        name,
        metadata,
        sa.Column("tenant_id", sa.Uuid, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        *columns,
        *(stamps if times else []),
    )


def custom_fields_column() -> sa.Column[Any]:
    """Where a table keeps the values of its custom fields: one object, bare keys; clients see each as `cf_<key>`."""
    return sa.Column("custom_fields", pg.JSONB, nullable=False, default={}, info=BY_KEY)
