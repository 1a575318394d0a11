"""Random restorations (any record, as of a moment at which some row of the tenant was written), and many undone."""

from uuid import UUID

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from commands.registry import Command
from commands.restore import RestoreRecord
from commands.undo_many import UndoFilter, UndoMany
from domain.resources import resource_of
from tests.generators import UNKNOWN, World, generates

_TABLES = ("dictionaries", "dictionary_entries", "organizations", "roles", "users", "role_acls")


@generates(RestoreRecord)
def restore_record(world: World) -> SearchStrategy[Command]:
    records = [
        (str(resource_of(table).kind), UUID(str(row["id"])))
        for table in _TABLES
        for row in world.matching(table)
    ]
    moments = [
        str(row[stamp])
        for table in _TABLES
        for row in world.matching(table)
        for stamp in ("created_at", "updated_at")
    ]
    subject = st.sampled_from([*records, ("dictionaries.entry", UNKNOWN)])
    return st.builds(
        lambda named, at: RestoreRecord(
            resource_kind=named[0], resource_id=named[1], at=at.replace(" ", "T")
        ),
        subject,
        st.sampled_from([*moments, "1999-01-01T00:00:00Z"]),
    )


@generates(UndoMany)
def undo_many(world: World) -> SearchStrategy[Command]:
    kinds = ("dictionaries.entry", "dictionaries.dictionary", "auth.role", "directory.organization")
    by_kind = st.sampled_from(kinds).map(lambda kind: UndoFilter(resource_kind=kind))
    by_command = st.sampled_from(("dictionaries.entries.update", "auth.roles.create", "no.such.command")).map(
        lambda id: UndoFilter(command_id=id)
    )
    entries = [str(id) for id in world.ids("dictionary_entries")] or [str(UNKNOWN)]
    by_record = st.sampled_from(entries).map(lambda id: UndoFilter(resource_id=id))
    return st.builds(UndoMany, filter=by_record | by_kind | by_command)
